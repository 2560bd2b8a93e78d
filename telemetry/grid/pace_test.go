package grid

import (
	"context"
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wattle-project/wattle"
)

// paced is a feed over Electricity Maps for zones, through a gate.
func paced(t *testing.T, c Config, g *gate) *Feed {
	t.Helper()
	c.Zones = []wattle.ZoneID{"DE", "FR", "PL"}
	s := emConfig("http://em")
	s.Zones, s.Rate, s.Burst = nil, 2, 3
	c.Sources = []SourceConfig{s}
	g.start = time.Now()
	f, err := NewFromConfig(c, Options{HTTP: &http.Client{Transport: g}})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestBucketPacesTheFeed: three zones need nine requests; three go at once, the
// others at two a second.
func TestBucketPacesTheFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		c := DefaultConfig()
		c.Jitter = 0
		if err := paced(t, c, g).Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, want := seconds(g.times()), "0 0 0 0.5 1 1.5 2 2.5 3"; got != want {
			t.Errorf("requests at %s s, want %s", got, want)
		}
	})
}

// TestAgentsDoNotKeepInStep: of agents with one configuration that start in one
// instant, no two ask in the same second, at first and ever after, and waits
// are within the jitter of the usual one.
func TestAgentsDoNotKeepInStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const agents = 40
		ctx, cancel := context.WithCancel(t.Context())
		gates := make([]*gate, agents)
		c := DefaultConfig()
		c.Jitter = 0.2
		for i := range gates {
			gates[i] = &gate{}
			f := paced(t, c, gates[i])
			go func() { _ = f.Run(ctx) }()
		}
		time.Sleep(20 * time.Minute)
		cancel()
		synctest.Wait()
		for _, from := range []time.Duration{0, 4 * time.Minute} { // the first and the second time
			seconds := map[time.Duration]int{}
			for _, g := range gates {
				for _, at := range g.times() {
					if at >= from {
						seconds[at.Truncate(time.Second)]++
						break
					}
				}
			}
			for second, n := range seconds {
				if n > agents/4 {
					t.Errorf("%d of %d agents ask in second %s", n, agents, second)
				}
			}
		}
		for _, g := range gates {
			if first := g.times()[0]; first > time.Minute { // 0.2 of 5 min
				t.Errorf("an agent first asks after %s", first)
			}
		}
	})
}

// TestJitterBounds: a wait is spread by ± its part, and what a server asks for
// is never cut short.
func TestJitterBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	least, most := time.Hour, time.Duration(0)
	for range 2000 {
		d := jittered(r, 100*time.Second, 0.1)
		least, most = min(least, d), max(most, d)
	}
	if least < 90*time.Second || least > 91*time.Second || most > 110*time.Second || most < 109*time.Second {
		t.Errorf("waits from %s to %s, want 90s to 110s", least, most)
	}
	c := deConfig()
	c.Jitter = 0.5
	f := newFeed(t, c, noon, &fakeProvider{name: "p", desc: hourlyDesc()})
	s := f.sources[0]
	for range 200 {
		s.held = time.Time{}
		s.hold(noon(), &Failure{Outcome: Throttled, RetryAfter: time.Minute}, 1)
		if d := s.held.Sub(noon()); d < time.Minute || d > 90*time.Second {
			t.Fatalf("held for %s although asked for 1m", d)
		}
	}
}

// TestLookupsTakeNoLock: while every lock of a feed is held, lookups answer.
func TestLookupsTakeNoLock(t *testing.T) {
	f := fullFeed(t, []wattle.ZoneID{"DE"})
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sources {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	answered := make(chan wattle.Signal, 1)
	go func() {
		f.Table().Mean(deKey(), noon(), noon().Add(time.Hour))
		answered <- f.At(deKey(), noon())
	}()
	select {
	case s := <-answered:
		if s.Intensity != 200 {
			t.Errorf("got %+v", s)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("a lookup waits for a lock")
	}
}

// TestThrottledAsksNoMore: after a 429 and a 401 the forecast is not tried, nor
// after a dead connection.
func TestThrottledAsksNoMore(t *testing.T) {
	for _, o := range []Outcome{Throttled, Unauthorized, Unreachable, ServerFault} {
		n := 0
		p := &fakeProvider{name: "p", desc: hourlyDesc()}
		p.actual = func(wattle.ZoneID, time.Time) (Actual, error) { return Actual{}, &Failure{Outcome: o} }
		p.forecast = func(wattle.ZoneID) (Forecast, error) { n++; return Forecast{}, ErrNoForecast }
		if err := newFeed(t, deConfig(), noon, p).Refresh(context.Background()); outcomeOf(err) != o {
			t.Fatal(err)
		}
		if want := map[Outcome]int{ServerFault: 1}[o]; n != want {
			t.Errorf("after %s: %d requests for a forecast, want %d", o, n, want)
		}
	}
}
