package scheduler

import (
	"math"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
)

// relate fills admits with the bounds relative to home that each candidate
// keeps. Home itself is within any distance of home.
func (x *scratch) relate(s *state.Snapshot, home int, l *wattle.Limits) {
	all := whileWarm | whileCold
	if l.CostOverCheapest > 0 {
		all |= counted
	}
	for i := range x.admits {
		x.admits[i] = all
	}
	if l.P95OverHome <= 0 {
		return
	}
	warm, fresh := x.homeP95(s, home)
	warm, fresh = permille(warm, l.P95OverHome), permille(fresh, l.P95OverHome)
	n, admits := len(s.Fleet.Targets), x.admits
	p95, delay := x.columns.P95[:len(admits)], x.columns.Delay[:len(admits)]
	for t := range n {
		if s.Fleet.Targets[t].Cluster == home {
			continue
		}
		for i := t; i < len(admits); i += n {
			if d := int64(p95[i] - delay[i]); d > warm || d > fresh {
				admits[i] &^= relation(d, warm, fresh)
			}
		}
	}
}

// relation is the bounds that d exceeds.
func relation(d, warm, fresh int64) (over uint8) {
	if d > warm {
		over |= whileWarm
	}
	if d > fresh {
		over |= whileCold
	}
	return over
}

// homeP95 is the best p95 that the home cluster offers warm and fresh. A home
// that a policy or a limit refuses still is what others compare with; a home
// without a fitting device is not.
func (x *scratch) homeP95(s *state.Snapshot, home int) (warm, fresh int64) {
	const unfit = wattle.ReasonAccelerator | wattle.ReasonIsolation
	warm, fresh = math.MaxInt64, math.MaxInt64
	if home < 0 {
		return warm, fresh
	}
	n, p95 := len(s.Fleet.Targets), x.columns.P95
	for t := range n {
		if s.Fleet.Targets[t].Cluster != home {
			continue
		}
		if x.refused[t]&unfit == 0 {
			warm = min(warm, int64(p95[t]))
		}
		if x.refused[n+t]&unfit == 0 {
			fresh = min(fresh, int64(p95[n+t]))
		}
	}
	return warm, fresh
}

// bounds are a plan's relative limits resolved against the present occupancy.
type bounds struct {
	state uint8   // whileWarm or whileCold; both where no limit is relative
	skip  int32   // fresh keys before the first that may be within them
	cost  float64 // the most that may be paid
}

// bounds resolves "within x of home" against what home would take now, and
// "within x of the cheapest" against what is available. Home counts as warm
// when the function is warm anywhere: had it stayed, it would be warm there.
func (p *plan) bounds(s *state.Snapshot, f *wattle.Function) bounds {
	b := bounds{state: whileWarm | whileCold, cost: math.Inf(1)}
	if p.toHome {
		b.state, b.skip = whileCold, p.skip[1]
		if s.Load.WarmAnywhere(f.Index) {
			b.state, b.skip = whileWarm, p.skip[0]
		}
	}
	if p.toCheapest {
		least := math.Inf(1)
		for i := range p.keys {
			if k := &p.keys[i]; k.admits != 0 && p.available(s, f, k) == 0 {
				least = min(least, float64(p.rows[k.row].est.Cost))
			}
		}
		b.cost = float64(least * float64(p.intent.Limits.CostOverCheapest) / 1000)
	}
	return b
}

// excess says which relative limits a key is over.
func (p *plan) excess(k *key, b *bounds) (why wattle.Reasons) {
	if k.admits&b.state == 0 {
		why = wattle.ReasonLatency
	}
	if p.toCheapest && float64(p.rows[k.row].est.Cost) > b.cost {
		why |= wattle.ReasonCost
	}
	return why
}

// permille is v·m/1000 without overflow for durations up to 106 days.
func permille(v, m int64) int64 {
	if v > math.MaxInt64/max(m, 1) {
		return math.MaxInt64
	}
	return v * m / 1000
}

