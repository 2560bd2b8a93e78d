package grid

import (
	"slices"
	"time"

	"github.com/wattle-project/wattle"
)

// record is what one source has said about one key.
type record struct {
	actual   []segment // the last seven days, ascending and disjoint
	forecast []segment // the newest that was said of each moment, likewise
}

// actualSegments and forecastSegments are the only ways in which the two types
// of series become table rows, each with its own quality.
func actualSegments(a Actual, source uint16) []segment {
	out := make([]segment, 0, len(a.Points))
	for _, p := range a.Points {
		q := wattle.Measured
		if p.Estimated {
			q = wattle.Estimated
		}
		out = append(out, newSegment(p, a.FetchedAt, q, source))
	}
	return out
}

func forecastSegments(f Forecast, source uint16) []segment {
	out := make([]segment, 0, len(f.Points))
	for _, p := range f.Points {
		out = append(out, newSegment(p, f.FetchedAt, wattle.Forecast, source))
	}
	return out
}

func newSegment(p Point, fetched time.Time, q wattle.Quality, source uint16) segment {
	return segment{p.From.UnixNano(), p.To.UnixNano(), fetched.UnixNano(), p.Intensity, q, source}
}

// overlay returns top with the parts of under that top leaves uncovered. Both
// ascend and are disjoint, and so is the result.
func overlay(top, under []segment) []segment {
	out := make([]segment, 0, len(top)+len(under))
	i := 0
	for _, u := range under {
		for u.from < u.to {
			for i < len(top) && top[i].to <= u.from {
				out = append(out, top[i])
				i++
			}
			if i == len(top) || top[i].from >= u.to {
				out = append(out, u)
				break
			}
			if head := u; top[i].from > u.from { // the part before the next of top
				head.to = top[i].from
				out = append(out, head)
			}
			u.from = top[i].to
		}
	}
	return append(out, top[i:]...)
}

// addActual merges newer values over older ones and forgets what is past the window.
func (r *record) addActual(s []segment, now time.Time) {
	r.actual = clip(overlay(s, r.actual), now)
}

// addForecast lays a newer forecast over older ones. It often begins after now:
// what was forecast for now stays, until an actual value takes its place.
func (r *record) addForecast(s []segment, now time.Time) {
	r.forecast = clip(overlay(s, r.forecast), now)
}

// clip cuts segments to the window around now that a table covers.
func clip(s []segment, now time.Time) []segment {
	oldest, latest := now.Add(-historyWindow).UnixNano(), now.Add(historyWindow).UnixNano()
	for i := range s {
		s[i].from, s[i].to = max(s[i].from, oldest), min(s[i].to, latest)
	}
	return slices.DeleteFunc(s, func(s segment) bool { return s.from >= s.to })
}

// newest is the end of the newest actual value, zero when there is none.
func (r *record) newest() time.Time {
	if len(r.actual) == 0 {
		return time.Time{}
	}
	return instant(r.actual[len(r.actual)-1].to)
}

// newEntry resolves the chain for one key: live values of all sources in order
// of preference, then forecasts, and what the rest of the chain needs.
func newEntry(k Key, records []*record, names []string, hold []int64, figure Figure, now time.Time) *entry {
	e := &entry{names: names, hold: hold, yearly: figure.Intensity, yearlyFor: figure.Source}
	var segments []segment
	for _, h := range hold {
		e.longest = max(e.longest, h)
	}
	for _, r := range records {
		if r != nil {
			segments = overlay(segments, r.actual)
		}
	}
	e.means(segments, now)
	for _, r := range records {
		if r != nil {
			segments = overlay(segments, r.forecast)
		}
	}
	e.pack(segments)
	e.index()
	return e
}

// pack makes the cells of segments and takes what many share into notes.
func (e *entry) pack(segments []segment) {
	type shared struct {
		fetched int64
		source  uint16
		quality wattle.Quality
	}
	seen := map[shared]int32{}
	e.cells = make([]cell, len(segments))
	for i, s := range segments {
		k := shared{s.fetched, s.source, s.quality}
		n, ok := seen[k]
		if !ok {
			n = int32(len(e.notes))
			seen[k] = n
			e.notes = append(e.notes, note{instant(s.fetched), e.names[s.source], e.hold[s.source], s.quality})
		}
		e.cells[i] = cell{s.from, s.to, s.value, n}
	}
}

// means fills hours with the time-weighted mean per UTC hour of day over the
// last seven days of segments, which are actual values only.
func (e *entry) means(segments []segment, now time.Time) {
	var sums, spans [24]float64
	oldest := now.Add(-historyWindow).UnixNano()
	for _, s := range segments {
		e.historic = max(e.historic, s.to)
		for from := max(s.from, oldest); from < s.to; {
			end := min(s.to, from-from%hourNanos+hourNanos)
			hour := from / hourNanos % 24
			sums[hour] += float64(float64(s.value) * float64(end-from))
			spans[hour] += float64(end - from)
			e.hours[hour].source = s.source
			from = end
		}
	}
	for h := range e.hours {
		if spans[h] > 0 {
			e.hours[h].value = wattle.GramsPerKWh(sums[h] / spans[h])
		}
	}
}
