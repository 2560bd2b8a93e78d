package grid

import (
	"sort"
	"time"

	"github.com/wattle-project/wattle"
)

const hourNanos = int64(time.Hour)

// segment is a point of the table on the nanosecond clock.
type segment struct {
	from, to int64 // Unix ns, [from, to)
	fetched  int64
	value    wattle.GramsPerKWh
	quality  wattle.Quality // Measured, Estimated or Forecast
	source   uint16         // index into the feed's source names
}

// entry is everything known about one key, resolved for every moment. It is
// never changed after it is in a Table.
type entry struct {
	key       Key
	segments  []segment // ascending, disjoint
	start     int64     // of the first segment
	slots     []int32   // see index
	names     []string  // of sources
	hold      []int64   // per source, ns: how long its last good value serves
	longest   int64     // the longest of hold
	hours     [24]mean
	historic  int64 // end of the newest actual value, ns
	yearly    wattle.GramsPerKWh
	yearlyFor string // label of the yearly figure
}

// mean is a time-weighted mean.
type mean struct {
	value  wattle.GramsPerKWh
	source uint16
}

// Table holds every series of a feed at one moment. It is immutable and safe
// for concurrent use; a lookup allocates nothing and takes no lock.
type Table struct {
	entries map[Key]*entry
	// zones is for lookups: a map by string is twice as fast as one by Key.
	zones map[wattle.ZoneID]*[4]*entry // by variant
}

func newTable(entries map[Key]*entry) *Table {
	t := &Table{entries: entries, zones: make(map[wattle.ZoneID]*[4]*entry, len(entries))}
	for k, e := range entries {
		if t.zones[k.Zone] == nil {
			t.zones[k.Zone] = new([4]*entry)
		}
		t.zones[k.Zone][k.variant()] = e
	}
	return t
}

// variant numbers the four combinations of kind and scope.
func (k Key) variant() int { return int(k.Kind&1)<<1 | int(k.Scope&1) }

func (t *Table) entry(k Key) *entry {
	if z := t.zones[k.Zone]; z != nil && k.Kind <= wattle.Marginal && k.Scope <= wattle.Direct {
		return z[k.variant()]
	}
	return nil
}

// At returns the best signal of key for the moment at, which may lie in the
// past or the future. It always returns a valid signal: Quality tells which
// step of the chain it is from, and Prior means that nothing is known and
// Intensity is wattle.UnknownIntensity. Asking again before To gives the same
// answer as long as the table is the same. Moments outside the years 1970 to
// 2200 have no meaning.
func (t *Table) At(key Key, at time.Time) wattle.Signal {
	now := at.UnixNano()
	e := t.entry(key)
	if e == nil {
		return bounded(key, now, nextHour(now), wattle.UnknownIntensity, wattle.Prior, "none")
	}
	i := e.after(now)
	if i > 0 && now < e.segments[i-1].to {
		s := &e.segments[i-1]
		return e.signal(s, s.from, s.to, s.quality)
	}
	next := nextHour(now)
	if i < len(e.segments) {
		next = min(next, e.segments[i].from)
	}
	if s := e.lastGood(i, now); s != nil {
		until := s.to + e.hold[s.source]
		if i < len(e.segments) {
			until = min(until, e.segments[i].from)
		}
		return e.signal(s, e.segments[i-1].to, until, wattle.LastGood)
	}
	return e.fallback(now, next)
}

// after returns the index of the first segment that starts after now: by the
// slot first, then forward within it.
func (e *entry) after(now int64) int {
	n := len(e.segments)
	if n == 0 || now < e.start {
		return 0
	}
	slot := (now - e.start) / slotNanos
	if slot >= int64(len(e.slots)) {
		return n
	}
	i := int(e.slots[slot])
	for i < n && e.segments[i].from <= now {
		i++
	}
	return i
}

// slotNanos is the length of a slot: the shortest usual period, so that after
// steps over one segment at most where periods are regular.
const slotNanos = int64(5 * time.Minute)

// index fills what after reads. slots[k] is the number of segments that start
// at or before k slots after the first. Segments span two windows at most.
func (e *entry) index() {
	n := len(e.segments)
	if n == 0 {
		return
	}
	e.start = e.segments[0].from
	e.slots = make([]int32, (e.segments[n-1].from-e.start)/slotNanos+1)
	i := 0
	for k := range e.slots {
		for i < n && e.segments[i].from <= e.start+int64(k)*slotNanos {
			i++
		}
		e.slots[k] = int32(i)
	}
}

// lastGood walks back over forecasts, which are no good values, to an actual
// one that ended at most two periods before now.
func (e *entry) lastGood(i int, now int64) *segment {
	for i--; i >= 0; i-- {
		s := &e.segments[i]
		if s.to+e.longest <= now {
			return nil
		}
		if s.quality != wattle.Forecast && s.to+e.hold[s.source] > now {
			return s
		}
	}
	return nil
}

// fallback is the tail of the chain: historic, static, prior.
func (e *entry) fallback(now, next int64) wattle.Signal {
	expires := e.historic + int64(historyWindow)
	if hour := now / hourNanos % 24; hour >= 0 && e.hours[hour].value > 0 && now < expires {
		m := e.hours[hour]
		return bounded(e.key, now, min(next, expires), m.value, wattle.Historic, e.names[m.source])
	}
	if e.yearly > 0 {
		return bounded(e.key, now, next, e.yearly, wattle.Static, e.yearlyFor)
	}
	return bounded(e.key, now, next, wattle.UnknownIntensity, wattle.Prior, "none")
}

func (e *entry) signal(s *segment, from, to int64, q wattle.Quality) wattle.Signal {
	return wattle.Signal{Zone: e.key.Zone, Intensity: s.value, Kind: e.key.Kind, Scope: e.key.Scope, Quality: q,
		From: instant(from), To: instant(to), FetchedAt: instant(s.fetched), Provider: e.names[s.source]}
}

func bounded(k Key, now, to int64, v wattle.GramsPerKWh, q wattle.Quality, provider string) wattle.Signal {
	return wattle.Signal{Zone: k.Zone, Intensity: v, Kind: k.Kind, Scope: k.Scope, Quality: q,
		From: instant(nextHour(now) - hourNanos), To: instant(to), Provider: provider}
}

func nextHour(now int64) int64 {
	into := now % hourNanos
	if into < 0 {
		into += hourNanos
	}
	return now - into + hourNanos
}

func instant(ns int64) time.Time { return time.Unix(0, ns).UTC() }

// Mean returns the time-weighted mean of key over [from, to), each value held
// until the next, and the worst quality among its parts. An interval without
// length gives the value at from.
func (t *Table) Mean(key Key, from, to time.Time) (wattle.GramsPerKWh, wattle.Quality) {
	s := t.At(key, from)
	if !to.After(from) {
		return s.Intensity, s.Quality
	}
	var sum float64
	worst, total, at := s.Quality, to.Sub(from).Seconds(), from
	for at.Before(to) {
		s = t.At(key, at)
		end := s.To
		if end.After(to) || !end.After(at) {
			end = to
		}
		sum += float64(float64(s.Intensity) * end.Sub(at).Seconds())
		worst = max(worst, s.Quality)
		at = end
	}
	return wattle.GramsPerKWh(sum / total), worst
}

// Keys lists the series of the table in order.
func (t *Table) Keys() []Key {
	keys := make([]Key, 0, len(t.entries))
	for k := range t.entries {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i].compare(keys[j]) < 0 })
	return keys
}
