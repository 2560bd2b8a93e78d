package signal_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator/signal"
	"github.com/wattle-project/wattle/simulator/trace/tabular"
	"pgregory.net/rapid"
)

func start() time.Time { return time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC) }

func actual(t testing.TB, values ...float64) signal.Actual {
	t.Helper()
	a, err := signal.NewActual("DE", wattle.Lifecycle, start(), time.Hour, values)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatIsNoIntensityIsAGap(t *testing.T) {
	a := actual(t, 100, 0, -5, math.NaN(), math.Inf(1), 3001, 3000)
	for i, want := range []bool{true, false, false, false, false, false, true} {
		if _, ok := a.At(start().Add(time.Duration(i) * time.Hour)); ok != want {
			t.Errorf("value %d: known is %t, want %t", i, ok, want)
		}
	}
	if g := a.Gaps(); len(g) != 1 || g[0].To.Sub(g[0].From) != 5*time.Hour || a.Missing() != 5 {
		t.Errorf("gaps %v, missing %d", g, a.Missing())
	}
	if _, ok := a.At(start().Add(-1)); ok {
		t.Error("a value before the start")
	}
	if _, ok := a.At(a.End()); ok {
		t.Error("a value at the end")
	}
	mean, share := a.Mean(start(), start().Add(2*time.Hour))
	if mean != 100 || share != 0.5 {
		t.Errorf("mean %g over %g of the span, want 100 over half", mean, share)
	}
}

// The integral in constant time equals the sum over every part.
func TestIntegralAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-100, 900), 1, 60).Draw(t, "values")
		a, _ := signal.NewActual("DE", 0, start(), time.Hour, values)
		span := int64(len(values)+2) * int64(time.Hour)
		from := rapid.Int64Range(-int64(time.Hour), span).Draw(t, "from")
		to := rapid.Int64Range(-int64(time.Hour), span).Draw(t, "to")
		if from > to {
			from, to = to, from
		}
		want, seconds := 0.0, 0.0
		for i, v := range values {
			low, high := max(from, int64(i)*int64(time.Hour)), min(to, int64(i+1)*int64(time.Hour))
			if v > 0 && high > low {
				want += v * float64(high-low) / 1e9
				seconds += float64(high-low) / 1e9
			}
		}
		got, d := a.Integral(start().Add(time.Duration(from)), start().Add(time.Duration(to)))
		if math.Abs(got-want) > 1e-6*(1+want) || math.Abs(d-seconds) > 1e-6 {
			t.Fatalf("integral %g over %g s, want %g over %g s", got, d, want, seconds)
		}
	})
}

func TestUntilHidesTheFuture(t *testing.T) {
	a := actual(t, 1, 2, 3, 4)
	b := a.Until(start().Add(150 * time.Minute))
	if b.Len() != 2 || !b.End().Equal(start().Add(2*time.Hour)) {
		t.Fatalf("%d steps to %s, want the two that are over", b.Len(), b.End())
	}
	if v, d := b.Integral(start(), start().Add(9*time.Hour)); v != 3*3600 || d != 7200 {
		t.Fatalf("integral %g over %g", v, d)
	}
	if none := a.Until(start()); none.Len() != 0 {
		t.Fatalf("%d steps known at the start", none.Len())
	}
}

func TestFillTakesTheSameHourOfOtherDays(t *testing.T) {
	values := make([]float64, 24*9)
	for i := range values {
		values[i] = float64(100 + i%24 + i/24)
	}
	values[24*8+5], values[3] = math.NaN(), 0
	f, n, err := actual(t, values...).Fill()
	if err != nil || n != 2 || f.Missing() != 0 {
		t.Fatalf("filled %d, %v", n, err)
	}
	// Days 1 to 7 at hour 5: 105 + 4 in the mean; days 1 to 7 at hour 3: 103 + 4.
	if v, _ := f.At(start().Add((24*8 + 5) * time.Hour)); v != 109 {
		t.Errorf("looking back gives %g, want 109", v)
	}
	if v, _ := f.At(start().Add(3 * time.Hour)); v != 107 {
		t.Errorf("looking ahead gives %g, want 107", v)
	}
	if _, _, err := actual(t, 0, 0).Fill(); err == nil {
		t.Error("a series without a value was filled")
	}
}

