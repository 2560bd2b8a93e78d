package known

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/lifecycle"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/simulator/analytic"
	"github.com/wattle-project/wattle/simulator/trace"
	"github.com/wattle-project/wattle/simulator/workload/random"
)

// caches are pools whose memory is short: warm instances are the items of a cache,
// and cold starts are its misses.
func caches(ctx context.Context, _ string, yield func(Case) bool) bool {
	if !play(ctx, "cache", append(append(references(), greedy()), zipf()...), yield) {
		return false
	}
	once := analytic.System{Rate: 1. / 300, KeepAlive: keep * time.Second, Once: true, Streams: 100, Length: 1000 * time.Hour}
	return replay(ctx, "cache", []law{
		{"Poisson, gap 300 s, keep-alive 600 s that uses do not renew: cold share", "", analytic.ColdOnce(1./300, keep), 0.003, once, cold},
		twins(0.3, 0.5),
	}, yield)
}

// twins is a Poisson stream of single and double requests of no length; the newest
// instance serves. Then one instance serves in all of them and the other in the
// double ones only, so either is cold as if it were alone.
func twins(rate, double float64) law {
	r, at := random.New(1, "twins"), 0.0
	var arrivals []trace.Arrival
	n := 400_000
	for len(arrivals) < n {
		at += r.Exponential() / rate
		a := trace.Arrival{At: int64(at * 1e9), Scale: 1}
		if arrivals = append(arrivals, a); r.Float64() < double {
			arrivals = append(arrivals, a)
		}
	}
	const keep = 4
	s := analytic.System{Script: arrivals, KeepAlive: keep * time.Second, Mean: 1e-6, Length: time.Duration(at+60) * time.Second}
	want := (analytic.ColdPoisson(rate, keep) + double*analytic.ColdPoisson(rate*double, keep)) / (1 + double)
	return law{"single and double requests, the newest serves: cold share", "", want, 0.004, s, cold}
}

// cached is a scene of so many functions of 1 GiB each, or of their own sizes, on a
// pool of frames GiB.
func cached(name string, frames, functions int, policy string) scene {
	s := scene{
		name:    name,
		machine: power.Machine{VCPU: 1 << 10, Memory: wattle.Bytes(frames) * wattle.GiB, IdlePerVCPU: 0.01, MaxPerVCPU: 3},
	}
	for i := range functions {
		f := function(i, time.Millisecond, 0)
		f.Needs.Memory = wattle.GiB
		s.functions = append(s.functions, f)
	}
	if policy == "" {
		s.keeper = &scheduler.Fixed{T: 10_000 * time.Hour}
		return s
	}
	c := lifecycle.DefaultConfig()
	c.Keep = 10_000 * time.Hour
	k, err := lifecycle.NewInstances(policy, c)
	if err != nil {
		panic(err) // a policy of the registry
	}
	s.keeper = k
	return s
}

// refer makes the scene use the functions in turn, gap seconds apart.
func (s *scene) refer(gap int, functions ...int) {
	for i, f := range functions {
		s.arrivals = append(s.arrivals, trace.Arrival{At: int64(i*gap) * 1e9, Function: int32(f), Scale: 1})
	}
	s.horizon = time.Duration((len(functions)+1)*gap) * time.Second
}

// references are strings of references with the faults that textbooks print
// (Silberschatz, Galvin and Gagne, Operating System Concepts; Belady, Nelson and
// Shedler, 1969).
func references() (out []scene) {
	silberschatz := []int{7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1}
	belady := []int{1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5}
	loop := make([]int, 100)
	for i := range loop {
		loop[i] = i % 5
	}
	for _, c := range []struct {
		name   string
		string []int
		frames int
		faults float64
	}{
		{"Silberschatz' string", silberschatz, 3, 12},
		{"Silberschatz' string", silberschatz, 4, 8},
		{"Belady's string", belady, 3, 10},
		{"Belady's string", belady, 4, 8},
		{"a loop over five", loop, 4, 100},
		{"a loop over five", loop, 5, 5},
	} {
		for _, policy := range []string{"", "lru"} {
			by := policy
			if by == "" {
				by = "the longest idle leaves"
			}
			s := cached(fmt.Sprintf("%s, %d frames, %s", c.name, c.frames, by), c.frames, 8, policy)
			s.refer(1, c.string...)
			s.answers = []answer{{"faults", "", c.faults, 0, coldStarts}}
			out = append(out, s)
		}
	}
	return out
}

// zipf draws independent requests by Zipf's law and compares with Che's
// approximation, which is good to a per cent or two here.
func zipf() (out []scene) {
	const items, n = 200, 150_000
	for _, exponent := range []float64{0.8, 1.1} {
		rates, sums, sum := make([]float64, items), make([]float64, items), 0.0
		for i := range rates {
			rates[i] = math.Pow(float64(i+1), -exponent)
			sum += rates[i]
			sums[i] = sum
		}
		for _, size := range []int{10, 50} {
			r := random.New(1, "zipf")
			refs := make([]int, n)
			for i := range refs {
				for u := r.Float64() * sum; sums[refs[i]] < u; {
					refs[i]++
				}
			}
			s := cached(fmt.Sprintf("%d of %d functions fit, Zipf %.1f, lru, against Che", size, items, exponent), size, items, "lru")
			s.refer(1, refs...)
			want := n * analytic.Che(rates, size)
			s.answers = []answer{{"cold starts", "", want, 0.015 * want, coldStarts}}
			out = append(out, s)
		}
	}
	return out
}

// greedy is FaasCache's greedy-dual on 3 GiB by hand: a takes 1 s to start and
// holds 1 GiB, b takes 4 s and holds 1, c takes 2 s and holds 2. The priority of a
// function's copy is clock + uses·start/memory, as of its last use; the clock is the
// priority of the last that left, and uses count from the first copy on.
//
//	a ×6   cold, then warm: a 0+6 = 6
//	b      cold: b 0+4 = 4
//	c      cold; b leaves at 4: c 4+1 = 5
//	b      cold; c leaves at 5: b 5+4 = 9
//	c      cold; a leaves at 6: c 6+1 = 7
//	a      cold; c leaves at 7: a 7+1 = 8
//	c      cold; a leaves at 8: c 8+1 = 9
//	b      warm: b 8+8 = 16
//	a      cold; c leaves at 9: a 9+1 = 10
//	c      cold; a leaves at 10: c 10+1 = 11
//	b      warm
func greedy() scene {
	s := cached("greedy-dual by hand", 3, 3, "greedy-dual")
	for i, start := range []float64{1, 4, 2} {
		s.functions[i].Profile.Provision = time.Duration(start * 1e9)
	}
	s.functions[2].Needs.Memory = 2 * wattle.GiB
	s.refer(10, 0, 0, 0, 0, 0, 0, 1, 2, 1, 2, 0, 2, 1, 0, 2, 1)
	s.answers = []answer{{"cold starts", "", 9, 0, coldStarts}}
	return s
}
