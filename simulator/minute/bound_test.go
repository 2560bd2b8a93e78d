package minute

import (
	"fmt"
	"iter"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/lifecycle"
	"github.com/wattle-project/wattle/simulator/bound"
)

// drawCase is a random small set-up: functions, grid and costs.
func drawCase(t *rapid.T) (Config, iter.Seq2[Trace, error]) {
	cfg := DefaultConfig()
	cfg.Minutes = rapid.IntRange(30, 200).Draw(t, "minutes")
	cfg.Hour = 0
	for range 6 {
		cfg.Intensity = append(cfg.Intensity, wattle.GramsPerKWh(rapid.Float64Range(10, 900).Draw(t, "ci")))
	}
	measured := func() Measured {
		j := func(high float64) wattle.Joules { return wattle.Joules(rapid.Float64Range(1, high).Draw(t, "joules")) }
		return Measured{
			Cold:    time.Duration(rapid.IntRange(1, 8000).Draw(t, "cold")) * time.Millisecond,
			Exec:    time.Duration(rapid.IntRange(1, 20000).Draw(t, "exec")) * time.Millisecond,
			ColdCPU: j(800), ColdRAM: j(100), ExecCPU: j(2000), ExecRAM: j(300),
		}
	}
	server := func(cores, kilo float64) Server {
		return Server{Cores: cores, Memory: 192, CPU: wattle.GramsCO2e(kilo * 1000), RAM: 744_000, CPUIdle: 25, RAMIdle: 4}
	}
	cfg.Classes = map[string]Class{"f": {Memory: wattle.GB, Costs: []Cost{
		NewCost(measured(), server(36, 34.7), 1), NewCost(measured(), server(24, 36), 1),
	}}}
	var all []Trace
	for i := range rapid.IntRange(1, 3).Draw(t, "functions") {
		period := rapid.IntRange(1, 20).Draw(t, "period")
		counts := make([]uint8, cfg.Start+cfg.Minutes)
		for m := range counts {
			if m%period == 0 || rapid.IntRange(0, 9).Draw(t, "chance") == 0 {
				counts[m] = uint8(rapid.IntRange(0, 4).Draw(t, "n"))
			}
		}
		all = append(all, Trace{Name: fmt.Sprint(i), Class: "f", Counts: counts})
	}
	return cfg, func(yield func(Trace, error) bool) {
		for _, x := range all {
			if !yield(x, nil) {
				return
			}
		}
	}
}

// TestNoPolicyIsBelowTheBoundOfItsSpace runs every policy against the bounds of
// the spaces that it acts in.
func TestNoPolicyIsBelowTheBoundOfItsSpace(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg, src := drawCase(rt)
		rate := wattle.GramsPerSecond(rapid.Float64Range(0, 0.05).Draw(rt, "rate"))
		for name, p := range lifecycle.Policies() {
			for _, retain := range []bool{false, true} {
				cfg.Retain, cfg.ChargeStarts = retain, p.Prewarm
				r, err := New(cfg)
				if err != nil {
					rt.Fatal(err)
				}
				c := lifecycle.DefaultConfig()
				c.Rate = rate
				k, err := lifecycle.New(name, c)
				if err != nil {
					rt.Fatal(err)
				}
				got, err := r.Run(src, k)
				if err != nil {
					rt.Fatal(err)
				}
				least, err := r.Bound(src, bound.Space{Rate: rate, Retain: retain, Prewarm: p.Prewarm})
				if err != nil {
					rt.Fatal(err)
				}
				cost := func(x Result) float64 { return float64(x.Grams() + rate.For(x.Seconds)) }
				if cost(got) < cost(least)*(1-1e-12) {
					rt.Fatalf("%s (retain %v): %.9g g is below the bound %.9g g", name, retain, cost(got), cost(least))
				}
			}
		}
	})
}

// TestWiderSpacesAreNotDearer orders the bounds by their spaces.
func TestWiderSpacesAreNotDearer(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg, src := drawCase(rt)
		cfg.ChargeStarts = true
		r, err := New(cfg)
		if err != nil {
			rt.Fatal(err)
		}
		last := 0.0
		for i, s := range []bound.Space{
			{Longest: 5 * time.Minute}, {}, {Retain: true}, {Retain: true, Prewarm: true},
		} {
			s.Rate = 0.005
			x, err := r.Bound(src, s)
			if err != nil {
				rt.Fatal(err)
			}
			cost := float64(x.Grams() + s.Rate.For(x.Seconds))
			if i > 0 && cost > last*(1+1e-12) {
				rt.Fatalf("%s costs %.9g, more than %.9g", s, cost, last)
			}
			last = cost
		}
	})
}

// TestHoldsAddUp checks that taking every hold turns the base into the bound.
func TestHoldsAddUp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg, src := drawCase(rt)
		r, err := New(cfg)
		if err != nil {
			rt.Fatal(err)
		}
		space := bound.Space{Rate: 0.005}
		holds, base, err := r.Holds(src, space)
		if err != nil {
			rt.Fatal(err)
		}
		x, err := r.Bound(src, space)
		if err != nil {
			rt.Fatal(err)
		}
		saved := 0.0
		for _, h := range holds {
			saved += h.Value
		}
		a := float64(base.Grams()+space.Rate.For(base.Seconds)) - saved
		b := float64(x.Grams() + space.Rate.For(x.Seconds))
		if diff := a - b; diff > 1e-9*b || diff < -1e-9*b {
			rt.Fatalf("base less holds %.12g, bound %.12g", a, b)
		}
	})
}
