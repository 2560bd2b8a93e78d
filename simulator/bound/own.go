package bound

import (
	"context"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator"
	"github.com/wattle-project/wattle/simulator/trace"
)

// OwnSpace states what Own ranges over.
const OwnSpace = "the instances that the policy held itself, in every slot for as long as it did, but each at the " +
	"cheapest place of the slot; every invocation runs at its cheapest place; starts are free; capacity and limits are ignored"

// OwnBrief is OwnSpace in a few words.
const OwnBrief = "own instances at each slot's cheapest place; no capacity; the least"

// Own is the least carbon of runs that hold instances exactly as they did, but
// elsewhere: what is above it is the cost of where things ran, what is below it
// that of how long instances were kept. results must have Held and be of c's
// workload; each gets its own bound.
func Own(ctx context.Context, c *simulator.Config, results []*simulator.Result, defers bool) ([]wattle.GramsCO2e, error) {
	m, err := newModel(c, Options{Defers: defers})
	if err != nil {
		return nil, err
	}
	grams := 0.0
	err = arrivals(ctx, c, func(a *trace.Arrival) {
		if f := m.function(a.Function); len(f.ways) > 0 {
			grams += f.dynamic(m, a)
		}
	})
	out := make([]wattle.GramsCO2e, len(results))
	for i, r := range results {
		sum := grams
		for fn, f := range m.fns {
			if f == nil {
				continue
			}
			for k := range m.slots {
				sum += float64(float64(r.Held[fn*m.slots+k]) / float64(m.slot) * f.holding[k])
			}
		}
		out[i] = wattle.GramsCO2e(sum)
	}
	return out, err
}

// dynamic is the least grams of an invocation beyond the least hold of what runs.
func (f *function) dynamic(m *model, a *trace.Arrival) float64 {
	if f.slack == 0 {
		return f.run(m, a, m.at(a), 0).grams
	}
	// It may run in any slot of its window, for which the hold is counted apart.
	x := f.bare().wait(m, a, 0)
	return x.grams
}

// bare is f without the idle power that its runs reserve.
func (f *function) bare() *function {
	if f.naked == nil {
		c := *f
		c.ways = append([]runWay(nil), f.ways...)
		for i := range c.ways {
			c.ways[i].hold = 0
		}
		f.naked = &c
	}
	return f.naked
}
