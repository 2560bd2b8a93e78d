package state

import (
	"math"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
)

// ZoneSignal is what is known of one zone: the value that holds now and, period
// by period, what is forecast after it.
type ZoneSignal struct {
	Current wattle.Signal
	// Ahead holds forecasts for the periods after Current.To, each Period long.
	Ahead  []wattle.GramsPerKWh
	Period time.Duration
}

// Signals is an immutable table of intensities of one kind and one scope, indexed
// like Fleet.Clusters.
type Signals struct {
	Zones []ZoneSignal
	// Kind and Scope are those of every value: what differs is not in the table.
	Kind  wattle.SignalKind
	Scope wattle.SignalScope
	// At is when the table was made: ages are as of then.
	At    time.Time
	ends  []int64
	ages  []time.Duration
	spans []span
	// unknown stands in for a value that ended long ago.
	unknown  ZoneSignal
	marginal *Signals // nil in a table of marginal intensities
}

// span is how long a zone's value can be trusted: it holds until end, forecasts
// reach until reach, and it is the last good one until grace. All in Unix ns.
type span struct{ end, reach, grace int64 }

// NewSignals makes the table of average intensities. A zone whose value cannot be
// used is replaced by a prior: the worst known intensity or the world mean,
// whichever is higher, so that ignorance never wins a placement. Unusable is
// what is no intensity, what is marginal, and what is of another scope than most
// values are: kinds and scopes are never compared. The slice is the table's from
// now on. Nothing is known of marginal intensities; see WithMarginal.
func NewSignals(zones []ZoneSignal, now time.Time) *Signals {
	none := make([]ZoneSignal, len(zones))
	for i := range zones {
		none[i].Current.Zone = zones[i].Current.Zone
	}
	s := newSignals(zones, now, wattle.Average)
	s.marginal = newSignals(none, now, wattle.Marginal)
	return s
}

// WithMarginal is s with marginal intensities for who asks for them, indexed like
// its zones. They are checked as in NewSignals; a zone without one has a prior.
func (s *Signals) WithMarginal(zones []ZoneSignal) *Signals {
	t := *s
	t.marginal = newSignals(zones, s.At, wattle.Marginal)
	return &t
}

// Of is the table of intensities of a kind.
func (s *Signals) Of(k wattle.SignalKind) *Signals {
	if k == s.Kind || s.marginal == nil {
		return s
	}
	return s.marginal
}

func newSignals(zones []ZoneSignal, now time.Time, kind wattle.SignalKind) *Signals {
	s := &Signals{Zones: zones, Kind: kind, Scope: scope(zones, kind), At: now}
	worst := wattle.UnknownIntensity
	for i := range zones {
		if s.usable(&zones[i].Current) {
			worst = max(worst, zones[i].Current.Intensity)
		}
	}
	s.unknown.Current = wattle.Signal{
		Intensity: worst, Quality: wattle.Prior, Provider: "prior", Kind: kind, Scope: s.Scope,
		From: now, To: now.Add(time.Hour), FetchedAt: now,
	}
	s.ends, s.ages, s.spans = make([]int64, len(zones)), make([]time.Duration, len(zones)), make([]span, len(zones))
	for i := range zones {
		z := &zones[i]
		if !s.usable(&z.Current) {
			zone := z.Current.Zone
			*z = s.unknown
			z.Current.Zone = zone
		}
		z.Ahead = usable(z.Ahead, worst)
		s.ages[i], s.spans[i] = max(now.Sub(z.Current.FetchedAt), 0), z.span()
		s.ends[i] = math.MaxInt64
		if len(z.Ahead) > 0 {
			s.ends[i] = s.spans[i].end
		}
	}
	return s
}

// scope is that of most usable values of a kind, life-cycle if there are as many.
func scope(zones []ZoneSignal, kind wattle.SignalKind) wattle.SignalScope {
	direct, n := 0, 0
	for i := range zones {
		if c := &zones[i].Current; c.Kind == kind && c.Quality != wattle.Prior && c.Validate() == nil {
			n++
			if c.Scope == wattle.Direct {
				direct++
			}
		}
	}
	if 2*direct > n {
		return wattle.Direct
	}
	return wattle.Lifecycle
}

