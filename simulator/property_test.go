package simulator

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/stage"
	"github.com/wattle-project/wattle/scheduler/state"
	"github.com/wattle-project/wattle/simulator/workload/random"
)

// smallFleet has pools that fill up, one with whole devices and one with MIG parts.
func smallFleet(t testing.TB, vcpu int) *state.Fleet {
	t.Helper()
	var cs []state.Cluster
	for i := range 4 {
		m := power.Machine{
			VCPU: vcpu, Memory: wattle.Bytes(2*vcpu) * wattle.GiB, IdlePerVCPU: 0.61, MaxPerVCPU: 4.1, DRAMPerGiB: 0.392,
			Embodied: power.DefaultCoefficients().ServerEmbodied(power.Central, 2, wattle.Bytes(2*vcpu)*wattle.GiB, i/2),
		}
		p := state.Pool{Name: "pool", Nodes: 1, Hardware: "skylake", Speed: 1 + 0.1*float64(i), Machine: m}
		if i >= 2 {
			p.Machine.Accelerator, _ = power.Accelerator("A100-80GB")
			p.Machine.Accelerators = 1
		}
		if i == 3 {
			p.Profile = &power.MIGProfiles("A100-80GB")[0]
		}
		cs = append(cs, state.Cluster{
			ID: wattle.ClusterID(fmt.Sprintf("c%02d", i)), Zone: wattle.ZoneID(fmt.Sprintf("Z%02d", i)), Region: wattle.RegionID(fmt.Sprintf("r%02d", i)),
			PUE: 1.1 + 0.1*float64(i), Latitude: float64(10 * i), Longitude: float64(20 * i), Pools: []state.Pool{p},
			Price: state.Price{PerRequest: 2e-7, PerGBSecond: 1.6667e-5, PerSlice: 1e-3, EgressPerGB: 0.09, Round: 100 * time.Millisecond, BillInit: i%2 == 0},
		})
	}
	f, err := state.NewFleet(cs)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// crowded is a run on the small fleet with queues, evictions, devices,
// concurrency, deferral and congestion.
func crowded(t testing.TB, seed uint64, vcpu int, length time.Duration) *Config {
	t.Helper()
	rates := zipf(24, 14)
	tr := &poisson{rates: rates, length: length, seed: seed, service: func(s *random.Stream) float64 { return 0.2 + s.Exponential() }}
	fleet := smallFleet(t, vcpu)
	c := &Config{
		Fleet: fleet, Trace: tr, Start: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Horizon: length, Slot: 10 * time.Minute,
		Core: scheduler.DefaultConfig(), Queue: 50, Network: 0.001, Congestion: scheduler.DefaultCongestion(), PriceEpoch: 5 * time.Minute,
	}
	for i := range rates {
		f := wattle.Function{
			ID: wattle.FunctionID(fmt.Sprintf("f%02d", i)), Home: wattle.ClusterID(fmt.Sprintf("c%02d", i%4)), Concurrency: int32(1 + i%3),
			Needs:   wattle.Resources{CPU: wattle.MilliCPU(250 * (1 + i%4)), Memory: wattle.Bytes(200+100*(i%5)) * 1_000_000},
			Profile: wattle.Profile{Exec: time.Duration(200+50*i) * time.Millisecond, Init: 300 * time.Millisecond, Provision: 200 * time.Millisecond, Sigma: 0.3, Utilisation: 0.7, AcceleratorUtilisation: 0.5},
			In:      wattle.Bytes(i) * 10_000, Out: wattle.Bytes(i) * 50_000,
		}
		switch {
		case i%6 == 5:
			f.Accelerator, f.Needs.Slices, f.Concurrency = "ampere", 1, 1
		case i%6 == 4:
			f.Params.Deadline = 40 * time.Minute
		case i%6 == 3:
			f.MaxInstances = 2
		case i%6 == 2:
			f.Profile.Restore = 100 * time.Millisecond
		}
		c.Functions = append(c.Functions, f)
	}
	for i := range fleet.Clusters {
		var grid []wattle.GramsPerKWh
		for k := range c.slots() {
			grid = append(grid, wattle.GramsPerKWh(60+90*i+(k*37+i*53)%200))
		}
		c.Grid = append(c.Grid, grid)
	}
	for _, s := range stage.Default(stage.DefaultConfig()) {
		c.Core.Stages = append(c.Core.Stages, s)
	}
	c.Core.Slot, c.Core.Hold = 10*time.Minute, 5*time.Minute
	c.Core.Keeper = &scheduler.Fixed{T: 5 * time.Minute}
	c.Feed = distorted{c, nil, 4}
	return c
}

// closes checks that every figure of a result adds up.
func closes(t interface {
	Helper()
	Errorf(string, ...any)
}, c *Config, r *Result, arrivals int64) {
	t.Helper()
	e := r.Energy
	if sum := e.Exec + e.Startup + e.KeepAlive + e.IdleShare + e.Unallocated; sum != e.Metered {
		t.Errorf("parts sum to %d µJ, the meter shows %d µJ", sum, e.Metered)
	}
	for i := range r.Series {
		for k, p := range r.Series[i] {
			e := p.Energy
			if sum := e.Exec + e.Startup + e.KeepAlive + e.IdleShare + e.Unallocated; sum != e.Metered || e.Unallocated < 0 {
				t.Errorf("cluster %d, slot %d: parts sum to %d µJ, the meter shows %d µJ, unallocated %d µJ", i, k, sum, e.Metered, e.Unallocated)
			}
		}
	}
	if got := r.Invocations + r.Rejected + r.Waiting; got != arrivals {
		t.Errorf("%d arrivals, %d served + %d rejected + %d waiting", arrivals, r.Invocations, r.Rejected, r.Waiting)
	}
	if r.Latency.Count() != r.Invocations || r.Cold > r.Invocations {
		t.Errorf("%d latencies, %d cold of %d invocations", r.Latency.Count(), r.Cold, r.Invocations)
	}
}

func countArrivals(t testing.TB, c *Config) (n int64) {
	t.Helper()
	src, err := c.Trace.Open()
	if err != nil {
		t.Fatal(err)
	}
	for {
		buf, err := src.Next(nil)
		for i := range buf {
			if buf[i].At < int64(c.Horizon) {
				n++
			}
		}
		if err != nil {
			return n
		}
	}
}

// Energy closes to the microjoule in every cluster and slot, and no request is
// lost, wherever the horizon cuts a crowded fleet with devices.
func TestAccountsCloseWhereverTheHorizonCuts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed, vcpu := rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(2, 12).Draw(rt, "vcpu")
		c := crowded(t, seed, vcpu, 30*time.Minute)
		c.Horizon = time.Duration(rapid.Int64Range(1, int64(30*time.Minute)).Draw(rt, "horizon"))
		c.Slot = time.Duration(rapid.Int64Range(1, 600).Draw(rt, "slot")) * time.Second
		c.Queue = rapid.SampledFrom([]int{-1, 0, 3}).Draw(rt, "queue")
		for i := range c.Grid {
			for len(c.Grid[i]) < c.slots() {
				c.Grid[i] = append(c.Grid[i], c.Grid[i]...)
			}
		}
		closes(rt, c, mustRun(t, c), countArrivals(t, c))
	})
}

