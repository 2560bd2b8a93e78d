package grid

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
)

// window is an interval that a provider was asked for.
type window struct{ from, to time.Time }

// asked reads the interval of a request as the service spells it.
func asked(typ string, r *http.Request) (window, error) {
	from, to, layout := "", "", time.RFC3339
	switch q := r.URL.Query(); typ {
	case "watttime":
		from, to = q.Get("start"), q.Get("end")
	case "carbonaware":
		from, to = q.Get("time"), q.Get("toTime")
	case "entsoe":
		from, to, layout = q.Get("periodStart"), q.Get("periodEnd"), "200601021504"
	default:
		parts := strings.Split(r.URL.Path, "/")
		from, to, layout = parts[2], parts[3], nesoTime
	}
	a, err := time.Parse(layout, from)
	if err != nil {
		return window{}, err
	}
	b, err := time.Parse(layout, to)
	return window{a, b}, err
}

// TestQuietTimes asks services that give the interval asked for and nothing
// else, refuse one that ends before it starts, and publish late: minutes
// without news are no failure, and what was published is not asked for without end.
func TestQuietTimes(t *testing.T) {
	for _, s := range services() {
		if s.typ == "electricitymaps" {
			continue // its paths take no interval
		}
		t.Run(s.typ, func(t *testing.T) {
			c := newClock(noon())
			var last window
			lag := s.period + s.period/2
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/login" {
					fmt.Fprint(w, `{"token":"t"}`)
					return
				}
				if strings.Contains(r.URL.Path, "forecast") || strings.Contains(r.URL.Path, "fw48h") {
					w.WriteHeader(http.StatusNotFound)
					return
				}
				in, err := asked(s.typ, r)
				if err != nil || !in.from.Before(in.to) {
					t.Errorf("at %s asked for %v: %v", c.now(), in, err)
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				last = in
				from := in.from.Add(s.period - 1).Truncate(s.period)
				var values []string
				for at := from; at.Before(in.to) && !at.Add(s.period).After(c.now().Add(-lag+s.period)); at = at.Add(s.period) {
					values = append(values, "300")
				}
				fmt.Fprint(w, s.data(r.URL.Path, s.own(), from, values))
			}))
			defer srv.Close()
			cfg := DefaultConfig()
			zone := wattle.ZoneID(s.zone)
			if s.typ == "neso" {
				zone = "GB" // the regions have no actual values
			}
			cfg.Zones, cfg.Jitter = []wattle.ZoneID{zone}, 0
			src := SourceConfig{Type: s.typ, URL: srv.URL, Key: "k", User: "u", Password: "p", Rate: 1e6, Burst: 1e6, Scope: scopeFor(s.typ)}
			if s.typ == "watttime" {
				src.Kind = wattle.Marginal
			}
			cfg.Sources = []SourceConfig{src}
			f, err := NewFromConfig(cfg, Options{Now: c.now})
			if err != nil {
				t.Fatal(err)
			}
			for range 4 * 60 { // four hours, every minute
				_ = f.Refresh(context.Background())
				c.advance(time.Minute)
			}
			total := int64(0)
			for _, n := range f.Stats().Sources[0].Fetches {
				if n.Series == "actual" && n.Outcome != OK && n.Outcome != Stale {
					t.Errorf("%d times %s", n.Count, n.Outcome)
				}
				if n.Series == "actual" {
					total += n.Count
				}
			}
			if total != 240 {
				t.Errorf("asked %d times, want 240", total)
			}
			if d := last.to.Sub(last.from); d > 12*time.Hour {
				t.Errorf("still asks for %s at once", d)
			}
		})
	}
}

// TestFirstFetchFillsTheWeek: a feed that starts asks for the past once, for
// the mean of the same hour, and not again.
func TestFirstFetchFillsTheWeek(t *testing.T) {
	paths := map[string]int{}
	srv := serve(t, map[string]answer{"/carbon-intensity/latest": {body: emLatest}, "/carbon-intensity/history": {body: emHistory}, "/carbon-intensity/forecast": {body: emForecast}},
		func(r *http.Request) { paths[r.URL.Path]++ })
	c := newClock(noon())
	cfg := deConfig()
	s := emConfig(srv.URL)
	s.Rate, s.Burst = 1e6, 1e6
	cfg.Sources = []SourceConfig{s}
	f, err := NewFromConfig(cfg, Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := f.Refresh(context.Background()); err != nil {
			t.Fatal(err)
		}
		c.advance(5 * time.Minute)
	}
	if paths["/carbon-intensity/history"] != 1 || paths["/carbon-intensity/latest"] != 3 || paths["/carbon-intensity/forecast"] != 1 {
		t.Errorf("requests %v, want the history and the forecast once", paths)
	}
	if got := f.At(deKey(), noon().Add(-2*time.Hour)); got.Intensity != 280 || got.Quality != wattle.Measured {
		t.Errorf("two hours ago: %+v", got)
	}
	c.advance(24 * time.Hour) // after a gap the history is needed again
	_ = f.Refresh(context.Background())
	if paths["/carbon-intensity/history"] != 2 {
		t.Errorf("requests %v after a gap", paths)
	}
}

