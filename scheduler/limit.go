package scheduler

import (
	"math"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
)

// bounds are a plan's relative limits resolved against the present occupancy.
type bounds struct {
	p95  int64
	cost float64
}

// findHome notes the best p95 that the home cluster offers warm and fresh. A
// home that a policy or a limit refuses still is what others compare with; a
// home without a fitting device is not.
func (p *plan) findHome(x *scratch, s *state.Snapshot, home int) {
	const unfit = wattle.ReasonAccelerator | wattle.ReasonIsolation
	p.homeP95 = [2]int64{math.MaxInt64, math.MaxInt64}
	if home < 0 {
		return
	}
	for i, target := range x.columns.Target {
		if s.Fleet.Targets[target].Cluster != home || x.refused[i]&unfit != 0 || x.columns.Delay[i] > 0 {
			continue
		}
		kind := 0
		if x.columns.Sandbox[i] != wattle.Warm {
			kind = 1
		}
		p.homeP95[kind] = min(p.homeP95[kind], int64(x.columns.P95[i]))
	}
}

// bounds resolves "within x of home" against what home would take now, and
// "within x of the cheapest" against what is available. Home counts as warm
// when the function is warm anywhere: had it stayed, it would be warm there.
func (p *plan) bounds(s *state.Snapshot, f *wattle.Function) bounds {
	b := bounds{math.MaxInt64, math.Inf(1)}
	if !p.relative {
		return b
	}
	if l := &p.intent.Limits; l.P95OverHome > 0 {
		kind := 1
		if s.Load.WarmAnywhere(f.Index) {
			kind = 0
		}
		b.p95 = permille(p.homeP95[kind], l.P95OverHome)
	}
	if l := &p.intent.Limits; l.CostOverCheapest > 0 {
		least := math.Inf(1)
		for i := range p.rows {
			if w := &p.rows[i]; w.cost < least && available(s, f, w) == 0 {
				least = w.cost
			}
		}
		b.cost = float64(least * float64(l.CostOverCheapest) / 1000)
	}
	return b
}

// permille is v·m/1000 without overflow for durations up to 106 days.
func permille(v, m int64) int64 {
	if v > math.MaxInt64/max(m, 1) {
		return math.MaxInt64
	}
	return v * m / 1000
}

// admits checks the relative limits; home is within any distance of home.
func (b *bounds) admits(w *row) bool {
	return (w.home || w.p95-int64(w.delay) <= b.p95) && w.cost <= b.cost
}

func (b *bounds) why(w *row) wattle.Reasons {
	var r wattle.Reasons
	if !w.home && w.p95-int64(w.delay) > b.p95 {
		r |= wattle.ReasonLatency
	}
	if w.cost > b.cost {
		r |= wattle.ReasonCost
	}
	return r
}

// available says why a candidate cannot be taken now, or 0. Later slots are
// taken to have room: the request is placed again when its slot comes.
func available(s *state.Snapshot, f *wattle.Function, w *row) wattle.Reasons {
	switch {
	case w.delay > 0:
		return 0
	case w.sandbox == wattle.Warm:
		if s.Load.Warm(f.Index, w.target) == 0 {
			return wattle.ReasonCapacity
		}
	case f.MaxInstances > 0 && s.Load.Live(f.Index) >= f.MaxInstances:
		return wattle.ReasonConcurrency
	case !s.Load.Fits(s.Fleet, w.target, f.Needs):
		return wattle.ReasonCapacity
	}
	return 0
}

// take fills the decision from a row.
func take(d *wattle.Decision, w *row, now time.Time, g float64) {
	d.Placed, d.Target, d.Sandbox, d.Reasons, d.Wait = true, w.target, w.sandbox, 0, -1
	d.Start, d.G, d.Estimate = now.Add(w.delay), wattle.GramsCO2e(g), w.est
}

// choose asks the Chooser among the feasible targets, one option each: warm
// where an instance waits, fresh otherwise.
func (c *Core) choose(d *wattle.Decision, p *plan, lim *bounds, now time.Time, s *state.Snapshot, r *wattle.Request) {
	c.options, c.from = c.options[:0], c.from[:0]
	for i := range p.keys {
		w := &p.rows[p.keys[i].row]
		if !lim.admits(w) {
			d.Reasons |= lim.why(w)
			continue
		}
		if why := available(s, r.Function, w); why != 0 || w.delay > 0 {
			d.Reasons |= why
			if d.Wait < 0 && s.Fleet.Holds(w.target, r.Function.Needs) {
				d.Wait = w.target
			}
			continue
		}
		c.offer(w, i, p.keys)
	}
	if len(c.options) == 0 {
		return
	}
	d.Feasible = int32(len(c.options))
	k := &p.keys[c.from[c.cfg.Chooser.Choose(s, r, c.options)]]
	take(d, &p.rows[k.row], now, k.g)
}

// offer inserts a row by target, keeping the warmer one of two.
func (c *Core) offer(w *row, i int, keys []key) {
	o := Option{Target: w.target, Sandbox: w.sandbox, G: wattle.GramsCO2e(keys[i].g), Estimate: w.est}
	at := 0
	for at < len(c.options) && c.options[at].Target < w.target {
		at++
	}
	if at < len(c.options) && c.options[at].Target == w.target {
		if w.sandbox < c.options[at].Sandbox {
			c.options[at], c.from[at] = o, i
		}
		return
	}
	c.options, c.from = append(c.options, Option{}), append(c.from, 0)
	copy(c.options[at+1:], c.options[at:])
	copy(c.from[at+1:], c.from[at:])
	c.options[at], c.from[at] = o, i
}
