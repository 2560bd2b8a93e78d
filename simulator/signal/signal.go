// Package signal holds what a simulated grid does and what a scheduler may know
// of it.
//
// Actual is what happened: accounting integrates it. Forecast is what somebody
// said beforehand. They are different types, so that an actual cannot reach a
// policy by mistake; a policy's view is Observed, which makes live values,
// forecasts, faults and fall-backs out of an Actual as of one moment.
//
// A series holds one value per period and keeps it until the next ("step-hold").
// A value that is null, not a number, zero, negative or over 3,000 g/kWh is a
// gap: it stays missing, is counted in a Report, and is never read as an
// intensity.
//
// # Formats
//
// ReadFile tells three formats apart by their header; gzip and zstd are read
// transparently, and a path may be a glob, a directory or a zip archive.
//
//   - Electricity Maps, as downloaded since 2021: "Datetime (UTC)", "Zone Id" and
//     "Carbon Intensity gCO₂eq/kWh (direct)" and "… (LCA)" or "… (Life cycle)";
//     the scope asked for chooses the column.
//   - wide: "datetime_utc" (or "datetime", "timestamp"), then a column per zone
//     named by its id.
//   - plain: "time,value", of the zone that the options or the file's name give.
//
// Times are "2006-01-02 15:04:05", the same with "T", without seconds, with a
// zone offset or "Z", as whole dates, or as Unix seconds; without an offset they
// are UTC.
package signal

import (
	"fmt"
	"math"
	"time"

	"github.com/wattle-project/wattle"
)

// Series is a step-hold sequence of carbon intensities of one zone at a fixed
// period. It is immutable; its zero value is empty.
type Series struct {
	Zone     wattle.ZoneID
	Kind     wattle.SignalKind
	Scope    wattle.SignalScope
	Provider string
	steps
}

// Actual is what a grid did.
type Actual struct{ Series }

// Forecast is what was said at Issued about later times.
type Forecast struct {
	Series
	Issued time.Time
}

// Gap is a span without a value.
type Gap struct{ From, To time.Time }

// steps is the arithmetic of step-hold values. A gap is NaN.
type steps struct {
	start, period int64 // Unix ns; ns
	values        []float64
	sums          []float64 // sums[i] = Σ values[:i], gaps as 0
	known         []int32   // known[i] = number of values[:i] that are no gap
}

func newSteps(start time.Time, period time.Duration, values []float64, valid func(float64) bool) steps {
	s := steps{
		start: start.UnixNano(), period: int64(period),
		values: make([]float64, len(values)), sums: make([]float64, len(values)+1), known: make([]int32, len(values)+1),
	}
	for i, v := range values {
		s.values[i], s.sums[i+1], s.known[i+1] = math.NaN(), s.sums[i], s.known[i]
		if valid(v) {
			s.values[i] = v
			s.sums[i+1] += v
			s.known[i+1]++
		}
	}
	return s
}

func validIntensity(v float64) bool { return wattle.GramsPerKWh(v).Valid() }

// NewActual makes a series of g/kWh whose first value holds from start. Values
// that are no intensity become gaps. It fails on a period that is not positive.
func NewActual(zone wattle.ZoneID, scope wattle.SignalScope, start time.Time, period time.Duration, values []float64) (Actual, error) {
	if period <= 0 || zone == "" {
		return Actual{}, fmt.Errorf("signal: zone %q with period %s: want a zone and a period above 0", zone, period)
	}
	s := Series{Zone: zone, Scope: scope, steps: newSteps(start, period, values, validIntensity)}
	return Actual{s}, nil
}

// Start is when the first value begins to hold.
func (s *steps) Start() time.Time { return time.Unix(0, s.start).UTC() }

// End is when the last value ceases to hold.
func (s *steps) End() time.Time { return s.time(len(s.values)) }

// Period is how long each value holds.
func (s *steps) Period() time.Duration { return time.Duration(s.period) }

// Len is the number of values, gaps included.
func (s *steps) Len() int { return len(s.values) }

// Missing is the number of values that are gaps.
func (s *steps) Missing() int {
	if len(s.values) == 0 {
		return 0
	}
	return len(s.values) - int(s.known[len(s.values)])
}

// Gaps lists the spans without a value, in order.
func (s *steps) Gaps() []Gap {
	var gaps []Gap
	for i := 0; i < len(s.values); i++ {
		from := i
		for i < len(s.values) && s.values[i] != s.values[i] {
			i++
		}
		if i > from {
			gaps = append(gaps, Gap{s.time(from), s.time(i)})
		}
	}
	return gaps
}

func (s *steps) time(i int) time.Time { return time.Unix(0, s.start+int64(i)*s.period).UTC() }

// index is the step that holds at ns, and false outside of the series.
func (s *steps) index(ns int64) (int, bool) {
	if ns < s.start || s.period == 0 {
		return 0, false
	}
	i := (ns - s.start) / s.period
	return int(i), i < int64(len(s.values))
}

// value is the value that holds at ns, NaN in gaps and outside.
func (s *steps) value(ns int64) float64 {
	if i, ok := s.index(ns); ok {
		return s.values[i]
	}
	return math.NaN()
}

