package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/wattle-project/wattle/telemetry/fake"
)

// benchTime is how long the agent is watched without, and as long with scrapes,
// in turns, as the machine's other work changes too.
const (
	benchTime  = 20 * time.Second
	benchTurns = 4
)

// BenchmarkAgent runs the built agent at 1 Hz on a fake powercap tree and real
// cgroups, some of them at work, and reports what it costs: processor time as a
// share of one core without and with a scrape each second, the scrape's own
// processor time and size, and the resident set.
func BenchmarkAgent(b *testing.B) {
	for _, n := range []int{200, 1000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				benchAgent(b, n)
			}
		})
	}
}

func benchAgent(b *testing.B, n int) {
	root, group := cgroupV2(b)
	base := filepath.Join(root, group)
	for i := range n {
		mkdir(b, filepath.Join(base, fmt.Sprintf("fn-%d", i)))
	}
	// All power is dynamic, so that every function has energy to show.
	config := filepath.Join(b.TempDir(), "agent.yaml")
	if err := os.WriteFile(config, []byte("attribution: {idle: {package: 0.001W, dram: 0.001W}}\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	p := startAgent(b, nil, "--config", config, "--sys", driveBench(b), "--cgroup-root", root, "--zone", "DE",
		"--cgroup-pattern", `^/`+group+`/fn-(?P<function>\d+)$`)
	visit(b, root, base)
	stop := workBench(b, base, n)
	defer stop()
	time.Sleep(5 * time.Second)
	share := func(scrapes bool) (perSecond float64, size int) {
		begin, cpu := time.Now(), p.cpu()
		for time.Since(begin) < benchTime/benchTurns {
			if scrapes {
				size = p.zipped()
			}
			time.Sleep(time.Second)
		}
		return float64(p.cpu()-cpu) / float64(time.Since(begin)), size
	}
	quiet, scraped, size := 0.0, 0.0, 0
	for range benchTurns {
		without, _ := share(false)
		with, bytes := share(true)
		quiet, scraped, size = quiet+without/benchTurns, scraped+with/benchTurns, bytes
	}
	b.ReportMetric(100*quiet, "%core")
	b.ReportMetric(1000*(scraped-quiet), "scrape-cpu-ms")
	b.ReportMetric(float64(size)/1000, "scrape-kB")
	b.ReportMetric(float64(len(p.body()))/1000, "plain-kB")
	b.ReportMetric(float64(p.memory("VmRSS"))/1024, "RSS-MiB")
	b.ReportMetric(float64(p.memory("VmHWM"))/1024, "peak-MiB")
	if got := p.functions(); got != n {
		b.Errorf("%d functions have series, want %d", got, n)
	}
	p.stop()
}

// zipped scrapes as Prometheus does and returns the bytes on the wire.
func (p *process) zipped() int {
	r, err := http.NewRequest(http.MethodGet, p.url+"/metrics", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
	r.Header.Set("Accept-Encoding", "gzip")
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer a.Body.Close()
	n, err := io.Copy(io.Discard, a.Body)
	if err != nil || a.Header.Get("Content-Encoding") != "gzip" {
		p.t.Fatalf("scrape: %v, encoding %q", err, a.Header.Get("Content-Encoding"))
	}
	return int(n)
}

// functions counts the functions with energy.
func (p *process) functions() int {
	seen := map[string]bool{}
	for _, m := range p.scrape()["wattle_function_energy_joules_total"].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "function" {
				seen[l.GetValue()] = true
			}
		}
	}
	return len(seen)
}

// visit runs a little in every cgroup, so that each has energy to show.
func visit(b *testing.B, root, base string) {
	cmd := exec.Command("sh", "-c", `for d in "$1"/fn-*; do echo $$ > "$d/cgroup.procs"; i=0; while [ $i -lt 10000 ]; do i=$((i+1)); done; done; echo $$ > "$2/cgroup.procs"`, "sh", base, root)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
}

// driveBench keeps a fake powercap tree moving.
func driveBench(b *testing.B) string {
	tree, err := fake.NewTree(b.TempDir(),
		fake.TreeZone{ID: "intel-rapl:0", Name: "package-0", Range: fake.PackageRange, MaxPower: 400e6},
		fake.TreeZone{ID: "intel-rapl:0:0", Name: "dram", Range: fake.DRAMRange},
		fake.TreeZone{ID: "intel-rapl:1", Name: "package-1", Range: fake.PackageRange, MaxPower: 400e6},
		fake.TreeZone{ID: "intel-rapl:1:0", Name: "dram", Range: fake.DRAMRange})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		begin := time.Now()
		for ctx.Err() == nil {
			for i, id := range []string{"intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1", "intel-rapl:1:0"} {
				_ = tree.Set(id, uint64(time.Since(begin).Microseconds())*uint64(10+50*i))
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
	b.Cleanup(func() { cancel(); wg.Wait() })
	return tree.Root()
}

// workBench lets one function in ten do something now and then.
func workBench(b *testing.B, base string, n int) (stop func()) {
	var all []*exec.Cmd
	for i := 0; i < n; i += max(n/10, 1) {
		fd := filepath.Join(base, fmt.Sprintf("fn-%d", i))
		cmd := exec.Command("sh", "-c", "echo $$ > "+fd+"/cgroup.procs; while :; do sleep 0.2; done")
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		all = append(all, cmd)
	}
	return func() {
		for _, c := range all {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	}
}
