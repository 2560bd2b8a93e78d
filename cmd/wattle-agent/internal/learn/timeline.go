package learn

import (
	"time"
)

// span is an amount that came evenly between two instants; unknown is one that
// could not be told.
type span struct {
	from, to time.Time
	amount   float64
	unknown  bool
}

// timeline is an amount over time, oldest first. Spans do not overlap.
type timeline struct {
	spans  []span
	length time.Duration // of the last span
}

// keepSpans bounds how long invocations may be late: ten minutes at 1 Hz.
const keepSpans = 600

func (l *timeline) add(s span) {
	l.length = s.to.Sub(s.from)
	if len(l.spans) >= keepSpans {
		l.spans = append(l.spans[:0], l.spans[keepSpans/10:]...)
	}
	l.spans = append(l.spans, s)
}

func (l *timeline) end() time.Time {
	if len(l.spans) == 0 {
		return time.Time{}
	}
	return l.spans[len(l.spans)-1].to
}

// between is the amount within [from, to), and whether all of it is known. What
// no span covers is not known, but for margins that are jitter of the clock.
func (l *timeline) between(from, to time.Time) (sum float64, known bool) {
	var covered time.Duration
	known = true
	for i := len(l.spans) - 1; i >= 0; i-- {
		s := &l.spans[i]
		a, b := later(s.from, from), earlier(s.to, to)
		if !b.After(a) {
			if !s.to.After(from) {
				break
			}
			continue
		}
		part := b.Sub(a)
		covered += part
		known = known && !s.unknown
		sum += float64(s.amount * (float64(part) / float64(s.to.Sub(s.from))))
	}
	return sum, known && covered >= to.Sub(from)-to.Sub(from)/10
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
