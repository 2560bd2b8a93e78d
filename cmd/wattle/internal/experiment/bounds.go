package experiment

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/lifecycle"
	"github.com/wattle-project/wattle/simulator"
	"github.com/wattle-project/wattle/simulator/bound"
	"github.com/wattle-project/wattle/simulator/report"
)

// boundRates are what a second is worth along the bound's front, grams first.
// The last one is so high that only time counts.
func boundRates() []wattle.GramsPerSecond {
	return []wattle.GramsPerSecond{0, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 1e-1, 1e6}
}

// maxBoundTables bounds the memory of a bound: functions × slots.
const maxBoundTables = 20_000_000

// Least is what is the least possible in an experiment.
type Least struct {
	// spaces has the same action spaces for every seed.
	spaces [][]*bound.PlacementBound
	// own has the bound over each contender's own instances, by seed.
	own [][]wattle.GramsCO2e
	// energy and ownEnergy are the same of energy.
	energy, ownEnergy [][]wattle.Joules
}

// bounded reports whether bounds are wanted, and whether the experiment is small
// enough for them.
func (e *Experiment) bounded() (wanted, small bool) {
	p := e.File.Bounds.Placement
	return p == nil || *p, len(e.Traces[0].Functions())*int(e.Horizon/e.Slot) <= maxBoundTables
}

