// Primitives shared by the charts. Everything is drawn as SVG at the width that
// is really there, so that text keeps its size on a phone.
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const tip = document.getElementById("tip");

// node makes an SVG element; style values may be CSS variables.
function node(name, attrs, style, ...children) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const k in attrs) e.setAttribute(k, attrs[k]);
  Object.assign(e.style, style);
  e.append(...children.filter((c) => c !== null));
  return e;
}

// html makes an HTML element with text.
function html(name, attrs, ...children) {
  const e = document.createElement(name);
  for (const k in attrs) e.setAttribute(k, attrs[k]);
  e.append(...children);
  return e;
}

const policyColor = (i) => `var(--p${i % 10})`;
const swatch = (color) => { const i = html("i", { class: "swatch" }); i.style.background = color; return i; };

// ramp mixes the four intensity colours at f in [0, 1].
function ramp(f) {
  const x = Math.min(Math.max(f, 0), 1) * 3, i = Math.min(Math.floor(x), 2);
  return `color-mix(in oklab, var(--h${i + 1}) ${((x - i) * 100).toFixed(1)}%, var(--h${i}))`;
}

// units lists [least value, factor, unit] from large to small.
const units = {
  g: [[1e7, 1e-6, "t"], [1e4, 1e-3, "kg"], [1, 1, "g"], [1e-3, 1e3, "mg"], [0, 1e6, "µg"]],
  s: [[10, 1, "s"], [1e-3, 1e3, "ms"], [0, 1e6, "µs"]],
  j: [[3.6e9, 1 / 3.6e9, "MWh"], [3.6e6, 1 / 3.6e6, "kWh"], [3.6e4, 1 / 3600, "Wh"], [1, 1, "J"], [0, 1e3, "mJ"]],
};

// unitFor picks the unit in which top reads well.
function unitFor(kind, top) {
  const [, factor, unit] = units[kind].find(([from]) => Math.abs(top) >= from);
  return { factor, unit, text: (v) => number(v * factor, true) + " " + unit };
}

// number prints three significant digits without an exponent; ticks drop
// trailing zeros, figures keep them.
function number(v, keep) {
  if (v === 0) return "0";
  const a = Math.abs(v), d = a >= 100 ? 0 : Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(a))));
  return v.toLocaleString("en", { minimumFractionDigits: keep ? d : 0, maximumFractionDigits: d }).replace("-", "−");
}

const percent = (f) => (100 * f).toFixed(f > 0 && f < 0.1 ? 1 : 0) + " %";

// ticks returns round numbers over [lo, hi], about n of them.
function ticks(lo, hi, n) {
  const raw = (hi - lo) / Math.max(n, 1) || 1, p = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * p).find((s) => s >= raw * 0.999);
  const out = [];
  for (let k = Math.ceil(lo / step - 1e-9); k * step <= hi * (1 + 1e-9) + 1e-12; k++) out.push(+(k * step).toPrecision(12));
  return out;
}

const linear = (a, b, x, y) => (v) => x + ((v - a) / (b - a || 1)) * (y - x);

// timeTicks returns [slot, label] at hours or days, as many as fit.
function timeTicks(width) {
  const per = data.slot_s / 3600, hours = data.slots * per, fit = Math.max(2, Math.floor(width / 64));
  const step = [1, 2, 3, 4, 6, 12, 24, 48, 72, 168, 336, 720, 1440, 2880, 8760].find((h) => hours / h <= fit) || hours;
  const first = new Date(data.start * 1000).getUTCHours() + new Date(data.start * 1000).getUTCMinutes() / 60;
  const out = [];
  for (let h = Math.ceil(first / Math.min(step, 24)) * Math.min(step, 24) - first; h <= hours; h += step) {
    out.push([h / per, timeLabel(h / per, step >= 24 || (hours > 24 && (first + h) % 24 === 0))]);
  }
  return out;
}

function timeLabel(slot, day) {
  const t = new Date((data.start + slot * data.slot_s) * 1000);
  const date = t.getUTCDate() + " " + t.toLocaleString("en", { month: "short", timeZone: "UTC" });
  return day ? date : t.toISOString().slice(11, 16);
}

const slotName = (t) => timeLabel(t, true) + ", " + timeLabel(t, false) + " UTC";

// frame makes an empty SVG that says what it shows.
function frame(width, height, label) {
  const s = node("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": label, tabindex: "0" });
  s.append(node("title", {}, {}, label));
  return s;
}

const text = (x, y, anchor, s, cls) => node("text", { x, y, "text-anchor": anchor, class: cls || "" }, {}, s);
const line = (x1, y1, x2, y2, cls) => node("line", { x1, y1, x2, y2, class: cls });

