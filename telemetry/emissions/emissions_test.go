package emissions_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/telemetry/emissions"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

const kWh = wattle.Microjoules(3_600_000_000_000)

// hourly is a grid of 100, 200, … g/kWh in the hours from noon on.
func hourly(at time.Time) wattle.Signal {
	h := at.Sub(noon).Truncate(time.Hour)
	return wattle.Signal{Zone: "FR", Intensity: wattle.GramsPerKWh(100 * (1 + h.Hours())), From: noon.Add(h), To: noon.Add(h + time.Hour)}
}

// nothing is what a feed answers that knows nothing.
func nothing(at time.Time) wattle.Signal {
	return wattle.Signal{Zone: "FR", Intensity: wattle.UnknownIntensity, Quality: wattle.Prior, From: at, To: at.Add(time.Hour)}
}

func begin(t testing.TB, change func(*emissions.Config)) *emissions.Integrator {
	t.Helper()
	c := emissions.DefaultConfig()
	if change != nil {
		change(&c)
	}
	m, err := emissions.New(noon, c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func near(t *testing.T, what string, have wattle.GramsCO2e, want float64) {
	t.Helper()
	if math.Abs(float64(have)-want) > 1e-9*math.Max(1, want) {
		t.Errorf("%s: %v g, want %v g", what, float64(have), want)
	}
}

// A step over three grid hours is no product of its energy with one intensity.
func TestIntensityIsHeldOverEachPart(t *testing.T) {
	m := begin(t, func(c *emissions.Config) { c.PUE = 1.5 })
	f := []emissions.Account{{Namespace: "a", Function: "f", Energy: kWh}}
	if !m.Step(noon.Add(150*time.Minute), 5*kWh, f, hourly) {
		t.Fatal("energy waits")
	}
	// 2 kWh at 100, 2 at 200, 1 at 300, and a fifth of that for the function.
	totals := m.AppendTotals(nil)
	if len(totals) != 1 || totals[0].Energy != 5*kWh || totals[0].Quality != wattle.Measured {
		t.Fatalf("%+v", totals)
	}
	near(t, "machine", totals[0].Grams, 1.5*900)
	near(t, "function", m.AppendFunctions(nil)[0].Operational, 1.5*180)
}

// Steps of any length come to the same where power is constant.
func TestStepsDoNotMatter(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := begin(t, nil)
		at := noon
		end := noon.Add(5 * time.Hour)
		for at.Before(end) {
			at = at.Add(time.Duration(rapid.Int64Range(1, int64(2*time.Hour)).Draw(r, "step")))
			if at.After(end) {
				at = end
			}
			e := wattle.Microjoules(at.Sub(noon) / 1000) // 1 mW
			m.Step(at, e, []emissions.Account{{Function: "f", Energy: e}}, hourly)
		}
		totals := m.AppendTotals(nil)
		energy := wattle.Microjoules(5 * time.Hour / 1000)
		want := float64(energy.Joules().At(300))
		if len(totals) != 1 || totals[0].Energy != energy {
			r.Fatalf("%+v", totals)
		}
		for _, g := range []wattle.GramsCO2e{totals[0].Grams, m.AppendFunctions(nil)[0].Operational} {
			if math.Abs(float64(g)-want) > 1e-6*want {
				r.Fatalf("%v g, want %v", g, want)
			}
		}
	})
}

// A missing intensity is neither 0 nor lost: energy waits for it.
func TestEnergyWaitsForAnIntensity(t *testing.T) {
	for name, missing := range map[string]emissions.Lookup{
		"prior":     nothing,
		"no answer": func(time.Time) wattle.Signal { return wattle.Signal{} },
		"zero":      func(at time.Time) wattle.Signal { s := hourly(at); s.Intensity = 0; return s },
		"not a value": func(at time.Time) wattle.Signal {
			s := hourly(at)
			s.Intensity = wattle.GramsPerKWh(math.NaN())
			return s
		},
		"marginal": func(at time.Time) wattle.Signal { s := hourly(at); s.Kind = wattle.Marginal; return s },
		"direct":   func(at time.Time) wattle.Signal { s := hourly(at); s.Scope = wattle.Direct; return s },
		"ended":    func(at time.Time) wattle.Signal { s := hourly(at); s.To = at; return s },
	} {
		m := begin(t, nil)
		f := []emissions.Account{{Function: "f", Energy: kWh}}
		if m.Step(noon.Add(9*time.Minute), kWh, f, missing) || len(m.AppendTotals(nil)) != 0 || len(m.AppendFunctions(nil)) != 0 {
			t.Errorf("%s: does not wait: %+v", name, m.AppendTotals(nil))
		}
		m.Step(noon.Add(10*time.Minute-1), 2*kWh, f, hourly)
		totals := m.AppendTotals(nil)
		if len(totals) != 1 || totals[0].Quality != wattle.Measured || totals[0].Energy != 2*kWh {
			t.Fatalf("%s: %+v", name, totals)
		}
		near(t, name, totals[0].Grams, 200)
		near(t, name, m.AppendFunctions(nil)[0].Operational, 100)
	}
}

