package experiment

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// job is a deferrable invocation, in minutes.
type job struct {
	release, length, slack int
	pauses                 bool
}

// shiftable is a random two days of jobs on one grid. Jobs of one function are of
// one length, which is then what schedulers expect of them.
func shiftable(r *rand.Rand) (jobs []job, grid []float64) {
	for range 72 {
		grid = append(grid, float64(20+r.IntN(60)*10)) // with equals
	}
	for range 1 + r.IntN(6) {
		kind := job{length: 5 * (1 + r.IntN(60)), slack: 30 * r.IntN(25), pauses: r.IntN(2) == 0}
		for range 1 + r.IntN(5) {
			kind.release = r.IntN(48 * 60)
			jobs = append(jobs, kind)
		}
	}
	return jobs, grid
}

// names gives each kind of job a function.
func names(jobs []job) (out []string) {
	kinds := map[job]string{}
	for _, j := range jobs {
		j.release = 0
		if kinds[j] == "" {
			kinds[j] = fmt.Sprint("f", len(kinds))
		}
		out = append(out, kinds[j])
	}
	return out
}

// shifting writes an experiment of jobs that start at once on a roomy cluster.
func shifting(t *testing.T, jobs []job, grid []float64, threshold int) string {
	t.Helper()
	dir := t.TempDir()
	series, events := "time,value\n", "time_s,function,duration_s\n"
	for h, v := range grid {
		series += fmt.Sprintf("%s,%g\n", time.Date(2026, 6, 15, h, 0, 0, 0, time.UTC).Format(time.RFC3339), v)
	}
	var match strings.Builder
	ids, seen := names(jobs), map[string]bool{}
	for i, j := range jobs {
		events += fmt.Sprintf("%d,%s,%d\n", 60*j.release, ids[i], 60*j.length)
		if !seen[ids[i]] {
			seen[ids[i]] = true
			fmt.Fprintf(&match, "    - {id: %s, deadline: %dm, interruptible: %t}\n", ids[i], j.slack, j.pauses)
		}
	}
	for name, text := range map[string]string{"FR.csv": series, "events.csv": events} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf(`
start: 2026-06-15T00:00:00Z
drain: 24h
instances: {keep_alive: none, queue: 1000}
signals: {source: files, path: %s, forecast: perfect}
workload: {trace: {format: events, path: %s}}
functions:
  defaults: {cpu: 1, provision: 0s, runtime: 0s, init: 0s, utilisation: 1}
  match:
%sfleet: {clusters: [{id: paris, zone: FR, jurisdiction: EU, pue: 1.25, pools: [{name: p, nodes: 100, hardware: skylake}]}]}
policies:
  - {name: now, baseline: home-only}
  - {name: threshold, baseline: home-only, deferral: threshold, threshold: %dg/kWh, max_delay: 5h}
  - {name: window, baseline: home-only, deferral: lowest-window}
  - {name: slots, baseline: home-only, deferral: cheapest-slots}
  - {name: time, baseline: home-only, deferral: carbon-time}
bounds: {placement: false}
`, filepath.Join(dir, "FR.csv"), filepath.Join(dir, "events.csv"), match.String(), threshold)
}

// enumerate is the g·min/kWh of a job under each policy, every minute that it may
// start or use being tried.
func enumerate(j job, grid []float64, threshold int) (out [5]float64) {
	run := func(start int) (sum float64) {
		for m := start; m < start+j.length; m++ {
			sum += grid[m/60]
		}
		return sum
	}
	first := j.release
	for out[1] = math.NaN(); math.IsNaN(out[1]); first++ {
		if grid[first/60] <= float64(threshold) || first == j.release+min(j.slack, 300) {
			out[1] = run(first)
		}
	}
	out[0], out[2] = run(j.release), math.Inf(1)
	most := 0.0
	out[4] = out[0]
	for s := range j.slack + 1 {
		c := run(j.release + s)
		out[2] = min(out[2], c)
		if rate := (out[0] - c) / float64(s+j.length); rate > most*(1+1e-9) {
			most, out[4] = rate, c
		}
	}
	out[3] = out[2]
	if j.pauses {
		var minutes []float64
		for m := range j.slack + j.length {
			minutes = append(minutes, grid[(j.release+m)/60])
		}
		slices.Sort(minutes)
		out[3] = 0
		for _, v := range minutes[:j.length] {
			out[3] += v
		}
	}
	return out
}

// With the future known and room for all, each deferral emits what its definition
// says, found by trying every minute.
func TestDeferralsEmitWhatEnumerationFinds(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for n := range 40 {
		jobs, grid := shiftable(r)
		threshold := 20 + 10*r.IntN(60)
		out, err := mustPrepare(t, shifting(t, jobs, grid, threshold)).Run(context.Background(), 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		rules := []string{"run now", "threshold", "lowest window", "cheapest slots", "carbon-time"}
		var want [5]float64
		for _, j := range jobs {
			for k, v := range enumerate(j, grid, threshold) {
				want[k] += v / 60 * (4.10 - 0.61) / 1000 * 1.25
			}
		}
		for k, o := range out {
			if o.Result.Invocations != int64(len(jobs)) || o.Result.Late > 0 {
				t.Errorf("case %d, %s: %d of %d jobs, %d late", n, rules[k], o.Result.Invocations, len(jobs), o.Result.Late)
			}
			if got := float64(o.Result.Carbon.Exec); math.Abs(got-want[k]) > 1e-6+1e-9*want[k] {
				t.Errorf("case %d, %s: %.9g g, want %.9g", n, rules[k], got, want[k])
			}
		}
	}
}
