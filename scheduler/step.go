package scheduler

import (
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
)

// Step tells the lifecycle part of the core what happened and returns what the
// driver must do. Events of one instant are given in the order of their kinds.
// The returned slice is valid until the next Step.
func (c *Core) Step(now time.Time, s *state.Snapshot, e wattle.Event) []wattle.Action {
	if c.cfg.Keeper == nil {
		c.actions = c.actions[:0]
		if e.Kind == wattle.Finished {
			c.actions = append(c.actions, wattle.Action{Kind: wattle.Evict, Instance: e.Instance, Function: e.Function, Target: e.Target})
		}
		return c.actions
	}
	c.actions = c.cfg.Keeper.Step(now, s, e, c.actions[:0])
	return c.actions
}

// Fixed keeps every instance for T after its last use, the rule of most
// platforms. With Once, uses do not renew it: an instance lives until T after
// it first became idle.
type Fixed struct {
	T    time.Duration
	Once bool
	// ends remembers when non-renewed instances end, by slot.
	ends map[wattle.InstanceID]time.Time
}

// Step answers Finished with Keep or Evict.
func (k *Fixed) Step(now time.Time, _ *state.Snapshot, e wattle.Event, out []wattle.Action) []wattle.Action {
	if e.Kind == wattle.Expired {
		delete(k.ends, e.Instance)
		return out
	}
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
		delete(k.ends, e.Instance)
	}
	return append(out, wattle.Action{Kind: kind, Instance: e.Instance, Function: e.Function, Target: e.Target, At: until})
}

func (k *Fixed) first(id wattle.InstanceID, until time.Time) time.Time {
	if end, ok := k.ends[id]; ok {
		return end
	}
	if k.ends == nil {
		k.ends = make(map[wattle.InstanceID]time.Time)
	}
	k.ends[id] = until
	return until
}

// bound applies a policy's lifecycle bounds to a keep-alive.
func bound(t time.Duration, b *wattle.LifecycleBounds) time.Duration {
	t = max(t, b.KeepAliveMin)
	if b.KeepAliveMax > 0 {
		t = min(t, b.KeepAliveMax)
	}
	return t
}

// Congestion raises the price of a pool while it is busier than Target and
// lowers it otherwise: one step of dual ascent per price epoch, so that many
// requests do not herd on the cleanest cluster.
type Congestion struct {
	// Target is the busy share in (0, 1] above which the price rises.
	Target float64
	// Step is the price change in grams per vCPU·s for an excess of 1; 0 disables.
	Step wattle.GramsCO2e
}

// DefaultCongestion aims at 80 % and moves by about a third of what a busy vCPU
// emits per second on a 400 g/kWh grid (3 W: 3.3e-4 g).
func DefaultCongestion() Congestion { return Congestion{Target: 0.8, Step: 1e-4} }

// Update returns the prices of the next epoch, one per pool, in dst's memory.
func (g Congestion) Update(dst []wattle.GramsCO2e, s *state.Snapshot) []wattle.GramsCO2e {
	dst = dst[:0]
	for i := range s.Fleet.Pools {
		var p wattle.GramsCO2e
		if i < len(s.Prices) {
			p = s.Prices[i]
		}
		dst = append(dst, max(0, p+g.Step.Times(s.Load.Busy(s.Fleet, i)-g.Target)))
	}
	return dst
}
