package bound

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/lifecycle"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/stage"
	"github.com/wattle-project/wattle/scheduler/state"
	"github.com/wattle-project/wattle/simulator"
	"github.com/wattle-project/wattle/simulator/baseline"
	"github.com/wattle-project/wattle/simulator/trace"
	"github.com/wattle-project/wattle/simulator/workload"
)

// drawConfig is a random fleet of unequal clusters under a random workload.
func drawConfig(t *rapid.T) *simulator.Config {
	var cs []state.Cluster
	n := rapid.IntRange(1, 4).Draw(t, "clusters")
	hours := rapid.IntRange(1, 4).Draw(t, "hours")
	c := &simulator.Config{Start: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Horizon: time.Duration(hours) * time.Hour, Slot: time.Hour, Core: scheduler.DefaultConfig()}
	for i := range n {
		cs = append(cs, state.Cluster{
			ID: wattle.ClusterID(fmt.Sprint("c", i)), Zone: wattle.ZoneID(fmt.Sprint("Z", i)), Region: wattle.RegionID(fmt.Sprint("r", i)), Jurisdiction: []string{"EU", "US"}[i%2],
			PUE: rapid.Float64Range(1, 1.6).Draw(t, "pue"), Longitude: float64(20 * i), Price: state.Price{PerGBSecond: 1e-5, Round: time.Millisecond},
			Pools: []state.Pool{{Name: "p", Nodes: rapid.IntRange(1, 3).Draw(t, "nodes"), Hardware: "h", Speed: rapid.Float64Range(0.5, 2).Draw(t, "speed"),
				Machine: power.Machine{VCPU: 8, Memory: 16 * wattle.GiB, IdlePerVCPU: 0.7, MaxPerVCPU: 4, DRAMPerGiB: 0.3}}},
		})
		var grid []wattle.GramsPerKWh
		for range hours {
			grid = append(grid, wattle.GramsPerKWh(rapid.IntRange(10, 900).Draw(t, "grid")))
		}
		c.Grid = append(c.Grid, grid)
	}
	fleet, err := state.NewFleet(cs)
	if err != nil {
		t.Fatal(err)
	}
	c.Fleet = fleet
	p := workload.DefaultPopulation()
	p.Exec = time.Duration(rapid.SampledFrom([]float64{0.4, 0.4, 60, 600}).Draw(t, "median") * float64(time.Second))
	p.Functions, p.Invocations, p.Length = rapid.IntRange(1, 6).Draw(t, "functions"), rapid.Float64Range(5, 800).Draw(t, "invocations"), c.Horizon
	specs, err := p.Draw(rapid.Uint64().Draw(t, "seed"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := workload.New(specs, workload.Config{Seed: 1, Length: c.Horizon})
	if err != nil {
		t.Fatal(err)
	}
	c.Trace = w
	cpu := rapid.SampledFrom([]int{500, 2000}).Draw(t, "cpu")
	if rapid.Bool().Draw(t, "drain") { // time for what waits to end in
		c.Horizon += 4 * time.Hour
		for i := range c.Grid {
			for range 4 {
				c.Grid[i] = append(c.Grid[i], wattle.GramsPerKWh(rapid.IntRange(10, 900).Draw(t, "grid")))
			}
		}
	}
	for _, f := range w.Functions() {
		c.Functions = append(c.Functions, wattle.Function{
			ID: f.ID, Home: "c0", Needs: wattle.Resources{CPU: wattle.MilliCPU(cpu), Memory: 512 * wattle.MiB},
			Params:        wattle.Params{Deadline: time.Duration(rapid.SampledFrom([]int{0, 0, 40, 150}).Draw(t, "slack")) * time.Minute},
			Interruptible: rapid.Bool().Draw(t, "interruptible"),
			Concurrency:   int32(rapid.SampledFrom([]int{1, 1, 1, 3}).Draw(t, "concurrency")),
			Profile:       wattle.Profile{Exec: f.Mean, Provision: 200 * time.Millisecond, Init: time.Second, Utilisation: 0.6},
		})
	}
	for _, s := range stage.Default(stage.DefaultConfig()) {
		c.Core.Stages = append(c.Core.Stages, s)
	}
	return c
}

// contend gives c a random placement, keep-alive and deferral policy.
func contend(t *rapid.T, c *simulator.Config) (x Contender) {
	name := rapid.SampledFrom(append(baseline.Names(), "")).Draw(t, "policy")
	var err error
	if name != "" {
		if c.Core.Chooser, err = baseline.New(name, baseline.Config{Functions: len(c.Functions), Seed: 3, Region: "c0"}); err != nil {
			t.Fatal(err)
		}
	}
	x.Fixed, x.Keep = true, time.Duration(rapid.SampledFrom([]int{0, 20, 120, 600}).Draw(t, "keep"))*time.Second
	c.Core.Keeper = &scheduler.Fixed{T: x.Keep}
	if keeper := rapid.SampledFrom(append(lifecycle.Names(), "", "", "", "")).Draw(t, "keeper"); keeper != "" {
		x.Fixed = false
		if c.Core.Keeper, err = lifecycle.NewInstances(keeper, lifecycle.DefaultConfig()); err != nil {
			t.Fatal(err)
		}
	}
	switch d := rapid.SampledFrom(append(lifecycle.DeferralNames(), "", "least-g")).Draw(t, "deferral"); d {
	case "":
	case "least-g":
		c.Core.Slot = 20 * time.Minute
	default:
		s, err := lifecycle.NewShift(d, lifecycle.DefaultDeferralConfig())
		if err != nil {
			t.Fatal(err)
		}
		c.Core.Deferrer = s
	}
	c.Feed = prophet{c, rapid.IntRange(0, 4).Draw(t, "ahead")}
	return x
}

// prophet shows the truth, some slots ahead.
type prophet struct {
	c     *simulator.Config
	ahead int
}

func (p prophet) Observe(cluster int, now time.Time) state.ZoneSignal {
	g := p.c.Grid[cluster]
	k := int(now.Sub(p.c.Start) / p.c.Slot)
	return state.ZoneSignal{
		Current: wattle.Signal{Zone: p.c.Fleet.Clusters[cluster].Zone, Intensity: g[k], From: now, To: now.Add(p.c.Slot), FetchedAt: now, Provider: "truth"},
		Ahead:   slices.Clone(g[k+1 : min(k+1+p.ahead, len(g))]), Period: p.c.Slot,
	}
}

// No policy is below a bound of its action space: any placement, keep-alive and
// deferral, on fleets with and without room to spare.
func TestNoPolicyIsBelowThePlacementBound(t *testing.T) {
	priced, kept, waited, all := 0, 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c := drawConfig(t)
		x := contend(t, c)
		rates := []wattle.GramsPerSecond{0, 1e-4, 1e-2, 1e6}
		bounds, err := Placement(context.Background(), c, Options{Rates: rates, Keep: []time.Duration{x.Keep}, Defers: true})
		if err != nil {
			t.Fatal(err)
		}
		c.Held = true
		if x.Result, err = simulator.Run(context.Background(), c); err != nil {
			t.Fatal(err)
		}
		own, err := Own(context.Background(), c, []*simulator.Result{x.Result}, true)
		if err != nil {
			t.Fatal(err)
		}
		if bounds[0].Covers(x) && float64(x.Result.Carbon.Operational()) < float64(own[0])*(1-1e-6) {
			t.Fatalf("policy %v, with its own instances at least %v", x.Result.Carbon.Operational(), own[0])
		}
		grams, seconds := float64(x.Result.Carbon.Operational()), x.Result.Latency.Sum().Seconds()
		for n, b := range bounds {
			if !b.Covers(x) {
				continue
			}
			all++
			kept += n
			waited += min(1, int(x.Result.Deferrable))
			if strings.Contains(b.Method, "prices") {
				priced++
			}
			for i, p := range b.Points {
				have, least := grams+float64(rates[i])*seconds, float64(p.Grams)+float64(rates[i])*p.Seconds
				if have < least*(1-1e-5)-1e-9 { // latencies are in whole microseconds
					t.Fatalf("%s at %s: policy %g, bound %g (%+v)", b.Name, rates[i], have, least, p)
				}
			}
			if float64(x.Result.Cost) < float64(b.Cost)*(1-1e-6) {
				t.Fatalf("policy costs %v, bound %v", x.Result.Cost, b.Cost)
			}
		}
	})
	t.Logf("%d comparisons, %d with prices, %d of a keep-alive rule, %d with deferrable work", all, priced, kept, waited)
	if priced == 0 || kept == 0 || waited == 0 {
		t.Error("an action space was never tried")
	}
}

