package experiment

import (
	"github.com/wattle-project/wattle/scheduler/power"
)

// Assignment chooses a value of each group of coefficients. It is comparable.
type Assignment struct{ DRAM, PUE, Network, Embodied power.Set }

// uniform assigns the same set to every group.
func uniform(s power.Set) Assignment { return Assignment{s, s, s, s} }

// own is the assignment that the experiment's figures are made with.
func (e *Experiment) own() Assignment { return uniform(e.File.Accounting.Coefficients.V) }

// assignments are the coefficient sets of an experiment, its own first. With
// robustness they add all-low, all-central, all-high, and each group that moves
// operational carbon at its low and at its high value alone.
func (e *Experiment) assignments() []Assignment {
	own := e.own()
	out := []Assignment{own}
	if !e.File.Accounting.Robustness {
		return out
	}
	var more []Assignment
	for _, s := range []power.Set{power.Low, power.High} {
		for _, group := range []func(*Assignment){
			func(a *Assignment) { *a = uniform(s) },
			func(a *Assignment) { a.DRAM = s },
			func(a *Assignment) { a.PUE = s },
			func(a *Assignment) { a.Network = s },
		} {
			a := uniform(power.Central)
			group(&a)
			more = append(more, a)
		}
	}
	for _, a := range append(more, uniform(power.Central)) {
		if a != own {
			out = append(out, a)
		}
	}
	return out
}

// scaled moves a cluster's PUE by as much as the coefficient's spread says.
func scaled(pue float64, c power.Coefficient, s power.Set) float64 {
	return 1 + (pue-1)*(s.Of(c)-1)/(c.Central-1)
}