const maps = `Datetime (UTC),Country,Zone Name,Zone Id,Carbon Intensity gCO₂eq/kWh (direct),Carbon Intensity gCO₂eq/kWh (LCA),Low Carbon Percentage,Renewable Percentage,Data Source,Data Estimated,Data Estimation Method
2023-01-01 00:00:00,USA,"Electric Reliability Council of Texas, Inc.",US-TEX-ERCO,269.82,318.55,54.74,42.5,eia.gov,false,
2023-01-01 01:00:00,USA,"Electric Reliability Council of Texas, Inc.",US-TEX-ERCO,,0,54.74,42.5,eia.gov,false,
2023-01-01 03:00:00,USA,"Electric Reliability Council of Texas, Inc.",US-TEX-ERCO,270,3500,54.74,42.5,eia.gov,false,
`

func TestElectricityMaps(t *testing.T) {
	path := write(t, "tx.csv", maps)
	all, report, err := signal.ReadFile(path, signal.Options{Scope: wattle.Direct})
	if err != nil {
		t.Fatal(err)
	}
	a := all[0]
	if v, ok := a.At(start()); len(all) != 1 || a.Zone != "US-TEX-ERCO" || v != 269.82 || !ok || a.Scope != wattle.Direct {
		t.Fatalf("%d series, zone %s, first %g", len(all), a.Zone, v)
	}
	if report != (signal.Report{Rows: 3, Null: 1, Absent: 1}) || a.Len() != 4 || a.Missing() != 2 {
		t.Fatalf("report %+v, %d of %d missing", report, a.Missing(), a.Len())
	}
	all, report, err = signal.ReadFile(path, signal.Options{Scope: wattle.Lifecycle})
	if err != nil || report.NotPositive != 1 || report.TooHigh != 1 || report.Gaps() != 3 || all[0].Missing() != 3 {
		t.Fatalf("life cycle: %+v, %v", report, err)
	}
}

func TestOtherFormats(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte("datetime_utc,DE,FR\n2022-01-01T00:00:00Z,400,50\n2022-01-01T01:00:00Z,null,51\n"))
	z.Close()
	all, report, err := signal.ReadFile(write(t, "wide.csv.gz", packed.String()), signal.Options{Zones: []wattle.ZoneID{"FR"}})
	if err != nil || len(all) != 1 || all[0].Zone != "FR" || report.Gaps() != 0 {
		t.Fatalf("wide: %v %+v %v", all, report, err)
	}
	all, _, err = signal.ReadFile(write(t, "SE-SE3_2022.csv", "time,value\n2022-01-01T00:00Z,20\n2022-01-01T00:05Z,21\n"), signal.Options{})
	if err != nil || all[0].Zone != "SE-SE3" || all[0].Period() != 5*time.Minute {
		t.Fatalf("plain: %+v %v", all, err)
	}
}

// Days on which clocks are set have 23 and 25 hours, and a file of local times with
// their offsets from UTC has no gap and no hour twice.
func TestDaysOnWhichClocksAreSet(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("the time zones of the system are needed:", err)
	}
	for day, hours := range map[time.Time]int{
		time.Date(2026, 3, 29, 0, 0, 0, 0, berlin): 23, time.Date(2026, 10, 25, 0, 0, 0, 0, berlin): 25, time.Date(2026, 6, 15, 0, 0, 0, 0, berlin): 24,
	} {
		rows, sum := "time,value\n", 0.0
		for at := day; at.Before(day.AddDate(0, 0, 1)); at = at.Add(time.Hour) {
			sum += float64(100 + 10*at.Hour())
			rows += fmt.Sprintf("%s,%d\n", at.Format(time.RFC3339), 100+10*at.Hour())
		}
		all, report, err := signal.ReadFile(write(t, "DE.csv", rows), signal.Options{})
		if err != nil || len(all) != 1 || all[0].Len() != hours || report.Gaps() != 0 || !all[0].Start().Equal(day) {
			t.Fatalf("%s: %d series, %+v, %v", day, len(all), report, err)
		}
		mean, share := all[0].Mean(day, day.AddDate(0, 0, 1))
		if want := sum / float64(hours); share != 1 || math.Abs(float64(mean)-want) > 1e-9 {
			t.Errorf("%s: a mean of %g over %g of the day, want %g", day, float64(mean), share, want)
		}
	}
}

