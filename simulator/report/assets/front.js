// Latency against carbon: one mark per policy with its interval, the line of
// policies that no other beats in both, and the fronts of the bounds beneath.
function latencyCarbon(controls) {
  controls.append(...[["rego", "Rego policy"], ["go", "built-in baseline"], ["keepalive", "keep-alive policy"]]
    .filter(([kind]) => data.policies.some((p) => p.kind === kind))
    .map(([kind, name]) => {
      const s = node("svg", { width: 16, height: 14, "aria-hidden": "true" }, { display: "inline-block", width: "16px", marginRight: "4px" });
      s.append(mark(kind, 8, 7, "var(--soft)"));
      return html("span", { class: "key" }, s, name);
    }));
  const points = data.policies.map((p, i) => ({ ...p, i }));
  const best = front(points);
  const fronts = boundsWith("front"), below = fronts.flatMap((b) => b.front.map((p) => ({ ...p, bound: boundName(b) })));

  return (width) => {
    const height = width < 500 ? 330 : 400, left = 56, right = width - 14, top = 24, bottom = height - 42;
    const all = points.flatMap((p) => [p.latency, ...(p.latency_ends || [])]).concat(below.map((p) => p.latency));
    const grams = points.flatMap((p) => [p.grams, ...(p.grams_ends || [])]).concat(below.map((p) => p.grams));
    const pad = (Math.max(...all) - Math.min(...all)) * 0.07 || Math.max(...all) * 0.1;
    const lo = Math.max(0, Math.min(...all) - pad), hi = Math.max(...all) + pad, peak = Math.max(...grams) * 1.08;
    const us = unitFor("s", hi), ug = unitFor("g", peak);
    const x = linear(lo, hi, left, right), y = linear(0, peak, bottom, top);
    const svg = frame(width, height, "Scatter chart: mean latency in " + us.unit + " against operational carbon in " + ug.unit + ", one point per policy.");
    for (const t of ticks(0, peak * ug.factor, 5)) {
      svg.append(line(left, y(t / ug.factor), right, y(t / ug.factor), "gridline"), text(left - 8, y(t / ug.factor) + 4, "end", number(t)));
    }
    for (const t of ticks(lo * us.factor, hi * us.factor, width < 500 ? 4 : 8)) {
      svg.append(line(x(t / us.factor), top, x(t / us.factor), bottom, "gridline"), text(x(t / us.factor), bottom + 18, "middle", number(t)));
    }
    svg.append(text(0, 11, "start", ug.unit + " CO₂e operational"), text(right, bottom + 36, "end", "mean latency, " + us.unit));
    const soft = joints(best.map((p) => [x(p.latency), y(p.grams)]), best.length), items = [];
    for (const f of fronts) {
      const b = f.front.slice().sort((p, q) => p.latency - q.latency), at = b.map((p) => [x(p.latency), y(p.grams)]);
      const d = at.map((p) => p[0].toFixed(1) + " " + p[1].toFixed(1)).join("L"), color = boundColor(f);
      if (f.covers.length === points.length) svg.append(node("path", { d: `M${d}L${at.at(-1)[0]} ${bottom}L${at[0][0]} ${bottom}Z` }, { fill: "var(--ink)", opacity: 0.045 }));
      svg.append(node("path", { d: "M" + d, class: "bound" }, { stroke: color }));
      for (const p of at) svg.append(node("circle", { cx: p[0], cy: p[1], r: 2.5 }, { fill: color }));
      soft.push(...joints(at, at.length));
      items.push({ name: boundName(f), w: textWidth(boundName(f)), at });
    }
    svg.append(node("path", { d: "M" + best.map((p) => x(p.latency) + " " + y(p.grams)).join("L"), fill: "none", "stroke-width": 1.5 }, { stroke: "var(--accent)", opacity: 0.75 }));
    for (const p of points) svg.append(...bars(p, x, y));
    for (const p of points.filter((p) => p.least)) {
      svg.append(...own(p, x, y));
      soft.push([x(p.latency), y(p.grams), x(p.latency), y(p.least)]);
    }
    for (const p of points) svg.append(mark(p.kind, x(p.latency), y(p.grams), policyColor(p.i)));
    for (const p of points.slice().sort((a, b) => a.grams - b.grams)) items.push({ name: p.name, w: textWidth(p.name, true), strong: true, at: [[x(p.latency), y(p.grams)]] });
    names(svg, items, points.map((p) => box(x(p.latency) - 8, y(p.grams) - 8, 16, 16)).concat(below.map((p) => box(x(p.latency) - 4, y(p.grams) - 4, 8, 8))), soft, [left + 2, width, top - 8, bottom - 2]);
    follow(svg, (px, py, at) => {
      const near = points.concat(below.map((p) => ({ ...p, name: p.bound + (p.label ? " at " + p.label : "") })))
        .map((p) => [Math.hypot(x(p.latency) - px, y(p.grams) - py), p]).sort((a, b) => a[0] - b[0])[0];
      if (near[0] > 60) { hide(); return; }
      const p = near[1], rows = [["", "mean latency", us.text(p.latency)], ["", "operational carbon", ug.text(p.grams)]];
      if (p.least) rows.push(["", "its bound: " + p.least_name, ug.text(p.least)]);
      if (p.latency_ends) rows.push(["", "latency, 95 %", p.latency_ends.map((v) => number(v * us.factor)).join(" … ") + " " + us.unit]);
      if (p.grams_ends) rows.push(["", "carbon, 95 %", p.grams_ends.map((v) => number(v * ug.factor)).join(" … ") + " " + ug.unit]);
      show(at, p.name, rows);
    }, () => {}, left, right, 12);
    return svg;
  };
}

// front keeps the points that no other beats in both figures.
function front(points) {
  return points.filter((p) => !points.some((q) => q !== p && q.latency <= p.latency && q.grams <= p.grams && (q.latency < p.latency || q.grams < p.grams)))
    .sort((p, q) => p.latency - q.latency);
}

// mark is a circle for Rego, a square for Go, a diamond for keep-alive policies.
function mark(kind, x, y, color) {
  if (kind === "rego") return node("circle", { cx: x, cy: y, r: 6 }, { fill: color, stroke: "var(--card)", strokeWidth: "1.5px" });
  const turn = kind === "go" ? 0 : 45;
  return node("rect", { x: x - 5, y: y - 5, width: 10, height: 10, transform: `rotate(${turn} ${x} ${y})` }, { fill: color, stroke: "var(--card)", strokeWidth: "1.5px" });
}

// own is how far a policy lies above the narrowest bound that it is held against.
function own(p, x, y) {
  const at = x(p.latency), down = y(p.least), style = { stroke: policyColor(p.i), strokeWidth: "1.5px", opacity: 0.7 };
  return [node("path", { d: `M${at} ${y(p.grams)}V${down}`, class: "bound" }, { strokeWidth: "1px", opacity: 0.5 }), node("line", { x1: at - 6, x2: at + 6, y1: down, y2: down }, style)];
}

// bars are the 95 % intervals in both directions.
function bars(p, x, y) {
  const out = [], style = { stroke: policyColor(p.i), strokeWidth: "1.5px", opacity: 0.7 };
  if (p.latency_ends) out.push(node("line", { x1: x(p.latency_ends[0]), x2: x(p.latency_ends[1]), y1: y(p.grams), y2: y(p.grams) }, style));
  if (p.grams_ends) out.push(node("line", { x1: x(p.latency), x2: x(p.latency), y1: y(p.grams_ends[0]), y2: y(p.grams_ends[1]) }, style));
  return out;
}
