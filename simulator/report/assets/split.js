// What the energy was for: one stacked bar per policy, by cause.
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
  choice(controls, "Energy or carbon", ["energy", "carbon"], (i) => { switched(i); redraw(); });

  return (width) => {
    const narrow = width < 640, left = narrow ? 0 : 156, right = width - 70, head = narrow ? 18 : 0, bar = 24, row = bar + head + 12, top = 4;
    const parts = data.policies.map((p) => (carbon ? p.parts : p.energy).map((v, i) => (hidden.has(i) ? 0 : v)));
    const totals = parts.map(sumOf), peak = Math.max(...totals, 1e-12), u = unitFor(carbon ? "g" : "j", peak);
    const height = top + parts.length * row + 34, bottom = top + parts.length * row;
    const x = linear(0, peak, left, right);
    const svg = frame(width, height, `Stacked bars: ${carbon ? "carbon" : "energy"} of each policy by cause, in ${u.unit}.`);
    for (const t of ticks(0, peak * u.factor, narrow ? 3 : 6)) {
      svg.append(line(x(t / u.factor), top, x(t / u.factor), bottom, "gridline"), text(x(t / u.factor), bottom + 14, t === 0 && narrow ? "start" : "middle", number(t)));
    }
    svg.append(text(right, bottom + 31, "end", u.unit + (carbon ? " CO₂e" : " before PUE")));
    data.policies.forEach((p, i) => {
      const y = top + i * row + head;
      svg.append(narrow ? text(0, y - 5, "start", p.name, "strong") : text(left - 10, y + bar / 2 + 4, "end", cut(p.name, 21), "strong"));
      let at = 0;
      parts[i].forEach((v, k) => {
        if (v > 0) svg.append(node("rect", { x: x(at), y, width: Math.max(0.5, x(at + v) - x(at) - 0.8), height: bar, rx: 1.5 }, { fill: colors(k) }));
        at += v;
      });
      svg.append(text(x(at) + 8, y + bar / 2 + 4, "start", u.text(totals[i]), "halo"));
    });
    if (carbon) { // of operational carbon: all parts but embodied and unallocated
      data.policies.forEach((p, i) => {
        const y = top + i * row + head;
        if (p.least && p.least <= peak) svg.append(node("path", { d: `M${x(p.least)} ${y - 4}V${y + bar + 4}`, class: "mark" }));
      });
      const lines = (data.bounds || []).filter((b) => b.front && b.grams <= peak), named = [];
      for (const b of lines) {
        svg.append(node("path", { d: `M${x(b.grams)} ${top}V${bottom}`, class: "bound" }));
        named.push(b.name + " " + u.text(b.grams));
      }
      if (named.length) svg.append(text(left, bottom + 31, "start", "bounds, dotted: " + named.join(", ")));
    }
    follow(svg, (_, py, at) => {
      const i = Math.floor((py - top) / row);
      if (i < 0 || i >= parts.length) { hide(); return; }
      show(at, data.policies[i].name, parts[i].map((v, k) => [v, colors(k), names[k]]).filter(([v]) => v > 0)
        .map(([v, c, n]) => [c, n, u.text(v) + " · " + percent(v / (totals[i] || 1))])
        .concat(carbon && data.policies[i].least ? [["var(--ink)", "bound: " + data.policies[i].least_name, u.text(data.policies[i].least)]] : []));
    }, () => {}, left, right, 12);
    return svg;
  };
}

const cut = (s, n) => (s.length > n ? s.slice(0, n - 1) + "…" : s);