// available says why a candidate cannot be taken, or 0. A later slot must have
// room beside what is promised; the request is placed again when it comes.
func (p *plan) available(s *state.Snapshot, f *wattle.Function, k *key) wattle.Reasons {
	switch {
	case k.slot > 0:
		return p.later(s, f, k)
	case k.sandbox == wattle.Warm:
		if s.Load.Warm(f.Index, k.target) == 0 {
			return wattle.ReasonCapacity
		}
	case f.MaxInstances > 0 && s.Load.Live(f.Index) >= f.MaxInstances:
		return wattle.ReasonConcurrency
	case !s.Load.Fits(s.Fleet, k.target, f.Needs):
		return wattle.ReasonCapacity
	}
	return 0
}

// least is the first key in order of G that can be taken now, or nil.
func (p *plan) least(s *state.Snapshot, f *wattle.Function, b *bounds) *key {
	var best *key
	for t, at := s.Load.NextWarm(f.Index, 0); t >= 0; t, at = s.Load.NextWarm(f.Index, at) {
		if k := &p.keys[t]; k.admits != 0 && p.excess(k, b) == 0 && (best == nil || k.before(best)) {
			best = k
		}
	}
	fresh := p.keys[p.warm+b.skip:]
	for i := range fresh {
		k := &fresh[i]
		if best != nil && (k.g > best.g || !k.before(best)) {
			break
		}
		if p.excess(k, b) == 0 && p.available(s, f, k) == 0 {
			return k
		}
	}
	return best
}

// refuse says in d why nothing can be taken, and which target to wait for if
// only its capacity or the function's own concurrency stands in the way.
func (p *plan) refuse(d *wattle.Decision, s *state.Snapshot, f *wattle.Function, b *bounds) {
	*d = wattle.Decision{
		Sequence: d.Sequence, Function: f, Target: -1, Wait: -1, Reasons: p.reasons, Considered: p.considered,
		Feasible: d.Feasible, Lifecycle: d.Lifecycle, Policy: d.Policy, Revision: d.Revision,
	}
	var first *key
	for i := range p.keys {
		k := &p.keys[i]
		if k.admits == 0 {
			continue
		}
		if why := p.excess(k, b); why != 0 {
			d.Reasons |= why
			continue
		}
		d.Reasons |= p.available(s, f, k)
		if (first == nil || k.before(first)) && s.Fleet.Holds(k.target, f.Needs) {
			first, d.Wait = k, k.target
		}
	}
}

// take fills the decision with a key and its row.
func take(d *wattle.Decision, k *key, w *row, now time.Time) {
	d.Placed, d.Target, d.Sandbox, d.Reasons, d.Wait = true, k.target, k.sandbox, 0, -1
	d.Start, d.G, d.Estimate = now, wattle.GramsCO2e(k.g), w.est
	if d.Run = w.run; w.delay > 0 {
		d.Start = now.Add(w.delay)
	}
}

// choose asks the Chooser among the feasible targets, one option each: warm
// where an instance waits, fresh otherwise. Nil means that there is none.
func (c *Core) choose(p *plan, b *bounds, s *state.Snapshot, r *wattle.Request) *key {
	c.options, c.from = c.options[:0], c.from[:0]
	for i := range p.keys {
		k := &p.keys[i]
		if k.admits != 0 && (k.slot == 0 || c.cfg.Deferrer != nil) && p.excess(k, b) == 0 && p.available(s, r.Function, k) == 0 {
			c.offer(p, i)
		}
	}
	if len(c.options) == 0 {
		return nil
	}
	return &p.keys[c.from[c.cfg.Chooser.Choose(s, r, c.options)]]
}

// offer inserts key i by target, keeping the warmer one of two.
func (c *Core) offer(p *plan, i int) {
	k := &p.keys[i]
	o := Option{Target: k.target, Sandbox: k.sandbox, G: wattle.GramsCO2e(k.g), Estimate: p.rows[k.row].est}
	at := 0
	for at < len(c.options) && c.options[at].Target < k.target {
		at++
	}
	if at < len(c.options) && c.options[at].Target == k.target {
		if k.sandbox < c.options[at].Sandbox {
			c.options[at], c.from[at] = o, i
		}
		return
	}
	c.options, c.from = append(c.options, Option{}), append(c.from, 0)
	copy(c.options[at+1:], c.options[at:])
	copy(c.from[at+1:], c.from[at:])
	c.options[at], c.from[at] = o, i
}
