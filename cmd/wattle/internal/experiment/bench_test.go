package experiment

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/state"
	"github.com/wattle-project/wattle/simulator"
)

// twenty is an experiment on 20 clusters of the built-in grids.
func twenty(functions int, invocations float64, policy string) string {
	zones := []string{
		"AU-NSW", "AU-SA", "BR-CS", "CA-ON", "CH", "CL-SEN", "DE", "ES", "FR", "GB", "IE", "IN-WE", "IT-NO", "JP-TK", "KR", "NL", "PL", "SE-SE3",
		"US-CAL-CISO", "US-TEX-ERCO",
	}
	var b strings.Builder
	fmt.Fprintf(&b, "name: twenty\nstart: 2026-06-15T00:00:00Z\nduration: 24h\ninstances: {queue: -1}\nsignals: {forecast: persistence}\nbounds: {placement: false}\n")
	fmt.Fprintf(&b, "workload: {generate: {functions: %d, invocations: %g, median: 100ms, spread: 0.7}}\n", functions, invocations)
	fmt.Fprintf(&b, "functions: {defaults: {cpu: 250m, memory: 256MiB}}\npolicies: [{%s}]\nfleet:\n  clusters:\n", policy)
	for i, z := range zones {
		fmt.Fprintf(&b, "    - {id: c%02d, zone: %s, location: [%d, %d], jurisdiction: EU, pools: [{name: cpu, nodes: 40}]}\n", i, z, i, 3*i)
	}
	return b.String()
}

// benchmark runs one policy once per iteration, trace generation, accounting
// and Rego policy included, on one core.
func benchmark(b *testing.B, text string) {
	debug.SetGCPercent(20) // as the command does
	f, err := Parse("bench.yaml", []byte(text))
	if err != nil {
		b.Fatal(err)
	}
	e, err := Prepare(f, Options{Data: os.Getenv("WATTLE_DATA")})
	if err != nil {
		b.Fatal(err)
	}

	b.ReportAllocs()
	var n int64
	before := cpuSeconds()
	for b.Loop() {
		c, _, err := e.Config(&f.Policies[0], 0, e.own())
		if err != nil {
			b.Fatal(err)
		}
		r, err := simulator.Run(context.Background(), c)
		if err != nil {
			b.Fatal(err)
		}
		n += r.Invocations
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "Minv/s")
	if used := cpuSeconds() - before; used > 0 {
		b.ReportMetric(float64(n)/used/1e6, "Minv/cpu-s")
	}
	b.ReportMetric(float64(n)/float64(b.N)/1e6, "Minv/run")
	b.ReportMetric(peak(), "peak-MB")
}

// peak is the largest resident size of this process so far in MB, 0 where
// /proc does not say.
func peak() float64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	var kb float64
	for s := bufio.NewScanner(f); s.Scan(); {
		if _, err := fmt.Sscanf(s.Text(), "VmHWM: %f kB", &kb); err == nil {
			return kb / 1e3
		}
	}
	return 0
}

// cpuSeconds is the processor time of this process so far, which other work on
// the machine changes less than the clock; 0 where /proc does not say.
func cpuSeconds() float64 {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	const ticks = 100 // a second, on every Linux
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / ticks
}

// BenchmarkCachedDecision is one decision among 20 clusters (40 candidates) under
// the default policy in Rego, the plan being cached.
func BenchmarkCachedDecision(b *testing.B) {
	c := prepared(b, twenty(64, 1e5, "library: latency_within"))
	core, err := scheduler.New(c.Core)
	if err != nil {
		b.Fatal(err)
	}
	store, err := state.NewStore(c.Fleet, c.Functions)
	if err != nil {
		b.Fatal(err)
	}
	zones := make([]state.ZoneSignal, len(c.Fleet.Clusters))
	for i := range zones {
		zones[i] = c.Feed.Observe(i, c.Start)
	}
	store.SetSignals(state.NewSignals(zones, c.Start))
	var r wattle.Request
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.Function = store.Functions()[i%64]
		if d := core.Place(c.Start, store.View(), &r); !d.Placed {
			b.Fatal(d.Reasons.Names())
		}
	}
	if core.Built() > 64 {
		b.Fatalf("%d plans for 64 functions", core.Built())
	}
}

// prepared is the configuration of an experiment's first run.
func prepared(b *testing.B, text string) *simulator.Config {
	b.Helper()
	f, err := Parse("bench.yaml", []byte(text))
	if err != nil {
		b.Fatal(err)
	}
	e, err := Prepare(f, Options{Data: os.Getenv("WATTLE_DATA")})
	if err != nil {
		b.Fatal(err)
	}
	c, _, err := e.Config(&f.Policies[0], 0, e.own())
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// BenchmarkTwentyClustersRego: 1,000 functions, 5 M invocations in 24 h, 20
// clusters, full accounting, the default policy (p95 within 110 % of home).
func BenchmarkTwentyClustersRego(b *testing.B) {
	benchmark(b, twenty(1000, 5e6, "library: latency_within"))
}

// BenchmarkTwentyClustersLeastCarbon: the same under least_carbon.
func BenchmarkTwentyClustersLeastCarbon(b *testing.B) {
	benchmark(b, twenty(1000, 5e6, "library: least_carbon"))
}

// BenchmarkHundredMillion: 80,000 functions and 100 M invocations in 24 h on 20
// clusters under a Rego policy. peak-MB is the figure; run it alone.
func BenchmarkHundredMillion(b *testing.B) {
	if os.Getenv("WATTLE_BENCH_LONG") == "" {
		b.Skip("takes minutes: set WATTLE_BENCH_LONG=1, as make bench-long does")
	}
	benchmark(b, twenty(80_000, 1e8, "library: least_carbon"))
}

// BenchmarkTwelveDays: the published 12-day trace of 1,000 functions and 10.4 M
// invocations over five grids, one policy; needs the data in WATTLE_DATA.
func BenchmarkTwelveDays(b *testing.B) {
	if os.Getenv("WATTLE_DATA") == "" {
		b.Skip("set WATTLE_DATA to the directory of the published data")
	}
	text, err := os.ReadFile("../../../../examples/azure-2019-five-grids.yaml")
	if err != nil {
		b.Fatal(err)
	}
	i := strings.Index(string(text), "policies:")
	benchmark(b, string(text[:i])+"policies: [{library: latency_within}]\n")
}

// BenchmarkEightyThousandFunctions is a tenth of BenchmarkHundredMillion: the
// memory of functions and clusters is the same.
func BenchmarkEightyThousandFunctions(b *testing.B) {
	benchmark(b, twenty(80_000, 1e7, "library: least_carbon"))
}
