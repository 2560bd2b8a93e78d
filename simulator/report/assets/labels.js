// Where names stand in a chart: geometry alone, the same for the same input.
const box = (x, y, w, h) => ({ x, y, w, h });
const hits = (a, b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

// crosses says whether the segment [x1, y1, x2, y2] touches a box (Liang and
// Barsky, 1984).
function crosses(s, b) {
  const x = s[0], y = s[1], dx = s[2] - x, dy = s[3] - y;
  if (Math.max(x, s[2]) < b.x || Math.min(x, s[2]) > b.x + b.w || Math.max(y, s[3]) < b.y || Math.min(y, s[3]) > b.y + b.h) return false;
  let from = 0, to = 1;
  for (let side = 0; side < 4; side++) {
    const p = side === 0 ? -dx : side === 1 ? dx : side === 2 ? -dy : dy;
    const q = side === 0 ? x - b.x : side === 1 ? b.x + b.w - x : side === 2 ? y - b.y : b.y + b.h - y;
    if (p < 0) from = Math.max(from, q / p);
    if (p > 0) to = Math.min(to, q / p);
  }
  return from <= to;
}

// meet says whether two segments cross.
function meet(a, b) {
  const side = (s, x, y) => Math.sign((s[2] - s[0]) * (y - s[1]) - (s[3] - s[1]) * (x - s[0]));
  return side(a, b[0], b[1]) * side(a, b[2], b[3]) < 0 && side(b, a[0], a[1]) * side(b, a[2], a[3]) < 0;
}

const nameHeight = 15, leaderFrom = 15;

// place finds room for names: for each of items the box of a text of width w that
// names one of its points at, and a leader to that point where the box is not
// beside it. No box touches another, nor any of hard, nor leaves the area
// [left, right, top, bottom]; soft segments are left free where there is room. An
// item without any room gets null.
function place(items, hard, soft, area) {
  const found = items.map(() => null);
  for (let pass = 0; pass < 2; pass++) { // the second knows where all others went
    items.forEach((item, i) => {
      const others = found.filter((f, k) => f && k !== i);
      found[i] = spot(item, hard.concat(others.map((f) => f.box)), soft.concat(others.filter((f) => f.leader).map((f) => f.leader)), area);
    });
  }
  return found;
}

// spot is the cheapest place of one name: near one of its points, off what is
// drawn, its leader across nothing. It looks in rings around each point, as long as
// a wider one may be cheaper.
function spot(item, full, soft, area) {
  const w = item.w, h = nameHeight;
  let best = null, least = Infinity;
  const look = (p, x, y, cost) => {
    if (cost >= least || x < area[0] || x + w > area[1] || y < area[2] || y + h > area[3]) return;
    const b = box(x, y, w, h);
    for (const o of full) if (hits(o, b)) return;
    const nx = Math.min(Math.max(p[0], x), x + w), ny = Math.min(Math.max(p[1], y), y + h);
    const leader = Math.hypot(nx - p[0], ny - p[1]) > leaderFrom ? [p[0], p[1], nx, ny] : null;
    let over = 0, past = 0; // a name over four lines is as bad as one over ten
    for (let i = 0; i < soft.length; i++) {
      const s = soft[i];
      if (!leader && (s[2] < x || s[0] > x + w) && (s[0] < x || s[2] > x + w)) continue;
      if (over < 56 && crosses(s, b)) over += 14;
      if (leader && past < 30 && meet(s, leader)) past += 6;
      if (cost + over + past >= least || (over >= 56 && (!leader || past >= 30))) break;
    }
    cost += over + past;
    if (cost >= least) return;
    if (leader) {
      const own = [p[0], p[1], p[0], p[1]];
      for (const o of full) if (crosses(leader, o) && !crosses(own, o)) cost += 60;
    }
    if (cost < least) { least = cost; best = { box: b, leader }; }
  };
  for (let r = 0; r < least && r < area[1] - area[0] + area[3] - area[2]; r += 6) {
    for (const p of item.at) ring(p, r, w, h, (x, y, off) => look(p, x, y, r + off));
  }
  return best;
}

// ring calls at(x, y, extra) for boxes that lie about r off a point: beside, above
// and below it before aslant.
function ring(p, r, w, h, at) {
  const right = p[0] + 10 + r, left = p[0] - 10 - r - w, above = p[1] - 9 - r - h, below = p[1] + 9 + r;
  at(right, p[1] - h / 2, 0);
  at(left, p[1] - h / 2, 1);
  at(p[0] - w / 2, above, 2);
  at(p[0] - w / 2, below, 3);
  for (let y = above; y <= below; y += 6) { at(right, y, 4); at(left, y, 5); }
  for (let x = left; x <= right; x += Math.max(12, w / 6)) { at(x, above, 4); at(x, below, 5); }
}

// joints are the segments of a line of points, at most n of them.
function joints(points, n) {
  const per = Math.max(1, Math.ceil(points.length / n)), few = points.filter((_, i) => i % per === 0 || i === points.length - 1);
  return few.slice(1).map((p, i) => [few[i][0], few[i][1], p[0], p[1]]);
}
