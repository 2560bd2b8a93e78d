package profiles

import "time"

// span is an amount that came together between two instants.
type span struct {
	from, to time.Time
	amount   float64
	unknown  bool
}

// line is an amount over time: the joules of a zone, or processor seconds.
type line struct {
	spans   []span // ascending, disjoint
	longest time.Duration
	idle    float64 // W
}

func (l *line) add(s span) {
	if !s.to.After(s.from) {
		return
	}
	l.spans = append(l.spans, s)
	l.longest = max(l.longest, s.to.Sub(s.from))
}

// end is up to when the amount is known; zero if it never was.
func (l *line) end() time.Time {
	if len(l.spans) == 0 {
		return time.Time{}
	}
	return l.spans[len(l.spans)-1].to
}

// between is the amount from one instant to another, that of a span spread
// evenly over it, and whether all of it is known.
func (l *line) between(from, to time.Time) (sum float64, known bool) {
	covered := time.Duration(0)
	known = true
	for i := range l.spans {
		s := &l.spans[i]
		a, b := later(s.from, from), earlier(s.to, to)
		if !b.After(a) {
			continue
		}
		part := float64(b.Sub(a)) / float64(s.to.Sub(s.from))
		sum += float64(s.amount * part)
		covered += b.Sub(a)
		known = known && !s.unknown
	}
	return sum, known && float64(covered) >= 0.999*float64(to.Sub(from))
}

// forget drops what ended before t.
func (l *line) forget(t time.Time) {
	for len(l.spans) > 1 && !l.spans[0].to.After(t) {
		l.spans = l.spans[1:]
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
