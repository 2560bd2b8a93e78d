package known

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/stage"
	"github.com/wattle-project/wattle/scheduler/state"
	"github.com/wattle-project/wattle/simulator"
	"github.com/wattle-project/wattle/simulator/trace"
)

// scene is a run on one cluster that is small enough to be followed by hand.
type scene struct {
	name      string
	machine   power.Machine
	mig       *power.MIGProfile
	pue       float64
	price     state.Price
	functions []wattle.Function
	arrivals  []trace.Arrival
	// grid is one intensity per slot; the last lasts.
	grid          []wattle.GramsPerKWh
	slot, horizon time.Duration
	keeper        scheduler.Keeper
	pick          state.Pick
	answers       []answer
}

// answer is a figure of a scene and what it must be.
type answer struct {
	what, unit      string
	want, tolerance float64
	get             func(*simulator.Result) float64
}

// play yields the answers of the scenes until one is refused.
func play(ctx context.Context, group string, scenes []scene, yield func(Case) bool) bool {
	for i := range scenes {
		s := &scenes[i]
		r, err := s.run(ctx)
		if ctx.Err() != nil {
			return false
		}
		for _, a := range s.answers {
			c := Case{Group: group, Name: s.name + ": " + a.what, Unit: a.unit, Expected: a.want, Tolerance: a.tolerance, Err: err}
			if err == nil {
				c.Got = a.get(r)
			}
			if !yield(c) {
				return false
			}
		}
	}
	return true
}

func (s *scene) run(ctx context.Context) (*simulator.Result, error) {
	if s.machine.VCPU == 0 {
		s.machine = power.Machine{VCPU: 1 << 16, Memory: 1 << 50, IdlePerVCPU: 0.01, MaxPerVCPU: 3}
	}
	fleet, err := state.NewFleet([]state.Cluster{{
		ID: "one", Zone: "ONE", Region: "one", PUE: max(s.pue, 1), Price: s.price,
		Pools: []state.Pool{{Name: "pool", Nodes: 1, Hardware: "reference", Speed: 1, Machine: s.machine, Profile: s.mig}},
	}})
	if err != nil {
		return nil, err
	}
	c := &simulator.Config{
		Fleet: fleet, Functions: s.functions, Trace: scripts{s}, Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Horizon: s.horizon,
		Slot: s.slot, Core: scheduler.DefaultConfig(), Pick: s.pick,
	}
	if c.Slot == 0 {
		c.Slot = s.horizon
	}
	grid := s.grid
	if len(grid) == 0 {
		grid = []wattle.GramsPerKWh{100}
	}
	for n := int((c.Horizon + c.Slot - 1) / c.Slot); len(grid) < n; {
		grid = append(grid, grid[len(grid)-1])
	}
	c.Grid = [][]wattle.GramsPerKWh{grid}
	for _, st := range stage.Default(stage.DefaultConfig()) {
		c.Core.Stages = append(c.Core.Stages, st)
	}
	c.Core.Keeper = s.keeper
	return simulator.Run(ctx, c)
}

// function is one that takes no room to speak of.
func function(i int, exec, start time.Duration) wattle.Function {
	return wattle.Function{
		ID: wattle.FunctionID(fmt.Sprint("f", i)), Home: "one", Concurrency: 1, Needs: wattle.Resources{CPU: 1, Memory: wattle.MiB},
		Profile: wattle.Profile{Exec: exec, Provision: start, Utilisation: 1},
	}
}

// moments are arrivals of function 0 at so many seconds.
func moments(seconds ...float64) (out []trace.Arrival) {
	for _, s := range seconds {
		out = append(out, trace.Arrival{At: int64(s * 1e9), Scale: 1})
	}
	return out
}

// every is n arrivals of function 0, so many seconds apart from the first on.
func every(first, gap float64, n int) (out []float64) {
	for i := range n {
		out = append(out, first+float64(gap*float64(i)))
	}
	return out
}

func coldStarts(r *simulator.Result) float64  { return float64(r.Cold) }
func idleSeconds(r *simulator.Result) float64 { return r.IdleTime.Seconds() }
func busySeconds(r *simulator.Result) float64 { return r.BusyTime.Seconds() }
func dollars(r *simulator.Result) float64     { return float64(r.Cost) }
func embodied(r *simulator.Result) float64    { return float64(r.Carbon.Embodied) }

// scripts is the trace of a scene.
type scripts struct{ s *scene }

// Functions returns one entry per function.
func (t scripts) Functions() []trace.Function { return make([]trace.Function, len(t.s.functions)) }

// Length is the simulated time.
func (t scripts) Length() time.Duration { return t.s.horizon }

// Open starts a replay.
func (t scripts) Open() (trace.Source, error) { return &lines{t.s.arrivals}, nil }

type lines struct{ left []trace.Arrival }

// Close does nothing.
func (*lines) Close() error { return nil }

// Next yields all arrivals at once.
func (l *lines) Next(buf []trace.Arrival) ([]trace.Arrival, error) {
	if len(l.left) == 0 {
		return buf[:0], io.EOF
	}
	buf, l.left = append(buf[:0], l.left...), nil
	return buf, nil
}
