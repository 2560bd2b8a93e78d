package bound

import (
	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator/trace"
)

// spread puts the grams of the best choice x for an arrival, its room included,
// into the slots in which it emits them. Those of work that pauses must just have
// been chosen.
func (b *PlacementBound) spread(m *model, f *function, a *trace.Arrival, x choice) {
	if b.Slots == nil {
		return
	}
	put := func(k int, grams float64) { b.Slots[min(k, m.slots-1)] += wattle.GramsCO2e(grams) }
	switch {
	case f.slack == 0:
		put(m.at(a), x.grams+x.price)
	case f.pauses:
		m.cheapest(func(s *slice, part float64) { put(s.slot, part*s.cost) })
	default:
		w, scale, run := &f.ways[x.way], float64(a.Scale), 0.0
		m.during(f, w, x.at, int64(float64(w.exec)*scale), scale, func(k int, grams, price float64) {
			put(k, grams+price)
			run += grams
		})
		put(int(x.at/m.slot), x.grams-run) // the network
	}
}

// level makes the slots sum to the bound and none of them fall below 0: the value
// of room is not always taken off where the room is paid for. Prices that leave
// less than nothing say no more than that nobody emits less than nothing.
func (b *PlacementBound) level() {
	if len(b.Points) == 0 {
		return
	}
	b.Points[0].Grams = max(b.Points[0].Grams, 0)
	above := wattle.GramsCO2e(0)
	for k, g := range b.Slots {
		b.Slots[k] = max(g, 0)
		above += b.Slots[k]
	}
	for k, g := range b.Slots {
		part := 1 / float64(len(b.Slots))
		if above > 0 {
			part = float64(g / above)
		}
		b.Slots[k] = b.Points[0].Grams.Times(part)
	}
}
