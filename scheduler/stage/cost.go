package stage

import (
	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
)

// Cost applies the platform's price model: unit, rounding step, minimum,
// whether initialisation is billed, per request, and egress between regions.
type Cost struct{}

// Name returns "cost".
func (Cost) Name() string { return "cost" }

// Apply fills Cost.
func (Cost) Apply(b *state.Batch) {
	c, f, n, m := b.Columns, b.Function, b.Stride(), len(b.Refused)
	starting, running, cost := c.Start[:m], c.Exec[:m], c.Cost[:m]
	for t := range n {
		target := b.Target(t)
		price := &target.Price
		rate, egress := price.Rate(f.Needs), wattle.USD(0)
		if b.Origin != target.Region { // also where the caller is unknown
			egress = price.EgressPerGB.Times(f.Out.GB())
		}
		for i := t; i < m; i += n {
			run := running[i]
			if price.BillInit {
				run += starting[i]
			}
			cost[i] = price.PerRequest + rate.Times(price.Billed(run).Seconds()) + egress
		}
	}
}
