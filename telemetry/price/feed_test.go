package price

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wattle-project/wattle"
)

// TestChainStepByStep: what was published goes before what was forecast, then the
// last price for two intervals, then the mean of the hour, of published prices
// alone.
func TestChainStepByStep(t *testing.T) {
	at := func(h, m int) time.Time { return time.Date(2026, 3, 10, h, m, 0, 0, time.UTC) }
	now := at(12, 20)
	p := &fakeProvider{}
	p.actual = func() (Actual, error) { // a week up to 13:00
		return Actual{Zone: "DE", FetchedAt: now, Points: hours(now.Add(-7*24*time.Hour), 7*24+1, func(h time.Time) PerMWh { return PerMWh(h.Hour()) })}, nil
	}
	p.forecast = func() (Forecast, error) { // of 12:00, which is published, and of 16:00
		points := append(hours(at(12, 0), 1, func(time.Time) PerMWh { return 500 }), hours(at(16, 0), 1, func(time.Time) PerMWh { return 500 })...)
		return Forecast{Zone: "DE", FetchedAt: now, Points: points}, nil
	}
	f, err := New(DefaultConfig(), []Source{{Provider: p, Zones: []wattle.ZoneID{"DE"}}}, Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at      time.Time
		quality wattle.Quality
		price   PerMWh
		until   time.Time
	}{
		{at(12, 20), wattle.Measured, 12, at(13, 0)},
		{at(13, 0), wattle.LastGood, 12, at(15, 0)},
		{at(14, 59), wattle.LastGood, 12, at(15, 0)},
		{at(15, 0), wattle.Historic, 15, at(16, 0)},
		{at(16, 59), wattle.Forecast, 500, at(17, 0)},
		{at(17, 0), wattle.Historic, 17, at(18, 0)},
		{at(40, 0), wattle.Historic, 16, at(41, 0)}, // tomorrow's, without the forecast
	} {
		q, ok := f.At("DE", c.at)
		if !ok || q.Quality != c.quality || q.Price != c.price || !q.To.Equal(c.until) {
			t.Errorf("at %s: %+v %v, want %v %v until %s", c.at, q, ok, c.quality, c.price, c.until)
		}
	}
}

// TestPricesAreKeptForAWeek: older ones are neither answered nor in any mean.
func TestPricesAreKeptForAWeek(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 20, 0, 0, time.UTC)
	p := &fakeProvider{}
	p.actual = func() (Actual, error) { // twenty days
		return Actual{Zone: "DE", FetchedAt: now, Points: hours(now.Truncate(time.Hour).Add(-20*24*time.Hour), 20*24, func(h time.Time) PerMWh {
			if now.Sub(h) > 8*24*time.Hour {
				return 5000
			}
			return 40
		})}, nil
	}
	f, err := New(DefaultConfig(), []Source{{Provider: p, Zones: []wattle.ZoneID{"DE"}}}, Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for ago, want := range map[time.Duration]wattle.Quality{6*24*time.Hour + 23*time.Hour: wattle.Measured, 7*24*time.Hour + 30*time.Minute: wattle.Historic, 9 * 24 * time.Hour: wattle.Historic} {
		if q, ok := f.At("DE", now.Add(-ago)); !ok || q.Quality != want || q.Price != 40 {
			t.Errorf("%s ago: %+v, want %v of 40", ago, q, want)
		}
	}
}

