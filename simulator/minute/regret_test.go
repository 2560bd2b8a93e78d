package minute

import (
	"os"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/lifecycle"
	"github.com/wattle-project/wattle/simulator/bound"
)

func frontier(t testing.TB, cfg Config, space bound.Space) *Front {
	f, err := replay(t, cfg).Front(traces(t, dayMinutes), space, 0.001, 0.002, 0.003, 0.0035, 0.004, 0.0045, 0.005, 0.0055, 0.006, 0.007, 0.009, 0.012)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func match(t testing.TB, cfg Config, policy string, seconds float64) *Result {
	x, err := replay(t, cfg).Match(traces(t, dayMinutes), policy, seconds)
	if err != nil || x.Invocations == 0 || x.MeanSeconds() > seconds {
		t.Fatalf("%+v, %v", x, err)
	}
	return &x
}

// TestRegretAtEcoLifesServiceTime compares at EcoLife's own mean service time.
// One pair of servers unless WATTLE_FULL is set.
func TestRegretAtEcoLifesServiceTime(t *testing.T) {
	zones, pairs := []string{"US-CAL-CISO"}, [][]string{{"i3", "m5zn"}}
	if os.Getenv("WATTLE_FULL") != "" {
		zones = []string{"US-CAL-CISO", "US-FLA-FMPP", "US-NY-NYIS", "US-TEN-TVA", "US-TEX-ERCO"}
		pairs = [][]string{{"i3", "m5zn"}, {"i3", "c5n"}, {"i3", "c5"}, {"c5n", "c5"}, {"c5n", "m5zn"}, {"c5", "m5zn"}}
	}
	for _, zone := range zones {
		for _, pair := range pairs {
			regretOn(t, zone, pair)
		}
	}
}

func regretOn(t *testing.T, zone string, pair []string) {
	cfg := day(t, zone, pair...)
	eco, err := replay(t, cfg).Run(traces(t, dayMinutes), keeper(t, "ecolife-pso", nil))
	if err != nil {
		t.Fatal(err)
	}
	narrow := frontier(t, cfg, bound.Space{})
	last := match(t, cfg, "forecast", eco.MeanSeconds())
	wide := frontier(t, cfg, bound.Space{Retain: true})
	cfg.Retain = true
	x := match(t, cfg, "forecast", eco.MeanSeconds())
	t.Logf("%s %v: EcoLife %s %+.2f %%; forecast, copies last used: %s %+.2f %%; any copy: %s %+.2f %% of the keep-alive bound, %+.2f %% of its own",
		zone, pair, figures(eco), 100*narrow.Regret(&eco), figures(*last), 100*narrow.Regret(last), figures(*x), 100*narrow.Regret(x), 100*wide.Regret(x))
	if narrow.Regret(x) > 0.012 {
		t.Errorf("%s %v: %.2f %% over the keep-alive bound, want at most 1.2 %%", zone, pair, 100*narrow.Regret(x))
	}
	// Inside the bound's own space nothing tried does better everywhere.
	if narrow.Regret(last) > 0.0147 {
		t.Errorf("%s %v: %.2f %% over the bound of the copies last used, want at most 1.47 %%", zone, pair, 100*narrow.Regret(last))
	}
	if wide.Regret(x) < 0 || narrow.Regret(last) < 0 {
		t.Errorf("%s %v: below the bound of the policy's own space", zone, pair)
	}
}

// TestPrewarmDominates holds pre-warming, which pays for every start ahead,
// against EcoLife and the hybrid histogram, which here do not.
func TestPrewarmDominates(t *testing.T) {
	cfg := day(t, "US-CAL-CISO", "i3", "m5zn")
	cfg.ChargeStarts, cfg.Retain = true, true
	r := replay(t, cfg)
	for _, rate := range []float64{0.006, 0.0075} {
		k := keeper(t, "expected-prewarm", func(c *lifecycle.Config) { c.Rate = wattle.GramsPerSecond(rate) })
		began := time.Now()
		x, err := r.Run(traces(t, dayMinutes), k)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("rate %g: %s, %.2f %% cold, %s", rate, figures(x), 100*x.ColdShare(), time.Since(began))
		if x.MeanSeconds() > 2.70 || x.MeanGrams() > 0.0245 {
			t.Errorf("pre-warming at %g g/s: %s, want at most 2.70 s and .0245 g", rate, figures(x))
		}
	}
}
