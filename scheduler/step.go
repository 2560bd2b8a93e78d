package scheduler

import (
	"math"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
)

// Step tells the lifecycle part of the core what happened and returns what the
// driver must do. Events of one instant are given in the order of their kinds.
// The returned slice is valid until the next Step.
func (c *Core) Step(now time.Time, s *state.Snapshot, e wattle.Event) []wattle.Action {
	switch e.Kind {
	case wattle.Arrived:
		c.observe(e.Function.Index, now.UnixNano(), s)
	case wattle.Started:
		if e.Sandbox != wattle.Warm {
			c.paceOf(e.Function.Index, s).starts++
		}
	}
	if c.cfg.Keeper == nil {
		c.actions = c.actions[:0]
		if e.Kind == wattle.Finished {
			c.actions = append(c.actions, wattle.Action{Kind: wattle.Evict, Instance: e.Instance, Function: e.Function, Target: e.Target})
		}
		return c.actions
	}
	c.actions = c.actions[:0]
	if c.Heeds(e.Kind) {
		c.actions = c.cfg.Keeper.Step(now, s, e, c.actions)
	}
	return c.actions
}

// Heeds reports whether events of a kind can lead to actions: drivers need not
// tell of a warm start, which the core does not count, where it does not.
func (c *Core) Heeds(k wattle.EventKind) bool { return c.heeded>>k&1 != 0 }

// heeded is the set of kinds that k wants to be told of.
func heeded(k Keeper) uint32 {
	picky, ok := k.(interface{ Heeds(wattle.EventKind) bool })
	if !ok {
		return math.MaxUint32
	}
	set := uint32(0)
	for kind := range wattle.Due + 1 {
		if picky.Heeds(kind) {
			set |= 1 << kind
		}
	}
	return set
}

// pace is how often a function is invoked.
type pace struct {
	last int64 // Unix ns of the last arrival
	gap  int64 // moving average of the gaps with weight 1/16, ns; 0 if unknown
	// uses and starts count arrivals and fresh instances; both are halved every
	// hour, the last time at halved.
	uses, starts float64
	halved       int64
	// outlook is that of the first plan in epoch, so that plans made again later
	// in it are the same.
	outlook outlook
	epoch   uint64
}

// outlook is what is expected of an instance after a use.
type outlook struct {
	keep time.Duration // idle time until the next use
	uses float64       // requests that a fresh instance serves; under 1 counts as 1
}

// paceOf is the pace of function fn, unknown at first.
func (c *Core) paceOf(fn int32, s *state.Snapshot) *pace {
	if int(fn) >= len(c.paces) {
		old := c.paces
		c.paces = make([]pace, max(int(fn)+1, s.Load.Functions()))
		copy(c.paces, old)
	}
	return &c.paces[fn]
}

func (c *Core) observe(fn int32, now int64, s *state.Snapshot) {
	p := c.paceOf(fn, s)
	p.uses++
	switch gap := now - p.last; {
	case p.last == 0:
	case p.gap == 0:
		p.gap = max(gap, 1)
	default:
		p.gap = max(p.gap+(gap-p.gap)>>4, 1)
	}
	p.last = now
}

// outlook tells, as known at the first plan of the epoch, how long an instance
// of fn idles after a use (its mean gap times the instances that share the uses,
// at most Hold; Hold while no gap has been seen) and how many requests a fresh
// one serves (arrivals per start, of about the last two hours).
func (c *Core) outlook(fn int32, now time.Time, s *state.Snapshot) outlook {
	p := c.paceOf(fn, s)
	if p.epoch == s.Epoch {
		return p.outlook
	}
	p.epoch, p.outlook = s.Epoch, outlook{c.cfg.Hold, (1 + p.uses) / (1 + p.starts)}
	live := int64(max(s.Load.Live(fn), 1))
	if p.gap > 0 && p.gap < int64(c.cfg.Hold)/live {
		p.outlook.keep = time.Duration(p.gap * live)
	}
	p.forget(now.UnixNano())
	return p.outlook
}

// forget halves the counts for every hour since they were.
func (p *pace) forget(now int64) {
	if p.halved == 0 {
		p.halved = now
	}
	for ; now-p.halved >= int64(time.Hour) && p.uses+p.starts > 1e-3; p.halved += int64(time.Hour) {
		p.uses, p.starts = p.uses/2, p.starts/2
	}
	if now-p.halved >= int64(time.Hour) {
		p.halved = now
	}
}

// Fixed keeps every instance for T after its last use, the rule of most
// platforms. With Once, uses do not renew it: an instance lives until T after
// it first became idle.
type Fixed struct {
	T    time.Duration
	Once bool
	// ends remembers when non-renewed instances end, by slot: an instance that is
	// evicted is forgotten when its slot is used again.
	ends []ending
}

// ending is when an instance ends that uses do not renew.
type ending struct {
	id wattle.InstanceID
	at time.Time
}

// Heeds names Finished and Expired.
func (*Fixed) Heeds(k wattle.EventKind) bool { return k == wattle.Finished || k == wattle.Expired }

// Step answers Finished with Keep or Evict.
func (k *Fixed) Step(now time.Time, _ *state.Snapshot, e wattle.Event, out []wattle.Action) []wattle.Action {
	if e.Kind != wattle.Finished {
		return out
	}
	t := bound(k.T, &e.Lifecycle)
	until := now.Add(t)
	if k.Once {
		until = k.first(e.Instance, until)
	}
	kind := wattle.Keep
	if t <= 0 || until.Before(now) {
		kind = wattle.Evict
	}
	return append(out, wattle.Action{Kind: kind, Instance: e.Instance, Function: e.Function, Target: e.Target, At: until})
}

func (k *Fixed) first(id wattle.InstanceID, until time.Time) time.Time {
	slot := int(state.Slot(id))
	for slot >= len(k.ends) {
		k.ends = append(k.ends, ending{})
	}
	if k.ends[slot].id != id {
		k.ends[slot] = ending{id, until}
	}
	return k.ends[slot].at
}

// bound applies a policy's lifecycle bounds to a keep-alive.
func bound(t time.Duration, b *wattle.LifecycleBounds) time.Duration {
	t = max(t, b.KeepAliveMin)
	if b.KeepAliveMax > 0 {
		t = min(t, b.KeepAliveMax)
	}
	return t
}

// Congestion raises the price of a pool while more than Target of it is reserved
// and lowers it otherwise: one step of dual ascent per price epoch, so that
// requests neither herd on the cleanest cluster nor push each other's warm
// instances out of it.
type Congestion struct {
	// Target is the reserved share in (0, 1] above which the price rises.
	Target float64
	// Step is the price change in grams per vCPU·s for an excess of 1; 0 disables.
	Step wattle.GramsCO2e
}

// DefaultCongestion aims at 90 %. A full pool's price rises by 1e-5 g per vCPU·s
// and epoch, about a tenth of what an idle vCPU emits on a 400 g/kWh grid.
func DefaultCongestion() Congestion { return Congestion{Target: 0.9, Step: 1e-4} }

// Update returns the prices of the next epoch, one per pool, in dst's memory.
func (g Congestion) Update(dst []wattle.GramsCO2e, s *state.Snapshot) []wattle.GramsCO2e {
	dst = dst[:0]
	for i := range s.Fleet.Pools {
		var p wattle.GramsCO2e
		if i < len(s.Prices) {
			p = s.Prices[i]
		}
		dst = append(dst, max(0, p+g.Step.Times(s.Load.Reserved(s.Fleet, i)-g.Target)))
	}
	return dst
}
