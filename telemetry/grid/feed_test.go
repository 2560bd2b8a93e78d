package grid

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wattle-project/wattle"
)

// fakeProvider answers from functions.
type fakeProvider struct {
	name     string
	desc     Description
	actual   func(wattle.ZoneID, time.Time) (Actual, error)
	forecast func(wattle.ZoneID) (Forecast, error)
	block    chan struct{} // when set, Actual waits for it or the context
	calls    atomic.Int32
}

func (p *fakeProvider) Name() string          { return p.name }
func (p *fakeProvider) Describe() Description { return p.desc }

func (p *fakeProvider) Actual(ctx context.Context, z wattle.ZoneID, since time.Time) (Actual, error) {
	p.calls.Add(1)
	if p.block != nil {
		select {
		case <-p.block:
		case <-ctx.Done():
			return Actual{}, ctx.Err()
		}
	}
	return p.actual(z, since)
}

func (p *fakeProvider) Forecast(_ context.Context, z wattle.ZoneID) (Forecast, error) {
	if p.forecast == nil {
		return Forecast{}, ErrNoForecast
	}
	return p.forecast(z)
}

func hourlyDesc() Description { return Description{Period: time.Hour} }

// hourlyPoints gives n hours up to and including the hour of last.
func hourlyPoints(last time.Time, n int, value func(hour time.Time) wattle.GramsPerKWh) []Point {
	last = last.UTC().Truncate(time.Hour)
	var out []Point
	for i := n - 1; i >= 0; i-- {
		h := last.Add(-time.Duration(i) * time.Hour)
		out = append(out, Point{From: h, To: h.Add(time.Hour), Intensity: value(h)})
	}
	return out
}

