package lifecycle

import (
	"sort"
	"time"

	"github.com/wattle-project/wattle"
)

// Outlook is what is expected of a zone's carbon intensity: Values[i] holds from
// Start + i·Period for one Period. It is a type of its own, so that a measured
// series cannot be handed to a policy by mistake.
//
// A value that is not valid is unknown, as is everything outside. Unknown time
// counts as dirty as the dirtiest known slot that the work could use, and at
// least as UnknownIntensity: it never wins against what is known.
type Outlook struct {
	Start  time.Time
	Period time.Duration // more than 0 unless Values is empty
	Values []wattle.GramsPerKWh
}

// At returns the expected intensity at t; false where it is unknown.
func (o *Outlook) At(t time.Time) (wattle.GramsPerKWh, bool) {
	if len(o.Values) == 0 || t.Before(o.Start) {
		return 0, false
	}
	i := int64(t.Sub(o.Start) / o.Period)
	if i >= int64(len(o.Values)) || !o.Values[i].Valid() {
		return 0, false
	}
	return o.Values[i], true
}

// next returns the end of the slot that t lies in, or the distant end given.
func (o *Outlook) next(t, end time.Time) time.Time {
	boundary := end
	switch {
	case len(o.Values) == 0:
	case t.Before(o.Start):
		boundary = o.Start
	default:
		if i := int64(t.Sub(o.Start)/o.Period) + 1; i <= int64(len(o.Values)) {
			boundary = o.Start.Add(time.Duration(i) * o.Period)
		}
	}
	if boundary.After(end) {
		return end
	}
	return boundary
}

// piece is a stretch of constant expected intensity, with the carbon up to its
// beginning, in g/kWh·h.
type piece struct {
	Stretch
	intensity float64
	known     bool
	before    float64
}

// course is the expected intensity over a window, for carbon in constant time
// and starts in order.
type course struct {
	pieces []piece
	known  bool // anything at all
}

// lay cuts [from, to) where the values of o change. The buffer is reused.
func (c *course) lay(o *Outlook, from, to time.Time) {
	c.pieces, c.known = c.pieces[:0], false
	prior := float64(wattle.UnknownIntensity)
	for t := from; t.Before(to); {
		v, known := o.At(t)
		end := o.same(t, to, v, known)
		c.pieces = append(c.pieces, piece{Stretch: Stretch{t, end}, intensity: float64(v), known: known})
		prior, c.known = max(prior, float64(v)), c.known || known
		t = end
	}
	sum := 0.0
	for i := range c.pieces {
		p := &c.pieces[i]
		if !p.known {
			p.intensity = prior
		}
		p.before = sum
		sum += float64(p.intensity * p.End.Sub(p.Start).Hours())
	}
}

// same returns until when the value at t, v if known, stays the same, or the
// distant end given.
func (o *Outlook) same(t, end time.Time, v wattle.GramsPerKWh, known bool) time.Time {
	if len(o.Values) == 0 || t.Before(o.Start) {
		return o.next(t, end)
	}
	n := int64(len(o.Values))
	i := int64(t.Sub(o.Start) / o.Period)
	if i >= n {
		return end
	}
	for i++; i < n && o.Values[i].Valid() == known && (!known || o.Values[i] == v); i++ {
	}
	if i == n && !known {
		return end // as unknown as what lies beyond
	}
	if boundary := o.Start.Add(time.Duration(i) * o.Period); boundary.Before(end) {
		return boundary
	}
	return end
}

// until is the carbon from the beginning of the course to t.
func (c *course) until(t time.Time) float64 {
	i := sort.Search(len(c.pieces), func(i int) bool { return c.pieces[i].End.After(t) })
	if i == len(c.pieces) {
		if i--; i < 0 {
			return 0
		}
	}
	p := &c.pieces[i]
	return p.before + float64(p.intensity*t.Sub(p.Start).Hours())
}

// starts calls each with every start that can be optimal, not in order, and its
// carbon. Carbon is linear in the start while both ends of the run stay in their
// slots, and so is the time to completion: an extreme of either or of their ratio
// has an end of the run on a boundary.
func (c *course) starts(w *Work, each func(start time.Time, carbon float64)) {
	latest := w.latest()
	try := func(s time.Time) {
		if !s.Before(w.Release) && !s.After(latest) {
			each(s, c.until(s.Add(w.Length))-c.until(s))
		}
	}
	for i := range c.pieces {
		try(c.pieces[i].Start)
		try(c.pieces[i].End.Add(-w.Length))
	}
}
