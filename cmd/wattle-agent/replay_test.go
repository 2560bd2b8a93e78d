package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/learn"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/settings"
	"github.com/wattle-project/wattle/internal/version"
	"github.com/wattle-project/wattle/telemetry/exporter"
	"github.com/wattle-project/wattle/telemetry/fake"
	"github.com/wattle-project/wattle/telemetry/grid"
	"github.com/wattle-project/wattle/telemetry/invocations"
	"github.com/wattle-project/wattle/telemetry/price"
	"github.com/wattle-project/wattle/telemetry/record"
)

const (
	podUID   = "0b1c2d3e-0000-4000-8000-000000000001"
	replayed = 150 // rounds of a second
)

var podContainer = strings.Repeat("a1", 32)

// town is a node with all that an agent reads around it, driven round by round:
// registers, cgroups, a kubelet, a platform that counts, a carbon feed.
type town struct {
	t        *testing.T
	begin    time.Time
	round    int
	tree     *fake.Tree
	cgroups  string
	sick     bool // the kubelet and the feed
	services *httptest.Server
}

func newTown(t *testing.T) *town {
	t.Helper()
	tree, err := fake.NewTree(t.TempDir(),
		fake.TreeZone{ID: "intel-rapl:0", Name: "package-0", Energy: 5e6, Range: fake.PackageRange, MaxPower: 200e6},
		fake.TreeZone{ID: "intel-rapl:0:0", Name: "dram", Energy: 9e6, Range: 300e6, MaxPower: 12e6})
	if err != nil {
		t.Fatal(err)
	}
	w := &town{t: t, begin: time.Date(2026, 3, 10, 11, 58, 45, 123456789, time.UTC), tree: tree, cgroups: t.TempDir()}
	w.services = httptest.NewServer(w)
	t.Cleanup(w.services.Close)
	w.write("cgroup.controllers", "cpu memory\n")
	return w
}

func (w *town) now() time.Time { return w.begin.Add(time.Duration(w.round) * time.Second) }

func (w *town) write(path, text string) {
	w.t.Helper()
	p := filepath.Join(w.cgroups, path)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// ServeHTTP is the kubelet, the gateway of OpenFaaS and Electricity Maps.
func (w *town) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	switch {
	case w.sick && r.URL.Path != "/metrics", r.URL.Path == "/other/metrics" && w.round%40 >= 35:
		http.Error(out, "no", http.StatusServiceUnavailable)
	case r.URL.Path == "/other/metrics":
		fmt.Fprintf(out, "gateway_function_invocation_total{code=\"200\",function_name=\"steady\"} %d\n", w.round*w.round/7)
		fmt.Fprintf(out, "gateway_functions_seconds_sum{code=\"200\",function_name=\"steady\"} %g\n", 0.3*float64(w.round*w.round/7))
	case r.URL.Path == "/pods":
		fmt.Fprintf(out, `{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"resize-7d9","namespace":"openfaas-fn","uid":%q,"labels":{"faas_function":"resize"}},
 "spec":{"containers":[{"name":"resize","resources":{"requests":{"cpu":"500m","memory":"64Mi"}}}]},"status":{"containerStatuses":[{"name":"resize","containerID":"containerd://%s"}]}}]}`, podUID, podContainer)
	case r.URL.Path == "/metrics":
		fmt.Fprintf(out, "gateway_function_invocation_total{code=\"200\",function_name=\"resize.openfaas-fn\"} %d\n", 7*w.round)
		fmt.Fprintf(out, "gateway_functions_seconds_sum{code=\"200\",function_name=\"resize.openfaas-fn\"} %g\n", 0.41*float64(w.round))
	case strings.Contains(r.URL.Path, "forecast"):
		http.NotFound(out, r)
	case strings.Contains(r.URL.Path, "latest"):
		fmt.Fprint(out, w.point(0))
	default:
		var points []string
		for h := range 24 {
			points = append(points, w.point(h))
		}
		fmt.Fprintf(out, `{"zone":"DE","history":[%s]}`, strings.Join(points, ","))
	}
}

