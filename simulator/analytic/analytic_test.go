package analytic

import (
	"context"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle/simulator/trace"
)

// confident checks that want lies within four standard errors of the mean over
// seeds, and that those errors are small enough for the check to mean something.
func confident(t *testing.T, name string, want float64, s System, get func(Observed) float64) {
	t.Helper()
	const seeds = 10
	sum, square := 0.0, 0.0
	for seed := range uint64(seeds) {
		s.Seed = seed + 1
		o, err := Observe(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		v := get(o)
		sum, square = sum+v, square+v*v
	}
	mean := sum / seeds
	err := math.Sqrt(math.Max(square/seeds-mean*mean, 0) / (seeds - 1))
	if math.Abs(mean-want) > 4*err+1e-9 {
		t.Errorf("%s: %.6f ± %.6f, want %.6f", name, mean, err, want)
	}
	if err > 0.05*math.Abs(want)+1e-3 {
		t.Errorf("%s: a standard error of %.6f says little about %.6f", name, err, want)
	}
}

func TestQueuesBehaveAsTheory(t *testing.T) {
	pool := System{Mean: 1, Service: Exponential, Queue: -1, KeepAlive: 10000 * time.Hour, Length: 12 * time.Hour}
	for _, c := range []struct {
		name    string
		servers int32
		rate    float64
	}{{"M/M/1 at 0.5", 1, 0.5}, {"M/M/2 at 0.7", 2, 1.4}, {"M/M/5 at 0.8", 5, 4}, {"M/M/20 at 0.9", 20, 18}} {
		s := pool
		s.Servers, s.Rate = c.servers, c.rate
		confident(t, c.name+" wait", WaitMMC(int(c.servers), c.rate, 1), s, func(o Observed) float64 { return o.Wait })
	}
	// The means do not depend on who is served first, the last hundredth does.
	one := pool
	one.Servers, one.Rate = 1, 0.5
	confident(t, "M/M/1, 99 % of the times in the system", math.Log(100)/0.5, one, func(o Observed) float64 { return o.Within(0.99) })
	d := pool
	d.Service, d.Servers = Deterministic, 1
	for _, rho := range []float64{0.5, 0.8} {
		d.Rate = rho
		confident(t, "M/D/1 wait", WaitMD1(rho, 1), d, func(o Observed) float64 { return o.Wait })
	}
}

// Whatever arrives, the engine serves it first come first served.
func TestQueuesFollowTheRecursion(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := System{
			Mean: 1.024, Queue: -1, KeepAlive: 1000 * time.Hour, Length: 100 * time.Hour, Servers: rapid.Int32Range(1, 4).Draw(rt, "servers"),
			Concurrency: rapid.Int32Range(1, 3).Draw(rt, "places"),
		}
		at := int64(0)
		for range rapid.IntRange(1, 60).Draw(rt, "arrivals") {
			at += rapid.Int64Range(0, 1000).Draw(rt, "gap") * int64(time.Millisecond)
			s.Script = append(s.Script, trace.Arrival{At: at, Scale: float64(rapid.IntRange(1, 4096).Draw(rt, "service")) / 1024})
		}
		wait, longest := Recursion(s.Script, s.Mean, int(s.Servers*s.Concurrency))
		o, err := Observe(context.Background(), s)
		if err != nil {
			rt.Fatal(err)
		}
		if math.Abs(o.Wait-wait) > 1e-8 || math.Abs(o.Within(1)-longest) > 1e-9 {
			rt.Errorf("wait %.9f, longest %.9f; the recursion says %.9f and %.9f", o.Wait, o.Within(1), wait, longest)
		}
	})
}

func TestLossSystemsBlockAsErlangB(t *testing.T) {
	for _, service := range []Service{Exponential, Deterministic} { // insensitive to the distribution
		for _, c := range []struct {
			servers int32
			load    float64
		}{{1, 1}, {4, 3}, {10, 8}} {
			s := System{Rate: c.load, Mean: 1, Service: service, Servers: c.servers, KeepAlive: 10000 * time.Hour, Length: 6 * time.Hour}
			confident(t, "Erlang B", ErlangB(int(c.servers), c.load), s, func(o Observed) float64 { return o.Blocked })
		}
	}
}

func TestLittlesLaw(t *testing.T) {
	for seed := range uint64(10) {
		s := System{Rate: 3.2, Mean: 1, Service: Exponential, Servers: 4, Queue: -1, KeepAlive: time.Hour, Length: 6 * time.Hour, Seed: seed}
		o, err := Observe(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		if busy := o.Throughput * s.Mean; math.Abs(o.Busy-busy) > 0.03*busy {
			t.Errorf("seed %d: %.4f busy servers, throughput × service is %.4f", seed, o.Busy, busy)
		}
	}
}

func TestPoissonKeepAlive(t *testing.T) {
	const keep = 600.0
	for _, gap := range []float64{300, 600, 1200} {
		s := System{Streams: 200, Rate: 1 / gap, KeepAlive: 600 * time.Second, Length: 240 * time.Hour}
		confident(t, "cold share", ColdPoisson(1/gap, keep), s, func(o Observed) float64 { return o.Cold })
		confident(t, "idle seconds", IdlePoisson(1/gap, keep), s, func(o Observed) float64 { return o.Idle })
	}
}
