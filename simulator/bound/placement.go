package bound

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/state"
	"github.com/wattle-project/wattle/simulator"
	"github.com/wattle-project/wattle/simulator/trace"
)

// PlacementSpace states what Placement ranges over.
const PlacementSpace = "every invocation starts on arrival on any target whose device, isolation and residency fit; " +
	"any keep-alive and pre-warm with hindsight; unlimited capacity; limits of policies are ignored"

// Point is the least of carbon + Rate·seconds, with its parts.
type Point struct {
	Rate    wattle.GramsPerSecond
	Grams   wattle.GramsCO2e
	Seconds float64 // sum over invocations, as callers see them
}

// PlacementBound is what no policy of PlacementSpace stays below.
type PlacementBound struct {
	Invocations int64
	// Points has one entry per rate asked for.
	Points []Point
	// Cost is the least money, each invocation on its cheapest target.
	Cost wattle.USD
	// Slots spreads the grams of the first point over the slots of arrival.
	Slots []wattle.GramsCO2e
}

// Placement computes the bound of a simulation, whose policy is ignored.
//
// Execution: each invocation costs at least the least warm grams + rate·seconds
// over its feasible targets at the intensity of its run. Instances: an
// invocation either starts one, at least at the cheapest place and time, or
// takes over one that idled since an earlier completion, at least at the
// cheapest place in every slot. Completions are matched with later arrivals
// newest first, which is optimal for costs that are concave in the gap; each
// gap is shortened by the longest delay that slower hardware and a cold start
// can cause. Execution and instances are bounded apart, so their sum bounds the
// sum.
func Placement(ctx context.Context, c *simulator.Config, rates []wattle.GramsPerSecond) (*PlacementBound, error) {
	m, err := newModel(c)
	if err != nil {
		return nil, err
	}
	slowest, err := slowestScales(ctx, c)
	if err != nil {
		return nil, err
	}
	b := &PlacementBound{Slots: make([]wattle.GramsCO2e, m.slots)}
	for _, r := range rates {
		b.Points = append(b.Points, Point{Rate: r})
	}
	series := make([]uses, len(c.Functions))
	err = arrivals(ctx, c, func(a *trace.Arrival) {
		f := m.function(a.Function)
		if len(f.ways) == 0 {
			return // no policy can serve it
		}
		b.Invocations++
		b.Cost += f.cheapest(a)
		k := min(int(a.At/m.slot), m.slots-1)
		inst := series[a.Function].take(f, a, k, float64(slowest[a.Function]), m)
		for i := range b.Points {
			g, s := f.run(m, a, k, rates[i])
			b.Points[i].Grams += g + inst
			b.Points[i].Seconds += s
			if i == 0 {
				b.Slots[k] += g + inst
			}
		}
	})
	return b, err
}

// arrivals calls each for every arrival within the horizon.
func arrivals(ctx context.Context, c *simulator.Config, each func(*trace.Arrival)) error {
	src, err := c.Trace.Open()
	if err != nil {
		return err
	}
	var buf []trace.Arrival
	for err == nil {
		if err = ctx.Err(); err != nil {
			break
		}
		if buf, err = src.Next(buf); err != nil {
			break
		}
		for i := range buf {
			if buf[i].At >= int64(c.Horizon) {
				return src.Close()
			}
			each(&buf[i])
		}
	}
	if err == io.EOF {
		err = nil
	}
	return errors.Join(err, src.Close())
}

// slowestScales is the largest Scale of each function.
func slowestScales(ctx context.Context, c *simulator.Config) ([]float32, error) {
	out := make([]float32, len(c.Functions))
	err := arrivals(ctx, c, func(a *trace.Arrival) { out[a.Function] = max(out[a.Function], a.Scale) })
	return out, err
}

// runWay is what running a function on one target takes, per unit of Scale.
type runWay struct {
	cluster, far   int // where it runs, and the caller's end
	exec           time.Duration
	joules         float64 // dynamic and idle share, times PUE, per unit of scale
	network        float64 // seconds
	netJoules      float64
	usd, usdPerRun float64 // money per unit of scale, and per request
}

// function is the model of one function.
type function struct {
	ways       []runWay
	fast, slow time.Duration // execution at scale 1
	start      time.Duration // longest cold start
	shared     bool          // an instance serves several requests at a time
	startGrams []float64     // least grams of a start that is used in slot k
	holdGrams  []float64     // cumulative least grams of holding an instance to the start of slot k
}

// model caches functions and holds what all of them share.
type model struct {
	cfg   *simulator.Config
	core  *scheduler.Core
	store *state.Store
	slot  int64
	slots int
	fns   []*function
}

func newModel(c *simulator.Config) (*model, error) {
	cfg := c.Core
	cfg.Policy, cfg.Keeper, cfg.Chooser, cfg.Hold, cfg.Slot = nil, nil, nil, 0, 0
	core, err := scheduler.New(cfg)
	if err != nil {
		return nil, err
	}
	store, err := state.NewStore(c.Fleet, c.Functions)
	if err != nil {
		return nil, err
	}
	// Unit intensities: what is measured here is joules, not grams.
	zones := make([]state.ZoneSignal, len(c.Fleet.Clusters))
	for i := range zones {
		zones[i].Current = wattle.Signal{Zone: c.Fleet.Clusters[i].Zone, Intensity: 1, From: c.Start, To: c.Start.Add(c.Slot), Provider: "unit"}
	}
	store.SetSignals(state.NewSignals(zones, c.Start))
	return &model{
		cfg: c, core: core, store: store, slot: int64(c.Slot), slots: len(c.Grid[0]), fns: make([]*function, len(c.Functions)),
	}, nil
}
