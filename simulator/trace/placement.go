package trace

import "github.com/wattle-project/wattle/simulator/workload/random"

// place appends n arrivals of f in the minute that begins at from. The stream
// is the fork of that function and minute.
func (p Placement) place(dst []Arrival, f int32, from int64, n uint32, s *random.Stream, t *random.Tables) []Arrival {
	at := Arrival{At: from, Function: f, Scale: 1}
	switch p {
	case Uniform:
		for range n {
			at.At = from + int64(s.Below(uint64(window)))
			dst = append(dst, at)
		}
	case Even:
		dst = spread(dst, at, window/(2*int64(n)), n)
	case Phased:
		dst = spread(dst, at, int64(s.Below(uint64(window/int64(n)))), n)
	case Burst:
		dst = burst(dst, at, n, s, t)
	default:
		for range n {
			dst = append(dst, at)
		}
	}
	return dst
}

// spread puts arrival i at phase + i/n of the minute.
func spread(dst []Arrival, a Arrival, phase int64, n uint32) []Arrival {
	from := a.At + phase
	for i := range int64(n) {
		a.At = from + i*window/int64(n)
		dst = append(dst, a)
	}
	return dst
}

func burst(dst []Arrival, a Arrival, n uint32, s *random.Stream, t *random.Tables) []Arrival {
	from, offset := a.At, int64(s.Below(uint64(window)))
	gap := float64(1e9 / float64(n))
	for range n {
		a.At = from + offset%window
		dst = append(dst, a)
		offset += int64(float64(gap * t.Exponential(s)))
	}
	return dst
}
