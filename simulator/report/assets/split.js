// What the energy was for: one stacked bar per policy, by cause, with the bounds
// that hold for that policy.
function split(controls, redraw) {
  const names = ["execution", "start-up", "keep-alive", "idle share", "network", "unallocated idle", "embodied"];
  let carbon = false;
  const colors = (i) => `var(--e${i})`;
  const hidden = new Set([5]); // idle that nobody reserved dwarfs the rest on a large fleet
  const used = names.map((_, i) => data.policies.some((p) => (p.energy[i] || 0) > 0 || (p.parts[i] || 0) > 0));
  const legend = html("span", { class: "controls" });
  legend.style.margin = "0";
  toggles(legend, names, colors, hidden, redraw);
  [...legend.children].forEach((b, i) => { if (!used[i]) b.remove(); });
  controls.append(legend);
  const embodied = [...legend.children].find((b) => b.textContent === "embodied");
  const switched = (i) => { carbon = i === 1; if (embodied) embodied.hidden = !carbon; };
  switched(0);
  if (data.policies.some((p) => p.least)) controls.append(strokeKey("mark", "its narrowest bound"), strokeKey("bound", "wider bounds"));
  if (data.policies.some((p) => p.grams_ends)) controls.append(strokeKey("whisker", "95 % interval"));
  choice(controls, "Energy or carbon", ["energy", "carbon"], (i) => { switched(i); redraw(); });

  return (width) => {
    const narrow = width < 640, left = narrow ? 0 : 156, right = width - 76, head = narrow ? 18 : 0, bar = 24, row = bar + head + 12, top = 4;
    const parts = data.policies.map((p) => (carbon ? p.parts : p.energy).map((v, i) => (hidden.has(i) ? 0 : v)));
    const totals = parts.map(sumOf), ends = (p) => (carbon ? p.grams_ends : p.joules_ends) || [];
    const peak = Math.max(...totals, 1e-12), u = unitFor(carbon ? "g" : "j", peak);
    const height = top + parts.length * row + 34, bottom = top + parts.length * row;
    const x = linear(0, peak, left, right);
    const svg = frame(width, height, `Stacked bars: ${carbon ? "carbon" : "energy"} of each policy by cause, in ${u.unit}.`);
    for (const t of ticks(0, peak * u.factor, narrow ? 3 : 6)) {
      svg.append(line(x(t / u.factor), top, x(t / u.factor), bottom, "gridline"), text(x(t / u.factor), bottom + 14, t === 0 && narrow ? "start" : "middle", number(t)));
    }
    svg.append(text(right, bottom + 31, "end", u.unit + (carbon ? " CO₂e" : " before PUE")));
    data.policies.forEach((p, i) => {
      const y = top + i * row + head, mid = y + bar / 2;
      svg.append(narrow ? text(0, y - 5, "start", p.name, "strong") : text(left - 10, mid + 4, "end", cut(p.name, left - 14), "strong"));
      let at = 0;
      parts[i].forEach((v, k) => {
        if (v > 0) svg.append(node("rect", { x: x(at), y, width: Math.max(0.5, x(at + v) - x(at) - 0.8), height: bar, rx: 1.5 }, { fill: colors(k) }));
        at += v;
      });
      // What is bounded and known to an interval is what functions caused but embodied.
      const least = carbon ? p.least : p.least_j;
      for (const v of carbon ? wider(i, "grams") : wider(i, "joules")) {
        if (v <= peak) svg.append(node("path", { d: `M${x(v)} ${y - 6}V${y + bar + 6}`, class: "bound" }));
      }
      if (least && least <= peak) svg.append(node("path", { d: `M${x(least)} ${y - 4}V${y + bar + 4}`, class: "mark" }));
      const [lo, hi] = ends(p).map((v) => Math.min(x(v), right + 4));
      if (hi) svg.append(node("path", { d: `M${lo} ${mid}H${hi}M${lo} ${mid - 4}V${mid + 4}M${hi} ${mid - 4}V${mid + 4}`, class: "whisker" }));
      svg.append(text(Math.max(x(at), hi || 0) + 8, mid + 4, "start", u.text(totals[i]), "halo"));
    });
    follow(svg, (_, py, at) => {
      const i = Math.floor((py - top) / row);
      if (i < 0 || i >= parts.length) { hide(); return; }
      const p = data.policies[i], [least, name] = carbon ? [p.least, p.least_name] : [p.least_j, p.least_j_name];
      show(at, p.name, parts[i].map((v, k) => [v, colors(k), names[k]]).filter(([v]) => v > 0)
        .map(([v, c, n]) => [c, n, u.text(v) + " · " + percent(v / (totals[i] || 1))])
        .concat(least ? [["var(--ink)", "its bound: " + name, u.text(least)]] : [])
        .concat(ends(p).length ? [["", "95 %", ends(p).map((v) => number(v * u.factor)).join(" … ") + " " + u.unit]] : []));
    }, () => {}, left, right, 12);
    return svg;
  };
}

// wider are the bounds that hold for policy i but for its narrowest.
const wider = (i, part) => boundsWith(part).filter((b) => b.front && b.covers.includes(i)).map((b) => b[part]);

// strokeKey explains a stroke of a chart.
function strokeKey(cls, name) {
  const s = node("svg", { width: 14, height: 16, "aria-hidden": "true" }, { display: "inline-block", width: "14px", marginRight: "4px" });
  s.append(node("path", { d: cls === "whisker" ? "M2 8H12M2 4V12M12 4V12" : "M7 0V16", class: cls }));
  return html("span", { class: "key" }, s, name);
}

// cut shortens a name to a width.
function cut(s, w) {
  if (textWidth(s, true) <= w) return s;
  while (s && textWidth(s + "…", true) > w) s = s.slice(0, -1);
  return s + "…";
}
