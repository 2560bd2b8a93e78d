package bound

import "github.com/wattle-project/wattle"

// plan is the share of the grams of waiting work that arrives in one slot and runs
// in another, [slot][slot], by the flow that settled the prices: one that fits into
// the room of the pools. A slot without any has nil.
type plan [][]float64

// plan reads the flow of a market that is settled.
func (m *model) plan(x *market) plan {
	p := make(plan, m.slots)
	for i := range x.batches {
		b := &x.batches[i]
		if !b.waits {
			continue
		}
		if p[b.slot] == nil {
			p[b.slot] = make([]float64, m.slots)
		}
		for _, r := range x.lanes[i] {
			p[b.slot][r.slot] += float64(float64(x.Flow(r.arc)) * r.cost)
		}
	}
	for _, row := range p {
		sum := 0.0
		for _, v := range row {
			sum += v
		}
		for k := range row {
			row[k] /= max(sum, 1e-300)
		}
	}
	return p
}

// spread puts grams of an arrival in slot k, its room included, into the slots in
// which they are emitted.
func (b *PlacementBound) spread(m *model, f *function, k int, grams float64) {
	if f.slack == 0 || m.planned == nil || m.planned[k] == nil {
		b.Slots[k] += wattle.GramsCO2e(grams)
		return
	}
	for j := k; j < m.slots; j++ {
		b.Slots[j] += wattle.GramsCO2e(grams * m.planned[k][j])
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
