package workload

import (
	"math"
	"time"

	"github.com/wattle-project/wattle/simulator/trace"
	"github.com/wattle-project/wattle/simulator/workload/random"
)

// parameters is a Spec made ready for drawing. Times are in nanoseconds.
type parameters struct {
	process Process
	sigma   float32
	gap     float64 // mean gap; of MMPP that of the quiet state; of Weibull the scale
	a, b    float64 // MMPP: gap in bursts, mean quiet time; Timer: jitter; Weibull: shape
	c       float64 // MMPP: mean burst time
	hours   *[24]float64
}

func (s *Spec) parameters() parameters {
	p := parameters{process: s.Process, sigma: float32(s.Function.Sigma), gap: math.Inf(1)}
	if s.Rate > 0 {
		p.gap = 1e9 / s.Rate
	}
	switch s.Process {
	case MMPP:
		p.b, p.c = float64(s.Burst.Quiet), float64(s.Burst.On)
		// Mean rate = quiet rate · (b + factor·c)/(b + c).
		p.gap = float64(p.gap*(p.b+float64(s.Burst.Factor*p.c))) / (p.b + p.c)
		p.a = p.gap / s.Burst.Factor
	case Timer:
		p.a = s.Jitter
	case Weibull:
		p.a = s.Shape
		p.gap /= random.Gamma1p(1 / s.Shape)
	case Diurnal:
		hours := s.Day.weights()
		p.hours = &hours
	}
	return p
}

// state is where a function's process stands.
type state struct {
	stream random.Stream
	at     float64 // the last arrival, in ns
	change float64 // MMPP: when the state ends; Timer: the arrival's due time
	burst  bool
}

// generator is the trace.Emitter of a Workload.
type generator struct {
	workload *Workload
	state    []state
}

// First implements trace.Emitter.
func (g *generator) First(f int32) int64 {
	s, p := &g.state[f], &g.workload.params[f]
	if math.IsInf(p.gap, 1) {
		return trace.Never
	}
	switch p.process {
	case MMPP:
		// The chain begins in its stationary distribution.
		s.burst = float64(s.stream.Float64()*(p.b+p.c)) < p.c
		s.change = g.sojourn(s, p)
	case Timer:
		s.change = float64(p.gap * (s.stream.Float64() - 1))
	}
	return g.advance(s, p)
}

// Emit implements trace.Emitter.
func (g *generator) Emit(dst []trace.Arrival, f int32, _, to int64) ([]trace.Arrival, int64) {
	s, p, tables := &g.state[f], &g.workload.params[f], g.workload.tables
	at, sigma := int64(s.at), float64(p.sigma)
	for at < to {
		a := trace.Arrival{At: at, Function: f, Scale: 1}
		if sigma > 0 {
			a.Scale = max(tiny, float64(float32(tables.Lognormal(&s.stream, sigma)))) // 24 bits are enough
		}
		dst = append(dst, a)
		at = g.advance(s, p)
	}
	return dst, at
}

// tiny stands for a Scale of 0, which has another meaning.
const tiny = 1e-9

// advance moves s to the next arrival.
func (g *generator) advance(s *state, p *parameters) int64 {
	t := g.workload.tables
	switch p.process {
	case Poisson:
		s.at += float64(p.gap * t.Exponential(&s.stream))
	case MMPP:
		g.modulated(s, p)
	case Diurnal:
		g.diurnal(s, p)
	case Timer:
		s.change += p.gap
		s.at = s.change
		if p.a > 0 {
			s.at += float64(p.gap * float64(p.a*s.stream.Float64()))
		}
	case Weibull:
		s.at += float64(p.gap * s.stream.Weibull(p.a))
	}
	if !(s.at < float64(g.workload.config.Length)) {
		return trace.Never
	}
	return int64(s.at)
}

// modulated draws competing exponentials: the next arrival against the next
// change of state.
func (g *generator) modulated(s *state, p *parameters) {
	for s.at < float64(g.workload.config.Length) {
		gap := p.gap
		if s.burst {
			gap = p.a
		}
		at := s.at + float64(gap*g.workload.tables.Exponential(&s.stream))
		if at < s.change {
			s.at = at
			return
		}
		s.at, s.burst = s.change, !s.burst
		s.change += g.sojourn(s, p)
	}
}

func (g *generator) sojourn(s *state, p *parameters) float64 {
	mean := p.b
	if s.burst {
		mean = p.c
	}
	return float64(mean * g.workload.tables.Exponential(&s.stream))
}

// diurnal inverts the integral of the hourly rates: the gap holds one unit
// exponential of expected arrivals.
func (g *generator) diurnal(s *state, p *parameters) {
	const hour = float64(time.Hour)
	want := float64(p.gap * g.workload.tables.Exponential(&s.stream)) // in ns at the mean rate
	start, length := float64(g.workload.config.Start), float64(g.workload.config.Length)
	for s.at < length {
		h := math.Floor((s.at + start) / hour)
		weight := p.hours[int64(h)%24]
		end := float64((h+1)*hour) - start
		if have := float64(weight * (end - s.at)); have < want {
			want -= have
			s.at = max(end, math.Nextafter(s.at, math.MaxFloat64))
			continue
		}
		s.at += want / weight
		return
	}
}
