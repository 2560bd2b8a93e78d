package bound

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/stage"
	"github.com/wattle-project/wattle/scheduler/state"
	"github.com/wattle-project/wattle/simulator"
	"github.com/wattle-project/wattle/simulator/trace"
	"github.com/wattle-project/wattle/simulator/workload"
)

// Over the slots, a bound is never below 0 and sums to itself, with work that waits
// and with rooms that have a price; and nobody takes less energy than its bound.
func TestBoundsAreSpreadWholeAndHoldForEnergy(t *testing.T) {
	waited, priced, below := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c := drawConfig(t)
		x := contend(t, c)
		c.Held = true
		var err error
		if x.Result, err = simulator.Run(context.Background(), c); err != nil {
			t.Fatal(err)
		}
		o := Options{Rates: []wattle.GramsPerSecond{0, 1e-3}, Keep: []time.Duration{x.Keep}, Defers: true, Capped: true}
		bounds, err := Placement(context.Background(), c, o)
		if err != nil {
			t.Fatal(err)
		}
		energy, err := Energy(context.Background(), c, o)
		if err != nil {
			t.Fatal(err)
		}
		own, err := OwnEnergy(context.Background(), c, []*simulator.Result{x.Result}, true)
		if err != nil {
			t.Fatal(err)
		}
		took := float64(x.Result.Energy.Attributed().Joules())
		if bounds[0].Covers(x) && took < float64(own[0])*(1-1e-6) {
			t.Fatalf("policy %g J, with its own instances at least %v", took, own[0])
		}
		for n, b := range bounds {
			sum := 0.0
			for k, g := range b.Slots {
				if sum += float64(g); g < 0 {
					t.Fatalf("%s: %v in slot %d", b.Name, g, k)
				}
			}
			if want := float64(b.Points[0].Grams); math.Abs(sum-want) > 1e-9*want {
				t.Fatalf("%s: slots sum to %g g, the bound is %g g", b.Name, sum, want)
			}
			if !b.Covers(x) {
				continue
			}
			if below++; took < float64(energy[n])*(1-1e-6) {
				t.Fatalf("%s: policy %g J, bound %v", b.Name, took, energy[n])
			}
			waited += min(1, int(x.Result.Deferrable))
			if strings.Contains(b.Method, "min-cost flow") {
				priced++
			}
		}
	})
	t.Logf("%d comparisons, %d with deferrable work, %d with prices", below, waited, priced)
	if below == 0 || waited == 0 || priced == 0 {
		t.Error("a kind of bound was never tried")
	}
}

// Work that arrives in the first two hours and may wait three is counted in the
// clean hour that it waits for, whether it may pause or not: all of 20 g/kWh.
func TestWaitingWorkIsCountedWhereItRuns(t *testing.T) {
	fleet, err := state.NewFleet([]state.Cluster{{ID: "c", Zone: "c", Region: "r", PUE: 1.5, Pools: []state.Pool{{
		Name: "p", Nodes: 100, Hardware: "h", Speed: 1, Machine: power.Machine{VCPU: 8, Memory: 64 * wattle.GiB, MaxPerVCPU: 4},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	tr, err := workload.New([]workload.Spec{{Function: trace.Function{ID: "f", Mean: time.Minute}, Rate: 1. / 60, Process: workload.Timer}}, workload.Config{Seed: 1, Length: 2 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for _, pauses := range []bool{false, true} {
		c := &simulator.Config{
			Fleet: fleet, Trace: tr, Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Horizon: 6 * time.Hour, Slot: time.Hour,
			Grid: [][]wattle.GramsPerKWh{{500, 400, 20, 300, 300, 300}}, Core: scheduler.DefaultConfig(),
			Functions: []wattle.Function{{ID: "f", Concurrency: 1, Interruptible: pauses, Needs: wattle.Resources{CPU: 1000, Memory: wattle.GiB},
				Params: wattle.Params{Deadline: 3 * time.Hour}, Profile: wattle.Profile{Exec: time.Minute, Utilisation: 1}}},
		}
		for _, s := range stage.Default(stage.DefaultConfig()) {
			c.Core.Stages = append(c.Core.Stages, s)
		}
		b, err := Placement(context.Background(), c, Options{Rates: []wattle.GramsPerSecond{0}, Defers: true})
		if err != nil {
			t.Fatal(err)
		}
		if s := b[0].Slots; !(s[2] > 0) || s[2] != s[0]+s[1]+s[2]+s[3]+s[4]+s[5] {
			t.Errorf("pauses %v: grams by hour are %v", pauses, s)
		}
		j, err := Energy(context.Background(), c, Options{Defers: true})
		if err != nil {
			t.Fatal(err)
		}
		// At PUE 1.5 and 20 g/kWh, or as the meters have it.
		if g := j[0].Times(1.5).At(20); math.Abs(float64(g/b[0].Points[0].Grams)-1) > 1e-9 {
			t.Errorf("pauses %v: %v at the least, of which %v, want %v", pauses, j[0], g, b[0].Points[0].Grams)
		}
	}
}