// textWidth is that of a name in a chart, in the font of this page.
const pen = document.createElement("canvas").getContext("2d");
function textWidth(s, strong) {
  pen.font = (strong ? "500" : "400") + " 12px " + getComputedStyle(document.body).fontFamily;
  return Math.ceil(pen.measureText(s).width) + 4;
}

// names writes each item's name where place found room for it, with its leader.
function names(svg, items, hard, soft, area) {
  const found = place(items, hard, soft, area);
  const leaders = node("g", {}, { opacity: 0.45 });
  svg.append(leaders);
  items.forEach((item, i) => {
    const f = found[i];
    if (!f) return; // the tip has it
    if (f.leader) leaders.append(node("line", { x1: f.leader[0], y1: f.leader[1], x2: f.leader[2], y2: f.leader[3] }, { stroke: "var(--ink)" }));
    svg.append(text(f.box.x + 2, f.box.y + 11.5, "start", item.name, item.strong ? "strong halo" : "halo"));
  });
}

// boundName says whom a bound is one for. A line below it of anybody else says
// nothing against it.
const boundName = (b) => `bound of ${b.of}: ${b.name}`;

// boundColor is that of the only policy that a bound is one for.
const boundColor = (b) => (b.covers.length === 1 ? policyColor(b.covers[0]) : "var(--ink)");

// boundsWith lists the bounds that have a part, such as their carbon by slot.
const boundsWith = (part) => (data.bounds || []).filter((b) => b[part] && (b[part].length || b[part] > 0));

// show puts the tip beside a point of the page, inside the window.
function show(at, title, rows) {
  tip.replaceChildren(html("b", {}, title), ...rows.map(([color, name, value]) => {
    const left = html("span", {}, ...(color ? [swatch(color)] : []), name);
    return html("div", { class: "row" }, left, html("span", {}, value));
  }));
  tip.hidden = false;
  const w = tip.offsetWidth, h = tip.offsetHeight, right = document.documentElement.clientWidth;
  const x = at.x + 16 + w > right ? Math.max(4, at.x - w - 16) : at.x + 16;
  tip.style.left = x + scrollX + "px";
  tip.style.top = Math.max(4, Math.min(at.y - h / 2, innerHeight - h - 4)) + scrollY + "px";
}

const hide = () => { tip.hidden = true; };

// follow calls on(x, y) in the coordinates of svg for pointer and arrow keys;
// keys move by step through [lo, hi].
function follow(svg, on, off, lo, hi, step) {
  let at = lo;
  const point = (e) => {
    const r = svg.getBoundingClientRect();
    on(e.clientX - r.left, e.clientY - r.top, { x: e.clientX, y: e.clientY });
  };
  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerdown", point);
  svg.addEventListener("pointerleave", () => { hide(); off(); });
  svg.addEventListener("blur", () => { hide(); off(); });
  svg.addEventListener("keydown", (e) => {
    const d = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (!d) return;
    e.preventDefault();
    at = Math.min(hi - step / 2, Math.max(lo + step / 2, at + d * step));
    const r = svg.getBoundingClientRect();
    on(at, r.height / 2, { x: r.left + at, y: r.top + r.height / 2 });
  });
}

// toggles makes one button per entry that shows and hides it.
function toggles(where, names, colors, hidden, redraw) {
  names.forEach((name, i) => {
    const b = html("button", { type: "button", "aria-pressed": String(!hidden.has(i)) }, swatch(colors(i)), name);
    b.addEventListener("click", () => {
      hidden.has(i) ? hidden.delete(i) : hidden.add(i);
      b.setAttribute("aria-pressed", String(!hidden.has(i)));
      redraw();
    });
    where.append(b);
  });
}

// choice makes a switch between a few named views.
function choice(where, label, names, redraw) {
  const group = html("span", { class: "switch", role: "group", "aria-label": label });
  names.forEach((name, i) => {
    const b = html("button", { type: "button", "aria-pressed": String(i === 0) }, name);
    b.addEventListener("click", () => {
      [...group.children].forEach((c) => c.setAttribute("aria-pressed", String(c === b)));
      redraw(i);
    });
    group.append(b);
  });
  where.append(group);
}

// chart draws into a figure now and whenever its width changes.
function chart(id, setup) {
  const figure = document.getElementById(id);
  if (!figure) return;
  const plot = figure.querySelector(".plot");
  let width = 0;
  const redraw = () => { width = plot.clientWidth; hide(); plot.replaceChildren(draw(width)); };
  const draw = setup(figure.querySelector(".controls"), redraw);
  new ResizeObserver(() => { if (plot.clientWidth !== width) redraw(); }).observe(plot);
  redraw();
}
