package exporter_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/exporter"
)

// Whatever strings and numbers a snapshot holds, each format can be read back,
// no series is there twice, and the formats agree. flat and parse see to it.
func TestAnySnapshotCanBeRead(t *testing.T) {
	odd := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "a", "\xff", "\xfe", "\uFFFD", "a\"}\n# HELP x", "\\", "\x00", exporter.Folded}))
	any := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, -1, 1, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, math.Copysign(0, -1)}))
	whole := rapid.Int64()
	none := exporter.FunctionEnergy{} // without a name: the first was once not counted
	small := rapid.Uint8Range(0, 12)
	rapid.Check(t, func(r *rapid.T) {
		c := quiet()
		c.MaxFunctions, c.Detailed = 2, rapid.IntRange(0, 3).Draw(r, "detailed")
		e, err := exporter.New(c)
		if err != nil {
			r.Fatal(err)
		}
		text, number := func() string { return odd.Draw(r, "text") }, func() float64 { return any.Draw(r, "number") }
		energy := func() wattle.Microjoules { return wattle.Microjoules(whole.Draw(r, "energy")) }
		for range rapid.IntRange(1, 4).Draw(r, "epochs") {
			s := &exporter.Snapshot{Node: wattle.NodeID(text()), At: noon, CollectCPU: time.Duration(energy())}
			for range rapid.IntRange(0, 4).Draw(r, "rows") {
				kind := small.Draw(r, "kind")
				z := zone(text(), text(), wattle.Component(kind), int(kind)-1, kind%2 == 0, energy())
				z.Zone.Parent, z.Stats.Missed = text(), uint64(energy())
				s.Zones = append(s.Zones, z)
				s.Meters = append(s.Meters, telemetry.MeterStatus{Name: text(), Reads: 1, Failures: uint64(energy())})
				s.Functions = append(s.Functions, exporter.FunctionEnergy{Namespace: text(), Function: text(), Component: wattle.Component(kind), Share: exporter.Share(kind), Start: exporter.Start(kind), Energy: energy()})
				s.Other = append(s.Other, exporter.OtherEnergy{Component: wattle.Component(kind), Reason: exporter.Reason(kind), Energy: energy()})
				s.Finished = append(s.Finished, exporter.Invocations{Namespace: text(), Function: text(), Start: exporter.Start(kind), Count: uint64(kind), Energy: wattle.Joules(number())})
				s.Emissions = append(s.Emissions, exporter.Emissions{Scope: exporter.Scope(kind), Zone: wattle.ZoneID(text()), Kind: wattle.SignalKind(kind), Quality: wattle.Quality(kind), Total: wattle.GramsCO2e(number())})
				s.FunctionEmissions = append(s.FunctionEmissions, exporter.FunctionEmissions{Namespace: text(), Function: text(), Scope: exporter.Scope(kind), Total: wattle.GramsCO2e(number())})
				s.Signals = append(s.Signals, wattle.Signal{Zone: wattle.ZoneID(text()), Intensity: wattle.GramsPerKWh(number()), Kind: wattle.SignalKind(kind), Quality: wattle.Quality(kind), Provider: text(), FetchedAt: noon.Add(time.Duration(energy()))})
				s.Prices = append(s.Prices, exporter.Price{Zone: wattle.ZoneID(text()), Provider: text(), Currency: text(), PerMWh: number(), FetchedAt: noon})
				s.Fetches = append(s.Fetches, exporter.Fetches{Feed: exporter.Feed(kind), Provider: text(), Outcome: text(), Count: int64(energy())})
				s.Collectors = append(s.Collectors, exporter.Collector{Name: text(), Up: kind > 3})
			}
			s.Functions = append(s.Functions, none)
			e.Publish(s)
		}
		a := flat(t, parse(t, scrape(t, e, asText, "gzip")))
		b := flat(t, parse(t, scrape(t, e, asProtobuf, "")))
		if len(a) != len(b) {
			r.Fatalf("%d samples as text, %d as protobuf", len(a), len(b))
		}
		sameBytes(t, e)
		functions := map[string]bool{}
		for k, v := range a {
			if b[k] != v {
				r.Fatalf("%s is %v as text, %v as protobuf", k, v, b[k])
			}
			if !utf8.ValidString(k) || isCounter(k) && !strings.HasSuffix(k, "_sum") && !(v >= 0) {
				r.Fatalf("%s is %v", k, v)
			}
			if strings.HasPrefix(k, "wattle_function_energy") {
				functions[functionOf(k)] = true
			}
		}
		if len(functions) > c.MaxFunctions+1 {
			r.Fatalf("%d functions, at most %d and the rest are wanted", len(functions), c.MaxFunctions)
		}
	})
}

