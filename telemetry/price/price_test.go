package price

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle"
)

func noon() time.Time { return time.Date(2026, 3, 10, 12, 20, 0, 0, time.UTC) }

func load(t testing.TB, name string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Skip("no time zone database on this machine: ", err)
	}
	return l
}

func TestCost(t *testing.T) {
	if got := PerMWh(100).Cost(wattle.JoulesOfKWh(2), 1.1); math.Abs(float64(got)-0.22) > 1e-12 {
		t.Errorf("2 kWh at 100 EUR/MWh and 1.1 USD/EUR cost %v, want 0.22", float64(got))
	}
	if got := PerMWh(-50).Cost(wattle.JoulesOfKWh(1), 1); got >= 0 {
		t.Errorf("a negative price costs %v", got)
	}
}

const epf = ",Real price,DNN Ensemble,LEAR Ensemble\n2016-01-04 00:00:00,13.78,10.66,10.35\n2016-01-04 01:00:00,-12.77,7.99,7.24\n2016-01-04 02:00:00,0,6.22,6.42\n2016-01-04 03:00:00,,5.89,5.73\n2016-01-04 04:00:00,99999,6.8,5.66\n"

func TestReadCSV(t *testing.T) {
	points, refused, err := ReadCSV(strings.NewReader(epf), CSVOptions{Column: "real price"})
	if err != nil || refused != 2 || len(points) != 3 || points[1].Price != -12.77 || points[2].Price != 0 {
		t.Errorf("%v refused %d, %v; want 3 prices, negative and zero kept, and 2 refused", points, refused, err)
	}
	points, _, err = ReadCSV(strings.NewReader(epf), CSVOptions{Column: "LEAR Ensemble"})
	if err != nil || len(points) != 5 || points[4].Price != 5.66 {
		t.Errorf("forecast column: %v, %v", points, err)
	}
	for name, text := range map[string]string{"header": "", "no column": "a,b\n", "line 2": "t,Real price\n04.01.2016,1\n", "not a number": "t,Real price\n2016-01-04 00:00:00,x\n", "wrong number of fields": "t,Real price\n2016-01-04 00:00:00\n"} {
		if _, _, err := ReadCSV(strings.NewReader(text), CSVOptions{Column: "Real price"}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

// TestLocalDays: files come with the repeated hour once or twice, and with or
// without the hour that the clock skips.
func TestLocalDays(t *testing.T) {
	berlin := load(t, "Europe/Berlin")
	day := func(date string, hours ...int) string {
		var b strings.Builder
		b.WriteString("t,p\n")
		for i, h := range hours {
			fmt.Fprintf(&b, "%s %02d:00:00,%d\n", date, h, 10+i)
		}
		return b.String()
	}
	cases := []struct {
		name            string
		text            string
		points, refused int
		covered         time.Duration
	}{
		{"23 h", day("2026-03-29", 0, 1, 3, 4), 4, 0, 4 * time.Hour},
		{"23 h day written with 24 rows", day("2026-03-29", 0, 1, 2, 3, 4), 4, 1, 4 * time.Hour},
		{"25 h", day("2026-10-25", 0, 1, 2, 2, 3), 5, 0, 5 * time.Hour},
		{"25 h day written with 24 rows", day("2026-10-25", 0, 1, 2, 3), 4, 0, 5 * time.Hour},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			points, refused, err := ReadCSV(strings.NewReader(c.text), CSVOptions{Location: berlin})
			if err != nil || len(points) != c.points || refused != c.refused {
				t.Fatalf("%v refused %d, %v", points, refused, err)
			}
			var covered time.Duration
			for i, p := range points {
				covered += p.To.Sub(p.From)
				if i > 0 && !p.From.Equal(points[i-1].To) {
					t.Errorf("gap before %s", p.From)
				}
			}
			if covered != c.covered {
				t.Errorf("covers %v, want %v", covered, c.covered)
			}
		})
	}
}

func TestReadJSON(t *testing.T) {
	cases := []struct {
		name, body string
		shape      Shape
		want       []PerMWh
		refused    int
	}{
		{"objects, ms", `{"data":[{"start_timestamp":1773144000000,"end_timestamp":1773147600000,"marketprice":81.2,"unit":"Eur/MWh"},{"start_timestamp":1773147600000,"marketprice":null}]}`,
			Shape{Items: "data", Time: "start_timestamp", Value: "marketprice", TimeFormat: "unixms"}, []PerMWh{81.2}, 1},
		{"arrays, seconds", `{"license_info":"CC BY 4.0","unix_seconds":[1773144000,1773147600],"price":[70.5,-3],"unit":"EUR / MWh"}`,
			Shape{Flat: true, Time: "unix_seconds", Value: "price", TimeFormat: "unix"}, []PerMWh{70.5, -3}, 0},
		{"cents per kWh as text, nested", `[{"x":{"prices":[{"at":"2026-03-10T12:00:00+01:00","total":["8.5"]}]}}]`,
			Shape{Items: "0.x.prices", Time: "at", Value: "total.0", Scale: 10}, []PerMWh{85}, 0},
		{"local layout", `[{"t":"10.03.2026 12:00","v":1}]`, Shape{Time: "t", Value: "v", TimeFormat: "02.01.2006 15:04"}, []PerMWh{1}, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			points, refused, err := ReadJSON([]byte(c.body), c.shape, "DE", nil, 0)
			if err != nil || refused != c.refused || len(points) != len(c.want) {
				t.Fatalf("%v refused %d, %v; want %v", points, refused, err, c.want)
			}
			for i := range points {
				if points[i].Price != c.want[i] {
					t.Errorf("price %d is %v, want %v", i, points[i].Price, c.want[i])
				}
			}
		})
	}
	// Unsorted and overlapping entries: the later start ends the earlier.
	mixed := `{"t":[1773147600,1773145800,1773144000],"v":[3,2,1]}`
	points, _, err := ReadJSON([]byte(mixed), Shape{Flat: true, Time: "t", Value: "v", TimeFormat: "unix"}, "DE", nil, time.Hour)
	if err != nil || len(points) != 3 || points[0].Price != 1 || points[0].To.Sub(points[0].From) != 30*time.Minute {
		t.Errorf("overlaps: %v, %v", points, err)
	}
	flat := Shape{Flat: true, Time: "t", Value: "v", TimeFormat: "unix"}
	for body, want := range map[string]string{
		`<html></html>`: "HTML", `{"t":[1`: "decoding", `{"t":[1],"v":[1,2]}`: "one length", `{}`: "one length",
		`{"t":["x"],"v":[1]}`: "not a number", `{"t":[1773144000000],"v":[1]}`: "unixms",
	} {
		if _, _, err := ReadJSON([]byte(body), flat, "DE", nil, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want …%s…", body, err, want)
		}
	}
	zoned := Shape{Items: "d", Time: "t", Value: "v", Zone: "zone"}
	if _, _, err := ReadJSON([]byte(`{"zone":"FR","d":[{"t":"2026-03-10T12:00:00Z","v":1}]}`), zoned, "DE", nil, 0); !errors.Is(err, errOtherZone) {
		t.Errorf("another zone's prices were accepted: %v", err)
	}
}

