// Carbon over time: one line per policy, the interval over seeds as a band, the
// bounds dotted while one of the policies that they hold for is shown.
function carbonOverTime(controls, redraw) {
  const hidden = new Set();
  let cumulative = false;
  const shown = () => data.policies.map((p, i) => [p, i]).filter(([p, i]) => p.carbon && !hidden.has(i));
  const sum = (v) => { let s = 0; return v.map((x) => (s += x)); };
  const series = (v) => (cumulative ? sum(v) : v);
  toggles(controls, data.policies.map((p) => p.name), policyColor, hidden, redraw);
  choice(controls, "Carbon per slot or summed", ["per " + slotWord(), "summed"], (i) => { cumulative = i === 1; redraw(); });

  return (width) => {
    const height = width < 500 ? 260 : 320, left = 52, right = width - 8, top = 22, bottom = height - 26;
    const lines = shown().map(([p, i]) => ({ p, i, v: series(p.carbon) }));
    const bounds = boundsWith("carbon").filter((b) => !b.covers.length || b.covers.some((i) => !hidden.has(i)))
      .map((b) => ({ name: boundName(b), color: boundColor(b), v: series(b.carbon) }));
    const band = (l) => (cumulative ? [l.p.sum_lo, l.p.sum_hi] : [l.p.lo, l.p.hi]);
    const peak = Math.max(...lines.flatMap((l) => band(l)[1] || l.v), ...bounds.flatMap((b) => b.v), 1e-12);
    const u = unitFor("g", peak);
    const x = linear(0, data.slots, left, right), y = linear(0, peak * 1.04, bottom, top);
    const svg = frame(width, height, "Line chart: operational carbon of each policy over time, in " + u.unit + ". The table below holds the same figures.");
    for (const t of ticks(0, peak * u.factor, 5)) {
      svg.append(line(left, y(t / u.factor), right, y(t / u.factor), "gridline"), text(left - 8, y(t / u.factor) + 4, "end", number(t)));
    }
    svg.append(text(0, 10, "start", (cumulative ? u.unit + " CO₂e since the start" : u.unit + " CO₂e per " + slotWord())));
    for (const [t, label] of timeTicks(right - left)) {
      svg.append(line(x(t), bottom, x(t), bottom + 4, "axis"), text(x(t), bottom + 18, t > data.slots - 0.5 ? "end" : "middle", label));
    }
    svg.append(line(left, bottom, right, bottom, "axis"));
    const mid = (t) => (cumulative ? x(t + 1) : x(t + 0.5));
    const points = (v) => v.map((g, t) => [mid(t), y(g)]);
    const path = (v) => "M" + points(v).map(([px, py]) => px.toFixed(1) + " " + py.toFixed(1)).join("L");
    for (const l of lines) {
      const [lo, hi] = band(l);
      if (lo) svg.append(node("path", { d: path(hi) + "L" + path(lo).slice(1).split("L").reverse().join("L") + "Z", class: "band" }, { fill: policyColor(l.i), opacity: 0.18 }));
    }
    for (const l of lines) {
      svg.append(node("path", { d: path(l.v), fill: "none", "stroke-width": 2, "stroke-linejoin": "round", "stroke-dasharray": l.p.kind === "rego" ? "none" : "6 3" }, { stroke: policyColor(l.i) }));
    }
    for (const b of bounds) svg.append(node("path", { d: path(b.v), class: "bound" }, { stroke: b.color }));
    const few = Math.ceil((right - left) / 24), soft = lines.concat(bounds).flatMap((l) => joints(points(l.v), few));
    const every = Math.ceil(data.slots / 5);
    names(svg, bounds.map((b) => ({ name: b.name, w: textWidth(b.name), at: points(b.v).filter((_, t) => (data.slots - 1 - t) % every === 0).reverse() })), [], soft, [left + 4, right, top - 8, bottom - 2]);
    const cross = node("line", { y1: top, y2: bottom, class: "axis", visibility: "hidden" });
    svg.append(cross);
    follow(svg, (px, _, at) => {
      const t = Math.min(data.slots - 1, Math.max(0, Math.floor(((px - left) / (right - left)) * data.slots)));
      for (const k of ["x1", "x2"]) cross.setAttribute(k, mid(t));
      cross.setAttribute("visibility", "visible");
      const rows = lines.map((l) => [l.v[t], policyColor(l.i), l.p.name]).sort((a, b) => b[0] - a[0]).map(([v, c, n]) => [c, n, u.text(v)]);
      for (const b of bounds) rows.push([b.color, b.name, u.text(b.v[t])]);
      show(at, slotName(t), rows);
    }, () => cross.setAttribute("visibility", "hidden"), left, right, (right - left) / data.slots);
    return svg;
  };
}

function slotWord() {
  return { 60: "minute", 3600: "hour", 86400: "day" }[data.slot_s] || data.slot_s + " s";
}
