package bound

import (
	"context"
	"slices"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator"
)

// Energy computes the bounds of Placement, in their order, for the energy that
// functions are charged, before PUE, rather than for carbon: the points that count
// a second nothing.
func Energy(ctx context.Context, c *simulator.Config, o Options) ([]wattle.Joules, error) {
	o.Rates, o.Plans = []wattle.GramsPerSecond{0}, false
	bounds, err := Placement(ctx, plain(c), o)
	if err != nil {
		return nil, err
	}
	out := make([]wattle.Joules, len(bounds))
	for i, b := range bounds {
		out[i] = joules(b.Points[0].Grams)
	}
	return out, nil
}

// OwnEnergy is Own for energy before PUE.
func OwnEnergy(ctx context.Context, c *simulator.Config, results []*simulator.Result, defers bool) ([]wattle.Joules, error) {
	grams, err := Own(ctx, plain(c), results, defers)
	out := make([]wattle.Joules, len(grams))
	for i, g := range grams {
		out[i] = joules(g)
	}
	return out, err
}

// plain is c with machines alone and all grids at 1 g/kWh, so that grams are kWh.
func plain(c *simulator.Config) *simulator.Config {
	out, fleet := *c, *c.Fleet
	fleet.Targets = slices.Clone(fleet.Targets)
	for i := range fleet.Targets {
		fleet.Targets[i].PUE = 1
	}
	out.Fleet, out.Grid = &fleet, make([][]wattle.GramsPerKWh, len(c.Grid))
	for i := range out.Grid {
		out.Grid[i] = slices.Repeat([]wattle.GramsPerKWh{1}, len(c.Grid[i]))
	}
	return &out
}

// joules are those that emit g at 1 g/kWh.
func joules(g wattle.GramsCO2e) wattle.Joules { return wattle.JoulesOfKWh(float64(g)) }
