package price

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
)

// PerMWh is a price per megawatt hour in the currency of its series.
type PerMWh float64

// Bounds of what can be a price. The European day-ahead auction clears within
// −500 and 5,000 EUR/MWh (ACER decision 01/2023 and later steps), scarcity
// pricing in Texas ends at 5,000 USD/MWh and in Australia under 20,000 AUD/MWh;
// what lies further out is a unit error.
const (
	MinPrice PerMWh = -2_000
	MaxPrice PerMWh = 20_000
)

// Valid reports whether p is finite and within [MinPrice, MaxPrice].
func (p PerMWh) Valid() bool { return p >= MinPrice && p <= MaxPrice } // NaN fails both

// Cost returns what e costs at p, where one unit of the currency is worth rate
// US dollars.
func (p PerMWh) Cost(e wattle.Joules, rate float64) wattle.USD {
	return wattle.USD(float64(e.KWh()*float64(p)/1000) * rate)
}

// Point is a price that holds from From up to, not including, To.
type Point struct {
	From, To time.Time
	Price    PerMWh
}

// Actual is what a market has published. Day-ahead prices of tomorrow are in
// it once they are published. It and Forecast are different types so that
// neither can be taken for the other.
type Actual struct {
	Zone      wattle.ZoneID
	FetchedAt time.Time
	Points    []Point // ascending, disjoint
	Refused   int     // values that cannot be a price, left out
}

// Forecast is what a model said the price would be.
type Forecast struct {
	Zone      wattle.ZoneID
	FetchedAt time.Time
	Points    []Point
	Refused   int
}

// Quote is a price with all that is needed to judge it. It holds until To.
type Quote struct {
	Zone      wattle.ZoneID
	Price     PerMWh
	Currency  string // ISO 4217
	Quality   wattle.Quality
	From, To  time.Time
	FetchedAt time.Time
	Provider  string
}

// tidy sorts points, drops what cannot be a price and cuts overlaps; of two
// equal starts the later in the list stays.
func tidy(points []Point) (kept []Point, refused int) {
	kept = points[:0]
	for _, p := range points {
		if !p.Price.Valid() || !p.To.After(p.From) || p.From.Year() < 1970 || p.To.Year() >= 2200 {
			refused++
			continue
		}
		kept = append(kept, p)
	}
	slices.SortStableFunc(kept, func(a, b Point) int { return a.From.Compare(b.From) })
	out := kept[:0]
	for _, p := range kept {
		if n := len(out); n > 0 && !out[n-1].To.Before(p.From) {
			if out[n-1].From.Equal(p.From) {
				out[n-1] = p
				continue
			}
			out[n-1].To = p.From
		}
		out = append(out, p)
	}
	return out, refused
}

// spread gives every start an end: the next start when that is at most two
// steps away (a local day with an hour left out by its publisher), else one step.
func spread(points []Point, step time.Duration) []Point {
	for i := range points {
		points[i].To = points[i].From.Add(step)
		if i+1 < len(points) {
			if gap := points[i+1].From.Sub(points[i].From); gap > 0 && gap <= 2*step {
				points[i].To = points[i+1].From
			}
		}
	}
	return points
}

var errNoSuchTime = errors.New("no such local time: the clock skips it")

// localClock parses ascending local times. When clocks go back, one wall time
// names two instants: the first is taken unless it does not come after the row
// before.
type localClock struct {
	layout   string // Go layout, "rfc3339", "unix" or "unixms"
	location *time.Location
	last     time.Time
}

func (c *localClock) parse(s string) (time.Time, error) {
	t, err := time.ParseInLocation(c.layout, s, c.location)
	if err != nil {
		return t, fmt.Errorf("time %.40q: want the layout %q", s, c.layout)
	}
	if c.layout == time.RFC3339 { // carries its offset
		return t, nil
	}
	if t.Format(c.layout) != s {
		return t, fmt.Errorf("%.40s in %s: %w", s, c.location, errNoSuchTime)
	}
	const wall = "2006-01-02 15:04:05"
	if earlier := t.Add(-time.Hour); earlier.Format(wall) == t.Format(wall) {
		t = earlier
	}
	if later := t.Add(time.Hour); !t.After(c.last) && later.Format(wall) == t.Format(wall) {
		t = later
	}
	c.last = t
	return t, nil
}

// unixTime converts seconds, which may have a fraction, or refuses them.
func unixTime(seconds float64) (time.Time, error) {
	if math.IsNaN(seconds) || seconds < 0 || seconds > 7.2e9 {
		return time.Time{}, fmt.Errorf("unix time %g is out of range; is it in milliseconds? then set time_format to unixms", seconds)
	}
	return time.UnixMilli(int64(math.Round(seconds * 1000))).UTC(), nil
}
