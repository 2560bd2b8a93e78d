package bound

import (
	"cmp"
	"math"
	"slices"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator/trace"
)

// wait is the way and the time of least grams + rate·seconds + the price of its
// room for an arrival that may wait: its grams with the idle power that it
// reserves, for instances may serve such work one after another.
//
// Uninterrupted work runs in one window that begins within the slack and the
// longest cold start after it. Work in stretches takes the cheapest parts of the
// time until it must have ended, each by the way that is cheapest there, as if
// all were as fast as the fastest; its stretches start in no time. Waiting is no
// latency.
func (f *function) wait(m *model, a *trace.Arrival, rate wattle.GramsPerSecond) choice {
	latest := a.At + int64(f.slack) + int64(f.start)
	if f.pauses {
		return f.stretches(m, a, latest, rate)
	}
	best := choice{cost: math.Inf(1), way: -1}
	for i := range f.ways {
		w := &f.ways[i]
		length := trace.Lasts(w.exec, a.Scale)
		x := m.window(f, w, a.At, latest, length, a.Scale)
		x.seconds, x.way = w.network+float64(w.exec.Seconds()*a.Scale), i
		x.cost = x.grams + x.price + float64(float64(rate)*x.seconds)
		if x.cost < best.cost {
			best = x
		}
	}
	return best
}

// window is the cheapest window of a length that begins in [from, latest]: one of
// its ends lies on the boundary of a slot, or it begins at either end.
func (m *model) window(f *function, w *runWay, from, latest, length int64, scale float64) choice {
	best := choice{grams: math.Inf(1)}
	try := func(at int64) {
		if at < from || at > latest {
			return
		}
		x := m.during(f, w, at, length, scale)
		if x.grams+x.price < best.grams+best.price {
			best = x
		}
	}
	try(from)
	try(latest)
	for b := (from/m.slot + 1) * m.slot; b <= latest+length; b += m.slot {
		try(b)
		try(b - length)
	}
	net := math.Inf(1)
	for k := from / m.slot; k <= latest/m.slot && k < int64(m.slots); k++ {
		net = min(net, f.moving(m, w, int(k)))
	}
	if latest >= int64(m.cfg.Horizon) {
		net = 0
	}
	best.grams += net
	return best
}

// during is what a run over [at, at+length) takes: nothing past the horizon.
func (m *model) during(f *function, w *runWay, at, length int64, scale float64) (x choice) {
	joules := float64((w.joules + float64(w.hold*w.exec.Seconds())) * scale)
	if length == 0 {
		if at < int64(m.cfg.Horizon) {
			x.grams = float64(joules * float64(m.cfg.Grid[w.cluster][at/m.slot]) * perKWh)
		}
		return x
	}
	end := min(at+length, int64(m.cfg.Horizon))
	for t := at; t < end; {
		k := t / m.slot
		next := min(end, (k+1)*m.slot)
		part := float64(next-t) / float64(length)
		x.grams += float64(joules * part * float64(m.cfg.Grid[w.cluster][k]) * perKWh)
		x.price += part * m.price(w, int(k), scale)
		t = next
	}
	return x
}

// stretches is a relaxation of the cheapest stretches from the arrival to the
// latest start plus twice the execution, half of which may go into start-ups.
func (f *function) stretches(m *model, a *trace.Arrival, latest int64, rate wattle.GramsPerSecond) choice {
	scale := a.Scale
	end, horizon := latest+2*trace.Lasts(f.slow, scale), int64(m.cfg.Horizon)
	x := choice{way: -1, seconds: math.Inf(1)}
	for i := range f.ways {
		w := &f.ways[i]
		x.seconds = min(x.seconds, w.network+float64(w.exec.Seconds()*scale))
	}
	m.slices = m.slices[:0]
	if end > horizon {
		m.slices = append(m.slices, slice{room: f.part(end-horizon, scale)}) // counts nothing
	}
	for t, end := a.At, min(end, horizon); t < end; {
		k := int(t / m.slot)
		next := min(end, int64(k+1)*m.slot)
		s := slice{cost: math.Inf(1), room: f.part(next-t, scale)}
		for i := range f.ways {
			w := &f.ways[i]
			g := float64((w.joules+float64(w.hold*w.exec.Seconds()))*scale*float64(m.cfg.Grid[w.cluster][k])*perKWh) + m.price(w, k, scale)
			if g < s.cost {
				s.cost, s.price = g, m.price(w, k, scale)
			}
		}
		m.slices = append(m.slices, s)
		t = next
	}
	slices.SortFunc(m.slices, func(a, b slice) int { return cmp.Compare(a.cost, b.cost) })
	left := 1.0
	for _, s := range m.slices {
		part := min(left, s.room)
		x.grams += part * (s.cost - s.price)
		x.price += part * s.price
		if left -= part; left <= 0 {
			break
		}
	}
	x.cost = x.grams + x.price + float64(float64(rate)*x.seconds)
	return x
}

// part is the most of the work that can be done within d.
func (f *function) part(d int64, scale float64) float64 {
	if f.fast == 0 {
		return 1
	}
	return float64(d) / (float64(f.fast) * scale)
}

// slice is the cheapest way to work in one slot: of all the work, the cost, and
// how much of it fits.
type slice struct{ cost, price, room float64 }