// At returns the intensity at t, and NaN and false in a gap or outside of the
// series.
func (s *Series) At(t time.Time) (wattle.GramsPerKWh, bool) { return s.AtNano(t.UnixNano()) }

// AtNano is At for a Unix time in nanoseconds.
func (s *Series) AtNano(ns int64) (wattle.GramsPerKWh, bool) {
	v := s.value(ns)
	return wattle.GramsPerKWh(v), v == v
}

// Integral returns ∫ value dt over [from, to) in value·seconds, and the seconds
// of that span that have a value. Gaps and what lies outside of the series add
// to neither.
func (s *steps) Integral(from, to time.Time) (valueSeconds, seconds float64) {
	return s.IntegralNano(from.UnixNano(), to.UnixNano())
}

// IntegralNano is Integral for Unix times in nanoseconds. It takes constant time.
func (s *steps) IntegralNano(from, to int64) (valueSeconds, seconds float64) {
	from, to = max(from, s.start), min(to, s.start+int64(len(s.values))*s.period)
	if from >= to {
		return 0, 0
	}
	i, j := int((from-s.start)/s.period), int((to-s.start)/s.period)
	if i == j {
		return s.part(i, to-from)
	}
	valueSeconds, seconds = s.part(i, s.start+int64(i+1)*s.period-from)
	width := float64(s.period) / 1e9
	valueSeconds += float64((s.sums[j] - s.sums[i+1]) * width)
	seconds += float64(float64(s.known[j]-s.known[i+1]) * width)
	v, d := s.part(j, to-(s.start+int64(j)*s.period))
	return valueSeconds + v, seconds + d
}

// part is the integral over ns nanoseconds of step i.
func (s *steps) part(i int, ns int64) (valueSeconds, seconds float64) {
	if ns <= 0 || s.values[i] != s.values[i] {
		return 0, 0
	}
	seconds = float64(ns) / 1e9
	return float64(s.values[i] * seconds), seconds
}

// Mean returns the mean intensity over [from, to), of the part that has values,
// and the share of the span that has. With a share of 0 there is no mean.
func (s *Series) Mean(from, to time.Time) (mean wattle.GramsPerKWh, share float64) {
	return s.MeanNano(from.UnixNano(), to.UnixNano())
}

// MeanNano is Mean for Unix times in nanoseconds; an empty span means the
// instant from.
func (s *Series) MeanNano(from, to int64) (mean wattle.GramsPerKWh, share float64) {
	if to <= from {
		if v, ok := s.AtNano(from); ok {
			return v, 1
		}
		return 0, 0
	}
	v, d := s.IntegralNano(from, to)
	if d == 0 {
		return 0, 0
	}
	return wattle.GramsPerKWh(v / d), d / (float64(to-from) / 1e9)
}

// Until returns what was known at t: the steps that were over by then.
func (a Actual) Until(t time.Time) Actual {
	n := 0
	if ns := t.UnixNano(); ns > a.start && a.period > 0 {
		n = int(min((ns-a.start)/a.period, int64(len(a.values))))
	}
	a.values = a.values[:n:n]
	if a.sums != nil {
		a.sums, a.known = a.sums[:n+1], a.known[:n+1]
	}
	return a
}

// Fill returns a copy in which each gap holds the mean of the same time of day
// on the 7 days before, else on the 7 days after, else the nearest value, and
// the number of steps filled. It fails when there is no value at all.
// Accounting needs a value for every instant; a report should say how many were
// filled.
func (a Actual) Fill() (Actual, int, error) {
	if a.Missing() == len(a.values) {
		return a, 0, fmt.Errorf("zone %s: the series has no value at all: choose another file or column", a.Zone)
	}
	if a.Missing() == 0 {
		return a, 0, nil
	}
	filled := make([]float64, len(a.values))
	for i, v := range a.values {
		if v != v {
			v = a.substitute(i)
		}
		filled[i] = v
	}
	n := a.Missing()
	a.steps = newSteps(a.Start(), a.Period(), filled, validIntensity)
	return a, n, nil
}

func (a Actual) substitute(i int) float64 {
	if v, n := a.sameHour(i, -1); n > 0 {
		return v
	}
	if v, n := a.sameHour(i, 1); n > 0 {
		return v
	}
	for d := 1; ; d++ {
		for _, j := range [2]int{i - d, i + d} {
			if j >= 0 && j < len(a.values) && a.values[j] == a.values[j] {
				return a.values[j]
			}
		}
	}
}

// sameHour is the mean over the 7 days before or after step i at its time of day.
func (s *steps) sameHour(i, direction int) (mean float64, n int) {
	day := int(int64(24*time.Hour) / s.period)
	for k := 1; k <= 7; k++ {
		j := i + direction*k*day
		if day > 0 && j >= 0 && j < len(s.values) && s.values[j] == s.values[j] {
			mean += s.values[j]
			n++
		}
	}
	if n == 0 {
		return math.NaN(), 0
	}
	return mean / float64(n), n
}
