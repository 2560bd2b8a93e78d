package minute

import (
	"fmt"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/lifecycle"
	"github.com/wattle-project/wattle/simulator/bound"
)

// data is the folder of public traces, or the test is skipped.
func data(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("WATTLE_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(filepath.Join(dir, "ecolife-energy-profiles")); err != nil {
		t.Skipf("EcoLife's traces and profiles are absent; set WATTLE_DATA to their folder: %v", err)
	}
	return dir
}

// day is EcoLife's day on a grid and a pair of servers.
func day(t testing.TB, zone string, servers ...string) Config {
	t.Helper()
	dir := data(t)
	cfg := DefaultConfig()
	var err error
	cfg.Intensity, err = Intensity(filepath.Join(dir, "carbon-ecolife-us-2023", zone+"_2023_hourly.csv"), DirectColumn)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Classes, err = Profiles(filepath.Join(dir, "ecolife-energy-profiles"), servers...); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func traces(t testing.TB, minutes int) iter.Seq2[Trace, error] {
	return Archive(filepath.Join(data(t), "azure-functions-2019-ecolife", "selected_trace.zip"), minutes)
}

const dayMinutes = 20 + 1440

func replay(t testing.TB, cfg Config) *Replay {
	t.Helper()
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func keeper(t testing.TB, name string, change func(*lifecycle.Config)) lifecycle.Keeper {
	t.Helper()
	c := lifecycle.DefaultConfig()
	if change != nil {
		change(&c)
	}
	k, err := lifecycle.New(name, c)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// figures prints a result as published: seconds and grams per invocation.
func figures(r Result) string { return fmt.Sprintf("%.4f %.6f", r.MeanSeconds(), r.MeanGrams()) }

func TestPolicyTable(t *testing.T) {
	r := replay(t, day(t, "US-CAL-CISO", "i3", "m5zn"))
	for _, c := range []struct {
		policy  string
		minutes int
		option  int32
		want    string
	}{
		{"fixed", 1, 0, "3.7610 0.023503 22.10"}, {"fixed", 5, 0, "3.4462 0.024262 8.77"},
		{"fixed", 10, 0, "3.4012 0.024700 7.27"}, {"fixed", 30, 0, "3.3668 0.025435 6.10"},
		{"fixed", 1, 1, "3.0730 0.025152 22.10"}, {"fixed", 5, 1, "2.7792 0.026274 8.77"},
		{"fixed", 10, 1, "2.7399 0.026860 7.27"}, {"fixed", 30, 1, "2.7086 0.027814 6.10"},
		{"hybrid", 240, 1, "2.7005 0.026218 5.86"}, {"hybrid", 10, 1, "2.7018 0.025705 5.90"},
		{"ecolife", 0, 0, "2.8654 0.025040 13.17"},
	} {
		k := keeper(t, c.policy, func(l *lifecycle.Config) {
			l.Keep, l.Option = time.Duration(c.minutes)*time.Minute, c.option
		})
		x, err := r.Run(traces(t, dayMinutes), k)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%s %.2f", figures(x), 100*x.ColdShare()); got != c.want || x.Invocations != 857_068 {
			t.Errorf("%s %d on %d: %s, want %s (n = %d)", c.policy, c.minutes, c.option, got, c.want, x.Invocations)
		}
	}
}

func TestSwarmIsWithinOnePerCent(t *testing.T) {
	r := replay(t, day(t, "US-CAL-CISO", "i3", "m5zn"))
	x, err := r.Run(traces(t, dayMinutes), keeper(t, "ecolife-pso", nil))
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(x.MeanSeconds()/2.953-1) > 0.01 || math.Abs(x.MeanGrams()/0.02481-1) > 0.01 || math.Abs(x.ColdShare()/0.132-1) > 0.01 {
		t.Errorf("particle swarm: %s, %.2f %% cold, want 2.953 0.02481 13.2 %%", figures(x), 100*x.ColdShare())
	}
}

func TestClairvoyantTable(t *testing.T) {
	r := replay(t, day(t, "US-CAL-CISO", "i3", "m5zn"))
	for _, c := range []struct {
		rate float64
		want string
	}{
		{0, "3.5796 0.022302 19.71"}, {0.001, "3.3460 0.022373 18.12"}, {0.003, "3.0841 0.022955 15.64"},
		{0.01, "2.8046 0.024328 11.39"}, {0.1, "2.7092 0.026344 6.14"},
	} {
		x, err := r.Bound(traces(t, dayMinutes), bound.Space{Rate: wattle.GramsPerSecond(c.rate), Longest: 30 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%s %.2f", figures(x), 100*x.ColdShare()); got != c.want {
			t.Errorf("clairvoyant at %g g/s: %s, want %s", c.rate, got, c.want)
		}
	}
	cfg := day(t, "US-CAL-CISO", "i3", "m5zn")
	cfg.ChargeStarts = true
	x, err := replay(t, cfg).Bound(traces(t, dayMinutes), bound.Space{Rate: 0.005, Prewarm: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%.3f %.5f", x.MeanSeconds(), x.MeanGrams()); got != "2.638 0.02348" {
		t.Errorf("clairvoyant with pre-warming: %s, want 2.638 0.02348", got)
	}
}

func TestPublishedComparisons(t *testing.T) {
	r := replay(t, day(t, "US-CAL-CISO", "i3", "m5zn"))
	for which, want := range []string{"3.4961 0.021403", "2.7920 0.023229", "2.5840 0.028682"} {
		x, err := r.Published(traces(t, dayMinutes), Published(which))
		if err != nil {
			t.Fatal(err)
		}
		if figures(x) != want {
			t.Errorf("%s: %s, want %s", Published(which), figures(x), want)
		}
	}
}

func TestColdMinutesOfTwelveDays(t *testing.T) {
	cold, active, n, err := ColdMinutes(traces(t, 0), []int{1, 2, 5, 10, 20, 30, 60, 120, 240})
	if err != nil {
		t.Fatal(err)
	}
	want := []int64{1_435_902, 1_027_598, 255_976, 132_787, 53_720, 37_368, 14_690, 8_901, 6_076}
	if !slices.Equal(cold, want) || active != 5_152_920 || n != 10_399_402 {
		t.Errorf("cold minutes %v of %d active, %d invocations", cold, active, n)
	}
}
