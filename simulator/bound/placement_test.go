package bound

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
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
			ID: wattle.ClusterID(fmt.Sprint("c", i)), Zone: wattle.ZoneID(fmt.Sprint("Z", i)), Region: wattle.RegionID(fmt.Sprint("r", i)),
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
	for _, f := range w.Functions() {
		c.Functions = append(c.Functions, wattle.Function{
			ID: f.ID, Home: "c0", Needs: wattle.Resources{CPU: 500, Memory: 512 * wattle.MiB},
			Concurrency: int32(rapid.SampledFrom([]int{1, 1, 1, 3}).Draw(t, "concurrency")),
			Profile:     wattle.Profile{Exec: f.Mean, Provision: 200 * time.Millisecond, Init: time.Second, Utilisation: 0.6},
		})
	}
	for _, s := range stage.Default(stage.DefaultConfig()) {
		c.Core.Stages = append(c.Core.Stages, s)
	}
	return c
}

func TestNoPolicyIsBelowThePlacementBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawConfig(t)
		rates := []wattle.GramsPerSecond{0, 1e-4, 1e-2, 1e6}
		b, err := Placement(context.Background(), c, rates)
		if err != nil {
			t.Fatal(err)
		}
		c.Core.Keeper = &scheduler.Fixed{T: time.Duration(rapid.SampledFrom([]int{0, 20, 120, 600}).Draw(t, "keep")) * time.Second}
		if name := rapid.SampledFrom(append(baseline.Names()[:5], "")).Draw(t, "policy"); name != "" {
			if c.Core.Chooser, err = baseline.New(name, baseline.Config{Functions: len(c.Functions), Seed: 3}); err != nil {
				t.Fatal(err)
			}
		}
		r, err := simulator.Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		if r.Rejected > 0 {
			t.Skip("the bound ranges over policies that serve everything")
		}
		grams, seconds := float64(r.Carbon.Operational()), r.Latency.Sum().Seconds()
		for i, p := range b.Points {
			have, least := grams+float64(rates[i])*seconds, float64(p.Grams)+float64(rates[i])*p.Seconds
			if have < least*(1-1e-5)-1e-9 { // latencies are in whole microseconds
				t.Fatalf("at %s: policy %g, bound %g (%+v)", rates[i], have, least, p)
			}
		}
		if float64(r.Cost) < float64(b.Cost)*(1-1e-6) {
			t.Fatalf("policy costs %v, bound %v", r.Cost, b.Cost)
		}
	})
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
	b, err := Placement(context.Background(), c, []wattle.GramsPerSecond{0})
	if err != nil {
		t.Fatal(err)
	}
	r, err := simulator.Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if got := float64(r.Carbon.Operational()/b.Points[0].Grams) - 1; got < 0 || got > 0.01 {
		t.Errorf("a policy with nothing to regret is %.4f above the bound", got)
	}
}
