package invocations

import "time"

// gone is how long a source may be silent before it is taken to be gone with its
// functions.
const gone = time.Minute

// Silence follows which sources do not answer, batch by batch. The zero value
// knows of none.
type Silence struct {
	since []time.Time // each that is silent, in the order in which they fell so
}

// Partial reports whether a batch from one instant to another, for which failed
// sources did not answer, does not say what ran in its time: one of them fell
// silent within the last minute, or one tells now what it counted before.
func (s *Silence) Partial(from, to time.Time, failed int, late bool) bool {
	back := late || len(s.since) > failed
	if late && len(s.since) == failed && failed > 0 {
		s.since = s.since[:failed-1] // another fell silent as one came back
	}
	s.since = s.since[:min(len(s.since), failed)]
	for len(s.since) < failed {
		s.since = append(s.since, from)
	}
	return back || failed > 0 && to.Sub(s.since[failed-1]) <= gone
}