func TestErrorsSayWhere(t *testing.T) {
	tests := []struct{ name, content, want string }{
		{"header", "a,b\n1,2\n", "unknown header"},
		{"number", "time,value\n2022-01-01,1\n2022-01-02,x\n", ":3: column 2 (value): \"x\": want a number"},
		{"time", "time,value\n2022-13-01,1\n", ":2: column 1 (time)"},
		{"twice", "time,value\n2022-01-01,1\n2022-01-01,2\n", "line 3 repeats the time of line 2"},
		{"grid", "time,value\n2022-01-01T00:00Z,1\n2022-01-01T01:00Z,2\n2022-01-01T02:30Z,2\n", "line 4"},
		{"one record", "time,value\n2022-01-01,1\n", "at least two records"},
		{"empty", "", "the file is empty"},
		{"scope", "Datetime (UTC),Zone Id,Carbon Intensity gCO₂eq/kWh (LCA)\n", "scope direct"},
		{"quote", "time,value\n\"2022,1\n", "not closed"},
	}
	for _, tt := range tests {
		_, _, err := signal.ReadFile(write(t, "DE.csv", tt.content), signal.Options{Scope: wattle.Direct})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q in it", tt.name, err, tt.want)
		}
	}
	if _, _, err := signal.ReadFile(filepath.Join(t.TempDir(), "none.csv"), signal.Options{}); !errors.Is(err, tabular.ErrNoFile) {
		t.Errorf("a missing file: %v", err)
	}
	if _, _, err := signal.ReadFile(write(t, "x.csv", maps), signal.Options{Zones: []wattle.ZoneID{"DE"}}); err == nil || !strings.Contains(err.Error(), "no zone DE: it has") {
		t.Errorf("a missing zone: %v", err)
	}
}

func TestPrices(t *testing.T) {
	p, forecasts, err := signal.ReadPrices(write(t, "DE.csv", ",Real price,DNN Ensemble\n2016-01-04 00:00:00,-13.78,10.6\n2016-01-04 01:00:00,12.77,\n"))
	if err != nil || len(forecasts) != 1 || forecasts[0].Name != "DNN Ensemble" || p.Name != "DE" {
		t.Fatalf("%+v %v %v", p, forecasts, err)
	}
	if v, ok := p.At(p.Start()); v != -13.78 || !ok {
		t.Errorf("price %g, want -13.78", v)
	}
	if _, ok := forecasts[0].At(p.Start().Add(time.Hour)); ok {
		t.Error("an empty price has a value")
	}
}

func TestBuiltInProfilesArePlausible(t *testing.T) {
	all := signal.Profiles()
	if len(all) < 14 {
		t.Fatalf("%d profiles, want at least 14", len(all))
	}
	mean := map[wattle.ZoneID]wattle.GramsPerKWh{}
	for _, p := range all {
		for _, month := range p.Grams {
			for _, v := range month {
				if v < 10 || v > 1100 {
					t.Errorf("zone %s has %d g/kWh", p.Zone, v)
				}
			}
		}
		if p.Scope == wattle.Lifecycle {
			if p.Year != 2022 {
				t.Errorf("zone %s is of %d: years do not compare", p.Zone, p.Year)
			}
			mean[p.Zone] = p.Mean()
		}
	}
	// The order that every yearly statistic has.
	order := []wattle.ZoneID{"SE-SE3", "FR", "GB", "US-TEX-ERCO", "PL"}
	for i := 1; i < len(order); i++ {
		if mean[order[i-1]] >= mean[order[i]] {
			t.Errorf("%s has %g g/kWh, %s %g: the wrong way round", order[i-1], mean[order[i-1]], order[i], mean[order[i]])
		}
	}
	// California's sun: in June, noon (20:00 UTC) is far below the evening (04:00 UTC).
	ca, err := signal.BuiltIn("US-CAL-CISO", wattle.Lifecycle)
	if err != nil || float64(ca.Grams[5][20]) > 0.75*float64(ca.Grams[5][4]) {
		t.Errorf("California in June: %v, %v", ca.Grams[5], err)
	}
	if _, err := signal.BuiltIn("XX", wattle.Lifecycle); err == nil || !strings.Contains(err.Error(), "choose one of AU-NSW") {
		t.Errorf("an unknown zone: %v", err)
	}
}

