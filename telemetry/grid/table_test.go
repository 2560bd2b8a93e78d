package grid

import (
	"context"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle"
)

// fullFeed serves zones with a week of 5-minute values and a day of forecast.
func fullFeed(t testing.TB, zones []wattle.ZoneID) *Feed {
	t.Helper()
	p := &fakeProvider{name: "live", desc: Description{Period: 5 * time.Minute}}
	p.actual = func(z wattle.ZoneID, _ time.Time) (Actual, error) {
		var points []Point
		for i := -7 * 288; i < 0; i++ {
			at := noon().Add(time.Duration(i) * 5 * time.Minute)
			points = append(points, Point{From: at, To: at.Add(5 * time.Minute), Intensity: wattle.GramsPerKWh(300 + i%50)})
		}
		return Actual{Key: Key{Zone: z}, FetchedAt: noon(), Points: points}, nil
	}
	p.forecast = func(z wattle.ZoneID) (Forecast, error) {
		var points []Point
		for i := range 288 {
			at := noon().Add(time.Duration(i) * 5 * time.Minute)
			points = append(points, Point{From: at, To: at.Add(5 * time.Minute), Intensity: wattle.GramsPerKWh(200 + i%50)})
		}
		return Forecast{Key: Key{Zone: z}, FetchedAt: noon(), Points: points}, nil
	}
	c := DefaultConfig()
	c.Zones = zones
	f, err := New(c, []Source{{Provider: p}}, Options{Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	return f
}

func everyZone() []wattle.ZoneID {
	seen := map[wattle.ZoneID]bool{}
	var out []wattle.ZoneID
	for _, r := range Regions() {
		if !seen[r.Zone] {
			seen[r.Zone] = true
			out = append(out, r.Zone)
		}
	}
	return out
}

func TestLookupDoesNotAllocate(t *testing.T) {
	f := fullFeed(t, []wattle.ZoneID{"DE", "FR"})
	times := []time.Time{noon().Add(-time.Hour), noon().Add(time.Hour), noon().Add(25 * time.Hour), noon().Add(30 * 24 * time.Hour)}
	var sink wattle.Signal
	for _, k := range []Key{deKey(), {Zone: "unknown"}} {
		for _, at := range times {
			if n := testing.AllocsPerRun(200, func() { sink = f.At(k, at) }); n != 0 {
				t.Errorf("At(%s, %s) allocates %v times", k, at, n)
			}
		}
	}
	if n := testing.AllocsPerRun(100, func() { sink.Intensity, sink.Quality = f.Table().Mean(deKey(), times[0], times[1]) }); n != 0 {
		t.Errorf("Mean allocates %v times", n)
	}
}

// BenchmarkLookupNow is the scheduler's question: one zone, this moment.
func BenchmarkLookupNow(b *testing.B) {
	f := fullFeed(b, everyZone())
	at := noon().Add(7 * time.Minute)
	b.ReportAllocs()
	var sum wattle.GramsPerKWh
	for b.Loop() {
		sum += f.At(deKey(), at).Intensity
	}
	if sum <= 0 {
		b.Fatal("no values")
	}
}

// BenchmarkLookupAhead: all 60-odd zones of the region table in turn, at
// moments spread over the next day, as a planner of deferrable work asks.
func BenchmarkLookupAhead(b *testing.B) { benchmarkLookup(b, 0, 288) }

// BenchmarkLookupScattered: the same over the whole table, a week back and a
// day ahead, 5 MB of it.
func BenchmarkLookupScattered(b *testing.B) { benchmarkLookup(b, -2000, 288) }

func benchmarkLookup(b *testing.B, first, last int) {
	zones := everyZone()
	f := fullFeed(b, zones)
	keys, times := make([]Key, 1<<12), make([]time.Time, 1<<12)
	for i := range keys {
		keys[i] = Key{Zone: zones[i%len(zones)]}
		times[i] = noon().Add(time.Duration(first+i*37%(last-first)) * 5 * time.Minute)
	}
	b.ReportAllocs()
	var sum wattle.GramsPerKWh
	i := 0
	for b.Loop() {
		sum += f.At(keys[i&(len(keys)-1)], times[i&(len(keys)-1)]).Intensity
		i++
	}
	if sum <= 0 {
		b.Fatal("no values")
	}
}

func BenchmarkUpdate(b *testing.B) {
	f := fullFeed(b, everyZone())
	s := f.sources[0]
	a, _ := s.provider.Actual(context.Background(), "DE", time.Time{})
	b.ReportAllocs()
	for b.Loop() {
		f.update(deKey(), s, func(r *record) { r.addActual(actualSegments(a, 0), noon()) })
	}
}

// TestOverlayMatchesPerMoment compares the merge with the plain definition:
// at every moment top wins, else under, else nothing.
func TestOverlayMatchesPerMoment(t *testing.T) {
	series := func(rt *rapid.T, name string, quality wattle.Quality) []segment {
		var out []segment
		at := int64(0)
		for range rapid.IntRange(0, 8).Draw(rt, name) {
			at += rapid.Int64Range(0, 5).Draw(rt, "gap")
			n := rapid.Int64Range(1, 5).Draw(rt, "len")
			out = append(out, segment{from: at, to: at + n, value: wattle.GramsPerKWh(at + 1), quality: quality})
			at += n
		}
		return out
	}
	find := func(s []segment, at int64) (segment, bool) {
		for _, x := range s {
			if x.from <= at && at < x.to {
				return x, true
			}
		}
		return segment{}, false
	}
	rapid.Check(t, func(rt *rapid.T) {
		top, under := series(rt, "top", wattle.Measured), series(rt, "under", wattle.Forecast)
		got := overlay(top, under)
		for at := range int64(90) {
			want, ok := find(top, at)
			if !ok {
				want, ok = find(under, at)
			}
			have, found := find(got, at)
			if found != ok || have.value != want.value || have.quality != want.quality {
				rt.Fatalf("at %d: %v %v, want %v %v", at, have, found, want, ok)
			}
		}
		for i := 1; i < len(got); i++ {
			if got[i].from < got[i-1].to || got[i].from >= got[i].to {
				rt.Fatalf("not ascending and disjoint: %v", got)
			}
		}
	})
}

// TestAnswersHoldUntilTo: between at and To the answer is the same, and every
// answer is valid and comparable to the key asked for.
func TestAnswersHoldUntilTo(t *testing.T) {
	f := fullFeed(t, []wattle.ZoneID{"DE"})
	table := f.Table()
	rapid.Check(t, func(rt *rapid.T) {
		k := Key{Zone: rapid.SampledFrom([]wattle.ZoneID{"DE", "FR", "??"}).Draw(rt, "zone"), Kind: wattle.SignalKind(rapid.IntRange(0, 1).Draw(rt, "kind")), Scope: wattle.SignalScope(rapid.IntRange(0, 1).Draw(rt, "scope"))}
		at := noon().Add(time.Duration(rapid.Int64Range(-int64(9*24*time.Hour), int64(9*24*time.Hour)).Draw(rt, "offset")))
		s := table.At(k, at)
		if err := s.Validate(); err != nil || s.From.After(at) || !s.To.After(at) {
			rt.Fatalf("at %s: %+v: %v", at, s, err)
		}
		if s.Zone != k.Zone || s.Kind != k.Kind || s.Scope != k.Scope {
			rt.Fatalf("asked %s, got %+v", k, s)
		}
		later := at.Add(time.Duration(rapid.Int64Range(0, int64(s.To.Sub(at))-1).Draw(rt, "later")))
		if o := table.At(k, later); o.Intensity != s.Intensity || o.Quality != s.Quality || !o.To.Equal(s.To) {
			rt.Fatalf("at %s %+v but at %s %+v", at, s, later, o)
		}
	})
}

func TestMean(t *testing.T) {
	f := fullFeed(t, []wattle.ZoneID{"DE"})
	v, q := f.Table().Mean(deKey(), noon().Add(-5*time.Minute), noon().Add(5*time.Minute))
	if want := (299.0 + 200) / 2; math.Abs(float64(v)-want) > 1e-9 || q != wattle.Forecast {
		t.Errorf("got %v %v, want %v forecast", v, q, want)
	}
	if v, _ := f.Table().Mean(deKey(), noon(), noon()); v != 200 {
		t.Errorf("empty interval gave %v", v)
	}
}

func TestYearlyAndRegions(t *testing.T) {
	count := map[string]int{}
	for _, r := range Regions() {
		count[r.Cloud]++
		f, ok := Yearly(Key{Zone: r.Zone})
		if !ok || !f.Intensity.Valid() {
			t.Errorf("%s %s: zone %s has no yearly figure", r.Cloud, r.ID, r.Zone)
		}
	}
	if count["aws"] < 30 || count["azure"] < 55 || count["gcp"] < 40 {
		t.Errorf("regions per cloud %v", count)
	}
	if n := len(emberYearly()) + len(googleLifecycle()); n < 40 {
		t.Errorf("%d yearly figures", n)
	}
	for z, v := range googleDirect() {
		if !v.Valid() {
			t.Errorf("direct figure of %s is %v", z, v)
		}
	}
	for _, c := range []struct {
		cloud  string
		region wattle.RegionID
		zone   wattle.ZoneID
	}{{"aws", "eu-west-1", "IE"}, {"azure", "westeurope", "NL"}, {"gcp", "us-central1", "US-MIDW-MISO"}, {"aws", "us-west-1", "US-CAL-CISO"}} {
		if z, ok := ZoneOf(c.cloud, c.region); !ok || z != c.zone {
			t.Errorf("%s %s is in %q, want %q", c.cloud, c.region, z, c.zone)
		}
	}
	if _, ok := ZoneOf("aws", "westeurope"); ok {
		t.Error("an Azure region was found at AWS")
	}
	if f, ok := Yearly(Key{Zone: "US-TEX-ERCO"}); !ok || f.Source != "static:ember-2023:US" {
		t.Errorf("country fallback: %+v", f)
	}
	if _, ok := Yearly(Key{Zone: "DE", Kind: wattle.Marginal}); ok {
		t.Error("an average yearly figure was given for a marginal intensity")
	}
}
