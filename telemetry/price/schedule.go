package price

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/wattle-project/wattle"
)

// source is a provider with its schedule, pace and counts.
type source struct {
	index    uint16
	name     string
	provider Provider
	zones    []wattle.ZoneID
	busy     chan struct{} // holds a value during a request

	refresh time.Duration
	jitter  float64

	mu      sync.Mutex
	random  *rand.Rand
	plan    map[wattle.ZoneID]*zonePlan
	held    time.Time
	fetches map[string]int64
	refused int64
	good    time.Time
	// token bucket
	rate, burst, tokens float64
	taken               time.Time
}

type zonePlan struct {
	due        time.Time
	failures   int
	outcome    string
	generation int
	err        error
}

func newSource(i int, s Source, c Config) *source {
	if s.Rate <= 0 || s.Burst <= 0 {
		s.Rate, s.Burst = 1, 2
	}
	out := &source{index: uint16(i), name: s.Provider.Name(), provider: s.Provider, zones: s.Zones, busy: make(chan struct{}, 1), plan: map[wattle.ZoneID]*zonePlan{},
		random: seeded(c.Seed, i), refresh: c.Refresh, jitter: c.Jitter, fetches: map[string]int64{},
		rate: s.Rate, burst: float64(s.Burst), tokens: float64(s.Burst)}
	for _, z := range s.Zones {
		out.plan[z] = &zonePlan{}
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
	if _, local := s.provider.(*csvProvider); local {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	first := now.Add(time.Duration(float64(s.refresh) * s.jitter * s.random.Float64()))
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
	due := s.plan[first].due
	if s.held.After(due) {
		due = s.held
	}
	return first, due.Sub(now)
}

// take reserves a token and returns how long to wait for it.
func (s *source) take(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := now.Sub(s.taken); !s.taken.IsZero() && d > 0 {
		s.tokens = min(s.burst, s.tokens+float64(d.Seconds()*s.rate))
	}
	if now.After(s.taken) {
		s.taken = now
	}
	s.tokens--
	return max(0, time.Duration(-s.tokens/s.rate*float64(time.Second)))
}

func (s *source) heldFor(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(0, s.held.Sub(now))
}

// generation counts the finished fetches of a zone; since tells whether one has
// finished after seen, and its result.
func (s *source) generation(zone wattle.ZoneID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.plan[zone].generation
}

func (s *source) since(zone wattle.ZoneID, seen int) (err error, done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.plan[zone]
	return p.err, p.generation != seen
}

// done books the result of a fetch, plans the next and says whether the
// outcome differs from the last one.
func (s *source) done(zone wattle.ZoneID, outcome string, refused int, err error, now time.Time, c Config) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.plan[zone]
	p.generation++
	p.err = err
	s.fetches[outcome]++
	s.refused += int64(refused)
	changed, p.outcome = p.outcome != outcome, outcome
	if err == nil {
		s.good, p.failures = now, 0
		p.due = now.Add(jittered(s.random, c.Refresh, c.Jitter))
		return changed
	}
	p.failures++
	backoff := min(c.MaxBackoff, firstBackoff<<min(p.failures-1, 20))
	p.due = now.Add(jittered(s.random, backoff, c.Jitter))
	var f *Failure
	if !errors.As(err, &f) {
		return changed
	}
	hold := f.RetryAfter
	if hold == 0 && (outcome == "http_401" || outcome == "http_429") { // a burst of zones makes it no better
		hold = backoff
	}
	if hold > 0 { // never sooner than asked, and not all agents at once
		hold += time.Duration(float64(hold) * c.Jitter * s.random.Float64())
		if until := now.Add(hold); until.After(s.held) {
			s.held = until
		}
	}
	return changed
}

// SourceStats counts what one provider has answered, for an exporter to render.
type SourceStats struct {
	Provider string
	// Fetches by outcome, "ok" or Failure.Outcome, ordered by outcome.
	Fetches []OutcomeCount
	// Refused is the number of values left out of good answers.
	Refused int64
	// LastGood is when a fetch last succeeded, HeldUntil until when the server
	// asked for no request; zero if never.
	LastGood, HeldUntil time.Time
}

// OutcomeCount is the number of fetches that ended in one way.
type OutcomeCount struct {
	Outcome string
	Count   int64
}

// Stats returns the counts of all sources in order of preference.
func (f *Feed) Stats() []SourceStats {
	out := make([]SourceStats, 0, len(f.sources))
	for _, s := range f.sources {
		out = append(out, s.stats())
	}
	return out
}

func (s *source) stats() SourceStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := SourceStats{Provider: s.name, Refused: s.refused, LastGood: s.good, HeldUntil: s.held}
	for o, n := range s.fetches {
		out.Fetches = append(out.Fetches, OutcomeCount{o, n})
	}
	slices.SortFunc(out.Fetches, func(a, b OutcomeCount) int {
		if a.Outcome < b.Outcome {
			return -1
		}
		return 1
	})
	return out
}
