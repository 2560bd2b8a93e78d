package scheduler_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/stage"
	"github.com/wattle-project/wattle/scheduler/state"
)

// world is a store of n clusters with known signals and one core.
func world(t testing.TB, clusters, functions int, cfg scheduler.Config) (*scheduler.Core, *state.Store, time.Time) {
	t.Helper()
	now := time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
	var cs []state.Cluster
	zones := make([]state.ZoneSignal, clusters)
	for i := range clusters {
		zone := wattle.ZoneID(fmt.Sprintf("Z%02d", i))
		cs = append(cs, state.Cluster{
			ID: wattle.ClusterID(fmt.Sprintf("c%02d", i)), Zone: zone, Region: wattle.RegionID(fmt.Sprintf("r%02d", i)),
			PUE: 1.2, Latitude: float64(2 * i), Longitude: float64(5 * i), Jurisdiction: "EU",
			Price: state.Price{PerRequest: 2e-7, PerGBSecond: 1.6667e-5, Round: time.Millisecond},
			Pools: []state.Pool{{Name: "cpu", Nodes: 10, Hardware: "skylake", Speed: 1, Machine: power.Machine{
				VCPU: 64, Memory: 256 * wattle.GiB, IdlePerVCPU: 0.61, MaxPerVCPU: 4.1, DRAMPerGiB: 0.392,
			}}},
		})
		zones[i] = state.ZoneSignal{Current: wattle.Signal{
			Zone: zone, Intensity: wattle.GramsPerKWh(50 + 17*((i*7)%clusters)), From: now, To: now.Add(time.Hour), FetchedAt: now, Provider: "test",
		}}
	}
	fleet, err := state.NewFleet(cs)
	if err != nil {
		t.Fatal(err)
	}
	fns := make([]wattle.Function, functions)
	for i := range fns {
		fns[i] = wattle.Function{
			ID: wattle.FunctionID(fmt.Sprintf("f%d", i)), Home: "c00", Concurrency: 1,
			Needs:   wattle.Resources{CPU: 250, Memory: 256 * wattle.MiB},
			Profile: wattle.Profile{Exec: 100 * time.Millisecond, Sigma: 0.4, Init: 200 * time.Millisecond, Utilisation: 0.8},
		}
	}
	store, err := state.NewStore(fleet, fns)
	if err != nil {
		t.Fatal(err)
	}
	store.SetSignals(state.NewSignals(zones, now))
	for _, s := range stage.Default(stage.DefaultConfig()) {
		cfg.Stages = append(cfg.Stages, s)
	}
	core, err := scheduler.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return core, store, now
}

func TestPlaceDoesNotAllocate(t *testing.T) {
	core, store, now := world(t, 20, 8, scheduler.DefaultConfig())
	req := wattle.Request{Function: store.Functions()[3]}
	if d := core.Place(now, store.View(), &req); !d.Placed {
		t.Fatalf("not placed: %v", d.Reasons.Names())
	}
	if n := testing.AllocsPerRun(1000, func() { core.Place(now, store.View(), &req) }); n != 0 {
		t.Errorf("a cached decision allocates %v times", n)
	}
	// A new epoch rebuilds the plan in the memory of the old one.
	signals := store.View().Signals
	if n := testing.AllocsPerRun(1000, func() {
		store.SetSignals(signals)
		core.Place(now, store.View(), &req)
	}); n != 0 {
		t.Errorf("a decision that measures anew allocates %v times", n)
	}
}

// BenchmarkPlaceCached is a decision among 20 clusters (40 candidates) whose
// plan is cached: the steady state within an epoch.
func BenchmarkPlaceCached(b *testing.B) {
	core, store, now := world(b, 20, 64, scheduler.DefaultConfig())
	req := wattle.Request{}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		req.Function = store.Functions()[i%64]
		core.Place(now, store.View(), &req)
	}
}

// BenchmarkPlaceMeasured is a decision whose candidates are all measured anew, as
// at the first request of a function in an epoch: 10 clusters are 20 candidates,
// each cluster warm and fresh; 20 clusters are 40.
func BenchmarkPlaceMeasured(b *testing.B) {
	for _, candidates := range []int{20, 40} {
		b.Run(fmt.Sprint(candidates, "-candidates"), func(b *testing.B) { measured(b, candidates) })
	}
}

func measured(b *testing.B, candidates int) {
	core, store, now := world(b, candidates/2, 64, scheduler.DefaultConfig())
	signals := store.View().Signals
	req := wattle.Request{}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		store.SetSignals(signals)
		req.Function = store.Functions()[i%64]
		if d := core.Place(now, store.View(), &req); d.Considered != int32(candidates) {
			b.Fatalf("%d candidates", d.Considered)
		}
	}
}
