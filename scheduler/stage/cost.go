package stage

import "github.com/wattle-project/wattle/scheduler/state"

// Cost applies the platform's price model: unit, rounding step, minimum,
// whether initialisation is billed, per request, and egress between regions.
type Cost struct{}

// Name returns "cost".
func (Cost) Name() string { return "cost" }

// Apply fills Cost.
func (Cost) Apply(b *state.Batch) {
	c, f, n := b.Columns, b.Function, b.Stride()
	for t := range n {
		target := b.Target(t)
		price := &target.Price
		rate, egress := price.Rate(f.Needs), b.Origin >= 0 && b.Origin != target.Region
		for i := t; i < len(b.Refused); i += n {
			run := c.Exec[i]
			if price.BillInit {
				run += c.Start[i]
			}
			c.Cost[i] = price.PerRequest + rate.Times(price.Billed(run).Seconds())
			if egress {
				c.Cost[i] += price.EgressPerGB.Times(f.Out.GB())
			}
		}
	}
}