func newFeed(t *testing.T, c Config, now func() time.Time, ps ...Provider) *Feed {
	t.Helper()
	var sources []Source
	for _, p := range ps {
		sources = append(sources, Source{Provider: p})
	}
	f, err := New(c, sources, Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func deConfig() Config {
	c := DefaultConfig()
	c.Zones, c.Jitter = []wattle.ZoneID{"DE"}, 0
	return c
}

func deKey() Key { return Key{Zone: "DE"} }

// TestChain walks down every step of the fallback by the passing of time alone.
func TestChain(t *testing.T) {
	c := newClock(noon())
	start := noon()
	p := &fakeProvider{name: "live", desc: hourlyDesc()}
	p.actual = func(z wattle.ZoneID, _ time.Time) (Actual, error) {
		points := hourlyPoints(start, 7*24, func(h time.Time) wattle.GramsPerKWh { return wattle.GramsPerKWh(100 + h.Hour()) })
		return Actual{Key: Key{Zone: z}, Provider: "live", FetchedAt: start, Points: points}, nil
	}
	p.forecast = func(z wattle.ZoneID) (Forecast, error) {
		h := start.Truncate(time.Hour)
		return Forecast{Key: Key{Zone: z}, FetchedAt: start, Made: start, Points: []Point{{From: h.Add(time.Hour), To: h.Add(3 * time.Hour), Intensity: 222}}}, nil
	}
	f := newFeed(t, deConfig(), c.now, p)
	if got := f.At(deKey(), c.now()); got.Quality != wattle.Static || got.Intensity != 380 || got.Provider != "static:ember-2023" {
		t.Fatalf("before any fetch: %+v", got)
	}
	if err := f.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	at := func(h, m int) time.Time { return time.Date(2026, 3, 10, h, m, 0, 0, time.UTC) }
	for _, s := range []struct {
		at       time.Time
		quality  wattle.Quality
		value    wattle.GramsPerKWh
		provider string
		until    time.Time
	}{
		{at(12, 20), wattle.Measured, 112, "live", at(13, 0)},
		{at(13, 0), wattle.Forecast, 222, "live", at(15, 0)},
		{at(14, 59), wattle.Forecast, 222, "live", at(15, 0)},
		{at(15, 0), wattle.Historic, 115, "live", at(16, 0)}, // the last good value ended two hours ago
		{at(16, 30), wattle.Historic, 116, "live", at(17, 0)},
		{at(13, 0).Add(7 * 24 * time.Hour), wattle.Static, 380, "static:ember-2023", at(14, 0).Add(7 * 24 * time.Hour)},
	} {
		got := f.At(deKey(), s.at)
		if got.Quality != s.quality || got.Intensity != s.value || got.Provider != s.provider || !got.To.Equal(s.until) {
			t.Errorf("at %s: %v %v from %s until %s; want %v %v from %s until %s", s.at, got.Quality, got.Intensity, got.Provider, got.To, s.quality, s.value, s.provider, s.until)
		}
		if err := got.Validate(); err != nil {
			t.Errorf("at %s: %v", s.at, err)
		}
	}
	marginal := f.At(Key{Zone: "DE", Kind: wattle.Marginal}, noon())
	if marginal.Quality != wattle.Prior || marginal.Kind != wattle.Marginal {
		t.Errorf("an average stood in for a marginal intensity: %+v", marginal)
	}
	if got := f.At(Key{Zone: "DE", Scope: wattle.Direct}, noon()); got.Quality != wattle.Prior || got.Scope != wattle.Direct {
		t.Errorf("a life-cycle value stood in for a direct one: %+v", got)
	}
}

func TestLastGoodServesTwoPeriods(t *testing.T) {
	start := noon().Truncate(time.Hour)
	p := &fakeProvider{name: "live", desc: hourlyDesc()}
	p.actual = func(z wattle.ZoneID, _ time.Time) (Actual, error) {
		return Actual{Key: Key{Zone: z}, FetchedAt: start, Points: []Point{{From: start, To: start.Add(time.Hour), Intensity: 99}}}, nil
	}
	c := deConfig()
	c.Yearly = map[wattle.ZoneID]wattle.GramsPerKWh{"DE": 401}
	f := newFeed(t, c, noon, p)
	if err := f.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	end := start.Add(time.Hour)
	for d, want := range map[time.Duration]wattle.Quality{-1: wattle.Measured, 0: wattle.LastGood, 2*time.Hour - 1: wattle.LastGood, 2 * time.Hour: wattle.Static} {
		if got := f.At(deKey(), end.Add(d)); got.Quality != want {
			t.Errorf("%v after the end: %v, want %v", d, got.Quality, want)
		}
	}
	if got := f.At(deKey(), end.Add(20*time.Hour)); got.Intensity != 401 || got.Provider != "static:config" {
		t.Errorf("the operator's yearly figure does not serve: %+v", got)
	}
}

// TestOutageKeepsServing: ten hours of zeros and then errors never surface.
func TestOutageKeepsServing(t *testing.T) {
	c := newClock(noon())
	body := atomic.Pointer[string]{}
	set := func(s string) { body.Store(&s) }
	set(emLatest)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/history"):
			fmt.Fprint(w, emHistory)
		case strings.HasSuffix(r.URL.Path, "/forecast"):
			w.WriteHeader(http.StatusForbidden)
		default:
			fmt.Fprint(w, *body.Load())
		}
	}))
	defer srv.Close()
	cfg := deConfig()
	s := emConfig(srv.URL)
	s.Rate, s.Burst = 1e6, 1e6
	cfg.Sources = []SourceConfig{s}
	f, err := NewFromConfig(cfg, Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Refresh(context.Background())
	if got := f.At(deKey(), c.now()); got.Quality != wattle.Estimated || got.Intensity != 302 || got.Provider != "electricitymaps" {
		t.Fatalf("healthy: %+v", got)
	}
	set(strings.Replace(emLatest, "302", "0", 1))
	for range 20 {
		c.advance(30 * time.Minute)
		_ = f.Refresh(context.Background())
		if got := f.At(deKey(), c.now()); !got.Intensity.Valid() || got.Intensity == 0 {
			t.Fatalf("at %s: %+v", c.now(), got)
		}
	}
	if got := f.At(deKey(), c.now()); got.Quality != wattle.Static {
		t.Errorf("after ten hours without data at 22:20: %+v, want the yearly figure", got)
	}
	if n := outcomeTotal(f.Stats(), "actual", Invalid); n == 0 {
		t.Error("zeros were not counted as invalid")
	}
	if n := outcomeTotal(f.Stats(), "forecast", Forbidden); n == 0 {
		t.Error("the forbidden forecast was not counted")
	}
}

func outcomeTotal(s Stats, series string, o Outcome) (n int64) {
	for _, src := range s.Sources {
		for _, c := range src.Fetches {
			if c.Series == series && c.Outcome == o {
				n += c.Count
			}
		}
	}
	return n
}

func TestStaleAndFutureAnswers(t *testing.T) {
	p := &fakeProvider{name: "p", desc: hourlyDesc()}
	points := hourlyPoints(noon().Add(-5*time.Hour), 1, func(time.Time) wattle.GramsPerKWh { return 50 })
	p.actual = func(z wattle.ZoneID, _ time.Time) (Actual, error) {
		return Actual{Key: Key{Zone: z}, FetchedAt: noon(), Points: points}, nil
	}
	f := newFeed(t, deConfig(), noon, p)
	if err := f.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := f.At(deKey(), noon()); got.Quality == wattle.Measured || outcomeTotal(f.Stats(), "actual", Stale) != 1 {
		t.Errorf("a five hours old value is live: %+v", got)
	}
	// An actual value from the future is a broken clock, not a measurement.
	points = hourlyPoints(noon().Add(3*time.Hour), 1, func(time.Time) wattle.GramsPerKWh { return 50 })
	if err := f.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := f.At(deKey(), noon().Add(3*time.Hour)); got.Quality == wattle.Measured {
		t.Errorf("a value of the future became an actual one: %+v", got)
	}
}