func TestProfileAsSeries(t *testing.T) {
	p, err := signal.BuiltIn("DE", wattle.Lifecycle)
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2023, 6, 30, 22, 30, 0, 0, time.UTC)
	a := p.Actual(from, 2*time.Hour)
	if a.Len() != 3 || a.Missing() != 0 || a.End().Before(from.Add(2*time.Hour)) {
		t.Fatalf("%d steps from %s to %s", a.Len(), a.Start(), a.End())
	}
	if v, _ := a.At(time.Date(2023, 7, 1, 0, 10, 0, 0, time.UTC)); v != wattle.GramsPerKWh(p.Grams[6][0]) {
		t.Errorf("%g in July at midnight, want %d", v, p.Grams[6][0])
	}
}

func dataDir(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("WATTLE_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is absent: set WATTLE_DATA to the folder that holds the published data", path)
	}
	return path
}

func TestProfilesAreTheMeansOfThePublishedData(t *testing.T) {
	cycle, _, err := signal.ReadFile(dataDir(t, "carbon-123-regions-2022"), signal.Options{Scope: wattle.Lifecycle})
	if err != nil {
		t.Fatal(err)
	}
	direct, report, err := signal.ReadFile(dataDir(t, "carbon-ecolife-us-2023"), signal.Options{Scope: wattle.Direct})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("direct: %+v", report)
	byZone := map[wattle.SignalScope]map[wattle.ZoneID]signal.Actual{wattle.Lifecycle: {}, wattle.Direct: {}}
	for _, a := range append(cycle, direct...) {
		byZone[a.Scope][a.Zone] = a
	}
	for _, p := range signal.Profiles() {
		a, ok := byZone[p.Scope][p.Zone]
		if !ok {
			t.Fatalf("no data of %s", p.Zone)
		}
		var sum, n [12][24]float64
		for at := a.Start(); at.Before(a.End()); at = at.Add(time.Hour) {
			if v, ok := a.At(at); ok {
				sum[at.Month()-1][at.Hour()] += float64(v)
				n[at.Month()-1][at.Hour()]++
			}
		}
		for m := range sum {
			for h := range sum[m] {
				if math.Abs(sum[m][h]/n[m][h]-float64(p.Grams[m][h])) > 0.5+1e-9 {
					t.Fatalf("%s month %d hour %d: %g, the profile has %d", p.Zone, m+1, h, sum[m][h]/n[m][h], p.Grams[m][h])
				}
			}
		}
	}
}

func TestPublishedPrices(t *testing.T) {
	for _, market := range []string{"BE", "DE", "FR", "NP", "PJM"} {
		p, forecasts, err := signal.ReadPrices(dataDir(t, "price-dayahead/"+market+".csv"))
		if err != nil || p.Len() != 17472 || len(forecasts) != 2 || p.Missing() != 0 {
			t.Errorf("%s: %d prices, %d forecasts, %v", market, p.Len(), len(forecasts), err)
		}
	}
}

func BenchmarkMean(b *testing.B) {
	p, _ := signal.BuiltIn("DE", wattle.Lifecycle)
	a := p.Actual(start(), 365*24*time.Hour)
	from := start().Add(1234 * time.Hour).UnixNano()
	b.ReportAllocs()
	for b.Loop() {
		a.MeanNano(from, from+int64(90*time.Minute))
	}
}
