package experiment

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/wattle-project/wattle/simulator/analytic"
	"github.com/wattle-project/wattle/simulator/trace"
)

// Instances, places on them and queues of an experiment file behave as the
// recursion of first come first served says of the very rows of its trace.
func TestQueuesOfAnExperimentFollowTheRecursion(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for n := range 8 {
		instances, places := 1+r.IntN(3), 1+r.IntN(3)
		var arrivals []trace.Arrival
		rows, at, work := "time_s,function,duration_s\n", int64(0), 0.0
		for range 2000 {
			at += int64(r.IntN(2000 / (instances * places)))
			ms := 1 + r.IntN(1800)
			rows += fmt.Sprintf("%d.%03d,f,%g\n", at/1000, at%1000, float64(ms)/1000)
			arrivals = append(arrivals, trace.Arrival{At: at * 1e6, Scale: float64(ms) / 1024})
			work += float64(ms) / 1000 / 2000
		}
		file := filepath.Join(t.TempDir(), "events.csv")
		if err := os.WriteFile(file, []byte(rows), 0o644); err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf(`
start: 2026-06-15T00:00:00Z
drain: 1h
instances: {keep_alive: fixed, for: 10h, queue: 100000}
workload: {trace: {format: events, path: %s}}
functions: {defaults: {cpu: 1, provision: 0s, runtime: 0s, init: 0s, max_instances: %d, concurrency: %d}}
fleet: {clusters: [{id: paris, zone: FR, jurisdiction: EU, pools: [{name: p, hardware: skylake}]}]}
policies: [{baseline: home-only}]
bounds: {placement: false}
`, file, instances, places)
		out, err := mustPrepare(t, text).Run(context.Background(), 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		const rtt = 0.002
		res := out[0].Result
		wait, longest := analytic.Recursion(arrivals, 1.024, instances*places)
		if got := res.Latency.Mean().Seconds() - rtt; res.Invocations != 2000 || math.Abs(got-work-wait) > 1e-8 {
			t.Errorf("case %d: %d served, %.6f s in the system on average, want %.6f", n, res.Invocations, got, wait+work)
		}
		if got := res.Latency.Quantile(1).Seconds() - rtt; math.Abs(got-longest) > 1e-3 {
			t.Errorf("case %d: %.6f s at most, want %.6f", n, got, longest)
		}
		if wait == 0 {
			t.Errorf("case %d: nobody waits, so nothing is shown", n)
		}
	}
}
