package experiment

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/wattle-project/wattle/simulator"
)

// replayRows runs rows of "time_s,function,duration_s" in one cluster of 1 USD a
// vCPU-second, billed in steps of 100 ms, with a keep-alive of 10 min and no start-up.
func replayRows(t *testing.T, rows string) *simulator.Result {
	t.Helper()
	file := filepath.Join(t.TempDir(), "events.csv")
	if err := os.WriteFile(file, []byte("time_s,function,duration_s\n"+rows), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := mustPrepare(t, fmt.Sprintf(`
start: 2026-06-15T00:00:00Z
drain: 1h
instances: {keep_alive: fixed, for: 10m}
workload: {trace: {format: events, path: %s}}
functions: {defaults: {cpu: 1, provision: 0s, runtime: 0s, init: 0s}}
fleet:
  prices: {p: {per_vcpu_second: 1USD, round: 100ms}}
  clusters: [{id: paris, zone: FR, jurisdiction: EU, price: p, pools: [{name: p, hardware: skylake}]}]
policies: [{baseline: home-only}]
bounds: {placement: false}
`, file)).Run(context.Background(), 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out[0].Result
}

// An invocation takes what its row says to the nanosecond: whole milliseconds are
// billed as such, and an instance waits for exactly its keep-alive after them.
func TestDurationsOfEventsAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, c := range []struct{ over, cold int64 }{{0, 1}, {1, 400}} { // ms beyond the keep-alive
		rows, at, sum, billed := "", int64(0), int64(0), int64(0)
		for range 400 {
			ms := 1 + r.Int64N(5000)
			if r.IntN(2) == 0 {
				ms = 100 * (1 + r.Int64N(50)) // steps of the bill
			}
			rows += fmt.Sprintf("%d.%03d,f,%d.%03d\n", at/1000, at%1000, ms/1000, ms%1000)
			at += ms + 600_000 + c.over
			sum, billed = sum+ms, billed+(ms+99)/100*100
		}
		res := replayRows(t, rows)
		if got := res.Cold; got != c.cold {
			t.Errorf("%d ms over the keep-alive: %d cold starts, want %d", c.over, got, c.cold)
		}
		if want := float64(billed) / 1000; math.Abs(float64(res.Cost)-want) > 1e-9*want {
			t.Errorf("bill of %v, want %g USD", res.Cost, want)
		}
		if got, want := res.Latency.Mean().Seconds()-0.002, float64(sum)/400/1000; math.Abs(got-want) > 2e-9 {
			t.Errorf("mean of %.9f s, want %.9f", got, want)
		}
	}
}

// Rows that take no time take none, whatever executions take by default: with
// arrivals alone, an invocation is cold if it comes over the keep-alive after the
// one before it.
func TestEventsThatTakeNoTime(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	rows, at, cold := "", int64(0), int64(1)
	for i := range 3000 {
		if i > 0 {
			gap := int64(600_000 * r.ExpFloat64())
			if at += gap; gap > 600_000 {
				cold++
			}
		}
		rows += fmt.Sprintf("%d.%03d,f,0\n", at/1000, at%1000)
	}
	res := replayRows(t, rows)
	if got := res.Cold; got != cold {
		t.Errorf("%d cold starts, want %d", got, cold)
	}
	if got := res.Latency.Quantile(1).Seconds(); math.Abs(got-0.002) > 1e-6 {
		t.Errorf("%.6f s at most, want the 2 ms of the network", got)
	}
}