// The bound is reached where nothing is left to choose: one cluster, one
// function, gaps that make keeping cheaper than starting.
func TestPlacementBoundIsTight(t *testing.T) {
	fleet, err := state.NewFleet([]state.Cluster{{ID: "c0", Zone: "Z", Region: "r", PUE: 1, Pools: []state.Pool{{
		Name: "p", Nodes: 1, Hardware: "h", Speed: 1, Machine: power.Machine{VCPU: 8, Memory: 16 * wattle.GiB, IdlePerVCPU: 0.01, MaxPerVCPU: 4},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	tr, err := workload.New([]workload.Spec{{Function: trace.Function{ID: "f", Mean: time.Second}, Rate: 1. / 60, Process: workload.Timer}}, workload.Config{Seed: 1, Length: 2 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	c := &simulator.Config{
		Fleet: fleet, Trace: tr, Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Horizon: 2 * time.Hour, Slot: time.Hour,
		Grid: [][]wattle.GramsPerKWh{{100, 200}}, Core: scheduler.DefaultConfig(),
		Functions: []wattle.Function{{ID: "f", Concurrency: 1, Needs: wattle.Resources{CPU: 1000, Memory: wattle.GiB},
			Profile: wattle.Profile{Exec: time.Second, Provision: time.Second, Utilisation: 1}}},
	}
	for _, s := range stage.Default(stage.DefaultConfig()) {
		c.Core.Stages = append(c.Core.Stages, s)
	}
	c.Core.Keeper = &scheduler.Fixed{T: 59 * time.Second}
	bs, err := Placement(context.Background(), c, Options{Rates: []wattle.GramsPerSecond{0}})
	if err != nil {
		t.Fatal(err)
	}
	b := bs[0]
	r, err := simulator.Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if got := float64(r.Carbon.Operational()/b.Points[0].Grams) - 1; got < 0 || got > 0.01 {
		t.Errorf("a policy with nothing to regret is %.4f above the bound", got)
	}
}

// Where the clean cluster is too small for all, the price of its room makes the
// bound tight: without it, it would be that of the clean cluster alone.
func TestPricedRoomIsTight(t *testing.T) {
	machine := power.Machine{VCPU: 4, Memory: 64 * wattle.GiB, IdlePerVCPU: 0.5, MaxPerVCPU: 4}
	cluster := func(id wattle.ClusterID, nodes int) state.Cluster {
		return state.Cluster{ID: id, Zone: wattle.ZoneID(id), Region: "r", PUE: 1, Pools: []state.Pool{{Name: "p", Nodes: nodes, Hardware: "h", Speed: 1, Machine: machine}}}
	}
	fleet, err := state.NewFleet([]state.Cluster{cluster("clean", 1), cluster("dirty", 20)})
	if err != nil {
		t.Fatal(err)
	}
	// On average 12 run at a time, of which the clean cluster holds 4.
	tr, err := workload.New([]workload.Spec{{Function: trace.Function{ID: "f", Mean: time.Minute}, Rate: 12. / 60, Process: workload.Timer}}, workload.Config{Seed: 1, Length: 6 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	c := &simulator.Config{
		Fleet: fleet, Trace: tr, Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Horizon: 6 * time.Hour, Slot: time.Hour,
		Grid: [][]wattle.GramsPerKWh{{20, 30, 20, 30, 20, 30}, {500, 400, 500, 400, 500, 400}}, Core: scheduler.DefaultConfig(),
		Functions: []wattle.Function{{ID: "f", Concurrency: 1, Needs: wattle.Resources{CPU: 1000, Memory: wattle.GiB},
			Profile: wattle.Profile{Exec: time.Minute, Provision: time.Second, Utilisation: 1}}},
	}
	for _, s := range stage.Default(stage.DefaultConfig()) {
		c.Core.Stages = append(c.Core.Stages, s)
	}
	b, err := Placement(context.Background(), c, Options{Rates: []wattle.GramsPerSecond{0}})
	if err != nil {
		t.Fatal(err)
	}
	c.Core.Keeper = &scheduler.Fixed{}
	r, err := simulator.Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if got := float64(r.Carbon.Operational()/b[0].Points[0].Grams) - 1; got < 0 || got > 0.15 {
		t.Errorf("the best policy is %.4f above the bound of %s", got, b[0].Points[0].Grams)
	}
}

func BenchmarkPlacement(b *testing.B) {
	p := workload.DefaultPopulation()
	specs, err := p.Draw(1)
	if err != nil {
		b.Fatal(err)
	}
	w, err := workload.New(specs, workload.Config{Seed: 1, Length: 24 * time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	c := &simulator.Config{Trace: w, Start: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Horizon: 24 * time.Hour, Slot: time.Hour, Core: scheduler.DefaultConfig()}
	var cs []state.Cluster
	for i := range 8 {
		cs = append(cs, state.Cluster{ID: wattle.ClusterID(fmt.Sprint("c", i)), Zone: "Z", Region: wattle.RegionID(fmt.Sprint(i)), PUE: 1.2,
			Pools: []state.Pool{{Name: "p", Nodes: 2, Hardware: "h", Speed: 1, Machine: power.Machine{VCPU: 64, Memory: 256 * wattle.GiB, IdlePerVCPU: 0.7, MaxPerVCPU: 4}}}})
		c.Grid = append(c.Grid, slices.Repeat([]wattle.GramsPerKWh{wattle.GramsPerKWh(100 + 50*i)}, 24))
	}
	if c.Fleet, err = state.NewFleet(cs); err != nil {
		b.Fatal(err)
	}
	for _, f := range w.Functions() {
		c.Functions = append(c.Functions, wattle.Function{ID: f.ID, Needs: wattle.Resources{CPU: 300, Memory: 512 * wattle.MiB}, Concurrency: 1, Profile: wattle.Profile{Exec: f.Mean, Init: time.Second}})
	}
	for _, s := range stage.Default(stage.DefaultConfig()) {
		c.Core.Stages = append(c.Core.Stages, s)
	}
	for b.Loop() {
		if _, err := Placement(context.Background(), c, Options{Rates: make([]wattle.GramsPerSecond, 10), Keep: []time.Duration{10 * time.Minute}}); err != nil {
			b.Fatal(err)
		}
	}
}