// point is the intensity of h hours ago.
func (w *town) point(h int) string {
	at := w.now().Truncate(time.Hour).Add(-time.Duration(h) * time.Hour)
	return fmt.Sprintf(`{"zone":"DE","carbonIntensity":%d,"datetime":%q,"emissionFactorType":"lifecycle"}`, 250+7*at.Hour(), at.Format(time.RFC3339))
}

// step is one second of the world, before the agent looks.
func (w *town) step() {
	w.t.Helper()
	w.round++
	n := uint64(w.round)
	package0 := 5e6 + 83_000_000*n
	if w.round >= 90 {
		package0 = 61_000_000 * (n - 89) // a reset
	}
	for id, energy := range map[string]uint64{"intel-rapl:0": package0, "intel-rapl:0:0": (9e6 + 7_100_000*n) % 300_000_001} {
		if err := w.tree.Set(id, energy); err != nil {
			w.t.Fatal(err)
		}
	}
	use := func(path string, perSecond, since int) {
		w.write(path+"/cpu.stat", fmt.Sprintf("usage_usec %d\nuser_usec 0\nsystem_usec 0\n", (w.round-since)*perSecond))
		w.write(path+"/memory.current", fmt.Sprintf("%d\n", 1<<20*(w.round%17)))
	}
	use(".", 990_000, 0)
	use("faas", 450_000, 0)
	use("kubepods", 210_000, 0)
	use("kubepods/pod"+podUID, 209_000, 0)
	use("faas/fn-steady", 310_001, 0)
	use("faas/fn-gateway", 21_000, 0)
	use("kubepods/pod"+podUID+"/"+podContainer, 207_003, 0)
	switch {
	case w.round == 70:
		if err := os.RemoveAll(filepath.Join(w.cgroups, "faas/fn-brief")); err != nil {
			w.t.Fatal(err)
		}
	case w.round >= 20 && w.round < 70:
		use("faas/fn-brief", 120_000, 20)
	}
	if w.round >= 125 { // of a runtime that nobody asks
		use("docker/"+strings.Repeat("b2", 32), 40_000, 125)
	}
	w.sick = w.round > 100 && w.round < 130
}

