package experiment

import (
	"context"
	"fmt"

	"github.com/wattle-project/wattle"
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

// Bound computes the placement bound of every seed, or nil where the file turns
// it off or the experiment is too large for it.
func (e *Experiment) Bound(ctx context.Context) ([]*bound.PlacementBound, error) {
	if p := e.File.Bounds.Placement; p != nil && !*p {
		return nil, nil
	}
	if n := len(e.Traces[0].Functions()) * int(e.Horizon/e.Slot); n > maxBoundTables {
		e.grids.notes = append(e.grids.notes, fmt.Sprintf("no bound was computed: %d functions × slots are over the limit of %d", n, maxBoundTables))
		return nil, nil
	}
	var out []*bound.PlacementBound
	for seed := range e.Seeds {
		c, _, err := e.Config(&e.File.Policies[0], seed, e.own())
		if err != nil {
			return nil, err
		}
		b, err := bound.Placement(ctx, c, boundRates())
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

const boundName = "placement"

// addBound puts the bound, averaged over seeds, and every policy's regret into d.
func addBound(d *report.Document, bounds []*bound.PlacementBound) {
	if len(bounds) == 0 || bounds[0].Invocations == 0 {
		return
	}
	w := 1 / float64(len(bounds))
	last := len(bounds[0].Points) - 1
	b := report.Bound{
		Name: boundName, ActionSpace: bound.PlacementSpace, CarbonSlotsG: make([]float64, len(bounds[0].Slots)),
		Method: "per invocation: least execution; per gap: least of a start and a keep-alive, newest first",
		Front:  make([]report.FrontPoint, last),
	}
	for _, x := range bounds {
		n := float64(x.Invocations)
		b.CarbonG += w * float64(x.Points[0].Grams)
		b.LatencyMeanS += w * x.Points[last].Seconds / n
		b.CostUSD += w * float64(x.Cost)
		for k, g := range x.Slots {
			b.CarbonSlotsG[k] += w * float64(g)
		}
		for i := range b.Front {
			b.Front[i].CarbonG += w * float64(x.Points[i].Grams)
			b.Front[i].LatencyMeanS += w * x.Points[i].Seconds / n
			b.Front[i].Label = x.Points[i].Rate.String()
		}
	}
	best := d.Policies[0].Carbon.OperationalG
	for i := range d.Policies {
		p := &d.Policies[i]
		best = min(best, p.Carbon.OperationalG)
		p.Regrets = append(p.Regrets, regret("carbon", p.Carbon.OperationalG, b.CarbonG),
			regret("latency", p.Latency.MeanS, b.LatencyMeanS), regret("cost", p.CostUSD, b.CostUSD))
	}
	b.DualityGap = max(0, (best-b.CarbonG)/b.CarbonG)
	d.Bounds = append(d.Bounds, b)
}

func regret(figure string, value, least float64) report.Regret {
	return report.Regret{Bound: boundName, Figure: figure, Share: (value - least) / least}
}
