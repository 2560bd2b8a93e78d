package simulator

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/stage"
	"github.com/wattle-project/wattle/scheduler/state"
	"github.com/wattle-project/wattle/simulator/trace"
	"github.com/wattle-project/wattle/simulator/workload/random"
)

// poisson is a trace of independent Poisson arrivals for tests.
type poisson struct {
	rates   []float64 // per second
	length  time.Duration
	seed    uint64
	service func(*random.Stream) float64 // Scale; nil is 1
}

func (p *poisson) Functions() []trace.Function { return make([]trace.Function, len(p.rates)) }
func (p *poisson) Length() time.Duration       { return p.length }
func (p *poisson) Open() (trace.Source, error) {
	s := &poissonSource{p: p, next: make([]float64, len(p.rates))}
	for i := range p.rates {
		s.rng = append(s.rng, random.New(p.seed, "").At(uint64(i)))
		s.next[i] = s.rng[i].Exponential() / p.rates[i]
	}
	return s, nil
}

type poissonSource struct {
	p    *poisson
	rng  []random.Stream
	next []float64
	at   float64
}

func (s *poissonSource) Close() error { return nil }

func (s *poissonSource) Next(buf []trace.Arrival) ([]trace.Arrival, error) {
	if s.at >= s.p.length.Seconds() {
		return buf[:0], io.EOF
	}
	s.at += 60
	buf = buf[:0]
	for i := range s.next {
		for s.next[i] < s.at {
			scale := 1.0
			if s.p.service != nil {
				scale = s.p.service(&s.rng[i])
			}
			buf = append(buf, trace.Arrival{At: int64(s.next[i] * 1e9), Function: int32(i), Scale: float64(float32(scale))})
			s.next[i] += s.rng[i].Exponential() / s.p.rates[i]
		}
	}
	slices.SortFunc(buf, func(a, b trace.Arrival) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Function, b.Function))
	})
	return buf, nil
}

// testFleet is n clusters of one pool each.
func testFleet(t testing.TB, n, nodes int) *state.Fleet {
	t.Helper()
	var cs []state.Cluster
	for i := range n {
		cs = append(cs, state.Cluster{
			ID: wattle.ClusterID(fmt.Sprintf("c%02d", i)), Zone: wattle.ZoneID(fmt.Sprintf("Z%02d", i)),
			Region: wattle.RegionID(fmt.Sprintf("r%02d", i)), PUE: 1.2, Latitude: float64(i), Longitude: float64(3 * i),
			Price: state.Price{PerRequest: 2e-7, PerGBSecond: 1.6667e-5, Round: time.Millisecond},
			Pools: []state.Pool{{Name: "cpu", Nodes: nodes, Hardware: "skylake", Speed: 1, Machine: power.Machine{
				VCPU: 64, Memory: 256 * wattle.GiB, IdlePerVCPU: 0.61, MaxPerVCPU: 4.1, DRAMPerGiB: 0.392,
				Embodied: power.DefaultCoefficients().ServerEmbodied(power.Central, 2, 256*wattle.GiB, 0),
			}}},
		})
	}
	f, err := state.NewFleet(cs)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// testConfig runs tr on clusters whose grids change by the hour.
func testConfig(t testing.TB, clusters int, tr trace.Trace) *Config {
	t.Helper()
	fleet := testFleet(t, clusters, 100)
	c := &Config{
		Fleet: fleet, Trace: tr, Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Horizon: tr.Length(), Slot: time.Hour, Core: scheduler.DefaultConfig(),
	}
	for i := range tr.Functions() {
		c.Functions = append(c.Functions, wattle.Function{
			ID: wattle.FunctionID(fmt.Sprintf("f%05d", i)), Concurrency: 1, Home: "c00",
			Needs:   wattle.Resources{CPU: 250, Memory: 256 * wattle.MiB},
			Profile: wattle.Profile{Exec: 100 * time.Millisecond, Init: 200 * time.Millisecond, Provision: 100 * time.Millisecond, Utilisation: 0.8},
		})
	}
	for i := range clusters {
		grid := make([]wattle.GramsPerKWh, c.slots())
		for k := range grid {
			grid[k] = wattle.GramsPerKWh(50*(i+1) + (k+3*i)%24*10)
		}
		c.Grid = append(c.Grid, grid)
	}
	for _, s := range stage.Default(stage.DefaultConfig()) {
		c.Core.Stages = append(c.Core.Stages, s)
	}
	c.Core.Keeper = &scheduler.Fixed{T: 10 * time.Minute}
	return c
}

func mustRun(t testing.TB, c *Config) *Result {
	t.Helper()
	r, err := Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func zipf(n int, total float64) []float64 {
	rates, sum := make([]float64, n), 0.0
	for i := range rates {
		rates[i] = 1 / math.Pow(float64(i+1), 1.1)
		sum += rates[i]
	}
	for i := range rates {
		rates[i] *= total / sum
	}
	return rates
}

func TestEnergyClosesToTheMicrojoule(t *testing.T) {
	c := testConfig(t, 4, &poisson{rates: zipf(50, 40), length: 3*time.Hour + 17*time.Minute, seed: 3})
	r := mustRun(t, c)
	e := r.Energy
	if got := e.Exec + e.Startup + e.KeepAlive + e.IdleShare + e.Unallocated; got != e.Metered {
		t.Errorf("parts sum to %d µJ, the meter shows %d µJ", got, e.Metered)
	}
	if e.Unallocated < 0 || e.Exec <= 0 || e.KeepAlive <= 0 || e.Startup <= 0 {
		t.Errorf("implausible energy %+v", e)
	}
	if r.Invocations == 0 || r.Rejected != 0 {
		t.Errorf("%d invocations, %d rejected", r.Invocations, r.Rejected)
	}
}

func BenchmarkRun20Clusters(b *testing.B) {
	c := testConfig(b, 20, &poisson{rates: zipf(1000, 600), length: time.Hour, seed: 3})
	b.ReportAllocs()
	var n int64
	for b.Loop() {
		c.Core.Keeper = &scheduler.Fixed{T: 10 * time.Minute}
		n += mustRun(b, c).Invocations
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "inv/s")
}

// A plan made again is the same plan, so a run does not depend on how many of
// them the core remembers, nor on the number of processors.
func TestResultsDoNotDependOnCachesOrProcessors(t *testing.T) {
	run := func(plans, procs int) string {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		c := testConfig(t, 6, &poisson{rates: zipf(80, 60), length: 2 * time.Hour, seed: 9})
		c.Core.Plans, c.Core.Hold = plans, 10*time.Minute
		c.Congestion, c.PriceEpoch = scheduler.DefaultCongestion(), 5*time.Minute
		return mustRun(t, c).Hash
	}
	want := run(4096, 1)
	for _, v := range [][2]int{{4096, 8}, {1, 1}, {7, 2}} {
		if got := run(v[0], v[1]); got != want {
			t.Errorf("%d plans on %d processors: result %s, want %s", v[0], v[1], got, want)
		}
	}
}

// Energy that no counter holds is refused, not a panic at the end of the run.
func TestEnergyThatCannotBeCountedIsRefused(t *testing.T) {
	c := testConfig(t, 1, &poisson{rates: []float64{1}, length: time.Minute, seed: 1})
	c.Fleet.Pools[0].Nodes = 1 << 40
	if _, err := Run(context.Background(), c); err == nil || !strings.Contains(err.Error(), "more than can be counted") {
		t.Errorf("%v", err)
	}
}