func jsonConfig(url string) Config {
	c := DefaultConfig()
	c.MaxBody = 8 * wattle.KiB
	c.Sources = []SourceConfig{{Type: "json", URL: url + "/{zone}?start={from_ms}", Zones: []wattle.ZoneID{"DE"}, Header: "X-Key", Key: "k3y", Rate: 1e6, Burst: 1000,
		Shape: Shape{Items: "data", Time: "t", Value: "v"}}}
	return c
}

func TestJSONFaults(t *testing.T) {
	status, header, body := 200, http.Header{}, ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/DE" || r.Header.Get("X-Key") != "k3y" {
			t.Errorf("request %s with key %q", r.URL, r.Header.Get("X-Key"))
		}
		for k := range header {
			w.Header().Set(k, header.Get(k))
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	defer srv.Close()
	for _, c := range []struct {
		name   string
		status int
		header http.Header
		body   string
		want   string
		after  time.Duration
	}{
		{"ok", 200, nil, `{"data":[{"t":"2026-03-10T12:00:00Z","v":42}]}`, "ok", 0},
		{"null", 200, nil, `{"data":[{"t":"2026-03-10T12:00:00Z","v":null}]}`, "invalid", 0},
		{"cut", 200, nil, `{"data":[{"t":"2026`, "malformed", 0},
		{"HTML", 200, nil, `<html>`, "malformed", 0},
		{"too large", 200, nil, `{"x":"` + strings.Repeat("a", 9000) + `"}`, "too_large", 0},
		{"401", 401, nil, "", "http_401", 0}, {"403", 403, nil, "", "http_403", 0}, {"404", 404, nil, "", "http_404", 0}, {"500", 500, nil, "", "http_500", 0},
		{"redirect away", 302, http.Header{"Location": {"http://192.0.2.1/"}}, "", "unreachable", 0},
		{"429", 429, http.Header{"Retry-After": {"90"}}, "", "http_429", 90 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := NewFromConfig(jsonConfig(srv.URL), Options{Now: noon})
			if err != nil {
				t.Fatal(err)
			}
			status, header, body = c.status, c.header, c.body
			err = f.Refresh(context.Background())
			var fail *Failure
			errors.As(err, &fail)
			if outcomeOf(err) != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if c.after > 0 && (fail == nil || fail.RetryAfter != c.after) {
				t.Errorf("retry after %v", fail)
			}
			if err != nil && strings.Contains(err.Error(), "k3y") {
				t.Errorf("error shows the key: %v", err)
			}
			if s := f.Stats(); len(s) != 1 || len(s[0].Fetches) != 1 || s[0].Fetches[0].Outcome != c.want {
				t.Errorf("stats %+v, want one %s", s, c.want)
			}
			q, ok := f.At("DE", noon())
			if ok != (c.want == "ok") || ok && (q.Price != 42 || q.Quality != wattle.Measured || q.Currency != "EUR") {
				t.Errorf("quote %+v %v", q, ok)
			}
		})
	}
}