func (s *Signals) usable(c *wattle.Signal) bool {
	return c.Kind == s.Kind && c.Scope == s.Scope && c.Quality != wattle.Prior && c.Validate() == nil
}

func (z *ZoneSignal) span() span {
	period := z.Current.To.Sub(z.Current.From)
	reach := z.Current.To.Add(time.Duration(len(z.Ahead)) * z.Period)
	return span{z.Current.To.UnixNano(), reach.UnixNano(), reach.Add(2 * period).UnixNano()}
}

// Zone is what is known of a cluster's grid at an instant, and how good that is.
// The quality falls with age: past its end a value is a forecast while it has
// one, then the last good one for two periods, then none.
func (s *Signals) Zone(cluster int, now time.Time) (*ZoneSignal, wattle.Quality) {
	z, at, t := &s.Zones[cluster], now.UnixNano(), &s.spans[cluster]
	switch q := z.Current.Quality; {
	case at < t.end || q == wattle.Prior:
		return z, q
	case at < t.reach:
		return z, max(q, wattle.Forecast)
	case at < t.grace:
		return z, max(q, wattle.LastGood)
	}
	return &s.unknown, wattle.Prior
}

// Turns is the next instant in Unix ns at which the quality of a cluster's value
// falls by age alone.
func (s *Signals) Turns(cluster int, now time.Time) int64 {
	at, t := now.UnixNano(), &s.spans[cluster]
	for _, turn := range [...]int64{t.end, t.reach, t.grace} {
		if at < turn {
			return turn
		}
	}
	return math.MaxInt64
}

// unknown is the table before any signal came: a prior for every cluster.
func unknown(f *Fleet) *Signals {
	zones := make([]ZoneSignal, len(f.Clusters))
	for i := range zones {
		zones[i].Current.Zone = f.Clusters[i].Zone
	}
	return NewSignals(zones, time.Time{})
}

// usable is a forecast with the worst intensity in place of values that cannot
// be one, so that a broken forecast never wins a later slot.
func usable(ahead []wattle.GramsPerKWh, worst wattle.GramsPerKWh) []wattle.GramsPerKWh {
	bad := func(v wattle.GramsPerKWh) bool { return !v.Valid() }
	if !slices.ContainsFunc(ahead, bad) {
		return ahead
	}
	out := slices.Clone(ahead)
	for i := range out {
		if bad(out[i]) {
			out[i] = worst
		}
	}
	return out
}

// End is the last instant in Unix ns at which the current value of a cluster's
// zone holds; without a forecast it holds for good.
func (s *Signals) End(cluster int) int64 { return s.ends[cluster] }

// Within reports whether a run of d that begins delay after t certainly stays in
// the time of a cluster's current value, t being no earlier than that time.
func (s *Signals) Within(cluster int, t time.Time, delay, d time.Duration) bool {
	left := time.Duration(s.ends[cluster]-t.UnixNano()) - delay
	return left > 0 && d <= left
}

// Age is how long before the table was made a cluster's value was fetched.
func (s *Signals) Age(cluster int) time.Duration { return s.ages[cluster] }

// Mean is the intensity averaged over [from, from+d), step by step over the
// current value and the forecast; past the forecast's end its last value holds.
// For d = 0 it is the intensity at from.
func (z *ZoneSignal) Mean(from time.Time, d time.Duration) wattle.GramsPerKWh {
	head := z.Current.To.Sub(from)
	if d <= head && head > 0 || len(z.Ahead) == 0 || z.Period <= 0 {
		return z.Current.Intensity
	}
	head = max(head, 0)
	sum := float64(z.Current.Intensity) * float64(head)
	at, left := from.Sub(z.Current.To)+head, d-head
	if d == 0 {
		return z.Ahead[min(int(at/z.Period), len(z.Ahead)-1)]
	}
	for i := int(at / z.Period); left > 0; i++ {
		step := min(left, time.Duration(i+1)*z.Period-at)
		if i >= len(z.Ahead)-1 {
			i, step = len(z.Ahead)-1, left
		}
		sum += float64(float64(z.Ahead[i]) * float64(step))
		at, left = at+step, left-step
	}
	return wattle.GramsPerKWh(sum / float64(d))
}
