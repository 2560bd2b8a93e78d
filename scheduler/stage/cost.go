package stage

import "github.com/wattle-project/wattle/scheduler/state"

// Cost applies the platform's price model: unit, rounding step, minimum,
// whether initialisation is billed, per request, and egress between regions.
type Cost struct{}

// Name returns "cost".
func (Cost) Name() string { return "cost" }

// Apply fills Cost.
func (Cost) Apply(b *state.Batch) {
	c, f := b.Columns, b.Function
	for i := range b.Refused {
		t := b.Target(i)
		run := c.Exec[i]
		if t.Price.BillInit {
			run += c.Start[i]
		}
		c.Cost[i] = t.Price.PerRequest + t.Price.Rate(f.Needs).Times(t.Price.Billed(run).Seconds())
		if b.Origin >= 0 && b.Origin != t.Region {
			c.Cost[i] += t.Price.EgressPerGB.Times(f.Out.GB())
		}
	}
}
