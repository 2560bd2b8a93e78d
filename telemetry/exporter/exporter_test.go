package exporter_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/exporter"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func quiet() exporter.Config {
	c := exporter.DefaultConfig()
	c.Process, c.Version = false, "v1.2.3"
	return c
}

func start(t testing.TB, c exporter.Config) *exporter.Exporter {
	t.Helper()
	e, err := exporter.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// scrape asks e as a scraper with these headers would.
func scrape(t testing.TB, e http.Handler, accept, encoding string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", accept)
	r.Header.Set("Accept-Encoding", encoding)
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Result()
}

const (
	asText     = "text/plain;version=0.0.4"
	asOpen     = "application/openmetrics-text;version=1.0.0"
	asProtobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
)

// parse reads an answer in text or protobuf back into families.
func parse(t testing.TB, r *http.Response) map[string]*dto.MetricFamily {
	t.Helper()
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		body = z
	}
	d := expfmt.NewDecoder(body, expfmt.ResponseFormat(r.Header))
	out := map[string]*dto.MetricFamily{}
	for {
		f := new(dto.MetricFamily)
		err := d.Decode(f)
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if out[f.GetName()] != nil {
			t.Fatalf("family %s twice", f.GetName())
		}
		out[f.GetName()] = f
	}
}

// flat writes every sample of families as "name{labels}" → value.
func flat(t testing.TB, families map[string]*dto.MetricFamily) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	for name, f := range families {
		for _, m := range f.Metric {
			var b strings.Builder
			for _, l := range m.Label {
				if l.GetValue() == "" {
					t.Fatalf("%s has an empty label %s", name, l.GetName())
				}
				fmt.Fprintf(&b, ",%s=%q", l.GetName(), l.GetValue())
			}
			key := name + "{" + strings.TrimPrefix(b.String(), ",") + "}"
			if _, twice := out[key]; twice {
				t.Fatalf("series %s twice", key)
			}
			switch {
			case m.Histogram != nil:
				out[key+"_count"], out[key+"_sum"] = float64(m.Histogram.GetSampleCount()), m.Histogram.GetSampleSum()
			case m.Counter != nil:
				out[key] = m.Counter.GetValue()
			default:
				out[key] = m.Gauge.GetValue()
			}
		}
	}
	return out
}

func values(t testing.TB, e http.Handler) map[string]float64 {
	t.Helper()
	return flat(t, parse(t, scrape(t, e, asText, "")))
}

// zone is a zone that was read at noon.
func zone(meter, key string, c wattle.Component, socket int, overlap bool, total wattle.Microjoules) telemetry.ZoneStatus {
	return telemetry.ZoneStatus{Meter: meter, Total: total, At: noon, Present: true,
		Zone: telemetry.Zone{Key: key, Component: c, Socket: socket, Overlap: overlap}}
}

// whole is a snapshot in which every family has a row.
func whole() *exporter.Snapshot {
	core := zone("rapl", "package-0/core", wattle.Core, 0, true, 400_000)
	core.Zone.Parent = "package-0"
	pkg := zone("rapl", "package-0", wattle.Package, 0, false, 1_500_000)
	pkg.Stats = telemetry.Stats{Wraps: 2, Resets: 1, Gaps: 3, Stuck: 4, Missed: 5}
	return &exporter.Snapshot{
		Node: "worker-1", At: noon,
		Zones:  []telemetry.ZoneStatus{pkg, zone("rapl", "package-1", wattle.Package, 1, false, 2_000_000), core, zone("nvml", "GPU-1", wattle.GPU, -1, false, 10), zone("nvml", "GPU-2", wattle.GPU, -1, false, 20)},
		Meters: []telemetry.MeterStatus{{Name: "rapl", Used: true, Up: true, Reads: 9}, {Name: "nvml", Reads: 9, Failures: 2}, {Name: "model"}},
		Functions: []exporter.FunctionEnergy{
			{Namespace: "shop", Function: "resize", Component: wattle.Package, Start: exporter.Warm, Energy: 1_234_567},
			{Namespace: "shop", Function: "resize", Component: wattle.Package, Share: exporter.Idle, Energy: 1},
			{Namespace: "shop", Function: "quiet", Component: wattle.Package, Energy: 0},
			{Namespace: "kube-system", Component: wattle.DRAM, Energy: 7},
		},
		Other:             []exporter.OtherEnergy{{wattle.Package, exporter.Unallocated, 11}, {wattle.Package, exporter.System, 12}, {wattle.Package, exporter.Waiting, 13}},
		Finished:          []exporter.Invocations{{"shop", "resize", exporter.Warm, 4, 0.5}, {"shop", "resize", exporter.Cold, 1, 0}, {"batch", "sum", exporter.AnyStart, 2, 3}},
		Emissions:         []exporter.Emissions{{exporter.Operational, "FR", wattle.Average, wattle.Measured, 0.25}, {Scope: exporter.Embodied, Total: 2}},
		FunctionEmissions: []exporter.FunctionEmissions{{"shop", "resize", exporter.Operational, 1e-6}, {"shop", "resize", exporter.Embodied, 3}},
		Signals: []wattle.Signal{
			{Zone: "FR", Intensity: 52, Provider: "electricitymaps", FetchedAt: noon.Add(-90 * time.Second)},
			{Zone: "FR", Intensity: 610, Kind: wattle.Marginal, Quality: wattle.Static, Provider: "static"},
			{Zone: "DE", Intensity: 0, Provider: "broken"},
		},
		Prices:     []exporter.Price{{"FR", "epex", "EUR", wattle.Forecast, -12.5, noon.Add(-time.Hour)}},
		Fetches:    []exporter.Fetches{{exporter.CarbonFeed, "electricitymaps", "ok", 3}},
		Collectors: []exporter.Collector{{"cgroup", true}},
		CollectCPU: 1500 * time.Millisecond, Missed: 6,
	}
}