// TestForecastMadeEarlierStays: a newer forecast that begins after now does not
// take away what was forecast for now, and wins from where it begins.
func TestForecastMadeEarlierStays(t *testing.T) {
	c := newClock(noon())
	hour := noon().Truncate(time.Hour)
	p := &fakeProvider{name: "p", desc: hourlyDesc()}
	p.actual = func(wattle.ZoneID, time.Time) (Actual, error) { return Actual{}, ErrNoActual }
	next, value := hour, wattle.GramsPerKWh(200)
	p.forecast = func(z wattle.ZoneID) (Forecast, error) {
		return Forecast{Key: Key{Zone: z}, FetchedAt: c.now(), Points: []Point{{From: next, To: next.Add(4 * time.Hour), Intensity: value}}}, nil
	}
	f := newFeed(t, deConfig(), c.now, p)
	refresh := func() {
		t.Helper()
		if err := f.Refresh(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	refresh()
	c.advance(31 * time.Minute)
	next, value = hour.Add(time.Hour), 250
	refresh()
	for d, want := range map[time.Duration]wattle.GramsPerKWh{51 * time.Minute: 200, time.Hour: 250, 4*time.Hour + time.Minute: 250} {
		if got := f.At(deKey(), hour.Add(d)); got.Intensity != want || got.Quality != wattle.Forecast {
			t.Errorf("%s past the hour: %v %v, want %v forecast", d, got.Intensity, got.Quality, want)
		}
	}
}

// TestAbsentForecastsAreAskedForSeldom: a plan without forecasts costs one
// request each six hours.
func TestAbsentForecastsAreAskedForSeldom(t *testing.T) {
	c := newClock(noon())
	n := 0
	p := &fakeProvider{name: "p", desc: hourlyDesc()}
	p.actual = func(z wattle.ZoneID, _ time.Time) (Actual, error) {
		return Actual{Key: Key{Zone: z}, Points: hourlyPoints(c.now(), 1, func(time.Time) wattle.GramsPerKWh { return 50 })}, nil
	}
	p.forecast = func(wattle.ZoneID) (Forecast, error) { n++; return Forecast{}, ErrNoForecast }
	f := newFeed(t, deConfig(), c.now, p)
	for range 13 {
		if err := f.Refresh(context.Background()); err != nil {
			t.Fatal(err)
		}
		c.advance(time.Hour)
	}
	if n != 3 {
		t.Errorf("asked %d times in 12 h, want 3", n)
	}
}

// TestRedirectsDoNotCarryCredentials to another host, which would see them.
func TestRedirectsDoNotCarryCredentials(t *testing.T) {
	reached := make(chan string, 8)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { reached <- r.Header.Get("auth-token") }))
	defer other.Close()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusFound)
	}))
	defer srv.Close()
	err := actualErr(provider(t, emConfig(srv.URL), nil), "DE")
	select {
	case key := <-reached:
		t.Errorf("the other host was asked, with key %q", key)
	default:
	}
	if err == nil || !strings.Contains(err.Error(), "redirect") {
		t.Errorf("got %v", err)
	}
}

// TestEchoedCredentials: servers repeat the key in messages, transports the URL
// with the key in it.
func TestEchoedCredentials(t *testing.T) {
	echo := func(r *http.Request) string {
		b, _ := json.Marshal(map[string]string{"message": "bad token " + r.Header.Get("auth-token") + r.URL.Query().Get("securityToken")})
		return string(b)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, echo(r))
	}))
	gone := httptest.NewServer(nil)
	gone.Close()
	defer srv.Close()
	for _, url := range []string{srv.URL, gone.URL} {
		for _, typ := range []string{"electricitymaps", "entsoe"} {
			err := actualErr(provider(t, SourceConfig{Type: typ, URL: url, Key: "k3y", Zones: []wattle.ZoneID{"DE"}}, nil), "DE")
			if err == nil || strings.Contains(err.Error(), "k3y") || strings.Contains(err.Error(), "Token=") {
				t.Errorf("%s: %v", typ, err)
			}
			if url == srv.URL && !strings.Contains(fmt.Sprint(err), "bad token [secret]") {
				t.Errorf("%s: the server's words are lost: %v", typ, err)
			}
		}
	}
}

// gate is a transport that notes when requests come, without a network.
type gate struct {
	mu    sync.Mutex
	start time.Time
	at    []time.Duration
}

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	g.mu.Lock()
	g.at = append(g.at, time.Since(g.start))
	g.mu.Unlock()
	point := fmt.Sprintf(`"zone":%q,"carbonIntensity":50,"datetime":%q`, r.URL.Query().Get("zone"), time.Now().UTC().Truncate(time.Hour).Format(time.RFC3339))
	return body(`{` + point + `,"history":[{` + point + `}],"forecast":[{` + point + `}]}`).RoundTrip(r)
}

func (g *gate) times() []time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.at
}

func seconds(d []time.Duration) string {
	out := make([]string, len(d))
	for i := range d {
		out[i] = strconv.FormatFloat(d[i].Seconds(), 'g', 4, 64)
	}
	return strings.Join(out, " ")
}