// Bound computes the bounds of every seed, or nil where the file turns it off or
// the experiment is too large for it.
func (e *Experiment) Bound(ctx context.Context, outcomes []Outcome) (*Least, error) {
	wanted, small := e.bounded()
	if !wanted {
		return nil, nil
	}
	if n := len(e.Traces[0].Functions()) * int(e.Horizon/e.Slot); !small {
		e.grids.notes = append(e.grids.notes, fmt.Sprintf("no bound was computed: %d functions × slots are over the limit of %d", n, maxBoundTables))
		return nil, nil
	}
	o := bound.Options{Rates: boundRates(), Plans: true}
	for i := range e.File.Policies {
		p := &e.File.Policies[i]
		if keep, fixed := e.keeps(p); fixed && !slices.Contains(o.Keep, keep) {
			o.Keep = append(o.Keep, keep)
		}
		o.Capped = o.Capped || e.capped(p)
		o.Defers = o.Defers || deferral(p, &e.File.Instances) != "run-now"
	}
	out := &Least{}
	for seed := range e.Seeds {
		c, _, err := e.Config(&e.File.Policies[0], seed, e.own())
		if err != nil {
			return nil, err
		}
		b, err := bound.Placement(ctx, c, o)
		if err != nil {
			return nil, err
		}
		out.spaces = append(out.spaces, b)
		own, err := bound.Own(ctx, c, e.results(outcomes, seed), o.Defers)
		if err != nil {
			return nil, err
		}
		out.own = append(out.own, own)
		if err := e.boundEnergy(ctx, out, c, o, e.results(outcomes, seed)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// results are those of all contenders on a seed, in order.
func (e *Experiment) results(outcomes []Outcome, seed int) []*simulator.Result {
	out := make([]*simulator.Result, len(e.File.Policies))
	for _, o := range outcomes {
		if o.Seed == seed && o.Set == e.own() {
			out[o.Policy] = o.Result
		}
	}
	return out
}

// keeps is how long a contender keeps every instance, and whether it does so.
func (e *Experiment) keeps(p *Policy) (time.Duration, bool) {
	in := &e.File.Instances
	switch cmp.Or(p.KeepAlive, in.KeepAlive, "fixed") {
	case "none":
		return 0, true
	case "fixed":
		return p.For.Or(in.For.Or(10 * time.Minute)), in.Renew == nil || *in.Renew
	}
	return 0, false
}

// capped reports whether a contender's keep-alive is made for a cap.
func (e *Experiment) capped(p *Policy) bool {
	return lifecycle.Policies()[cmp.Or(p.KeepAlive, e.File.Instances.KeepAlive)].Cache
}

// addBounds puts the bounds, averaged over seeds, into d, and the regret of every
// policy against those that it is in the action space of, the narrowest first.
func (e *Experiment) addBounds(d *report.Document, all *Least, outcomes []Outcome) {
	if all == nil || all.spaces[0][0].Invocations == 0 {
		return
	}
	bounds := all.spaces
	for n := range bounds[0] {
		d.Bounds = append(d.Bounds, average(bounds, n))
		d.Bounds[n].EnergyJ = meanJoules(all.energy, n)
	}
	e.compareOwn(d, all, outcomes)
	for n := len(bounds[0]) - 1; n >= 0; n-- {
		e.compare(d, bounds, n, outcomes)
	}
}

// ownInstances is the bound of each policy over its own instances.
const ownInstances = "placement"

// compareOwn adds each policy's regret against its own instances elsewhere, and
// the least of these bounds.
func (e *Experiment) compareOwn(d *report.Document, all *Least, outcomes []Outcome) {
	b := report.Bound{
		Name: ownInstances, ActionSpace: bound.OwnSpace + "; each policy has its own bound, of which the least is shown",
		Brief:  bound.OwnBrief,
		Method: "per invocation the least execution, per slot the least hold", CarbonG: math.Inf(1), EnergyJ: math.Inf(1), DualityGap: math.Inf(1), GapTo: "policy",
	}
	for i := range d.Policies {
		least, w := 0.0, 1/float64(len(all.own))
		for _, seed := range all.own {
			least += w * float64(seed[i])
		}
		if r := e.results(outcomes, 0)[i]; r.Rejected+r.Waiting+r.Paused+r.Late+r.Stalled > 0 {
			continue // it ran less, or later, than what is bounded
		}
		r := regret(ownInstances, "carbon", d.Policies[i].Carbon.OperationalG, least)
		joules := meanJoules(all.ownEnergy, i)
		d.Policies[i].Regrets = append(d.Policies[i].Regrets, r, regret(ownInstances, "energy", d.Policies[i].Energy.AttributedJ(), joules))
		b.EnergyJ = min(b.EnergyJ, joules)
		b.CarbonG, b.DualityGap = min(b.CarbonG, least), min(b.DualityGap, r.Share)
	}
	if !math.IsInf(b.CarbonG, 1) {
		d.Bounds = append(d.Bounds, b)
	}
}

// average is bound n, averaged over seeds.
func average(bounds [][]*bound.PlacementBound, n int) report.Bound {
	first := bounds[0][n]
	w, last, prices := 1/float64(len(bounds)), len(first.Points)-1, 0.0
	b := report.Bound{Name: first.Name, ActionSpace: first.Space, Brief: first.Brief, Method: first.Method, Front: make([]report.FrontPoint, last), CarbonSlotsG: make([]float64, len(first.Slots))}
	for _, seed := range bounds {
		x := seed[n]
		count := float64(x.Invocations)
		b.CarbonG += w * float64(x.Points[0].Grams)
		b.LatencyMeanS += w * x.Points[last].Seconds / count
		b.CostUSD += w * float64(x.Cost)
		b.DualityGap += w * x.Gap
		prices += w * x.PriceGap
		for k, g := range x.Slots {
			b.CarbonSlotsG[k] += w * float64(g)
		}
		for i := range b.Front {
			b.Front[i].CarbonG += w * float64(max(x.Points[i].Grams, x.Points[0].Grams))
			b.Front[i].LatencyMeanS += w * x.Points[i].Seconds / count
			b.Front[i].Label = x.Points[i].Rate.String()
		}
	}
	if first.Priced {
		b.PriceGap = &prices
		b.Brief += fmt.Sprintf("; prices to %.2f %%", 100*prices)
	}
	return b
}

// compare adds the regrets against bound n. Where nothing feasible was built, its
// duality gap is the regret of the best policy of its space: what is known to be
// possible.
func (e *Experiment) compare(d *report.Document, bounds [][]*bound.PlacementBound, n int, outcomes []Outcome) {
	b := &d.Bounds[n]
	best := -1.0
	for i := range d.Policies {
		if !e.covered(bounds, n, i, outcomes) {
			continue
		}
		p := &d.Policies[i]
		if r := regret(b.Name, "carbon", p.Carbon.OperationalG, b.CarbonG); best < 0 || r.Share < best {
			best = r.Share
		}
		p.Regrets = append(p.Regrets, regret(b.Name, "carbon", p.Carbon.OperationalG, b.CarbonG),
			regret(b.Name, "latency", p.Latency.MeanS, b.LatencyMeanS), regret(b.Name, "cost", p.CostUSD, b.CostUSD),
			regret(b.Name, "energy", p.Energy.AttributedJ(), b.EnergyJ))
	}
	b.Unreached, b.GapTo = best < 0, "plan"
	if slices.ContainsFunc(bounds, func(seed []*bound.PlacementBound) bool { return !seed[n].Repaired }) {
		b.DualityGap, b.GapTo = max(0, best), "policy"
	}
}

// covered reports whether policy i stayed in the action space of bound n with
// every seed.
func (e *Experiment) covered(bounds [][]*bound.PlacementBound, n, i int, outcomes []Outcome) bool {
	keep, fixed := e.keeps(&e.File.Policies[i])
	for _, o := range outcomes {
		if o.Policy == i && o.Set == e.own() && !bounds[o.Seed][n].Covers(bound.Contender{Result: o.Result, Fixed: fixed, Keep: keep}) {
			return false
		}
	}
	return true
}

func regret(name, figure string, value, least float64) report.Regret {
	return report.Regret{Bound: name, Figure: figure, Share: (value - least) / least}
}
