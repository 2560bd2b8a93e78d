package grid

import (
	"cmp"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
)

// Key names one series. Values of different keys are never mixed: an average
// is not a marginal intensity, and a direct one not a life-cycle one.
type Key struct {
	Zone  wattle.ZoneID
	Kind  wattle.SignalKind
	Scope wattle.SignalScope
}

// String prints the key as "DE average lifecycle".
func (k Key) String() string { return string(k.Zone) + " " + k.Kind.String() + " " + k.Scope.String() }

func (k Key) compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Zone, o.Zone), cmp.Compare(k.Kind, o.Kind), cmp.Compare(k.Scope, o.Scope))
}

// Point is an intensity that holds from From up to, not including, To.
type Point struct {
	From, To  time.Time
	Intensity wattle.GramsPerKWh
	// Estimated marks a value that the provider modelled rather than metered.
	Estimated bool
}

// Actual is what a provider says the intensity was. It is a type of its own so
// that a record of the past cannot be handed to code that wants a Forecast, nor
// a forecast be booked as a measurement.
type Actual struct {
	Key       Key
	Provider  string
	FetchedAt time.Time
	// Points ascend and do not overlap.
	Points []Point
	// Refused counts the values of the answer that were null, not above 0, not
	// a number or above wattle.MaxIntensity, and so are not in Points.
	Refused int
}

// Forecast is what a provider said at Made the intensity would be.
type Forecast struct {
	Key             Key
	Provider        string
	Made, FetchedAt time.Time
	// Points ascend and do not overlap.
	Points []Point
	// Refused counts values that were left out, as in Actual.
	Refused int
}

// tidy sorts points, gives an end to those that have none (From + period),
// drops values that cannot be an intensity and cuts overlaps: the later start
// wins, and of two equal starts the later in the list. It works in place.
func tidy(points []Point, period time.Duration) (kept []Point, refused int) {
	kept = points[:0]
	for _, p := range points {
		if p.To.IsZero() {
			p.To = p.From.Add(period)
		}
		if !p.Intensity.Valid() || !p.To.After(p.From) || !representable(p.From) || !representable(p.To) {
			refused++
			continue
		}
		kept = append(kept, p)
	}
	slices.SortStableFunc(kept, func(a, b Point) int { return a.From.Compare(b.From) })
	return cutOverlaps(kept), refused
}

func cutOverlaps(points []Point) []Point {
	out := points[:0]
	for _, p := range points {
		if n := len(out); n > 0 {
			last := &out[n-1]
			if last.From.Equal(p.From) {
				*last = p
				continue
			}
			if last.To.After(p.From) {
				last.To = p.From
			}
		}
		out = append(out, p)
	}
	return out
}

// representable says whether t fits the nanosecond clock of the table.
func representable(t time.Time) bool { return t.Year() >= 1970 && t.Year() < 2200 }
