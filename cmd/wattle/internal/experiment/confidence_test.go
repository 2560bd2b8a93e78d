package experiment

import (
	"math"
	"slices"
	"testing"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/simulator"
)

// The quantiles 4.302653 (2 degrees of freedom) and 2.776445 (4) are those of
// printed tables of Student's t.
func TestIntervalsAreStudents(t *testing.T) {
	for _, c := range []struct {
		values     []float64
		mean, half float64
	}{
		{[]float64{1, 2, 3}, 2, 4.302653 / math.Sqrt(3)},
		{[]float64{2, 4, 4, 4, 6}, 4, 2.776445 * math.Sqrt(2.0/5)},
	} {
		x := interval(c.values)
		if math.Abs(x.Mean-c.mean) > 1e-12 || math.Abs(x.Hi-c.mean-c.half) > 1e-5 || math.Abs(c.mean-c.half-x.Lo) > 1e-5 {
			t.Errorf("%v: %+v, want %g ± %g", c.values, *x, c.mean, c.half)
		}
	}
	if intervals(make([]Outcome, 1)) != nil {
		t.Error("one seed has an interval")
	}
}

// Three seeds under ten sets: a lies below b by 1, 2 and 3 g, so by 2 ± 2.48 g,
// which holds 0; c lies above b by 10, 11 and 12 g. In one set c is below b, in
// two a equals b.
func TestPairsByHand(t *testing.T) {
	e := &Experiment{File: &File{Policies: []Policy{{Name: "c"}, {Name: "b"}, {Name: "a"}}}, Seeds: []uint64{5, 6, 7}}
	sets := []Assignment{e.own()}
	for _, x := range []power.Set{power.Low, power.Central, power.High} {
		for _, y := range []power.Set{power.Low, power.Central, power.High} {
			sets = append(sets, Assignment{DRAM: x, PUE: y, Network: power.Low, Embodied: power.High})
		}
	}
	var outcomes []Outcome
	for s, set := range sets {
		for seed := range e.Seeds {
			grams := []float64{111 + 2*float64(seed), 101 + float64(seed), 100}
			switch s {
			case 1:
				grams[0] = 0
			case 2, 3:
				grams[2] = grams[1]
			}
			for p, g := range grams {
				r := &simulator.Result{}
				r.Carbon.Exec = wattle.GramsCO2e(g)
				outcomes = append(outcomes, Outcome{Job: Job{p, seed, set}, Result: r})
			}
		}
	}
	half := 4.302653 / math.Sqrt(3)
	for i, want := range []struct {
		a, b       string
		share      float64
		difference float64
		robust     bool
	}{{"b", "c", 0.9, 11, true}, {"a", "c", 0.9, 13, true}, {"a", "b", 0.8, 2, false}} {
		p := e.pairs(outcomes)[i]
		width := half
		if want.difference == 13 {
			width *= 2
		}
		if p.A != want.a || p.B != want.b || p.Sets != 10 || p.BelowShare != want.share || p.Robust() != want.robust {
			t.Errorf("%+v, want %+v", p, want)
		}
		if d := p.Difference; math.Abs(d.Mean-want.difference) > 1e-9 || math.Abs(d.Hi-d.Mean-width) > 1e-5 || math.Abs(d.Mean-d.Lo-width) > 1e-5 {
			t.Errorf("%s, %s: difference %+v, want %g ± %g", p.A, p.B, *d, want.difference, width)
		}
	}
	// With its own set alone a lies below b each time, by a difference that holds 0.
	alone := slices.DeleteFunc(outcomes, func(o Outcome) bool { return o.Set != e.own() })
	if p := e.pairs(alone)[2]; p.BelowShare != 1 || p.Robust() {
		t.Errorf("over three seeds %+v is robust: %v", p, p.Robust())
	}
}