func TestWrongSeriesIsRefused(t *testing.T) {
	p := &fakeProvider{name: "p", desc: hourlyDesc()}
	p.actual = func(z wattle.ZoneID, _ time.Time) (Actual, error) {
		return Actual{Key: Key{Zone: z, Kind: wattle.Marginal}, Points: hourlyPoints(noon(), 1, func(time.Time) wattle.GramsPerKWh { return 50 })}, nil
	}
	f := newFeed(t, deConfig(), noon, p)
	if err := f.Refresh(context.Background()); outcomeOf(err) != WrongZone {
		t.Errorf("got %v", err)
	}
}

func TestPreferenceOfSources(t *testing.T) {
	make := func(name string, value wattle.GramsPerKWh, hours int, fc bool) *fakeProvider {
		p := &fakeProvider{name: name, desc: hourlyDesc()}
		p.actual = func(z wattle.ZoneID, _ time.Time) (Actual, error) {
			return Actual{Key: Key{Zone: z}, FetchedAt: noon(), Points: hourlyPoints(noon(), hours, func(time.Time) wattle.GramsPerKWh { return value })}, nil
		}
		if fc {
			p.forecast = func(z wattle.ZoneID) (Forecast, error) {
				return Forecast{Key: Key{Zone: z}, FetchedAt: noon(), Points: hourlyPoints(noon().Add(6*time.Hour), 12, func(time.Time) wattle.GramsPerKWh { return value + 1 })}, nil
			}
		}
		return p
	}
	f := newFeed(t, deConfig(), noon, make("first", 10, 2, false), make("second", 20, 6, true))
	if err := f.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	for d, want := range map[time.Duration]wattle.GramsPerKWh{0: 10, -time.Hour: 10, -2 * time.Hour: 20, time.Hour: 21} {
		if got := f.At(deKey(), noon().Add(d)); got.Intensity != want {
			t.Errorf("at %v: %v from %s, want %v", d, got.Intensity, got.Provider, want)
		}
	}
}

// TestRunSchedule drives Run on virtual time: cadence, back-off, Retry-After.
func TestRunSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var at []time.Duration
		var fault error
		start := time.Now()
		p := &fakeProvider{name: "p", desc: hourlyDesc()}
		p.actual = func(z wattle.ZoneID, _ time.Time) (Actual, error) {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(start))
			if fault != nil {
				return Actual{}, fault
			}
			return Actual{Key: Key{Zone: z}, FetchedAt: time.Now(), Points: hourlyPoints(time.Now(), 1, func(time.Time) wattle.GramsPerKWh { return 50 })}, nil
		}
		calls := func() []time.Duration {
			mu.Lock()
			defer mu.Unlock()
			out := at
			at = nil
			return out
		}
		fail := func(err error) { mu.Lock(); fault = err; mu.Unlock() }
		c := deConfig()
		f := newFeed(t, c, time.Now, p)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- f.Run(ctx) }()
		time.Sleep(11 * time.Minute)
		if got, want := calls(), []time.Duration{0, 5 * time.Minute, 10 * time.Minute}; !slices.Equal(got, want) {
			t.Errorf("healthy: fetched at %v, want %v", got, want)
		}
		fail(&Failure{Outcome: ServerFault, Status: 500})
		time.Sleep(5 * time.Minute) // 15:00 fails, then +5 s, +10 s, +20 s …
		got := calls()
		want := []time.Duration{15 * time.Minute, 15*time.Minute + 5*time.Second, 15*time.Minute + 15*time.Second, 15*time.Minute + 35*time.Second}
		if !slices.Equal(got, want) {
			t.Errorf("failing: fetched at %v, want %v", got, want)
		}
		time.Sleep(12 * time.Hour)
		if n := len(calls()); n < 48 || n > 58 {
			t.Errorf("%d tries in 12 h of failure, want about one each 15 min", n)
		}
		fail(&Failure{Outcome: Throttled, Status: 429, RetryAfter: 3 * time.Hour})
		time.Sleep(16 * time.Minute)
		_ = calls()
		time.Sleep(150 * time.Minute)
		if got := calls(); len(got) != 0 {
			t.Errorf("asked at %v although told to wait 3 h", got)
		}
		if err := f.Refresh(ctx); outcomeOf(err) != Throttled || len(calls()) != 0 {
			t.Errorf("Refresh overran Retry-After: %v", err)
		}
		fail(nil)
		time.Sleep(40 * time.Minute)
		if got := calls(); len(got) == 0 {
			t.Error("did not resume after Retry-After")
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v after cancel", err)
		}
	})
}