func TestSnapshotBecomesSeries(t *testing.T) {
	e := start(t, quiet())
	e.Publish(whole())
	have := values(t, e)
	want := map[string]float64{
		`wattle_node_energy_joules_total{component="package",socket="0",source="rapl"}`:                                                                  1.5,
		`wattle_node_energy_joules_total{component="package",socket="1",source="rapl"}`:                                                                  2,
		`wattle_node_energy_joules_total{component="gpu",source="nvml"}`:                                                                                 30e-6,
		`wattle_zone_energy_joules_total{parent="package-0",source="rapl",zone="package-0/core"}`:                                                        0.4,
		`wattle_function_energy_joules_total{component="package",function="resize",namespace="shop",share="active",start="warm"}`:                        1.234567,
		`wattle_function_energy_joules_total{component="package",function="resize",namespace="shop",share="idle"}`:                                       1e-6,
		`wattle_function_energy_joules_total{component="dram",namespace="kube-system",share="active"}`:                                                   7e-6,
		`wattle_unattributed_energy_joules_total{component="package",reason="unallocated"}`:                                                              11e-6,
		`wattle_unattributed_energy_joules_total{component="package",reason="system"}`:                                                                   12e-6,
		`wattle_waiting_energy_joules{component="package"}`:                                                                                              13e-6,
		`wattle_function_invocations_total{function="resize",namespace="shop",start="warm"}`:                                                             4,
		`wattle_function_invocations_total{function="resize",namespace="shop",start="cold"}`:                                                             1,
		`wattle_invocation_energy_joules{namespace="shop",start="warm"}_count`:                                                                           4,
		`wattle_invocation_energy_joules{namespace="batch"}_sum`:                                                                                         6,
		`wattle_invocation_energy_joules{namespace="shop",start="warm"}_sum`:                                                                             2,
		`wattle_grid_carbon_intensity_grams_per_kilowatt_hour{kind="average",provider="electricitymaps",quality="measured",scope="lifecycle",zone="FR"}`: 52,
		`wattle_grid_carbon_intensity_grams_per_kilowatt_hour{kind="marginal",provider="static",quality="static",scope="lifecycle",zone="FR"}`:           610,
		`wattle_grid_carbon_intensity_age_seconds{kind="average",provider="electricitymaps",scope="lifecycle",zone="FR"}`:                                90,
		`wattle_feed_fallback_step{feed="carbon",kind="average",scope="lifecycle",zone="FR"}`:                                                            0,
		`wattle_feed_fallback_step{feed="carbon",kind="marginal",scope="lifecycle",zone="FR"}`:                                                           5,
		`wattle_feed_fallback_step{feed="carbon",kind="average",scope="lifecycle",zone="DE"}`:                                                            0,
		`wattle_feed_fallback_step{feed="price",zone="FR"}`:                                                                                              2,
		`wattle_electricity_price_per_kilowatt_hour{currency="EUR",provider="epex",quality="forecast",zone="FR"}`:                                        -0.0125,
		`wattle_electricity_price_age_seconds{currency="EUR",provider="epex",zone="FR"}`:                                                                 3600,
		`wattle_emissions_grams_total{kind="average",quality="measured",scope="operational",zone="FR"}`:                                                  0.25,
		`wattle_emissions_grams_total{scope="embodied"}`:                                                                                                 2,
		`wattle_function_emissions_grams_total{function="resize",namespace="shop"}`:                                                                      1e-6,
		`wattle_function_embodied_emissions_grams_total{function="resize",namespace="shop"}`:                                                             3,
		`wattle_feed_fetches_total{feed="carbon",outcome="ok",provider="electricitymaps"}`:                                                               3,
		`wattle_energy_register_wraps_total{source="rapl",zone="package-0"}`:                                                                             2,
		`wattle_energy_register_resets_total{source="rapl",zone="package-0"}`:                                                                            1,
		`wattle_energy_register_gaps_total{source="rapl",zone="package-0"}`:                                                                              3,
		`wattle_energy_register_stuck_total{source="rapl",zone="package-0"}`:                                                                             4,
		`wattle_samples_missed_total{source="rapl",zone="package-0"}`:                                                                                    5,
		`wattle_energy_register_resets_total{source="rapl",zone="package-1"}`:                                                                            0,
		`wattle_rounds_missed_total{}`:                      6,
		`wattle_collector_up{collector="rapl"}`:             1,
		`wattle_collector_up{collector="nvml"}`:             0,
		`wattle_collector_up{collector="cgroup"}`:           1,
		`wattle_collector_failures_total{collector="nvml"}`: 2,
		`wattle_collect_cpu_seconds_total{}`:                1.5,
		`wattle_snapshot_timestamp_seconds{}`:               float64(noon.Unix()),
		`wattle_functions_folded{}`:                         0,
		`wattle_functions_summed{}`:                         0,
		`wattle_node_info{node="worker-1"}`:                 1,
	}
	for k, v := range want {
		if h, ok := have[k]; !ok || h != v {
			t.Errorf("%s is %v (%v), want %v", k, h, ok, v)
		}
	}
	for k := range have {
		if strings.Contains(k, "quiet") || strings.Contains(k, `"model"`) || strings.Contains(k, "broken") {
			t.Errorf("%s should be left out", k)
		}
	}
}

