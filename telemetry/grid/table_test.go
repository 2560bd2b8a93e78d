package grid

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"syscall"
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
	timeLookups(b, f, []Key{deKey()}, []time.Time{noon().Add(7 * time.Minute)})
}

// BenchmarkLookupAhead: all 60-odd zones of the region table in turn, at
// moments spread over the next day, as a planner of deferrable work asks.
func BenchmarkLookupAhead(b *testing.B) {
	zones := everyZone()
	keys, times := make([]Key, 1<<12), make([]time.Time, 1<<12)
	for i := range keys {
		keys[i] = Key{Zone: zones[i%len(zones)]}
		times[i] = noon().Add(time.Duration(i*37%288) * 5 * time.Minute)
	}
	timeLookups(b, fullFeed(b, zones), keys, times)
}

// BenchmarkLookupScattered: random zones at random moments of the whole table,
// a week back and a day ahead, 5 MB of it.
func BenchmarkLookupScattered(b *testing.B) {
	keys, times := scattered()
	timeLookups(b, fullFeed(b, everyZone()), keys, times)
}

// BenchmarkLookupGaps is the worst case: the same where every seventh value of
// the series is missing, so that no moment is where regular values would be.
func BenchmarkLookupGaps(b *testing.B) {
	keys, times := scattered()
	f := fullFeed(b, everyZone())
	for _, k := range f.Table().Keys() {
		r := f.records[k][0]
		for i := range r.actual {
			if i%7 == 3 {
				r.actual[i].to -= int64(time.Minute)
			}
		}
		r.actual = slices.DeleteFunc(r.actual, func(s segment) bool { return s.from/slotNanos%7 == 2 })
		f.update(k, f.sources[0], func(*record) {})
	}
	timeLookups(b, f, keys, times)
}

// scattered draws zones and moments at random.
func scattered() ([]Key, []time.Time) {
	zones, rng := everyZone(), rand.New(rand.NewPCG(1, 2))
	keys, times := make([]Key, 1<<12), make([]time.Time, 1<<12)
	for i := range keys {
		keys[i] = Key{Zone: zones[rng.IntN(len(zones))]}
		times[i] = noon().Add(time.Duration(rng.Int64N(int64(8*24*time.Hour))) - historyWindow)
	}
	return keys, times
}

// timeLookups asks f for keys at times in turn. cpu-ns/op is processor time:
// the time on the wall says more of the machine's neighbours.
func timeLookups(b *testing.B, f *Feed, keys []Key, times []time.Time) {
	b.ReportAllocs()
	var sum wattle.GramsPerKWh
	i, start := 0, processor(b)
	for b.Loop() {
		sum += f.At(keys[i&(len(keys)-1)], times[i&(len(keys)-1)]).Intensity
		i++
	}
	b.ReportMetric(float64(processor(b)-start)/float64(b.N), "cpu-ns/op")
	if sum <= 0 {
		b.Fatal("no values")
	}
}

func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestLookupFindsWhatAScanFinds: series of any shape, regular, with gaps, of
// mixed lengths, answer as a scan from the first cell does, in a gap with the
// last value as long as that holds.
func TestLookupFindsWhatAScanFinds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		period := time.Duration(rapid.SampledFrom([]int{1, 5, 30, 60}).Draw(rt, "period")) * time.Minute
		start := noon().UnixNano()
		var segments []segment
		at := start
		for range rapid.IntRange(0, 40).Draw(rt, "more") {
			length := int64(period)
			if rapid.IntRange(0, 5).Draw(rt, "odd") == 0 {
				length = rapid.Int64Range(1, 3*int64(time.Hour)).Draw(rt, "length")
			}
			if rapid.IntRange(0, 5).Draw(rt, "gap") > 0 {
				segments = append(segments, segment{from: at, to: at + length, value: wattle.GramsPerKWh(len(segments) + 1)})
			}
			at += length
		}
		hold := int64(rapid.SampledFrom([]time.Duration{0, 2 * period}).Draw(rt, "hold"))
		e := &entry{names: []string{"p"}, hold: []int64{hold}, longest: hold, yearly: 2999, yearlyFor: "static"}
		e.pack(segments)
		e.index()
		table := newTable(map[Key]*entry{deKey(): e})
		end := start
		if n := len(segments); n > 0 {
			end = segments[n-1].to
		}
		moments := rapid.SliceOfN(rapid.Int64Range(start-1, end+1), 5, 5).Draw(rt, "at")
		for _, s := range segments { // its edges, and where a gap may be
			moments = append(moments, s.from, s.to-1, s.to, s.to+int64(period)/2, s.to+int64(period))
		}
		for _, at := range moments {
			want, from, to := wattle.GramsPerKWh(2999), int64(0), int64(0)
			for _, s := range segments {
				switch {
				case s.from <= at && at < s.to:
					want, from, to = s.value, s.from, s.to
				case s.to <= at && at < s.to+hold:
					want, from, to = s.value, s.to, s.to+hold
				case s.from > at:
					to = min(to, s.from)
				}
			}
			got := table.At(deKey(), instant(at))
			if got.Intensity != want || want != 2999 && (got.From != instant(from) || got.To != instant(to)) {
				rt.Fatalf("at %d: %+v, want %v in [%d, %d) of %v", at, got, want, from, to, segments)
			}
		}
	})
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

// TestMeansEndWithTheirWindow: the mean of the hour serves for seven days after
// the last value, which need not end with the hour, and its To says so.
func TestMeansEndWithTheirWindow(t *testing.T) {
	start := noon().Truncate(time.Hour)
	p := &fakeProvider{name: "live", desc: hourlyDesc()}
	p.actual = func(z wattle.ZoneID, _ time.Time) (Actual, error) {
		return Actual{Key: Key{Zone: z}, FetchedAt: noon(), Points: []Point{{From: start, To: start.Add(30 * time.Minute), Intensity: 99}}}, nil
	}
	f := newFeed(t, deConfig(), noon, p)
	if err := f.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	end := start.Add(7*24*time.Hour + 30*time.Minute)
	if s := f.At(deKey(), end.Add(-time.Minute)); s.Quality != wattle.Historic || s.Intensity != 99 || !s.To.Equal(end) {
		t.Errorf("a minute before: %+v, want the mean until %s", s, end)
	}
	if s := f.At(deKey(), end); s.Quality != wattle.Static {
		t.Errorf("at the end: %+v", s)
	}
}

// TestMeanIsOfSevenDays: each of the last seven days counts, the eighth does not.
func TestMeanIsOfSevenDays(t *testing.T) {
	start := noon().Truncate(time.Hour)
	p := &fakeProvider{name: "live", desc: hourlyDesc()}
	p.actual = func(z wattle.ZoneID, _ time.Time) (Actual, error) {
		a := Actual{Key: Key{Zone: z}, FetchedAt: noon()}
		for d := 8; d >= 1; d-- { // 15:00 of the days before
			from := start.Add(3*time.Hour - time.Duration(d)*24*time.Hour)
			a.Points = append(a.Points, Point{From: from, To: from.Add(time.Hour), Intensity: wattle.GramsPerKWh(math.Pow(2, float64(d)))})
		}
		return a, nil
	}
	f := newFeed(t, deConfig(), noon, p)
	if err := f.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, want := f.At(deKey(), start.Add(3*time.Hour)), (2+4+8+16+32+64+128)/7.0; s.Quality != wattle.Historic || math.Abs(float64(s.Intensity)-want) > 1e-9 {
		t.Errorf("%v %v, want the mean of seven days, %g", s.Quality, s.Intensity, want)
	}
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