// live records the town with every part that a recording agent has and returns
// the page that a scraper of that agent would have seen at the end. Looks says
// whether somebody looks now and then before.
func (w *town) live(file string, detailed int, looks bool) string {
	t := w.t
	s := settings.Default()
	s.Node, s.Sys, s.Proc, s.Interval = "n1", w.tree.Root(), t.TempDir(), time.Second
	s.Cgroups.Root, s.Cgroups.Patterns = w.cgroups, []string{`^/faas/fn-(?P<function>[a-z]+)$`}
	s.Meters.Skip = []string{"hwmon", "nvml", "dcgm-exporter", "ipmi"}
	s.Kubernetes = settings.Kubernetes{Enabled: "on", Kubelet: w.services.URL}
	s.Invocations.Targets = []string{w.services.URL + "/metrics", w.services.URL + "/other/metrics"}
	s.Attribution.Idle = map[string]wattle.Watts{"package": 20, "dram": 2}
	s.Attribution.OwnerGrace, s.Invocations.ControlPlane = 10*time.Second, []string{"/gateway"}
	s.Attribution.CPU, s.Attribution.Memory = 4000, wattle.GiB
	s.Grid.PUE = 1.3
	s.Grid.Zone, s.Grid.Feed.Sources = "DE", []grid.SourceConfig{{Type: "electricitymaps", URL: w.services.URL, Key: "k", Zones: []wattle.ZoneID{"DE"}}}
	s.Price.Zone, s.Price.Feed.Static = "DE-LU", map[wattle.ZoneID]price.PerMWh{"DE-LU": 90}
	s.Metrics.Detailed = detailed
	s.Embodied = settings.Embodied{Package: 54000, DRAM: 600000, Lifetime: 35040 * time.Hour}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	c := exporter.DefaultConfig()
	c.Version, c.Process, c.MaxFunctions, c.Detailed = version.String(), false, s.Metrics.Functions, s.Metrics.Detailed
	metrics, err := exporter.New(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := recordCmd{File: file}
	var p *parts
	round := func(at time.Time) {
		if err := p.endRound(s.Price.Zone, at); err != nil {
			t.Fatal(err)
		}
	}
	p, err = wire(&s, surroundings{now: w.now, publish: metrics.Publish, round: round, log: slog.New(slog.DiscardHandler), recorder: cmd.create(&s)})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for w.round < replayed {
		w.step()
		if w.round%5 == 0 {
			_ = p.pods.Refresh(ctx, w.now())
			_ = p.grid.Refresh(ctx)
		}
		if b, err := p.scraper.Scrape(ctx, w.now()); err == nil && !b.From.IsZero() {
			p.inbox.Scraped(b)
		}
		w.push(p.inbox)
		p.agent.Step(ctx, w.now())
		if looks && w.round%17 == 0 {
			p.agent.Refresh()
		}
	}
	p.agent.Refresh()
	var page bytes.Buffer
	if err := scrape(metrics, &page); err != nil {
		t.Fatal(err)
	}
	if err := p.tape.Close(); err != nil {
		t.Fatal(err)
	}
	return page.String()
}

// push is what somebody pushes, at the second time of a second long ago.
func (w *town) push(in *learn.Inbox) {
	if ago := map[int]time.Duration{90: time.Second, 100: 10 * time.Second}[w.round]; ago > 0 {
		from := w.now().Add(-ago)
		in.Pushed(learn.Batch{From: from, To: from.Add(time.Second), Runs: []invocations.Run{
			{Key: invocations.Key{Function: "steady"}, Counts: invocations.Counts{Count: 40, Seconds: 90, Cold: 1, ColdSeconds: 2}},
		}}, w.now())
	}
}

// TestReplayGivesThePageOfTheRecordedAgent: all that the live agent served but
// the processor time of its own loop comes out of the recording, each time.
func TestReplayGivesThePageOfTheRecordedAgent(t *testing.T) {
	file := filepath.Join(t.TempDir(), "town.jsonl.zst")
	want := page(newTown(t).live(file, 100, true))
	for _, series := range []string{
		`wattle_function_energy_joules_total{component="package",function="resize",namespace="openfaas-fn"`, `function="brief"`, `share="idle"`, `share="control_plane"`,
		`wattle_function_emissions_grams_total{function="resize"`, `wattle_feed_fetches_total{feed="carbon",outcome="`,
		`collector="kubelet"`, `wattle_energy_register_wraps_total{source="rapl",zone="package-0/dram"} 3`, `wattle_invocation_energy_joules_count`,
		`quality="measured"`, `wattle_energy_register_resets_total{source="rapl",zone="package-0"} 1`, `wattle_electricity_price`,
	} {
		if !strings.Contains(strings.Join(want, "\n"), series) {
			t.Errorf("the live page has no %s", series)
		}
	}
	same(t, file, want)
	podIsRecorded(t, file)

	// Which functions are told apart, where not all are, goes by who was seen
	// first: it is the recording's own when nobody looks.
	file = filepath.Join(t.TempDir(), "few.jsonl.zst")
	few := page(newTown(t).live(file, 2, false))
	if !strings.Contains(strings.Join(few, "\n"), "wattle_function_energy_joules_total{function=") {
		t.Error("no function has one sum")
	}
	same(t, file, few)
}

// podIsRecorded holds a recording to the name of the pod, which no page shows.
func podIsRecorded(t *testing.T, file string) {
	t.Helper()
	r, err := record.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		e, err := r.Next()
		if err != nil {
			t.Fatalf("no pod is named: %v", err)
		}
		for _, o := range e.Owners {
			if o.Pod == "resize-7d9" {
				return
			}
		}
	}
}

// same replays twice and compares with the live page.
func same(t *testing.T, file string, want []string) {
	t.Helper()
	for range 2 {
		var out, errs bytes.Buffer
		if code := run(context.Background(), []string{"replay", file}, &out, &errs); code != 0 {
			t.Fatalf("exit %d: %s", code, errs.String())
		}
		got := page(out.String())
		for i := range max(len(want), len(got)) {
			if i >= len(want) || i >= len(got) || want[i] != got[i] {
				t.Fatalf("line %d of %d and %d:\nlive   %s\nreplay %s", i, len(want), len(got), at(want, i), at(got, i))
			}
		}
	}
}

// page is the lines of a page without the processor time of the loop.
func page(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "wattle_collect_cpu_seconds_total ") {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(nothing)"
}