// Energy made of power readings is told apart, in the cover and in views of it;
// what went wrong with a register still names its meter.
func TestIntegratedPowerIsTheSource(t *testing.T) {
	gpu, board := zone("nvml", "GPU-1", wattle.GPU, -1, false, 3_000_000), zone("ipmi", "board", wattle.Platform, -1, true, 9_000_000)
	gpu.Integrated, board.Integrated, gpu.Stats.Missed = true, true, 2
	counting := zone("nvml", "GPU-2", wattle.GPU, -1, false, 5_000_000)
	e := start(t, quiet())
	e.Publish(&exporter.Snapshot{At: noon, Zones: []telemetry.ZoneStatus{gpu, counting, board}})
	have := values(t, e)
	for k, want := range map[string]float64{
		`wattle_node_energy_joules_total{component="gpu",source="integrated"}`: 3,
		`wattle_node_energy_joules_total{component="gpu",source="nvml"}`:       5,
		`wattle_zone_energy_joules_total{source="integrated",zone="board"}`:    9,
		`wattle_samples_missed_total{source="nvml",zone="GPU-1"}`:              2,
	} {
		if got, ok := have[k]; !ok || got != want {
			t.Errorf("%s is %v (%v), want %v", k, got, ok, want)
		}
	}
}

func TestEveryFamilyOfTheCatalogueIsFilled(t *testing.T) {
	e := start(t, quiet())
	e.Publish(whole())
	families := parse(t, scrape(t, e, asText, ""))
	labels := map[string]bool{}
	for _, l := range exporter.Labels() {
		labels[l.Name] = true
	}
	for _, f := range exporter.Catalogue() {
		got := families[f.Name]
		if got == nil {
			t.Errorf("%s is not exported", f.Name)
			continue
		}
		delete(families, f.Name)
		if want := f.Type.String(); strings.ToLower(got.GetType().String()) != want || got.GetHelp() != f.Help {
			t.Errorf("%s is exported as %s %q", f.Name, got.GetType(), got.GetHelp())
		}
		for _, l := range f.Labels {
			if !labels[l] {
				t.Errorf("label %s of %s is not described", l, f.Name)
			}
		}
	}
	for name := range families {
		t.Errorf("%s is not in the catalogue", name)
	}
}

