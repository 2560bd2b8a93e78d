package grid

import (
	"math"
	"slices"
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

// cell is a segment as a lookup reads it: 32 bytes, two to a cache line, since
// a lookup at a random moment waits for memory most of all.
type cell struct {
	from, to int64 // Unix ns, [from, to)
	value    wattle.GramsPerKWh
	note     int32 // index into the entry's notes
}

// note is what the cells of one answer of one source have in common.
type note struct {
	fetched  time.Time
	provider string
	hold     int64 // ns: how long its last good value serves
	quality  wattle.Quality
}

// entry is everything known about one key, resolved for every moment. It is
// never changed after it is in a Table. What a usual lookup reads comes first.
type entry struct {
	cells     []cell // ascending, disjoint; some are empty, see space
	origin    int64  // see index
	period    int64
	notes     []note
	start     int64    // of the first cell
	slots     []int32  // see index
	longest   int64    // the longest of hold
	names     []string // of sources
	hold      []int64  // per source, ns: how long its last good value serves
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
func (t *Table) At(key Key, at time.Time) (s wattle.Signal) {
	t.read(&s, key, at.UnixNano())
	return s
}

// read is At into the place where the answer stays: a signal is large, and
// copying it from one return to the next costs as much as finding it.
func (t *Table) read(s *wattle.Signal, key Key, now int64) {
	s.Zone, s.Kind, s.Scope = key.Zone, key.Kind, key.Scope
	e := t.entry(key)
	if e == nil {
		bounded(s, now, nextHour(now), wattle.UnknownIntensity, wattle.Prior, "none")
		return
	}
	if c := e.guess(now); c != nil {
		e.fill(s, c, c.from, c.to)
		return
	}
	e.search(s, now)
}

// search is read where the guess failed: by the index, then down the chain.
func (e *entry) search(s *wattle.Signal, now int64) {
	i := e.after(now)
	if i > 0 && now < e.cells[i-1].to {
		c := &e.cells[i-1]
		e.fill(s, c, c.from, c.to)
		return
	}
	next := int64(math.MaxInt64)
	if i < len(e.cells) {
		next = e.cells[i].from
	}
	if c := e.lastGood(i, now); c != nil {
		e.fill(s, c, e.cells[i-1].to, min(next, c.to+e.notes[c.note].hold))
		s.Quality = wattle.LastGood
		return
	}
	e.fallback(s, now, min(next, nextHour(now)))
}

// guess returns the cell at now if it is where it would be if all cells had
// the usual length, else nil.
func (e *entry) guess(now int64) *cell {
	if now < e.origin {
		return nil
	}
	i := uint64(now-e.origin) / uint64(e.period)
	if i >= uint64(len(e.cells)) {
		return nil
	}
	if c := &e.cells[i]; c.from <= now && now < c.to {
		return c
	}
	return nil
}

// after returns the index of the first cell that starts after now: by the
// slot first, then forward within it.
func (e *entry) after(now int64) int {
	n := len(e.cells)
	if n == 0 || now < e.start {
		return 0
	}
	slot := (now - e.start) / slotNanos
	if slot >= int64(len(e.slots)) {
		return n
	}
	i := int(e.slots[slot])
	for i < n && e.cells[i].from <= now {
		i++
	}
	return i
}

// slotNanos is the length of a slot: the shortest usual period, so that after
// steps over one cell at most where periods are regular.
const slotNanos = int64(5 * time.Minute)

// index fills what guess and after read. The usual length is the median one,
// and origin puts the first cell of that length where it is. slots[k] is the
// number of cells that start at or before k slots after the first. Cells span
// two windows at most.
func (e *entry) index() {
	n := len(e.cells)
	e.period = 1
	if n == 0 {
		return
	}
	lengths := make([]int64, n)
	for i, c := range e.cells {
		lengths[i] = c.to - c.from
	}
	slices.Sort(lengths)
	e.period = lengths[n/2]
	e.space()
	n = len(e.cells)
	usual := slices.IndexFunc(e.cells, func(c cell) bool { return c.to-c.from == e.period })
	e.origin = e.cells[usual].from - int64(usual)*e.period
	e.start = e.cells[0].from
	e.slots = make([]int32, (e.cells[n-1].from-e.start)/slotNanos+1)
	i := 0
	for k := range e.slots {
		for i < n && e.cells[i].from <= e.start+int64(k)*slotNanos {
			i++
		}
		e.slots[k] = int32(i)
	}
}

// space puts empty cells after each cell that others are missing behind, as many
// as they would be, so that a guess holds beyond a gap too. They are copies of the
// cell before, at its end, so that whoever looks back from one sees that.
// There are as many as other cells at most.
func (e *entry) space() {
	missing := func(i int) int64 {
		if i+1 == len(e.cells) {
			return 0
		}
		return max((e.cells[i+1].from-e.cells[i].from+e.period/2)/e.period-1, 0)
	}
	n := int64(len(e.cells))
	for i := range e.cells {
		if n += missing(i); n > int64(2*len(e.cells)) {
			return
		}
	}
	cells := make([]cell, 0, n)
	for i, c := range e.cells {
		cells = append(cells, c)
		c.from = c.to
		for range missing(i) {
			cells = append(cells, c)
		}
	}
	e.cells = cells
}

// lastGood walks back over forecasts, which are no good values, to an actual
// one that ended at most two periods before now.
func (e *entry) lastGood(i int, now int64) *cell {
	for i--; i >= 0; i-- {
		c := &e.cells[i]
		if c.to+e.longest <= now {
			return nil
		}
		if n := &e.notes[c.note]; n.quality != wattle.Forecast && c.to+n.hold > now {
			return c
		}
	}
	return nil
}

// fallback is the tail of the chain: historic, static, prior.
func (e *entry) fallback(s *wattle.Signal, now, next int64) {
	expires := e.historic + int64(historyWindow)
	if hour := now / hourNanos % 24; hour >= 0 && e.hours[hour].value > 0 && now < expires {
		m := e.hours[hour]
		bounded(s, now, min(next, expires), m.value, wattle.Historic, e.names[m.source])
		return
	}
	if e.yearly > 0 {
		bounded(s, now, next, e.yearly, wattle.Static, e.yearlyFor)
		return
	}
	bounded(s, now, next, wattle.UnknownIntensity, wattle.Prior, "none")
}

// fill completes s, which has its key, by the cell c for [from, to).
func (e *entry) fill(s *wattle.Signal, c *cell, from, to int64) {
	n := &e.notes[c.note]
	s.Intensity, s.Quality, s.Provider, s.FetchedAt = c.value, n.quality, n.provider, n.fetched
	s.From, s.To = instant(from), instant(to)
}

func bounded(s *wattle.Signal, now, to int64, v wattle.GramsPerKWh, q wattle.Quality, provider string) {
	s.Intensity, s.Quality, s.Provider = v, q, provider
	s.From, s.To = instant(nextHour(now)-hourNanos), instant(to)
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
