package bound

import (
	"context"
	"fmt"
	"slices"

	"github.com/wattle-project/wattle"
)

// capped is the bound of which bare has all but the instances, without pre-warm and
// never below free, the same without a cap, and with the room of all pools for what
// runs and waits. Who waits for whom is newest first, as without a cap, for that is
// cheapest at any prices of room that depend on time alone.
func (m *model) capped(ctx context.Context, bare, free *PlacementBound, plans bool) (*PlacementBound, error) {
	w, err := newCrowd(ctx, m.cfg, m)
	if err != nil {
		return nil, err
	}
	c := *bare
	c.Slots, c.Repaired, c.rule = slices.Clone(free.Slots), true, rule{still: true}
	for i := range c.Points {
		gap, err := c.settle(&c.Points[i], w)
		if err != nil {
			return nil, fmt.Errorf("bound: %w", err)
		}
		c.PriceGap = max(c.PriceGap, gap)
	}
	c.Gap, c.Priced = c.PriceGap, true
	if c.lift(free) {
		c.Repaired = false
	}
	c.Method += ", waits at Lagrangian prices of the scarcer room, the gap being to "
	if plans && m.plannable(&c) {
		if c.Repaired, err = m.fit(ctx, &c, w); err != nil {
			return nil, err
		}
		c.Method += "a plan of instances that stay in place and fit"
	} else {
		c.Method += "waits that fit"
	}
	c.level() // what is more is spread alike
	room := "what runs and waits at a time fits into the vCPUs and the memory of all pools together"
	if m.prices != nil {
		room += ", and no pool is busier in a slot than it can be"
	}
	c.Name = "capped"
	c.Space = m.where(room) + "; any keep-alive with hindsight, no pre-warm"
	c.Brief = "any place, no pre-warm; fits all pools together"
	return &c, nil
}

// lift puts the points of free in the place of those of b that are lower: free bounds
// more than b does. It reports whether it did so to the first point.
func (b *PlacementBound) lift(free *PlacementBound) (first bool) {
	for i := range b.Points {
		x, y := &b.Points[i], &free.Points[i]
		if rate := float64(x.Rate); float64(x.Grams)+float64(rate*x.Seconds) < float64(y.Grams)+float64(rate*y.Seconds) {
			*x, first = *y, first || i == 0
		}
	}
	return first
}

// settle adds the least that instances take to p, and returns the gap to what those
// take that fit.
func (b *PlacementBound) settle(p *Point, w *crowd) (gap float64, err error) {
	v, rate := weights{1, float64(p.Rate)}, float64(p.Rate)
	if timeOnly(p.Rate) {
		v = weights{0, 1}
	}
	t, err := w.toll(v)
	if err != nil {
		return 0, err
	}
	if v.grams == 0 {
		p.Seconds += t.low
		return (t.high - t.low) / p.Seconds, nil
	}
	// Any split of the least between the two figures is a point that nobody beats.
	extra, seconds := t.low, 0.0
	if rate > 0 {
		seconds = min(t.seconds, max(extra, 0)/rate)
	}
	p.Seconds += seconds
	p.Grams += wattle.GramsCO2e(extra - float64(rate*seconds))
	return (t.high - t.low) / (float64(p.Grams) + float64(rate*p.Seconds)), nil
}

// timeOnly reports whether a second is worth so much that grams hardly count.
func timeOnly(r wattle.GramsPerSecond) bool { return r >= 1e5 }