// The formats must say the same; the compressed ones too.
func TestFormatsAgree(t *testing.T) {
	e := start(t, quiet())
	e.Publish(whole())
	text := flat(t, parse(t, scrape(t, e, asText, "")))
	for _, accept := range []string{asText, asProtobuf} {
		for _, encoding := range []string{"", "gzip", "br, *", "identity"} {
			other := flat(t, parse(t, scrape(t, e, accept, encoding)))
			if len(other) != len(text) {
				t.Errorf("%s %q has %d samples, text %d", accept, encoding, len(other), len(text))
			}
			for k, v := range text {
				if o := other[k]; o != v {
					t.Errorf("%s: %s is %v, text says %v", accept, k, o, v)
				}
			}
		}
	}
	body, _ := io.ReadAll(scrape(t, e, asOpen, "gzip;q=0").Body)
	if !bytes.HasSuffix(body, []byte("# EOF\n")) || !bytes.Contains(body, []byte("# UNIT wattle_node_energy_joules joules\n")) {
		t.Errorf("not OpenMetrics:\n%s", body)
	}
}

// A scraper that takes protobuf gets the native histogram, one that takes text
// gets decades.
func TestHistogramIsNativeAndClassic(t *testing.T) {
	e := start(t, quiet())
	e.Publish(whole())
	const name = "wattle_invocation_energy_joules"
	native := parse(t, scrape(t, e, asProtobuf, ""))[name].Metric[1].Histogram
	if len(native.PositiveSpan) == 0 || native.GetSchema() != 3 {
		t.Errorf("no native buckets: %v", native)
	}
	classic := parse(t, scrape(t, e, asText, ""))[name].Metric[1].Histogram
	for _, b := range classic.Bucket {
		want := uint64(0)
		if b.GetUpperBound() >= 0.5 {
			want = 4
		}
		if b.GetCumulativeCount() != want {
			t.Errorf("bucket %g has %d, want %d", b.GetUpperBound(), b.GetCumulativeCount(), want)
		}
	}
}

func TestValuesAreEscapedAndSanitised(t *testing.T) {
	e := start(t, quiet())
	odd := "a\"b\\c\nd"
	e.Publish(&exporter.Snapshot{At: noon, Functions: []exporter.FunctionEnergy{
		{Namespace: odd, Function: "x", Energy: 1},
		{Namespace: "bad\xff", Function: "y", Energy: 2},
		{Namespace: "bad\xfe", Function: "y", Energy: 3}, // the same once sanitised
		{Namespace: "ns", Function: "z", Energy: 4}, {Namespace: "ns", Function: "z", Energy: 5},
	}})
	for _, accept := range []string{asText, asProtobuf} {
		have := flat(t, parse(t, scrape(t, e, accept, "")))
		for k, v := range map[string]float64{
			fmt.Sprintf(`wattle_function_energy_joules_total{component="platform",function="x",namespace=%q,share="active"}`, odd):  1e-6,
			`wattle_function_energy_joules_total{component="platform",function="y",namespace="bad` + "\uFFFD" + `",share="active"}`: 5e-6,
			`wattle_function_energy_joules_total{component="platform",function="z",namespace="ns",share="active"}`:                  9e-6,
		} {
			if have[k] != v {
				t.Errorf("%s is %v, want %v", k, have[k], v)
			}
		}
	}
}

// isCounter tells by the name, as people do.
func isCounter(k string) bool {
	name, _, _ := strings.Cut(k, "{")
	return strings.HasSuffix(name, "_total") || strings.HasSuffix(k, "_count") || strings.HasSuffix(k, "_sum")
}