// functionOf is the part of a series that names the function.
func functionOf(k string) string {
	_, k, _ = strings.Cut(k, "function=")
	k, _, _ = strings.Cut(k, ",share=")
	return strings.TrimSuffix(k, "}")
}

// Energy of the first functions is told apart, that of later ones summed and that
// of the last folded. In whatever order rows come, come back or are left out, each
// series has its microjoules, and all together every one.
func TestEnergyIsToldApartOfTheFirstFunctions(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := quiet()
		c.MaxFunctions, c.Detailed = 4, 2
		e, err := exporter.New(c)
		if err != nil {
			r.Fatal(err)
		}
		now, came, want := map[exporter.FunctionEnergy]wattle.Microjoules{}, map[string]int{}, map[string]int64{}
		for range rapid.IntRange(1, 6).Draw(r, "epochs") {
			s := &exporter.Snapshot{At: noon}
			for range rapid.IntRange(0, 12).Draw(r, "rows") {
				row := exporter.FunctionEnergy{
					Function:  fmt.Sprint("f", rapid.IntRange(1, 6).Draw(r, "function")),
					Component: rapid.SampledFrom([]wattle.Component{wattle.Package, wattle.GPU}).Draw(r, "component"),
					Share:     rapid.SampledFrom([]exporter.Share{exporter.Active, exporter.Idle}).Draw(r, "share"),
				}
				if slices.ContainsFunc(s.Functions, func(o exporter.FunctionEnergy) bool { o.Energy = 0; return o == row }) {
					continue // rows of equal labels are added up
				}
				if _, ok := came[row.Function]; !ok {
					came[row.Function] = len(came)
				}
				by := wattle.Microjoules(rapid.IntRange(0, 5).Draw(r, "energy"))
				now[row] += by
				want[series(&row, came[row.Function], &c)] += int64(by)
				row.Energy = now[row]
				s.Functions = append(s.Functions, row)
			}
			e.Publish(s)
		}
		have := values(t, e)
		for k, v := range want {
			if got := int64(math.Round(have[k] * 1e6)); got != v {
				r.Fatalf("%s is %d µJ, want %d", k, got, v)
			}
		}
		for k := range have {
			if _, ok := want[k]; strings.HasPrefix(k, "wattle_function_energy") && !ok {
				r.Fatalf("%s should not be there", k)
			}
		}
		if got, n := have["wattle_functions_summed{}"], max(0, min(len(came), 4)-2); got != float64(n) {
			r.Fatalf("%v functions are summed, want %d", got, n)
		}
	})
}

// series is where energy of the function that came as number i is to be.
func series(row *exporter.FunctionEnergy, i int, c *exporter.Config) string {
	const name = "wattle_function_energy_joules_total"
	switch {
	case i < c.Detailed:
		return fmt.Sprintf("%s{component=%q,function=%q,share=%q}", name, row.Component, row.Function, row.Share)
	case i < c.MaxFunctions:
		return fmt.Sprintf("%s{function=%q}", name, row.Function)
	}
	return fmt.Sprintf("%s{function=%q}", name, exporter.Folded)
}

