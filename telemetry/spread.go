package telemetry

import (
	"math"

	"github.com/wattle-project/wattle"
)

// Buckets of the power histogram: eight per octave from 2^-4 W to 2^16 W, so
// that a percentile is known to within 9 %.
const (
	perOctave    = 8
	lowestOctave = -4
	octaves      = 20
)

// spread is a histogram of power from which a bound is learned.
type spread struct {
	buckets [octaves * perOctave]uint32
	n       uint32
	cached  wattle.Watts
	at      uint32 // n when cached was computed
}

// add records one observation; zero and negative power teach nothing.
func (s *spread) add(w wattle.Watts) {
	if !(w > 0) || s.n == math.MaxUint32 {
		return
	}
	i := int(math.Floor((math.Log2(float64(w)) - lowestOctave) * perOctave))
	s.buckets[min(max(i, 0), len(s.buckets)-1)]++
	s.n++
}

// p999 returns the upper edge of the bucket that holds the 99.9th percentile,
// 0 while nothing was seen. It is computed anew after every 64th observation,
// and after each of the first 64.
func (s *spread) p999() wattle.Watts {
	if s.at != s.n && (s.n < 64 || s.n-s.at >= 64) {
		s.cached, s.at = s.percentile(0.999), s.n
	}
	return s.cached
}

func (s *spread) percentile(q float64) wattle.Watts {
	need, seen := uint32(math.Ceil(float64(s.n)*q)), uint32(0)
	for i, b := range s.buckets {
		if seen += b; b > 0 && seen >= need {
			return wattle.Watts(math.Exp2(float64(i+1)/perOctave + lowestOctave))
		}
	}
	return 0
}