// Functions come and go, zones change their place in the cover, meters are
// unplugged, sources begin again: no counter falls, and the energy of functions
// is what was booked.
func TestCountersNeverFall(t *testing.T) {
	for seed := range uint64(2) {
		r := rand.New(rand.NewPCG(seed, 7))
		c := quiet()
		c.MaxFunctions = 20
		e := start(t, c)
		totals := make([]wattle.Microjoules, 60)
		zones := make([]wattle.Microjoules, 6)
		var counted uint64
		before := map[string]float64{}
		for epoch := range 1000 {
			s := &exporter.Snapshot{At: noon.Add(time.Duration(epoch) * time.Second)}
			for i := range totals {
				if r.IntN(3) > 0 && epoch >= i {
					totals[i] += wattle.Microjoules(r.Int64N(5_000_000))
					s.Functions = append(s.Functions, exporter.FunctionEnergy{Namespace: "n", Function: fmt.Sprint("f", i), Component: wattle.Package, Energy: totals[i] / wattle.Microjoules(1+r.IntN(50)/49)})
					n := uint64(r.IntN(4))
					counted += n
					s.Finished = append(s.Finished, exporter.Invocations{Namespace: "n", Function: fmt.Sprint("f", i), Count: n, Energy: 1})
				}
			}
			for i := range zones {
				zones[i] += wattle.Microjoules(r.Int64N(1e6))
				shown := zones[i]
				if r.IntN(100) == 0 {
					shown = 0 // a source that forgot
				}
				if r.IntN(4) > 0 {
					s.Zones = append(s.Zones, zone("rapl", fmt.Sprint("z", i), wattle.Package, i%2, r.IntN(2) == 0, shown))
				}
			}
			e.Publish(s)
			if epoch%7 != 0 && epoch != 999 {
				continue
			}
			now := values(t, e)
			for k, v := range before {
				if n, ok := now[k]; isCounter(k) && (!ok || n < v) {
					t.Fatalf("seed %d epoch %d: %s fell from %v to %v (%v)", seed, epoch, k, v, n, ok)
				}
			}
			before = now
		}
		// A last round without anyone missing, so that all that was booked shows.
		s := &exporter.Snapshot{At: noon}
		var want wattle.Microjoules
		for i := range totals {
			want += totals[i]
			s.Functions = append(s.Functions, exporter.FunctionEnergy{Namespace: "n", Function: fmt.Sprint("f", i), Component: wattle.Package, Energy: totals[i]})
		}
		e.Publish(s)
		e.Publish(&exporter.Snapshot{At: noon})
		sum, series, runs := 0.0, 0, 0.0
		for k, v := range values(t, e) {
			if strings.HasPrefix(k, "wattle_function_energy") {
				sum, series = sum+v, series+1
			}
			if strings.HasPrefix(k, "wattle_function_invocations") {
				runs += v
			}
		}
		if math.Abs(sum-float64(want.Joules())) > 1e-6 || series != c.MaxFunctions+1 || runs != float64(counted) {
			t.Errorf("seed %d: %v J in %d series, want %v in %d; %v runs, want %d", seed, sum, series, want.Joules(), c.MaxFunctions+1, runs, counted)
		}
	}
}

// A gauge that is not told any more must not linger.
func TestGaugesAreOfTheEpoch(t *testing.T) {
	e := start(t, quiet())
	e.Publish(whole())
	s := whole()
	s.Signals = s.Signals[:1]
	s.Signals[0].Quality = wattle.LastGood
	e.Publish(s)
	n := 0
	for k := range values(t, e) {
		if strings.HasPrefix(k, "wattle_grid_carbon_intensity_grams") {
			n++
			if !strings.Contains(k, "last-good") {
				t.Errorf("%s is of an older epoch", k)
			}
		}
	}
	if n != 1 {
		t.Errorf("%d intensities, want 1", n)
	}
	e.Publish(whole())
	back := `wattle_grid_carbon_intensity_grams_per_kilowatt_hour{kind="marginal",provider="static",quality="static",scope="lifecycle",zone="FR"}`
	if v := values(t, e)[back]; v != 610 {
		t.Errorf("an intensity that is told again is %v", v)
	}
}

// A slow reader keeps the page that it began with.
func TestPageIsKeptWhileRead(t *testing.T) {
	e := start(t, quiet())
	e.Publish(whole())
	w := &slow{head: http.Header{}, then: func() {
		s := whole()
		s.Missed = 99
		e.Publish(s)
		if v := values(t, e)["wattle_rounds_missed_total{}"]; v != 99 {
			t.Errorf("a second reader sees %v", v)
		}
	}}
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", asText)
	e.ServeHTTP(w, r)
	if !strings.Contains(w.body.String(), "wattle_rounds_missed_total 6\n") {
		t.Error("the page changed under its reader")
	}
}

// slow lets something happen between being given bytes and reading them.
type slow struct {
	head http.Header
	body bytes.Buffer
	then func()
}

func (s *slow) Header() http.Header { return s.head }
func (s *slow) WriteHeader(int)     {}
func (s *slow) Write(b []byte) (int, error) {
	s.then()
	return s.body.Write(b)
}

func TestOtherMethodsAreRefused(t *testing.T) {
	w := httptest.NewRecorder()
	start(t, quiet()).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/metrics", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST answered %d", w.Code)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, broken := range []func(*exporter.Config){
		func(c *exporter.Config) { c.MaxFunctions = 0 },
		func(c *exporter.Config) { c.Detailed = -1 },
		func(c *exporter.Config) { c.Buckets = nil },
		func(c *exporter.Config) { c.Buckets = []float64{1, 1} },
	} {
		c := quiet()
		broken(&c)
		if _, err := exporter.New(c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}
