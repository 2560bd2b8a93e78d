package disaggregate

import (
	"cmp"
	"math"
	"slices"

	"github.com/wattle-project/wattle"
)

// Interval is a value with its 95 % confidence interval; 0 ≤ Low ≤ Value ≤ High.
type Interval struct{ Value, Low, High float64 }

// Times scales all three by a factor that is not negative.
func (i Interval) Times(f float64) Interval { return Interval{i.Value * f, i.Low * f, i.High * f} }

// Estimate is what is known of the warm or of the cold invocations of one function.
type Estimate struct {
	Function wattle.FunctionID
	Cold     bool
	// Power is in W per busy second, dynamic only.
	Power Interval
	// Active is the dynamic energy of one invocation in J: Power times the mean
	// busy seconds of an invocation. Without a finished one it is 0.
	Active Interval
	// ControlPlane and Idle are the shares of one invocation in J.
	ControlPlane, Idle float64
	// Seconds is the mean busy time of an invocation, Invocations the fading
	// count that it and the shares rest on.
	Seconds, Invocations float64
	// Steps in which it ran at all.
	Steps int
}

// Total is the energy of one invocation with its shares, in J.
func (e Estimate) Total() wattle.Joules {
	return wattle.Joules(e.Active.Value + e.ControlPlane + e.Idle)
}

// AppendEstimates adds one Estimate per function and way of starting, ordered by
// function, warm first.
func (f *Filter) AppendEstimates(dst []Estimate) []Estimate {
	start := len(dst)
	sh := f.shares()
	for i := range f.columns {
		if c := &f.columns[i]; !c.control {
			dst = append(dst, f.estimate(i, sh))
		}
	}
	slices.SortFunc(dst[start:], func(a, b Estimate) int {
		return cmp.Or(cmp.Compare(a.Function, b.Function), boolCompare(a.Cold, b.Cold))
	})
	return dst
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func (f *Filter) estimate(i int, sh shares) Estimate {
	c := &f.columns[i]
	e := Estimate{Function: c.function, Cold: c.cold, Power: f.interval(i), Invocations: c.count, Steps: c.steps}
	if c.count < minCount {
		return e
	}
	e.Seconds = c.seconds / c.count
	e.Active = e.Power.Times(e.Seconds)
	e.ControlPlane, e.Idle = sh.controlPlane(c), sh.idle(c)
	return e
}

// minCount is the fading count under which a function is no longer active.
const minCount = 1e-3

// interval is ±z·σ around the unconstrained mean, or around 0 where that is
// negative, cut at 0 and widened where needed to hold the value. A mean far under
// 0 is a model that does not fit rather than a proof that the power is 0, so the
// interval keeps its width. z is Student's t: noise is estimated too.
func (f *Filter) interval(i int) Interval {
	half := studentT(f.noise.weight) * math.Sqrt(f.noise.variance()*f.k.p[i*f.k.stride+i])
	v := math.Max(f.k.x[i], 0)
	return Interval{
		Value: v,
		Low:   math.Min(math.Max(f.k.m[i]-half, 0), v),
		High:  math.Max(math.Max(f.k.m[i], 0)+half, v),
	}
}

// studentT is the 97.5 % point of Student's distribution with n degrees of
// freedom to the second order of Cornish and Fisher (Abramowitz and Stegun
// 26.7.5).
func studentT(n float64) float64 {
	const z = 1.959963984540054
	return z + (z*z*z+z)/(4*n) + (5*z*z*z*z*z+16*z*z*z+3*z)/(96*n*n)
}

// ControlPlane returns the power of the control plane in W per busy second.
func (f *Filter) ControlPlane() (Interval, bool) {
	for i := range f.columns {
		if f.columns[i].control {
			return f.interval(i), true
		}
	}
	return Interval{}, false
}

// Noise is the relative error of the meter per step as learned so far.
func (f *Filter) Noise() float64 { return math.Sqrt(f.noise.variance()) }

// Unknowns is the number of columns in use.
func (f *Filter) Unknowns() int { return len(f.columns) }

// shares holds the fading sums that idle and control plane are divided by.
type shares struct {
	cfg             Config
	idleJ, controlJ float64
	counts, busy    float64
	active          float64
	perFunction     map[wattle.FunctionID]float64
}

func (f *Filter) shares() shares {
	s := shares{cfg: f.cfg, idleJ: f.idle, counts: f.counts, busy: f.busy, perFunction: map[wattle.FunctionID]float64{}}
	for i := range f.columns {
		c := &f.columns[i]
		if c.control {
			s.controlJ = math.Max(f.k.x[i], 0) * f.control
		} else {
			s.perFunction[c.function] += c.count
		}
	}
	for _, n := range s.perFunction {
		if n >= minCount {
			s.active++
		}
	}
	return s
}

// controlPlane is the share of one invocation of c.
func (s *shares) controlPlane(c *column) float64 {
	switch {
	case s.cfg.ControlPlane == ShareEqual && s.counts > 0:
		return s.controlJ / s.counts
	case s.cfg.ControlPlane == ShareByBusy && s.busy > 0:
		return s.controlJ * (c.seconds / s.busy) / c.count
	}
	return 0
}

func (s *shares) idle(c *column) float64 {
	switch n := s.perFunction[c.function]; {
	case s.cfg.Idle == ShareEqual && s.active > 0 && n > 0:
		return s.idleJ / (s.active * n)
	case s.cfg.Idle == ShareByBusy && s.busy > 0:
		return s.idleJ * (c.seconds / s.busy) / c.count
	}
	return 0
}
