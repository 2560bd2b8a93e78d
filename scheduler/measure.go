package scheduler

import (
	"slices"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
)

// scratch is the memory in which candidates are measured.
type scratch struct {
	columns  wattle.Columns
	verdicts wattle.Verdicts
	refused  []wattle.Reasons
	admits   []uint8 // see key
	batch    state.Batch
	g, base  []float64       // with and without the congestion price
	hold     []float64       // vCPU·s that the price applies to; 0 before the first price
	runs     []time.Duration // until a pause, by target; empty: to the end
	zone     state.ZoneSignal
	ahead    []wattle.GramsPerKWh
	full     []bool
	ranks    []rank
	merged   []rank
	// The plan, and the number of plans built then, that the columns are of.
	of    *plan
	built uint64
}

// measure fills the scratch with all candidates of f: columns, verdicts,
// refusals and G, with what is expected of the instance afterwards.
func (c *Core) measure(now time.Time, s *state.Snapshot, f *wattle.Function, params *wattle.Params, intent *wattle.Intent, home int, o outlook) {
	x := &c.scratch
	*intent = c.intent(f, params)
	slots, step := c.raster(params, intent)
	x.enumerate(s.Fleet, f, slots, step)
	x.batch.Targets = len(s.Fleet.Targets)
	c.apply(now, s, f, params, intent, home, o.keep)
	if x.runs = x.runs[:0]; c.defers(params, intent) {
		c.shift(now, s, f, slack(params, intent))
	}
	c.judge(s, f, params)
	x.judge(s, f, params, intent, o)
}

func (c *Core) intent(f *wattle.Function, params *wattle.Params) wattle.Intent {
	in := DefaultIntent()
	if c.cfg.Policy != nil {
		in = c.cfg.Policy.Intent(f, params)
	}
	in.Lifecycle.Signal = in.Objective.Signal
	return in
}

// single fills the scratch with one candidate, which measures as among others:
// stages look at each candidate by itself.
func (c *Core) single(now time.Time, s *state.Snapshot, f *wattle.Function, params *wattle.Params, intent *wattle.Intent, target int32, box wattle.Sandbox, delay, keep time.Duration) {
	x := &c.scratch
	x.size(1)
	x.columns.Target[0], x.columns.Sandbox[0], x.columns.Delay[0] = target, box, delay
	x.batch.Targets = 0
	c.apply(now, s, f, params, intent, s.Fleet.ClusterIndex(f.Home), keep)
}

// apply runs the stages over the candidates listed in the scratch.
func (c *Core) apply(now time.Time, s *state.Snapshot, f *wattle.Function, params *wattle.Params, intent *wattle.Intent, home int, keep time.Duration) {
	x := &c.scratch
	x.of = nil
	b := &x.batch
	b.Now, b.Keep, b.State, b.Function, b.Params, b.Intent = now, keep, s, f, params, intent
	b.Origin, b.Columns, b.Refused = origin(s.Fleet, params, home), &x.columns, x.refused
	for _, st := range c.cfg.Stages {
		st.Apply(b)
	}
}

// judge asks the policy.
func (c *Core) judge(s *state.Snapshot, f *wattle.Function, params *wattle.Params) {
	x := &c.scratch
	x.verdicts.Reset(x.columns.Len())
	if c.cfg.Policy != nil {
		c.cfg.Policy.Judge(f, params, s.Fleet.Attributes(), &x.columns, &x.verdicts)
	}
}

// judge applies what needs no other candidate, and weighs.
func (x *scratch) judge(s *state.Snapshot, f *wattle.Function, params *wattle.Params, intent *wattle.Intent, o outlook) {
	limited := intent.Limits != (wattle.Limits{}) || params.Budget > 0 || params.Cap > 0
	refused, denied := x.refused, x.verdicts.Denied[:len(x.refused)]
	for i, why := range refused {
		if len(denied[i]) > 0 {
			why |= wattle.ReasonPolicy
		}
		if limited {
			why |= absolute(&x.columns, i, params, &intent.Limits)
		}
		refused[i] = why
	}
	x.weigh(&intent.Objective)
	if n := len(s.Fleet.Targets); o.uses > 1 {
		for t := range n {
			x.spread(t, n, o.uses)
		}
	}
	x.price(s, f.Needs.CPU.VCPU(), o.keep)
}

// spread charges the starts on target t to all the requests that an instance is
// expected to serve: of what a fresh instance costs more than a warm one, only
// the part of this request counts in G. Without it a place that starts a little
// faster would keep a function for good, however far it is from its callers.
func (x *scratch) spread(t, n int, uses float64) {
	later := float64((x.base[n+t] - x.base[t]) * (1 - 1/uses))
	if !(later > 0) {
		return
	}
	for i := n + t; i < len(x.base); i += n {
		x.base[i] -= later
	}
}