// TestBurst401 must not end a source: a right key is refused during a burst.
func TestBurst401(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		p := &fakeProvider{name: "p", desc: hourlyDesc()}
		p.actual = func(z wattle.ZoneID, _ time.Time) (Actual, error) {
			if n.Add(1) == 2 {
				return Actual{}, &Failure{Outcome: Unauthorized, Status: 401}
			}
			return Actual{Key: Key{Zone: z}, FetchedAt: time.Now(), Points: hourlyPoints(time.Now(), 1, func(time.Time) wattle.GramsPerKWh { return 50 })}, nil
		}
		c := deConfig()
		c.Zones = []wattle.ZoneID{"DE", "FR", "PL"}
		f := newFeed(t, c, time.Now, p)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = f.Run(ctx) }()
		time.Sleep(time.Second)
		if got := n.Load(); got != 2 {
			t.Errorf("%d requests at once, want the source held after the 401", got)
		}
		time.Sleep(time.Minute)
		for _, z := range c.Zones {
			if got := f.At(Key{Zone: z}, time.Now()); got.Quality != wattle.Measured {
				t.Errorf("zone %s did not recover: %v", z, got.Quality)
			}
		}
		cancel()
		synctest.Wait()
	})
}

func TestSingleFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakeProvider{name: "p", desc: hourlyDesc(), block: make(chan struct{})}
		p.actual = func(z wattle.ZoneID, _ time.Time) (Actual, error) {
			return Actual{Key: Key{Zone: z}, Points: hourlyPoints(time.Now(), 1, func(time.Time) wattle.GramsPerKWh { return 50 })}, nil
		}
		f := newFeed(t, deConfig(), time.Now, p)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := f.Refresh(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		// While the request hangs, a lookup answers at once.
		if got := f.At(deKey(), time.Now()); got.Quality != wattle.Static {
			t.Errorf("got %v", got.Quality)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := f.Refresh(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled waiter got %v", err)
		}
		close(p.block)
		wg.Wait()
		if n := p.calls.Load(); n != 1 {
			t.Errorf("%d requests for 8 callers, want 1", n)
		}
	})
}

func TestBucketSpacesRequests(t *testing.T) {
	b := newBucket(2, 3)
	now := noon()
	var got []time.Duration
	for range 6 {
		got = append(got, b.take(now))
	}
	want := []time.Duration{0, 0, 0, 500 * time.Millisecond, time.Second, 1500 * time.Millisecond}
	if !slices.Equal(got, want) {
		t.Errorf("waits %v, want %v", got, want)
	}
	if d := b.take(now.Add(-time.Hour)); d != 2*time.Second {
		t.Errorf("a clock set back gave %v", d)
	}
	if d := b.take(now.Add(time.Hour)); d != 0 {
		t.Errorf("an hour later %v, want no wait", d)
	}
}

func TestBucketWaitEndsWithContext(t *testing.T) {
	b := newBucket(0.001, 1)
	b.take(noon())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.wait(ctx, noon()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestHugeIntervals: one absurd interval must not blow up the table.
func TestHugeIntervals(t *testing.T) {
	p := &fakeProvider{name: "p", desc: hourlyDesc()}
	wide := []Point{{From: time.Unix(0, 0), To: noon().Add(time.Minute), Intensity: 7}}
	p.actual = func(z wattle.ZoneID, _ time.Time) (Actual, error) {
		return Actual{Key: Key{Zone: z}, Points: wide}, nil
	}
	p.forecast = func(z wattle.ZoneID) (Forecast, error) {
		return Forecast{Key: Key{Zone: z}, Points: []Point{{From: noon().Add(time.Hour), To: noon().AddDate(150, 0, 0), Intensity: 8}}}, nil
	}
	f := newFeed(t, deConfig(), noon, p)
	if err := f.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	e := f.Table().entries[deKey()]
	if n := len(e.slots); n > int(2*historyWindow/time.Duration(slotNanos))+1 {
		t.Errorf("%d slots", n)
	}
	if got := f.At(deKey(), noon().Add(2*time.Hour)); got.Intensity != 8 {
		t.Errorf("got %+v", got)
	}
}
