package grid

import (
	"time"

	"github.com/wattle-project/wattle"
)

// Stats is a feed's state for an exporter to render.
type Stats struct {
	Sources []SourceStats // in order of preference
	Series  []SeriesStats // ordered by key
}

// SourceStats counts what one provider has answered.
type SourceStats struct {
	Provider string
	Kind     wattle.SignalKind
	Scope    wattle.SignalScope
	// Fetches by outcome since start; outcomes that never occurred are absent.
	Fetches []OutcomeCount
	// Refused is the number of values left out of good answers: null, ≤ 0, not
	// a number or over wattle.MaxIntensity.
	Refused int64
	// LastGood is when a fetch last succeeded, zero if never.
	LastGood time.Time
	// HeldUntil is until when the server asked for no request, zero if it did not.
	HeldUntil time.Time
	// Skew is the server's clock minus ours, to about a second, 0 if unknown.
	Skew time.Duration
}

// OutcomeCount is the number of fetches of a series, "actual" or "forecast",
// that ended in one way.
type OutcomeCount struct {
	Series  string
	Outcome Outcome
	Count   int64
}

// SeriesStats is what a lookup of one key answers now.
type SeriesStats struct {
	Key    Key
	Signal wattle.Signal
	// Age is the time since the value was fetched, 0 for static figures and priors.
	Age time.Duration
}

// tally counts outcomes; its owner guards it.
type tally struct {
	fetches  [2][outcomeCount]int64 // actual, forecast
	refused  int64
	lastGood time.Time
}

func seriesNames() [2]string { return [2]string{"actual", "forecast"} }

// count books an outcome and says whether it differs from the last one of the
// zone's series. A first success is no change worth a line.
func (s *source) count(zone wattle.ZoneID, what string, o Outcome, refused int, now time.Time) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, n := range seriesNames() {
		if n == what {
			s.tally.fetches[i][o]++
		}
	}
	s.tally.refused += int64(refused)
	if o == OK || o == Stale {
		s.tally.lastGood = now
	}
	before := s.plan[zone].outcome[what]
	s.plan[zone].outcome[what] = o
	return before != o
}

// Stats returns the counts so far and the present signal of every key.
func (f *Feed) Stats() Stats {
	now, t := f.now(), f.Table()
	var out Stats
	for _, s := range f.sources {
		out.Sources = append(out.Sources, s.stats())
	}
	for _, k := range t.Keys() {
		signal := t.At(k, now)
		var age time.Duration
		if !signal.FetchedAt.IsZero() {
			age = max(0, now.Sub(signal.FetchedAt))
		}
		out.Series = append(out.Series, SeriesStats{k, signal, age})
	}
	return out
}

func (s *source) stats() SourceStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := SourceStats{Provider: s.name, Kind: s.desc.Kind, Scope: s.desc.Scope, Refused: s.tally.refused,
		LastGood: s.tally.lastGood, HeldUntil: s.held}
	for i, name := range seriesNames() {
		for o, n := range s.tally.fetches[i] {
			if n > 0 {
				out.Fetches = append(out.Fetches, OutcomeCount{name, Outcome(o), n})
			}
		}
	}
	if c, ok := s.provider.(interface{ clockSkew() time.Duration }); ok {
		out.Skew = c.clockSkew()
	}
	return out
}