// price adds the congestion price to G.
func (x *scratch) price(s *state.Snapshot, cpu float64, keep time.Duration) {
	c, n := &x.columns, len(s.Fleet.Targets)
	copy(x.g, x.base)
	if s.PriceRevision == 0 {
		clear(x.hold)
		return
	}
	for t := range n {
		price := s.Price(int32(t))
		for i := t; i < len(x.g); i += n {
			x.hold[i] = cpu * (c.Start[i] + c.Exec[i] + keep).Seconds()
			x.g[i] += float64(price.Times(x.hold[i]))
		}
	}
}

// weigh fills base with G in grams without the congestion price:
// carbon + penalty + seconds·rate + dollars·rate + score.
func (x *scratch) weigh(o *wattle.Objective) {
	c, base := &x.columns, x.base
	m := len(base)
	carbon, penalty, embodied, cost := c.Carbon[:m], c.Penalty[:m], c.Embodied[:m], c.Cost[:m]
	mean, delay, score := c.Mean[:m], c.Delay[:m], x.verdicts.Score[:m]
	for i := range base {
		g := (carbon[i] + penalty[i]).Times(o.Carbon)
		if o.Embodied {
			g += embodied[i]
		}
		if o.Seconds != 0 {
			// Waiting for a start slot is not felt as latency: its limit is the deadline.
			g += o.Seconds.For(mean[i] - delay[i])
		}
		g += o.Dollars.For(cost[i])
		base[i] = float64(g + wattle.GramsCO2e(float64(score[i])/1e6))
	}
}

// DefaultIntent minimises operational carbon without limits.
func DefaultIntent() wattle.Intent {
	return wattle.Intent{Objective: wattle.Objective{Carbon: 1}, Policy: "built-in"}
}

// enumerate lists (target, sandbox) now and (target, cold) for later slots.
func (x *scratch) enumerate(fleet *state.Fleet, f *wattle.Function, slots int, step time.Duration) {
	n := len(fleet.Targets)
	box := fresh(f)
	x.size(n * (slots + 1))
	target, sandbox, delay := x.columns.Target, x.columns.Sandbox, x.columns.Delay
	for t := range n {
		target[t], sandbox[t] = int32(t), wattle.Warm
	}
	for k := range slots {
		first, wait := n*(k+1), time.Duration(k)*step
		for t := range n {
			target[first+t], sandbox[first+t], delay[first+t] = int32(t), box, wait
		}
	}
}

// fresh is the state of a new instance of f.
func fresh(f *wattle.Function) wattle.Sandbox {
	if f.Profile.Restore > 0 {
		return wattle.Snapshot
	}
	return wattle.Cold
}

// size makes room for n candidates, none of which is refused.
func (x *scratch) size(n int) {
	x.columns.Reset(n)
	if n != len(x.refused) {
		x.refused, x.admits = slices.Grow(x.refused[:0], n)[:n], slices.Grow(x.admits[:0], n)[:n]
		x.g, x.base, x.hold = slices.Grow(x.g[:0], n)[:n], slices.Grow(x.base[:0], n)[:n], slices.Grow(x.hold[:0], n)[:n]
	}
	clear(x.refused)
}

// key fills the key of candidate i, which is of start slot number at.
func (x *scratch) key(k *key, i int, at int32) {
	k.g, k.base, k.hold = x.g[i], x.base[i], x.hold[i]
	k.target, k.sandbox, k.slot, k.row, k.admits = x.columns.Target[i], x.columns.Sandbox[i], at, -1, x.admits[i]
}

// Origin is the index of the caller's region: stated, else that of the home
// cluster; -1 if the fleet does not know it, and the farthest is assumed.
func Origin(fleet *state.Fleet, f *wattle.Function, p *wattle.Params) int {
	return origin(fleet, p, fleet.ClusterIndex(f.Home))
}

func origin(fleet *state.Fleet, p *wattle.Params, home int) int {
	switch {
	case p.Region != "":
		return fleet.RegionIndex(p.Region)
	case home >= 0:
		return fleet.RegionOf(home)
	}
	return -1
}

// absolute checks the limits that need no other candidate.
func absolute(c *wattle.Columns, i int, p *wattle.Params, l *wattle.Limits) wattle.Reasons {
	var why wattle.Reasons
	if l.Mean > 0 && c.Mean[i]-c.Delay[i] > l.Mean || l.P95 > 0 && c.P95[i]-c.Delay[i] > l.P95 {
		why |= wattle.ReasonLatency
	}
	if over(c.Cost[i], l.Cost) || over(c.Cost[i], p.Budget) {
		why |= wattle.ReasonCost
	}
	if over(c.Carbon[i], l.Carbon) || over(c.Carbon[i], p.Cap) {
		why |= wattle.ReasonCarbon
	}
	if l.StartWithin > 0 && c.Delay[i]+c.Start[i] > l.StartWithin {
		why |= wattle.ReasonDeadline
	}
	return why
}

func over[T ~float64](v, limit T) bool { return limit > 0 && v > limit }
