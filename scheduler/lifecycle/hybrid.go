package lifecycle

import (
	"math"
	"time"
)

// Hybrid is the hybrid histogram policy of Shahrad et al., "Serverless in the
// Wild" (USENIX ATC 2020), in this variant: 240 one-minute bins; the gap that
// ends now is counted first; the histogram is used when it holds a count, fewer
// than half of all gaps were out of bounds and the coefficient of variation of
// the bin counts (variance with n−1) is at least 2. Copies are then kept from
// ⌊0.9·head⌋ to ⌈1.1·tail⌉ minutes, head and tail being the first bins whose
// cumulative share reaches 5 % and 99 %; otherwise from now for the fallback. Uses shown for learning only
// are not counted.
type Hybrid struct {
	fallback time.Duration
	option   int32
	series   []hybridSeries
}

const hybridBins = 240

type hybridSeries struct {
	used          bool
	bins          [hybridBins]uint16
	inside, total uint32
	squares       uint64
	last          time.Duration
}

// Decide counts the gap and keeps the copies over the histogram's range.
func (h *Hybrid) Decide(c *Case, dst []Span) []Span {
	if c.LearnOnly {
		return dst
	}
	h.series = grow(h.series, c.Series)
	s := &h.series[c.Series]
	if s.used {
		s.count(int((c.Arrived - s.last) / time.Minute))
	}
	s.used, s.last = true, c.Now
	from, until := time.Duration(0), h.fallback
	if s.representative() {
		head, tail := s.quantiles()
		from = time.Duration(math.Floor(0.9*float64(head))) * time.Minute
		until = time.Duration(math.Ceil(1.1*float64(tail))) * time.Minute
	}
	return append(dst, Span{h.option, c.Invocations, c.Now + from, c.Now + until})
}

// ColdOption is the option that copies are kept on.
func (h *Hybrid) ColdOption(*Case) int32 { return h.option }

func (s *hybridSeries) count(gap int) {
	s.total++
	if gap >= hybridBins {
		return
	}
	if s.bins[gap] == math.MaxUint16 {
		s.halve()
	}
	s.squares += 2*uint64(s.bins[gap]) + 1
	s.bins[gap]++
	s.inside++
}

// halve ages the histogram before a bin would overflow.
func (s *hybridSeries) halve() {
	outside := (s.total - s.inside) / 2
	s.inside, s.squares = 0, 0
	for i := range s.bins {
		s.bins[i] /= 2
		s.inside += uint32(s.bins[i])
		s.squares += uint64(s.bins[i]) * uint64(s.bins[i])
	}
	s.total = s.inside + outside
}

func (s *hybridSeries) representative() bool {
	if s.inside == 0 || 2*(s.total-s.inside) >= s.total {
		return false
	}
	n := float64(hybridBins)
	mean := float64(s.inside) / n
	variance := (float64(s.squares) - float64(n*mean)*mean) / (n - 1)
	return math.Sqrt(variance) >= 2*mean
}

func (s *hybridSeries) quantiles() (head, tail int) {
	head = -1
	var sum uint32
	for i, b := range s.bins {
		sum += uint32(b)
		if head < 0 && float64(sum) >= 0.05*float64(s.inside) {
			head = i
		}
		if float64(sum) >= 0.99*float64(s.inside) {
			return head, i
		}
	}
	return head, hybridBins - 1
}