// Patience ends: the flagged prior stands in, for that part only.
func TestPriorIsCountedApart(t *testing.T) {
	m := begin(t, nil)
	half := func(at time.Time) wattle.Signal {
		if at.Before(noon.Add(5 * time.Minute)) {
			return wattle.Signal{Zone: "FR"}
		}
		return hourly(at)
	}
	m.Step(noon.Add(10*time.Minute), 2*kWh, nil, half)
	totals := m.AppendTotals(nil)
	if len(totals) != 2 || totals[0].Quality != wattle.Measured || totals[1].Quality != wattle.Prior || totals[1].Zone != "FR" {
		t.Fatalf("%+v", totals)
	}
	near(t, "measured", totals[0].Grams, 100)
	near(t, "prior", totals[1].Grams, float64(wattle.UnknownIntensity))
}

// Nothing falls and no energy is lost, whatever the clock and the feed do.
func TestTotalsOnlyGrow(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := begin(t, func(c *emissions.Config) {
			c.Machine = wattle.Resources{CPU: 1000}
			c.Embodied = func(_ wattle.Resources, d time.Duration) wattle.GramsCO2e { return wattle.GramsCO2e(d.Hours()) }
		})
		at, energy, embodied := noon, wattle.Microjoules(0), wattle.GramsCO2e(0)
		grams, functions := map[string]wattle.GramsCO2e{}, map[string]wattle.GramsCO2e{}
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			at = at.Add(time.Duration(rapid.Int64Range(int64(-time.Hour), int64(2*time.Hour)).Draw(r, "step")))
			energy += wattle.Microjoules(rapid.Int64Range(0, 1e12).Draw(r, "energy"))
			look := rapid.SampledFrom([]emissions.Lookup{nothing, hourlyOrPrior}).Draw(r, "feed")
			var f []emissions.Account
			if rapid.Bool().Draw(r, "runs") {
				f = []emissions.Account{{Function: "f", Energy: energy / 2}}
			}
			// A source that forgot shows less for once.
			m.Step(at, energy/wattle.Microjoules(rapid.IntRange(1, 2).Draw(r, "part")), f, look)
			if m.Embodied() < embodied {
				r.Fatal("embodied emissions fell")
			}
			embodied = m.Embodied()
			for _, x := range m.AppendTotals(nil) {
				k := fmt.Sprint(x.Zone, x.Kind, x.Quality)
				if x.Grams < grams[k] {
					r.Fatalf("%s fell", k)
				}
				grams[k] = x.Grams
			}
			for _, x := range m.AppendFunctions(nil) {
				if x.Operational < functions[x.Function] {
					r.Fatal("a function fell")
				}
				functions[x.Function] = x.Operational
			}
		}
		m.Step(at.Add(time.Hour), energy, nil, hourlyOrPrior)
		var sum wattle.Microjoules
		for _, x := range m.AppendTotals(nil) {
			sum += x.Energy
		}
		if sum != energy {
			r.Fatalf("%d µJ reckoned of %d", sum, energy)
		}
	})
}

// hourlyOrPrior is hourly from noon on, and knows nothing of before.
func hourlyOrPrior(at time.Time) wattle.Signal {
	if at.Before(noon) || at.After(noon.Add(24*time.Hour)) {
		return nothing(at)
	}
	return hourly(at)
}

// The worked example of the SCI specification: 1,000 kg over four years are
// about 28 g an hour; a function that reserves a quarter has a quarter.
func TestEmbodiedIsTheSpecificationsExample(t *testing.T) {
	server := power.Embodied{Rest: 1_000_000, Lifetime: 4 * 365 * 24 * time.Hour}
	machine := power.Machine{VCPU: 64, Memory: 256 * wattle.GiB}
	m := begin(t, func(c *emissions.Config) {
		c.Machine = wattle.Resources{CPU: 64_000, Memory: 256 * wattle.GiB}
		c.Embodied = func(r wattle.Resources, d time.Duration) wattle.GramsCO2e { return server.Share(machine, r, d) }
	})
	f := []emissions.Account{{Function: "f", Reserved: wattle.Resources{CPU: 16_000}}, {Function: "idle"}}
	for minute := range 60 { // no intensity is needed for it
		m.Step(noon.Add(time.Duration(minute+1)*time.Minute), 0, f, func(time.Time) wattle.Signal { return wattle.Signal{} })
	}
	if math.Abs(float64(m.Embodied())-28.54) > 0.01 {
		t.Errorf("%v g an hour, want 28.54", m.Embodied())
	}
	near(t, "function", m.AppendFunctions(nil)[0].Embodied, float64(m.Embodied())/4)
}

func TestConfigIsChecked(t *testing.T) {
	for _, broken := range []func(*emissions.Config){
		func(c *emissions.Config) { c.PUE = 0.9 },
		func(c *emissions.Config) { c.PUE = math.NaN() },
		func(c *emissions.Config) { c.Patience = -1 },
	} {
		c := emissions.DefaultConfig()
		broken(&c)
		if _, err := emissions.New(noon, c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}