// Any change of behaviour shows in these hashes. Where it is meant, renew them
// with WATTLE_UPDATE_GOLDEN=1 and say why in the commit.
func TestGoldenHashes(t *testing.T) {
	cases := []struct {
		name string
		make func() *Config
	}{
		{"four-clusters", func() *Config {
			return testConfig(t, 4, &poisson{rates: zipf(50, 40), length: 2 * time.Hour, seed: 3})
		}},
		{"crowded-queue", func() *Config { return crowded(t, 1, 3, time.Hour) }},
		{"crowded-reject", func() *Config {
			c := crowded(t, 2, 2, time.Hour)
			c.Queue = 0
			return c
		}},
		{"roomy-devices", func() *Config { return crowded(t, 3, 32, time.Hour) }},
		{"oldest-once", func() *Config {
			c := crowded(t, 4, 6, time.Hour)
			c.Pick, c.Core.Keeper = state.Oldest, &scheduler.Fixed{T: 2 * time.Minute, Once: true}
			return c
		}},
		{"random-pick", func() *Config {
			c := crowded(t, 5, 6, time.Hour)
			c.Pick = state.Random
			return c
		}},
	}
	var b strings.Builder
	for _, c := range cases {
		cfg := c.make()
		r := mustRun(t, cfg)
		closes(t, cfg, r, countArrivals(t, cfg))
		fmt.Fprintf(&b, "%s %s\n%s", c.name, r.Hash, account(r))
	}
	path := filepath.Join("testdata", "golden-hashes.txt")
	if os.Getenv("WATTLE_UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("results have changed; if that is meant, run with WATTLE_UPDATE_GOLDEN=1 and say why\ngot:\n%s\nwant:\n%s", b.String(), want)
	}
}

// A run does not depend on processors, on how many plans are remembered, nor
// on what is explained along the way; and running twice is running once.
func TestCrowdedRunsAreReproducible(t *testing.T) {
	run := func(plans, procs int, explain ...uint64) string {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		c := crowded(t, 7, 4, 40*time.Minute)
		c.Core.Plans, c.Explain = plans, explain
		c.Core.Chooser = nil
		return mustRun(t, c).Hash
	}
	want := run(4096, 1)
	for _, v := range []struct {
		plans, procs int
		explain      []uint64
	}{{4096, 1, nil}, {4096, 8, nil}, {1, 1, nil}, {5, 2, nil}, {4096, 1, []uint64{0, 17, 100, 5000}}, {1, 1, []uint64{3, 17}}} {
		if got := run(v.plans, v.procs, v.explain...); got != want {
			t.Errorf("%+v: %s, want %s", v, got, want)
		}
	}
}

// turns is a Chooser with a memory.
type turns struct{ n int }

func (*turns) Name() string { return "turns" }
func (c *turns) Choose(_ *state.Snapshot, _ *wattle.Request, o []scheduler.Option) int {
	c.n++
	return c.n % len(o)
}

