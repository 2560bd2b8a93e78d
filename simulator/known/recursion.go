package known

import (
	"context"
	"fmt"
	"time"

	"github.com/wattle-project/wattle/simulator/analytic"
	"github.com/wattle-project/wattle/simulator/trace"
	"github.com/wattle-project/wattle/simulator/workload/random"
)

// A script is of whole milliseconds: a Scale of k/1024 of this mean lasts k ms.
const scriptMean = 1.024

// scripted is n arrivals of one function: gaps of 0 to most ms, a third of them
// none at all, and services of 1 to 2047 ms, or all of 1024 ms if even.
func scripted(name string, n int, most uint64, even bool) (out []trace.Arrival) {
	r, at := random.New(1, name), int64(0)
	for range n {
		if r.Below(3) > 0 {
			at += int64(r.Below(most + 1))
		}
		scale := 1.0
		if !even {
			scale = float64(1+r.Below(2047)) / 1024
		}
		out = append(out, trace.Arrival{At: at * 1e6, Scale: scale})
	}
	return out
}

// recursions compares queues with what the recursion says of the very arrivals,
// whatever these are.
func recursions(ctx context.Context, _ string, yield func(Case) bool) bool {
	var laws []law
	for _, c := range []struct {
		name            string
		servers, shared int32
		even            bool
	}{{"G/D/1", 1, 1, true}, {"G/G/1", 1, 1, false}, {"G/D/4", 4, 1, true}, {"G/G/4", 4, 1, false}, {"G/G/4 on one instance", 1, 4, false}, {"G/G/6 on two instances", 2, 3, false}} {
		parallel := int(c.servers * c.shared)
		arrivals := scripted(c.name, 20_000, uint64(3400/parallel), c.even)
		wait, longest := analytic.Recursion(arrivals, scriptMean, parallel)
		s := analytic.System{
			Script: arrivals, Mean: scriptMean, Servers: c.servers, Concurrency: c.shared, Queue: -1, KeepAlive: 1000 * time.Hour,
			Length: time.Duration(arrivals[len(arrivals)-1].At) + time.Hour,
		}
		name := fmt.Sprintf("%s, %d arrivals, load %.2f", c.name, len(arrivals), scriptMean*2e4*1e9/float64(parallel)/float64(arrivals[len(arrivals)-1].At))
		laws = append(
			laws,
			law{name + ": wait", "s", wait, 1e-6, s, waited},
			law{name + ": longest in the system", "s", longest, 1e-6, s, func(o analytic.Observed) float64 { return o.Within(1) }},
		)
	}
	return replay(ctx, "queueing", laws, yield)
}
