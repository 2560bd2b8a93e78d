package analytic

import (
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/wattle-project/wattle/simulator/trace"
	"github.com/wattle-project/wattle/simulator/workload/random"
)

// arrivals is the trace of a System.
type arrivals struct {
	System
	total float64 // execution seconds handed out so far
}

// Functions returns one entry per stream.
func (a *arrivals) Functions() []trace.Function { return make([]trace.Function, max(a.Streams, 1)) }

// Length is the simulated time.
func (a *arrivals) Length() time.Duration { return a.System.Length }

// Open starts a replay.
func (a *arrivals) Open() (trace.Source, error) {
	if a.Script != nil {
		return &script{a, a.Script}, nil
	}
	src := &source{a: a}
	for i := range max(a.Streams, 1) {
		s := stream{Stream: random.New(a.Seed, fmt.Sprint(i))}
		s.step(&a.System)
		src.streams = append(src.streams, s)
	}
	return src, nil
}

// stream is the arrivals of one function.
type stream struct {
	random.Stream
	next float64 // seconds; infinite after the last
	n    int     // arrivals drawn so far
}

// step draws the next arrival.
func (s *stream) step(y *System) {
	s.n++
	switch {
	case y.Count > 0 && s.n > y.Count:
		s.next = math.Inf(1)
	case y.Even:
		s.next = float64(s.n) / y.Rate
	case len(y.Mixture) > 0:
		s.next += y.quantile(s.n - 1)
	default:
		s.next += s.Exponential() / y.Rate
	}
}

// stride scatters quantiles; it is prime, so that all are met where it does not
// divide their number.
const stride = 7_368_787

// quantile is the n-th gap of the mixture in seconds.
func (s *System) quantile(n int) float64 {
	k, from := float64(n*stride%s.Count), 0.0
	for i, b := range s.Mixture {
		size := float64(b.Share * float64(s.Count))
		if k < from+size || i == len(s.Mixture)-1 {
			return -random.Log((k-from+0.5)/size) / b.Rate
		}
		from += size
	}
	return 0
}

// scale is one execution time as a multiple of the mean.
func (s *stream) scale(law Service) float64 {
	switch law {
	case Exponential:
		return s.Exponential()
	case Lognormal:
		return s.Lognormal(1)
	case Erlang2:
		return (s.Exponential() + s.Exponential()) / 2
	case Hyperexponential:
		if s.Float64() < 0.8 {
			return s.Exponential() / 2
		}
		return 3 * s.Exponential()
	}
	return 1
}

// source replays a System.
type source struct {
	a       *arrivals
	streams []stream
	until   float64 // seconds
	sorter  trace.Sorter
}

// Close does nothing.
func (*source) Close() error { return nil }

// Next yields the arrivals of the next minute that has any.
func (s *source) Next(buf []trace.Arrival) ([]trace.Arrival, error) {
	buf = buf[:0]
	first := slices.MinFunc(s.streams, func(a, b stream) int {
		if a.next < b.next {
			return -1
		}
		return 1
	}).next
	length := s.a.System.Length.Seconds()
	if first >= length {
		return buf, io.EOF
	}
	origin := max(s.until, 60*math.Floor(first/60))
	s.until = origin + 60
	for i := range s.streams {
		g := &s.streams[i]
		for ; g.next < min(s.until, length); g.step(&s.a.System) {
			for range max(s.a.Batch, 1) {
				buf = append(buf, s.a.hand(trace.Arrival{At: int64(math.Round(g.next * 1e9)), Function: int32(i), Scale: g.scale(s.a.Service)}))
			}
		}
	}
	s.sorter.Sort(buf, int64(origin*1e9))
	return buf, nil
}

// hand counts an arrival that is handed out.
func (a *arrivals) hand(x trace.Arrival) trace.Arrival {
	a.total += float64(x.Scale * a.mean(int(x.Function)))
	return x
}

// script replays given arrivals.
type script struct {
	a    *arrivals
	left []trace.Arrival
}

// Close does nothing.
func (*script) Close() error { return nil }

// Next yields all arrivals at once.
func (s *script) Next(buf []trace.Arrival) ([]trace.Arrival, error) {
	buf = buf[:0]
	if len(s.left) == 0 {
		return buf, io.EOF
	}
	for _, x := range s.left {
		buf = append(buf, s.a.hand(x))
	}
	s.left = nil
	return buf, nil
}