// Explaining a decision does not make it twice.
func TestExplainingDoesNotMoveAChooserOn(t *testing.T) {
	run := func(explain ...uint64) *Result {
		c := crowded(t, 7, 8, 10*time.Minute)
		c.Explain, c.Core.Chooser = explain, &turns{}
		return mustRun(t, c)
	}
	want, got := run(), run(5, 6, 7, 8)
	if got.Hash != want.Hash {
		t.Errorf("explained: %s, want %s", got.Hash, want.Hash)
	}
	if len(got.Explained) < 4 {
		t.Errorf("%d explained", len(got.Explained))
	}
	for _, e := range got.Explained {
		chosen := 0
		for i := range e.Rows {
			if e.Rows[i].Chosen {
				chosen++
				if e.Columns.Target[i] != e.Decision.Target {
					t.Errorf("decision %d: row %d is marked", e.Decision.Sequence, i)
				}
			}
		}
		if e.Decision.Placed != (chosen == 1) {
			t.Errorf("decision %d: placed %v with %d chosen rows", e.Decision.Sequence, e.Decision.Placed, chosen)
		}
	}
}

// Half the intensity everywhere gives the same run at half the grams. The
// congestion price is in grams, so it is off.
func TestHalfTheIntensityIsHalfTheGrams(t *testing.T) {
	run := func(f float64) *Result {
		c := crowded(t, 11, 6, 40*time.Minute)
		c.Congestion.Step = 0
		for i := range c.Grid {
			for k := range c.Grid[i] {
				c.Grid[i][k] = wattle.GramsPerKWh(float64(c.Grid[i][k]) * f)
			}
		}
		return mustRun(t, c)
	}
	one, half := run(1), run(0.5)
	if one.Hash != half.Hash {
		t.Errorf("decisions differ: %s, %s", one.Hash, half.Hash)
	}
	if a, b := float64(one.Carbon.Operational()), 2*float64(half.Carbon.Operational()); a < b*(1-1e-12) || a > b*(1+1e-12) {
		t.Errorf("%g g and twice %g g", a, b/2)
	}
}

// A dirty empty cluster more never adds grams where carbon alone decides.
func TestOneMoreDirtyClusterAddsNoGrams(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3} {
		run := func(clusters int) *Result {
			c := testConfig(t, clusters, &poisson{rates: zipf(30, 20), length: time.Hour, seed: seed})
			if clusters == 4 {
				c.Grid[3] = []wattle.GramsPerKWh{2000}
			}
			return mustRun(t, c)
		}
		three, four := run(3), run(4)
		if three.Carbon.Operational() != four.Carbon.Operational() {
			t.Errorf("seed %d: %s with three, %s with a dirty fourth", seed, three.Carbon.Operational(), four.Carbon.Operational())
		}
	}
}

// late keeps every instance until a time that has passed.
type late struct {
	last  time.Time
	early bool // told of a time before the last
}

func (k *late) Step(now time.Time, _ *state.Snapshot, e wattle.Event, out []wattle.Action) []wattle.Action {
	k.early, k.last = k.early || now.Before(k.last), now
	if e.Kind == wattle.Finished {
		out = append(out, wattle.Action{Kind: wattle.Keep, Instance: e.Instance, Function: e.Function, Target: e.Target, At: now.Add(-time.Minute)})
	}
	return out
}

// A keep-alive that ended in the past ends the instance now; the clock goes on.
func TestKeepingIntoThePastEvicts(t *testing.T) {
	c := testConfig(t, 2, &poisson{rates: zipf(3, 1), length: 10 * time.Minute, seed: 1})
	k := &late{}
	c.Core.Keeper = k
	r := mustRun(t, c)
	if k.early {
		t.Error("the clock was turned back")
	}
	closes(t, c, r, countArrivals(t, c))
	if r.Cold != r.Invocations || r.IdleTime != 0 || r.IdleAtEnd != 0 {
		t.Errorf("%d of %d cold, %s idle, %d at the end", r.Cold, r.Invocations, r.IdleTime, r.IdleAtEnd)
	}
}

// A pool filled to the last byte by functions of odd sizes still has no less
// than nothing left.
func TestAFullPoolIsNotOverdrawn(t *testing.T) {
	c := testConfig(t, 1, &poisson{rates: []float64{300}, length: time.Minute, seed: 1})
	f := &c.Functions[0]
	f.Needs, f.Profile.Exec = wattle.Resources{CPU: 1, Memory: 3*wattle.MiB/2 + 1}, time.Hour
	clusters := c.Fleet.Clusters
	clusters[0].Pools[0].Nodes, clusters[0].Pools[0].Machine.VCPU, clusters[0].Pools[0].Machine.Memory = 1, 3, 4*wattle.GiB
	clusters[0].Pools[0].Machine.DRAMPerGiB = 4
	fleet, err := state.NewFleet(clusters)
	if err != nil {
		t.Fatal(err)
	}
	c.Fleet = fleet
	r := mustRun(t, c)
	closes(t, c, r, countArrivals(t, c))
	if r.Rejected == 0 {
		t.Error("the pool was not filled")
	}
}
