// Where the load went: a row per cluster, coloured by how dirty its grid was,
// with bars for the share of the policy's invocations in that slot.
function loadMap(controls, redraw) {
  const with_ = data.policies.map((p, i) => [p, i]).filter(([p]) => p.load && p.load.length);
  let chosen = with_.length - 1;
  const byGrams = with_.map(([p], i) => [p.grams, i]).sort((a, b) => a[0] - b[0]);
  if (byGrams.length) chosen = byGrams[0][1];
  const select = html("select", {}, ...with_.map(([p], i) => html("option", i === chosen ? { value: i, selected: "" } : { value: i }, p.name)));
  select.addEventListener("change", () => { chosen = +select.value; redraw(); });
  const values = data.clusters.flatMap((c) => c.intensity), low = Math.min(...values), high = Math.max(...values);
  const full = fullRow(with_.map(([p]) => p));
  controls.append(html("label", {}, "Policy", select),
    html("span", { class: "key" }, number(low), html("i", { class: "ramp" }), number(high) + " g CO₂e/kWh"));

  return (width) => {
    const [policy] = with_[chosen], narrow = width < 640;
    const left = narrow ? 0 : 128, right = width - (narrow ? 0 : 64), row = narrow ? 58 : 46, gap = 6, head = narrow ? 18 : 0;
    const order = data.clusters.map((c, i) => i).sort((a, b) => mean(data.clusters[a].intensity) - mean(data.clusters[b].intensity));
    const bottom = order.length * (row + gap), summary = met(policy);
    const height = bottom + 24, bins = binned(policy, Math.floor((right - left) / 4));
    const label = `Map: share of invocations per cluster and ${slotWord()} under ${policy.name}, against grid intensity. ` +
      `Mean intensity met ${number(summary.met)} g/kWh, of the fleet ${number(summary.fleet)} g/kWh.`;
    const svg = frame(width, height, label);
    const x = linear(0, bins.length, left, right);
    order.forEach((c, r) => {
      const y0 = r * (row + gap) + head, h = row - head, cluster = data.clusters[c];
      const share = sumOf(policy.load[c]) / Math.max(1, summary.total);
      bins.forEach((b, t) => {
        const w = x(t + 1) - x(t);
        svg.append(node("rect", { x: x(t), y: y0, width: w + 0.4, height: h }, { fill: ramp((b.intensity[c] - low) / (high - low || 1)) }));
      });
      bins.forEach((b, t) => {
        const part = b.load[c] / Math.max(1, b.total), w = x(t + 1) - x(t), tall = (part / full) * (h - 2);
        if (tall > 0.3) svg.append(node("rect", { x: x(t) + w * 0.14, y: y0 + h - tall, width: w * 0.72, height: tall, rx: Math.min(1.5, w / 5) }, { fill: "var(--bar)", opacity: 0.8 }));
      });
      const mid = y0 + h / 2, name = cluster.name === cluster.zone ? "" : cluster.zone;
      if (narrow) {
        svg.append(node("text", { x: 0, y: y0 - 5, class: "strong" }, {}, cluster.name, node("tspan", { dx: 8 }, { fill: "var(--soft)", fontWeight: 400 }, name)), text(right, y0 - 5, "end", percent(share), "strong"));
      } else {
        svg.append(text(left - 12, mid - 2, "end", cluster.name, "strong"), text(left - 12, mid + 13, "end", name));
        svg.append(text(right + 12, mid + 4, "start", percent(share), "strong"));
      }
    });
    bins.forEach((b, t) => {
      const clean = order.reduce((a, c) => (b.intensity[c] < b.intensity[a] ? c : a), order[0]), top = order.indexOf(clean) * (row + gap) + head;
      svg.append(node("path", { d: `M${x(t)} ${top}H${x(t + 1)}`, class: "bound" }));
    });
    for (const [t, s] of timeTicks(right - left)) {
      const px = linear(0, data.slots, left, right)(t);
      svg.append(text(px, bottom + 14, px < left + 16 ? "start" : px > right - 16 ? "end" : "middle", s));
    }
    const cross = node("rect", { y: 0, height: bottom - gap, fill: "none", visibility: "hidden" }, { stroke: "var(--ink)", strokeWidth: "1px" });
    svg.append(cross);
    follow(svg, (px, py, at) => {
      const t = Math.min(bins.length - 1, Math.max(0, Math.floor(((px - left) / (right - left)) * bins.length)));
      cross.setAttribute("x", x(t)); cross.setAttribute("width", x(t + 1) - x(t)); cross.setAttribute("visibility", "visible");
      const b = bins[t];
      show(at, slotName(b.first), order.map((c) => [ramp((b.intensity[c] - low) / (high - low || 1)), data.clusters[c].name,
        percent(b.load[c] / Math.max(1, b.total)) + " at " + number(b.intensity[c]) + " g/kWh"])
        .concat([["", "invocations", b.total.toLocaleString("en")]]));
    }, () => cross.setAttribute("visibility", "hidden"), left, right, (right - left) / bins.length);
    const note = html("p", { class: "small" }, `A bar as high as its row is ${percent(full)} of the ${slotWord()}’s invocations. Under ${policy.name} an invocation met ${number(summary.met)} g/kWh on average; the bound is ${number(summary.least)} g/kWh, were all of each ${slotWord()}’s at the grid that was cleanest then (dotted). The plain mean of the fleet was ${number(summary.fleet)} g/kWh.`);
    note.style.marginTop = "6px";
    const both = document.createDocumentFragment();
    both.append(svg, note);
    return both;
  };
}

const sumOf = (v) => v.reduce((a, b) => a + b, 0);
const mean = (v) => sumOf(v) / Math.max(1, v.length);

// met is the intensity that a policy's invocations met on average, and the least
// that they could have met in the same slots.
function met(policy) {
  let total = 0, weighted = 0, least = 0;
  policy.load.forEach((row, c) => row.forEach((n, t) => { total += n; weighted += n * data.clusters[c].intensity[t]; }));
  for (let t = 0; t < data.slots; t++) least += sumOf(policy.load.map((row) => row[t])) * Math.min(...data.clusters.map((c) => c.intensity[t]));
  return { total, met: weighted / Math.max(1, total), least: least / Math.max(1, total), fleet: mean(data.clusters.map((c) => mean(c.intensity))) };
}

// fullRow is the share that a bar of full height stands for: the least quarter
// that holds every policy's largest share, so that policies compare.
function fullRow(policies) {
  let top = 0;
  for (const p of policies) {
    for (let t = 0; t < data.slots; t++) {
      const column = p.load.map((row) => row[t]), total = sumOf(column);
      if (total > 0) top = Math.max(top, ...column.map((n) => n / total));
    }
  }
  return Math.max(0.25, Math.ceil(top * 4 - 1e-9) / 4);
}

// binned joins slots until at most n columns are left.
function binned(policy, n) {
  const per = Math.max(1, Math.ceil(data.slots / Math.max(1, n))), out = [];
  for (let first = 0; first < data.slots; first += per) {
    const last = Math.min(data.slots, first + per);
    const load = policy.load.map((row) => sumOf(row.slice(first, last)));
    out.push({ first, load, total: sumOf(load), intensity: data.clusters.map((c) => mean(c.intensity.slice(first, last))) });
  }
  return out;
}
