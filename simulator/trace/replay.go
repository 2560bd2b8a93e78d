package trace

import (
	"io"
	"math"
	"math/bits"
	"slices"
)

// Never is the time of an arrival that does not come.
const Never = math.MaxInt64

// Emitter makes the arrivals of one function at a time. A Replay turns them
// into one sorted sequence.
type Emitter interface {
	// First returns the time of function f's first arrival at or after 0, or Never.
	First(f int32) int64
	// Emit appends the arrivals of f in [from, to) to dst and returns the time of
	// the next one, at or after to, or Never. It is called with rising times and
	// only for windows in which f has an arrival.
	Emit(dst []Arrival, f int32, from, to int64) ([]Arrival, int64)
}

// Replay is a Source over an Emitter. It keeps a calendar with one list of
// functions per window, so that a function costs nothing in windows in which it
// is silent: 4 bytes per function and per window.
type Replay struct {
	emitter Emitter
	sorter  Sorter
	length  int64
	now     int     // the next window
	head    []int32 // per window: first function due in it, −1 for none
	link    []int32 // per function: next one due in the same window
	due     []uint64
}

// NewReplay starts the replay of n functions over length nanoseconds; the last
// window may be short.
func NewReplay(emitter Emitter, n int, length int64) *Replay {
	r := &Replay{
		emitter: emitter,
		length:  length,
		head:    make([]int32, (length+window-1)/window),
		link:    make([]int32, n),
		due:     make([]uint64, (n+63)/64),
	}
	for i := range r.head {
		r.head[i] = -1
	}
	for f := range int32(n) {
		r.schedule(f, emitter.First(f))
	}
	return r
}

func (r *Replay) schedule(f int32, at int64) {
	if at < r.length {
		w := at / window
		r.link[f], r.head[w] = r.head[w], f
	}
}

// Next implements Source.
func (r *Replay) Next(buf []Arrival) ([]Arrival, error) {
	buf = buf[:0]
	if r.now >= len(r.head) {
		return buf, io.EOF
	}
	from := int64(r.now) * window
	to := min(from+window, r.length)
	low, high := r.collect(r.head[r.now])
	r.now++
	for w := low; w < high; w++ {
		set := r.due[w]
		r.due[w] = 0
		for ; set != 0; set &= set - 1 {
			f := int32(w<<6 + bits.TrailingZeros64(set))
			var next int64
			buf, next = r.emitter.Emit(buf, f, from, to)
			r.schedule(f, next)
		}
	}
	r.sorter.Sort(buf, from)
	return buf, nil
}

// collect marks the functions of a list in the bitmap, which puts them in
// order, and returns the words of it that are in use.
func (r *Replay) collect(f int32) (low, high int) {
	low = len(r.due)
	for ; f >= 0; f = r.link[f] {
		w := int(f >> 6)
		r.due[w] |= 1 << (f & 63)
		low, high = min(low, w), max(high, w+1)
	}
	return low, high
}

// Close implements Source; it does nothing.
func (r *Replay) Close() error { return nil }

// All reads a whole replay into one slice, for tests and small traces.
func All(s Source) ([]Arrival, error) {
	var all, buf []Arrival
	for {
		var err error
		buf, err = s.Next(buf)
		if err == io.EOF {
			return slices.Clip(all), s.Close()
		}
		if err != nil {
			return nil, err
		}
		all = append(all, buf...)
	}
}