type fakeProvider struct {
	actual   func() (Actual, error)
	forecast func() (Forecast, error)
}

func (p *fakeProvider) Name() string { return "fake" }
func (p *fakeProvider) Actual(context.Context, wattle.ZoneID) (Actual, error) {
	return p.actual()
}
func (p *fakeProvider) Forecast(context.Context, wattle.ZoneID) (Forecast, error) {
	if p.forecast == nil {
		return Forecast{}, ErrNoForecast
	}
	return p.forecast()
}

func hours(from time.Time, n int, price func(time.Time) PerMWh) []Point {
	var out []Point
	for i := range n {
		h := from.Truncate(time.Hour).Add(time.Duration(i) * time.Hour)
		out = append(out, Point{h, h.Add(time.Hour), price(h)})
	}
	return out
}

func week(t testing.TB) *Feed {
	t.Helper()
	p := &fakeProvider{}
	p.actual = func() (Actual, error) {
		return Actual{Zone: "DE", FetchedAt: noon(), Points: hours(noon().Add(-7*24*time.Hour), 7*24+1, func(h time.Time) PerMWh { return PerMWh(h.Hour() - 5) })}, nil
	}
	p.forecast = func() (Forecast, error) {
		return Forecast{Zone: "DE", FetchedAt: noon(), Points: hours(noon().Add(time.Hour), 2, func(time.Time) PerMWh { return 77 })}, nil
	}
	c := DefaultConfig()
	c.Static = map[wattle.ZoneID]PerMWh{"DE": 90, "FR": 60}
	f, err := New(c, []Source{{Provider: p, Zones: []wattle.ZoneID{"DE"}}}, Options{Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestChain(t *testing.T) {
	f := week(t)
	at := func(h, m int) time.Time { return time.Date(2026, 3, 10, h, m, 0, 0, time.UTC) }
	for _, c := range []struct {
		zone    wattle.ZoneID
		at      time.Time
		quality wattle.Quality
		price   PerMWh
	}{
		{"DE", at(12, 20), wattle.Measured, 7},
		{"DE", at(13, 20), wattle.Forecast, 77},
		{"DE", at(15, 20), wattle.Historic, 10},
		{"DE", at(12, 0).Add(9 * 24 * time.Hour), wattle.Static, 90},
		{"FR", at(12, 0), wattle.Static, 60},
	} {
		q, ok := f.At(c.zone, c.at)
		if !ok || q.Quality != c.quality || q.Price != c.price {
			t.Errorf("%s at %s: %+v %v, want %v %v", c.zone, c.at, q, ok, c.quality, c.price)
		}
	}
	if q, ok := f.At("XX", noon()); ok {
		t.Errorf("a price from nowhere: %+v", q)
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	f := week(t)
	for _, at := range []time.Time{noon(), noon().Add(time.Hour), noon().Add(30 * time.Hour), noon().Add(30 * 24 * time.Hour)} {
		if n := testing.AllocsPerRun(200, func() { f.At("DE", at) }); n != 0 {
			t.Errorf("At(%s) allocates %v times", at, n)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	f := week(b)
	b.ReportAllocs()
	at := noon()
	for b.Loop() {
		if _, ok := f.At("DE", at); !ok {
			b.Fatal("no price")
		}
	}
}

// TestAnswersHoldUntilTo: between at and To the answer is the same.
func TestAnswersHoldUntilTo(t *testing.T) {
	table := week(t).Table()
	rapid.Check(t, func(rt *rapid.T) {
		at := noon().Add(time.Duration(rapid.Int64Range(-int64(9*24*time.Hour), int64(9*24*time.Hour)).Draw(rt, "offset")))
		q, ok := table.At("DE", at)
		if !ok || q.From.After(at) || !q.To.After(at) {
			rt.Fatalf("at %s: %+v %v", at, q, ok)
		}
		later := at.Add(time.Duration(rapid.Int64Range(0, int64(q.To.Sub(at))-1).Draw(rt, "later")))
		if o, _ := table.At("DE", later); o.Price != q.Price || o.Quality != q.Quality || !o.To.Equal(q.To) {
			rt.Fatalf("at %s %+v but at %s %+v", at, q, later, o)
		}
	})
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		calls, fault := 0, error(nil)
		p := &fakeProvider{}
		p.actual = func() (Actual, error) {
			mu.Lock()
			defer mu.Unlock()
			calls++
			return Actual{Zone: "DE", FetchedAt: time.Now(), Points: hours(time.Now(), 3, func(time.Time) PerMWh { return 5 })}, fault
		}
		count := func(next error) int {
			mu.Lock()
			defer mu.Unlock()
			n := calls
			calls, fault = 0, next
			return n
		}
		c := DefaultConfig()
		c.Jitter = 0
		f, err := New(c, []Source{{Provider: p, Zones: []wattle.ZoneID{"DE"}}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- f.Run(ctx) }()
		time.Sleep(91 * time.Minute)
		if n := count(&Failure{Outcome: "http_429", RetryAfter: 2 * time.Hour}); n != 4 {
			t.Errorf("%d fetches in 91 minutes, want 4", n)
		}
		time.Sleep(30 * time.Minute) // the refused one
		count(nil)
		time.Sleep(115 * time.Minute)
		if n := count(nil); n != 0 {
			t.Errorf("%d fetches within Retry-After", n)
		}
		time.Sleep(10 * time.Minute)
		if n := count(nil); n != 1 {
			t.Errorf("%d fetches after Retry-After, want 1", n)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
}

// TestAgentsDoNotKeepInStep: of agents with one configuration that start in one
// instant, few ask in the same second, at first and ever after.
func TestAgentsDoNotKeepInStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const agents = 40
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		asked := make([][]time.Duration, agents)
		for i := range asked {
			p := &fakeProvider{}
			p.actual = func() (Actual, error) {
				mu.Lock()
				defer mu.Unlock()
				asked[i] = append(asked[i], time.Since(start).Truncate(time.Second))
				return Actual{Zone: "DE", FetchedAt: time.Now(), Points: hours(time.Now(), 1, func(time.Time) PerMWh { return 5 })}, nil
			}
			f, err := New(DefaultConfig(), []Source{{Provider: p, Zones: []wattle.ZoneID{"DE"}}}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			go func() { _ = f.Run(ctx) }()
		}
		time.Sleep(50 * time.Minute)
		cancel()
		synctest.Wait()
		for n := range 2 { // the first and the second time
			seconds := map[time.Duration]int{}
			for i, times := range asked {
				if len(times) < 2 {
					t.Fatalf("agent %d asked %d times in 50 minutes", i, len(times))
				}
				seconds[times[n]]++
			}
			for second, n := range seconds {
				if n > agents/4 {
					t.Errorf("%d of %d agents ask in second %s", n, agents, second)
				}
			}
		}
	})
}

// TestFileIsReadAtOnce: only services are spared a first wave of requests.
func TestFileIsReadAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.csv")
	if err := os.WriteFile(path, []byte(epf), 0o600); err != nil {
		t.Fatal(err)
	}
	c := jsonConfig("http://127.0.0.1:1/x")
	c.Sources = append(c.Sources, SourceConfig{Type: "csv", Zones: []wattle.ZoneID{"DE"}, Path: path})
	f, err := NewFromConfig(c, Options{Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range f.sources {
		s.start(noon())
		_, wait := s.next(noon())
		if atOnce := wait <= 0; atOnce != (i == 1) || wait > 3*time.Minute {
			t.Errorf("source %d first asks after %s", i, wait)
		}
	}
}

func TestSingleFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		p := &fakeProvider{}
		p.actual = func() (Actual, error) {
			calls++
			time.Sleep(time.Second)
			return Actual{Zone: "DE", Points: hours(time.Now(), 1, func(time.Time) PerMWh { return 5 })}, nil
		}
		f, err := New(DefaultConfig(), []Source{{Provider: p, Zones: []wattle.ZoneID{"DE"}}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				if err := f.Refresh(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if calls != 1 {
			t.Errorf("%d requests for 6 callers, want 1", calls)
		}
	})
}

func TestConfigValidate(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*Config){
		"refresh": func(c *Config) { c.Refresh = 0 }, "timeout": func(c *Config) { c.Timeout = 0 }, "max_backoff": func(c *Config) { c.MaxBackoff = 0 },
		"max_body": func(c *Config) { c.MaxBody = 0 }, "jitter": func(c *Config) { c.Jitter = 2 }, "currency": func(c *Config) { c.Currency = "€" },
		"static price": func(c *Config) { c.Static = map[wattle.ZoneID]PerMWh{"DE": PerMWh(math.NaN())} },
		"type must":    func(c *Config) { c.Sources[0].Type = "xml" }, "no zones": func(c *Config) { c.Sources[0].Zones = nil },
		"url": func(c *Config) { c.Sources[0].URL = "x" }, "shape": func(c *Config) { c.Sources[0].Shape = Shape{} },
		"rate": func(c *Config) { c.Sources[0].Rate, c.Sources[0].Burst = 1, 0 }, "period": func(c *Config) { c.Sources[0].Period = -1 },
	} {
		c := jsonConfig("http://x")
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", jsonConfig("http://x"), jsonConfig("http://x"), jsonConfig("http://x")); strings.Contains(text, "k3y") {
		t.Errorf("credential shows in %s", text)
	}
}

func FuzzReadCSV(f *testing.F) {
	f.Add(epf, false)
	f.Add(",vAlue\n0000000000000000\"0", true) // a bare quote: no position to report
	f.Add("t,p\n2026-10-25 02:00:00,1\n2026-10-25 02:00:00,2\n", true)
	f.Fuzz(func(t *testing.T, text string, local bool) {
		o := CSVOptions{}
		if local {
			o.Location = load(t, "Europe/Berlin")
		}
		points, _, err := ReadCSV(strings.NewReader(text), o)
		checkPoints(t, points, err)
	})
}

func FuzzReadJSON(f *testing.F) {
	f.Add([]byte(`{"data":[{"t":"2026-03-10T12:00:00Z","v":1e3}]}`), "data", "t", "v", "", false)
	f.Add([]byte(`{"t":[1773144000],"v":[70.5]}`), "", "t", "v", "unix", true)
	f.Fuzz(func(t *testing.T, body []byte, items, at, value, format string, flat bool) {
		points, _, err := ReadJSON(body, Shape{Items: items, Time: at, Value: value, TimeFormat: format, Flat: flat}, "DE", nil, time.Hour)
		checkPoints(t, points, err)
	})
}

func checkPoints(t *testing.T, points []Point, err error) {
	t.Helper()
	for i, p := range points {
		if err == nil && (!p.Price.Valid() || !p.To.After(p.From) || i > 0 && p.From.Before(points[i-1].To)) {
			t.Fatalf("point %d of %v", i, points)
		}
	}
}

// TestRealFiles reads the published benchmark files where they are at hand.
func TestRealFiles(t *testing.T) {
	dir := os.Getenv("WATTLE_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	for _, name := range []string{"DE", "BE", "FR", "NP", "PJM"} {
		file, err := os.Open(filepath.Join(dir, "price-dayahead", name+".csv"))
		if err != nil {
			t.Skip("real data is not here; set WATTLE_DATA to its folder: ", err)
		}
		points, refused, err := ReadCSV(file, CSVOptions{Column: "Real price"})
		file.Close()
		if err != nil || refused != 0 || len(points) != 17472 {
			t.Errorf("%s: %d prices, %d refused, %v; want 17472", name, len(points), refused, err)
		}
	}
}

// A feed with nothing but a configured figure says so in the quality.
func Example() {
	c := DefaultConfig()
	c.Static = map[wattle.ZoneID]PerMWh{"DE": 80}
	feed, err := NewFromConfig(c, Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	q, ok := feed.At("DE", noon())
	fmt.Println(q.Price, q.Currency, q.Quality, ok)
	// Output: 80 EUR static true
}
