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

// Signals is an immutable table of intensities, indexed like Fleet.Clusters.
type Signals struct {
	Zones []ZoneSignal
	// At is when the table was made: ages are as of then.
	At   time.Time
	ends []int64
	ages []time.Duration
	// worst is the highest known intensity, which stands in for an unknown one.
	worst wattle.GramsPerKWh
}

// NewSignals checks each zone's current value. A zone whose value cannot be
// used is replaced by a prior: the worst known intensity or the world mean,
// whichever is higher, so that ignorance never wins a placement. The slice is
// the table's from now on.
func NewSignals(zones []ZoneSignal, now time.Time) *Signals {
	s := &Signals{Zones: zones, At: now, worst: wattle.UnknownIntensity}
	for i := range zones {
		if zones[i].Current.Validate() == nil && zones[i].Current.Quality != wattle.Prior {
			s.worst = max(s.worst, zones[i].Current.Intensity)
		}
	}
	for i := range zones {
		z := &zones[i]
		if z.Current.Validate() != nil || z.Current.Quality == wattle.Prior {
			zone := z.Current.Zone
			*z = ZoneSignal{Current: wattle.Signal{
				Zone: zone, Intensity: s.worst, Quality: wattle.Prior, Provider: "prior",
				Kind: z.Current.Kind, Scope: z.Current.Scope,
				From: now, To: now.Add(time.Hour), FetchedAt: now,
			}}
		}
	}
	for i := range zones {
		zones[i].Ahead = usable(zones[i].Ahead, s.worst)
	}
	s.ends, s.ages = make([]int64, len(zones)), make([]time.Duration, len(zones))
	for i := range zones {
		s.ages[i] = max(now.Sub(zones[i].Current.FetchedAt), 0)
		s.ends[i] = math.MaxInt64
		if len(zones[i].Ahead) > 0 {
			s.ends[i] = zones[i].Current.To.UnixNano()
		}
	}
	return s
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
