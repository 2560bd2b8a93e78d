// As much of a browser's page as the charts draw on: elements that remember what
// was put into them, and text whose width is told by its letters.
"use strict";
class Element {
  constructor(name) { this.name = name; this.attrs = {}; this.style = {}; this.childNodes = []; this.on = {}; this.parent = null; this.clientWidth = 0; this.offsetWidth = 0; this.offsetHeight = 0; }
  setAttribute(k, v) { this.attrs[k] = String(v); }
  getAttribute(k) { return this.attrs[k]; }
  append(...children) {
    for (const c of children) {
      const all = c instanceof Element && c.name === "#fragment" ? c.childNodes : [c];
      for (const e of all) { if (e instanceof Element) e.parent = this; this.childNodes.push(e); }
    }
  }
  replaceChildren(...children) { this.childNodes = []; this.append(...children); }
  remove() { if (this.parent) this.parent.childNodes = this.parent.childNodes.filter((c) => c !== this); }
  addEventListener(kind, f) { (this.on[kind] = this.on[kind] || []).push(f); }
  get children() { return this.childNodes.filter((c) => c instanceof Element); }
  get textContent() { return this.childNodes.map((c) => (c instanceof Element ? c.textContent : String(c))).join(""); }
  getBoundingClientRect() { return { left: 0, top: 0, width: this.clientWidth, height: +this.attrs.height || 0 }; }
  get value() { return this.attrs.value; }
  get plot() { return this.part(".plot"); }
  part(q) { return this.parts[q] || (this.parts[q] = new Element("div")); }
  querySelector(q) { return this.part(q); }
  *all() { for (const c of this.children) { yield c; yield* c.all(); } }
  getContext() { return { measureText: (s) => ({ width: letters(s) }) }; }
}
// letters is the width of a text of 12 px in a wide font.
const letters = (s) => [...s].reduce((w, c) => w + (/[iljtf.,:;' |]/.test(c) ? 4 : /[mwMW—…%]/.test(c) ? 11 : 7.4), 0);
Number.prototype.toLocaleString = function (_, { minimumFractionDigits: low = 0, maximumFractionDigits: high = 3 } = {}) {
  let [whole, part = ""] = this.toFixed(high).split(".");
  while (part.length > low && part.endsWith("0")) part = part.slice(0, -1);
  whole = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return part ? whole + "." + part : whole;
};
Date.prototype.toLocaleString = () => "Jun";
const figures = {};
function element(id) {
  if (!figures[id]) { figures[id] = new Element(id); figures[id].parts = {}; figures[id].plot.clientWidth = WIDTH; }
  return figures[id];
}
const document = {
  getElementById: (id) => { const e = element(id); if (id === "data") e.childNodes = [DATA]; return e; },
  createElementNS: (_, name) => new Element(name), createElement: (name) => new Element(name), createDocumentFragment: () => new Element("#fragment"),
  documentElement: { clientWidth: 1280 }, body: {},
};
class ResizeObserver { observe() {} }
const getComputedStyle = () => ({ fontFamily: "stub" });
const innerHeight = 800, scrollX = 0, scrollY = 0;

// written lists the texts of a figure's chart with the boxes that they fill, and
// the size of the chart.
function written(id) {
  const svg = [...element(id).plot.all()].find((e) => e.name === "svg");
  if (!svg) return { texts: [], paths: [] };
  const out = { width: WIDTH, height: +svg.attrs.height, texts: [], paths: [] };
  for (const e of svg.all()) {
    if (e.name === "path") out.paths.push({ class: e.attrs.class || "", d: e.attrs.d, stroke: e.style.stroke || "" });
    if (e.name !== "text") continue;
    const w = letters(e.textContent), x = +e.attrs.x, y = +e.attrs.y, anchor = e.attrs["text-anchor"] || "start";
    out.texts.push({ text: e.textContent, x: anchor === "end" ? x - w : anchor === "middle" ? x - w / 2 : x, y: y - 10.5, w, h: 13 });
  }
  return out;
}

// press clicks on what a figure's control says.
function press(id, label) {
  for (const e of element(id).part(".controls").all()) {
    if (e.name === "button" && e.textContent === label) { for (const f of e.on.click) f(); return; }
  }
  throw new Error("no button " + label + " in " + id);
}