// What is folded stays folded, and what has series of its own keeps them.
func TestFunctionsPastTheLimitAreFolded(t *testing.T) {
	c := quiet()
	c.MaxFunctions = 2
	e := start(t, c)
	row := func(i int, j wattle.Microjoules) exporter.FunctionEnergy {
		return exporter.FunctionEnergy{Namespace: "n", Function: fmt.Sprint("f", i), Component: wattle.GPU, Energy: j}
	}
	e.Publish(&exporter.Snapshot{At: noon, Functions: []exporter.FunctionEnergy{row(1, 1), row(2, 2), row(3, 4), row(4, 8)}})
	e.Publish(&exporter.Snapshot{At: noon, Functions: []exporter.FunctionEnergy{row(4, 9), row(5, 16)}}) // 1 to 3 are gone
	e.Publish(&exporter.Snapshot{At: noon, Functions: []exporter.FunctionEnergy{row(3, 5)}})             // and 3 is back
	have := values(t, e)
	for k, v := range map[string]float64{
		`wattle_function_energy_joules_total{component="gpu",function="f1",namespace="n",share="active"}`: 1e-6,
		`wattle_function_energy_joules_total{component="gpu",function="f2",namespace="n",share="active"}`: 2e-6,
		`wattle_function_energy_joules_total{component="gpu",function="(other)",share="active"}`:          30e-6,
		`wattle_functions_folded{}`: 3,
	} {
		if have[k] != v {
			t.Errorf("%s is %v, want %v", k, have[k], v)
		}
	}
}

// A zone that leaves the cover stops adding to the machine's energy and takes
// nothing away.
func TestZoneMovesBetweenCoverAndViews(t *testing.T) {
	e := start(t, quiet())
	for i, overlap := range []bool{false, true, true, false} {
		e.Publish(&exporter.Snapshot{At: noon, Zones: []telemetry.ZoneStatus{zone("rapl", "package-0", wattle.Package, 0, overlap, wattle.Microjoules(i+1)*1_000_000)}})
	}
	unread := zone("rapl", "package-1", wattle.Package, 1, true, 0)
	unread.At = time.Time{}
	e.Publish(&exporter.Snapshot{At: noon, Zones: []telemetry.ZoneStatus{unread}})
	have := values(t, e)
	if n := have[`wattle_node_energy_joules_total{component="package",socket="0",source="rapl"}`]; n != 2 {
		t.Errorf("the machine has %v J, want 2", n)
	}
	if v := have[`wattle_zone_energy_joules_total{source="rapl",zone="package-0"}`]; v != 2 {
		t.Errorf("the view has %v J, want 2", v)
	}
	for k := range have {
		if strings.Contains(k, "package-1") {
			t.Errorf("%s was never read", k)
		}
	}
}

func TestCountersSayWhenTheyBegan(t *testing.T) {
	c := quiet()
	c.Start = noon
	e := start(t, c)
	e.Publish(whole())
	m := parse(t, scrape(t, e, asProtobuf, ""))["wattle_node_energy_joules_total"].Metric[0]
	if got := m.Counter.CreatedTimestamp; got.AsTime() != timestamppb.New(noon).AsTime() {
		t.Errorf("counters began at %v", got)
	}
}

// sameBytes holds the text formats to what expfmt writes of the same families.
func sameBytes(t testing.TB, e http.Handler) {
	t.Helper()
	families := parse(t, scrape(t, e, asProtobuf, ""))
	for accept, format := range map[string]expfmt.Format{asText: expfmt.FmtText, asOpen: expfmt.FmtOpenMetrics_1_0_0} {
		have, err := io.ReadAll(scrape(t, e, accept, "").Body)
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		enc := expfmt.NewEncoder(&want, format)
		for _, f := range exporter.Catalogue() {
			if families[f.Name] == nil {
				continue
			}
			if err := enc.Encode(families[f.Name]); err != nil {
				t.Fatal(err)
			}
		}
		if err := enc.(expfmt.Closer).Close(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(sections(have), sections(want.Bytes())) {
			t.Fatalf("%s: have\n%s\nwant\n%s", accept, have, want.Bytes())
		}
	}
}

// sections cuts a page before each family and orders the pieces: the histogram
// has another place on the page than in the catalogue.
func sections(page []byte) []string {
	out := strings.SplitAfter(strings.ReplaceAll(string(page), "\n# HELP ", "\n\x00# HELP "), "\x00")
	for i := range out {
		out[i] = strings.Trim(strings.TrimSuffix(out[i], "# EOF\n"), "\x00")
	}
	slices.Sort(out)
	return out
}

func TestTextIsWhatTheLibraryWrites(t *testing.T) {
	e := start(t, quiet())
	sameBytes(t, e) // before any snapshot
	e.Publish(whole())
	sameBytes(t, e)
}
