package grid

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/wattle-project/wattle"
)

const (
	// firstBackoff is the wait after a first failure; it doubles with each more.
	firstBackoff = 5 * time.Second
	// absentRetry is when a provider without forecasts is asked again: plans change.
	absentRetry = 6 * time.Hour
)

// source is a provider with its schedule and counts.
type source struct {
	index    uint16
	name     string
	provider Provider
	desc     Description
	zones    []wattle.ZoneID
	cfg      Config
	flights  flights

	mu     sync.Mutex
	random *rand.Rand
	plan   map[wattle.ZoneID]*zonePlan
	// held is until when the server wants no request at all.
	held  time.Time
	tally tally
}

// zonePlan is the schedule of one zone.
type zonePlan struct {
	due, forecastDue           time.Time
	failures, forecastFailures int
	outcome                    map[string]Outcome // per series, for logging changes
}

func newSource(i int, s Source, c Config) *source {
	out := &source{index: uint16(i), name: s.Provider.Name(), provider: s.Provider, desc: s.Provider.Describe(), zones: s.Zones, cfg: c,
		random: seeded(c.Seed, i), plan: map[wattle.ZoneID]*zonePlan{}}
	for _, z := range s.Zones {
		out.plan[z] = &zonePlan{outcome: map[string]Outcome{}}
	}
	return out
}

// seeded returns the i-th source of jitter for seed, drawn by chance where it is 0.
func seeded(seed uint64, i int) *rand.Rand {
	if seed == 0 {
		seed = rand.Uint64()
	}
	return rand.New(rand.NewPCG(seed, uint64(i)))
}

// start spreads the first fetch, of zones that were never fetched; a file is read at once.
func (s *source) start(now time.Time) {
	if _, local := s.provider.(*csvFile); local {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	first := now.Add(time.Duration(float64(s.cfg.Refresh) * s.cfg.Jitter * s.random.Float64()))
	for _, p := range s.plan {
		if p.due.IsZero() {
			p.due = first
		}
	}
}

// next returns the zone that is due first and how long until then.
func (s *source) next(now time.Time) (wattle.ZoneID, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.zones[0]
	for _, z := range s.zones[1:] {
		if s.plan[z].due.Before(s.plan[first].due) {
			first = z
		}
	}
	return first, laterOf(s.plan[first].due, s.held).Sub(now)
}

func (s *source) forecastDue(zone wattle.ZoneID, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !now.Before(s.plan[zone].forecastDue)
}

// heldFor is how much longer the source must be left alone.
func (s *source) heldFor(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(0, s.held.Sub(now))
}

// scheduled plans the next fetch of a zone after one that ended with err.
func (s *source) scheduled(zone wattle.ZoneID, now time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.plan[zone]
	p.failures = count(err, p.failures)
	p.due = now.Add(s.wait(err, p.failures, s.cfg.Refresh))
	s.hold(now, err, p.failures)
}

// forecastScheduled does the same for forecasts.
func (s *source) forecastScheduled(zone wattle.ZoneID, now time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.plan[zone]
	p.forecastFailures = count(err, p.forecastFailures)
	p.forecastDue = now.Add(s.wait(err, p.forecastFailures, s.cfg.ForecastRefresh))
	if p.outcome["forecast"] == Absent {
		p.forecastDue = now.Add(absentRetry)
	}
	s.hold(now, err, p.forecastFailures)
}

func count(err error, failures int) int {
	if err == nil {
		return 0
	}
	return failures + 1
}

// wait is the time to the next try: the usual one, or an exponential back-off.
func (s *source) wait(err error, failures int, usual time.Duration) time.Duration {
	d := usual
	if err != nil {
		d = s.backoff(failures)
	}
	return jittered(s.random, d, s.cfg.Jitter)
}

// backoff is the wait after the given number of failures in a row, from 1.
func (s *source) backoff(failures int) time.Duration {
	return min(s.cfg.MaxBackoff, firstBackoff<<min(failures-1, 20))
}

// hold silences the whole source as the server asks, and for a moment after a
// 401 or 429 that says no time: some services answer 401 to a burst of requests
// with a right key, so one zone's refusal concerns all.
func (s *source) hold(now time.Time, err error, failures int) {
	var f *Failure
	if !errors.As(err, &f) {
		return
	}
	d := f.RetryAfter
	if d == 0 && (f.Outcome == Unauthorized || f.Outcome == Throttled) {
		d = s.backoff(failures)
	}
	if d > 0 {
		// Never sooner than asked, and not all agents at the same instant.
		d += time.Duration(float64(d) * s.cfg.Jitter * s.random.Float64())
		s.held = laterOf(s.held, now.Add(d))
	}
}

// flights shares one call between all that ask for the same zone at once.
type flights struct {
	mu      sync.Mutex
	current map[wattle.ZoneID]*flight
}

type flight struct {
	done chan struct{}
	err  error
}

func (f *flights) do(ctx context.Context, zone wattle.ZoneID, call func() error) error {
	f.mu.Lock()
	if fl, ok := f.current[zone]; ok {
		f.mu.Unlock()
		select {
		case <-fl.done:
			return fl.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if f.current == nil {
		f.current = map[wattle.ZoneID]*flight{}
	}
	fl := &flight{done: make(chan struct{})}
	f.current[zone] = fl
	f.mu.Unlock()
	fl.err = call()
	f.mu.Lock()
	delete(f.current, zone)
	f.mu.Unlock()
	close(fl.done)
	return fl.err
}