func TestAnswerForAnotherZoneIsRefused(t *testing.T) {
	p := &fakeProvider{}
	points := hours(noon(), 1, func(time.Time) PerMWh { return 5 })
	p.actual = func() (Actual, error) { return Actual{Zone: "FR", FetchedAt: noon(), Points: points}, nil }
	p.forecast = func() (Forecast, error) { return Forecast{Zone: "FR", FetchedAt: noon(), Points: points}, nil }
	f, err := New(DefaultConfig(), []Source{{Provider: p, Zones: []wattle.ZoneID{"DE"}}}, Options{Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Refresh(t.Context()); outcomeOf(err) != "wrong_zone" {
		t.Errorf("got %v, want wrong_zone", err)
	}
	if q, ok := f.At("DE", noon()); ok {
		t.Errorf("a price of France for Germany: %+v", q)
	}
}

// TestRetryAfterDate: a date is on the server's clock, and a server can ask for a
// day at most.
func TestRetryAfterDate(t *testing.T) {
	for _, c := range []struct {
		date, after string
		want        time.Duration
	}{
		{"Tue, 10 Mar 2026 10:00:00 GMT", "Tue, 10 Mar 2026 10:02:00 GMT", 2 * time.Minute}, // its clock is 140 min late
		{"", "Tue, 10 Mar 2026 12:21:00 GMT", time.Minute},
		{"", "Tue, 10 Mar 2026 10:00:00 GMT", 0},
		{"", "99999999", 24 * time.Hour}, {"", "-5", 0}, {"", "soon", 0}, {"", "", 0},
	} {
		h := http.Header{"Retry-After": {c.after}}
		if c.date != "" {
			h.Set("Date", c.date)
		}
		if got := retryAfter(h, noon()); got != c.want {
			t.Errorf("Retry-After %q at %q: %s, want %s", c.after, c.date, got, c.want)
		}
	}
}

func TestTimeout(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(20 * time.Second): // far past the time-out
		}
		fmt.Fprint(w, `{"data":[{"t":"2026-03-10T12:00:00Z","v":42}]}`)
	}))
	defer srv.Close()
	c := jsonConfig(srv.URL)
	c.Timeout = 50 * time.Millisecond
	f, err := NewFromConfig(c, Options{Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Refresh(t.Context()); outcomeOf(err) != "timeout" {
		t.Errorf("got %v, want timeout", err)
	}
}

// askedAt runs a feed of zones for length and returns when it asked, since the start.
func askedAt(t *testing.T, c Config, s Source, length time.Duration, answer func() error) []time.Duration {
	t.Helper()
	var out []time.Duration
	start, p := time.Now(), &fakeProvider{}
	p.actual = func() (Actual, error) { // one request at a time
		out = append(out, time.Since(start))
		return Actual{}, answer()
	}
	s.Provider = p
	f, err := New(c, []Source{s}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	if err := f.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestPace: zones that fall due together are asked for at the pace of the
// source, and one that fails ever less often.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := DefaultConfig()
		c.Jitter, c.MaxBackoff = 0, time.Minute
		sec := time.Second
		got := askedAt(t, c, Source{Zones: []wattle.ZoneID{"A", "B", "C", "D", "E"}, Rate: 0.5, Burst: 2}, time.Minute,
			func() error { return nil })
		if want := []time.Duration{0, 0, 2 * sec, 4 * sec, 6 * sec}; len(got) < 5 || !slices.Equal(got[:5], want) {
			t.Errorf("5 zones are asked for at %s, want %s", got, want)
		}
		got = askedAt(t, c, Source{Zones: []wattle.ZoneID{"A"}}, 4*time.Minute, func() error { return errors.New("no") })
		if want := []time.Duration{0, 5 * sec, 15 * sec, 35 * sec, 75 * sec, 135 * sec, 195 * sec}; !slices.Equal(got, want) {
			t.Errorf("a failing source is asked at %s, want %s", got, want)
		}
		for _, outcome := range []string{"http_401", "http_429"} { // one zone's refusal concerns all
			got = askedAt(t, c, Source{Zones: []wattle.ZoneID{"A", "B", "C"}, Rate: 10, Burst: 10}, 16*time.Second,
				func() error { return &Failure{Outcome: outcome} })
			if want := []time.Duration{0, 5 * sec, 10 * sec, 15 * sec}; !slices.Equal(got, want) {
				t.Errorf("after %s three zones are asked for at %s, want %s", outcome, got, want)
			}
		}
	})
}

// TestJitterBounds: a wait is spread by ± its part, and what a server asks for is
// never cut short.
func TestJitterBounds(t *testing.T) {
	c := DefaultConfig()
	c.Refresh, c.Jitter, c.Seed = 100*time.Second, 0.1, 1
	s := newSource(0, Source{Provider: &fakeProvider{}, Zones: []wattle.ZoneID{"DE"}}, c)
	least, most := time.Hour, time.Duration(0)
	for range 2000 {
		s.done("DE", "ok", 0, nil, noon(), c)
		d := s.plan["DE"].due.Sub(noon())
		least, most = min(least, d), max(most, d)
	}
	if least < 90*time.Second || least > 91*time.Second || most > 110*time.Second || most < 109*time.Second {
		t.Errorf("waits from %s to %s, want 90s to 110s", least, most)
	}
	for range 200 {
		s.held = time.Time{}
		s.done("DE", "http_429", 0, &Failure{RetryAfter: time.Minute}, noon(), c)
		if d := s.held.Sub(noon()); d < time.Minute || d > 66*time.Second {
			t.Fatalf("held for %s although asked for 1m", d)
		}
	}
}
