package known

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/lifecycle"
	"github.com/wattle-project/wattle/simulator/bound"
	"github.com/wattle-project/wattle/simulator/minute"
)

// figure is one published row: seconds and grams per invocation, cold share in
// per cent (0: not published).
type figure struct {
	name           string
	seconds, grams float64
	cold           float64
	run            func(*minute.Replay, string) (minute.Result, error)
	// relative is the tolerance as a share; 0 means half a printed digit.
	relative float64
}

const dayEnd = 20 + 1440

func archive(dir string) string {
	return filepath.Join(dir, "azure-functions-2019-ecolife", "selected_trace.zip")
}

// ecolife replays the EcoLife day (SC'24) under its own accounting.
func ecolife(ctx context.Context, dir string, yield func(Case) bool) bool {
	if _, err := os.Stat(archive(dir)); dir == "" || err != nil {
		return yield(Case{Group: "ecolife", Name: "US-CAL-CISO 2023, i3 and m5zn", Skipped: "the published data is not in --data"})
	}
	cfg := minute.DefaultConfig()
	var err error
	if cfg.Intensity, err = minute.Intensity(filepath.Join(dir, "carbon-ecolife-us-2023", "US-CAL-CISO_2023_hourly.csv"), minute.DirectColumn); err == nil {
		cfg.Classes, err = minute.Profiles(filepath.Join(dir, "ecolife-energy-profiles"), "i3", "m5zn")
	}
	var r *minute.Replay
	if err == nil {
		r, err = minute.New(cfg)
	}
	if err != nil {
		return yield(Case{Group: "ecolife", Name: "inputs", Err: err})
	}
	for _, f := range figures() {
		if ctx.Err() != nil || !f.compare(r, dir, yield) {
			return false
		}
	}
	return coldMinutes(dir, yield)
}

func (f *figure) compare(r *minute.Replay, dir string, yield func(Case) bool) bool {
	x, err := f.run(r, dir)
	if err != nil {
		return yield(Case{Group: "ecolife", Name: f.name, Err: err})
	}
	row := func(what, unit string, want, got, digit float64) bool {
		tolerance := digit / 2 * 1.000001
		if f.relative > 0 {
			tolerance = f.relative * want
		}
		return want == 0 || yield(Case{Group: "ecolife", Name: f.name + ": " + what, Unit: unit, Expected: want, Got: got, Tolerance: tolerance})
	}
	return row("service", "s", f.seconds, x.MeanSeconds(), 1e-4) && row("carbon", "g", f.grams, x.MeanGrams(), 1e-6) &&
		row("cold", "%", f.cold, 100*x.ColdShare(), 1e-2)
}

func policy(name string, keep int, option int32) func(*minute.Replay, string) (minute.Result, error) {
	return func(r *minute.Replay, dir string) (minute.Result, error) {
		c := lifecycle.DefaultConfig()
		c.Keep, c.Option = time.Duration(keep)*time.Minute, option
		k, err := lifecycle.New(name, c)
		if err != nil {
			return minute.Result{}, err
		}
		return r.Run(minute.Archive(archive(dir), dayEnd), k)
	}
}

func clairvoyant(rate wattle.GramsPerSecond) func(*minute.Replay, string) (minute.Result, error) {
	return func(r *minute.Replay, dir string) (minute.Result, error) {
		return r.Bound(minute.Archive(archive(dir), dayEnd), bound.Space{Rate: rate, Longest: 30 * time.Minute})
	}
}

func published(which minute.Published) func(*minute.Replay, string) (minute.Result, error) {
	return func(r *minute.Replay, dir string) (minute.Result, error) {
		return r.Published(minute.Archive(archive(dir), dayEnd), which)
	}
}

func figures() []figure {
	return []figure{
		{"fixed 1 min on i3", 3.7610, .023503, 22.10, policy("fixed", 1, 0), 0},
		{"fixed 5 min on i3", 3.4462, .024262, 8.77, policy("fixed", 5, 0), 0},
		{"fixed 10 min on i3", 3.4012, .024700, 7.27, policy("fixed", 10, 0), 0},
		{"fixed 30 min on i3", 3.3668, .025435, 6.10, policy("fixed", 30, 0), 0},
		{"fixed 1 min on m5zn", 3.0730, .025152, 22.10, policy("fixed", 1, 1), 0},
		{"fixed 5 min on m5zn", 2.7792, .026274, 8.77, policy("fixed", 5, 1), 0},
		{"fixed 10 min on m5zn", 2.7399, .026860, 7.27, policy("fixed", 10, 1), 0},
		{"fixed 30 min on m5zn", 2.7086, .027814, 6.10, policy("fixed", 30, 1), 0},
		{"hybrid histogram, 4 h", 2.7005, .026218, 5.86, policy("hybrid", 240, 1), 0},
		{"hybrid histogram, 10 min", 2.7018, .025705, 5.90, policy("hybrid", 10, 1), 0},
		{"EcoLife, particle swarm", 2.953, .02481, 13.2, policy("ecolife-pso", 0, 0), 0.01},
		{"clairvoyant, 0 g/s", 3.5796, .022302, 19.71, clairvoyant(0), 0},
		{"clairvoyant, .001 g/s", 3.3460, .022373, 18.12, clairvoyant(0.001), 0},
		{"clairvoyant, .003 g/s", 3.0841, .022955, 15.64, clairvoyant(0.003), 0},
		{"clairvoyant, .01 g/s", 2.8046, .024328, 11.39, clairvoyant(0.01), 0},
		{"clairvoyant, .1 g/s", 2.7092, .026344, 6.14, clairvoyant(0.1), 0},
		{"published CO2-Opt", 3.4961, .021403, 0, published(0), 0},
		{"published Oracle", 2.7920, .023229, 0, published(1), 0},
		{"published Service-Time-Opt", 2.5840, .028682, 0, published(2), 0},
	}
}

// coldMinutes counts cold active minutes over the whole trace.
func coldMinutes(dir string, yield func(Case) bool) bool {
	keep := []int{1, 2, 5, 10, 20, 30, 60, 120, 240}
	want := []float64{1_435_902, 1_027_598, 255_976, 132_787, 53_720, 37_368, 14_690, 8_901, 6_076}
	cold, active, n, err := minute.ColdMinutes(minute.Archive(archive(dir), 0), keep)
	if err != nil {
		return yield(Case{Group: "ecolife", Name: "cold active minutes", Err: err})
	}
	for i, t := range keep {
		if !yield(Case{Group: "ecolife", Name: fmt.Sprintf("cold active minutes, T = %d", t), Expected: want[i], Got: float64(cold[i])}) {
			return false
		}
	}
	return yield(Case{Group: "ecolife", Name: "active minutes", Expected: 5_152_920, Got: float64(active)}) &&
		yield(Case{Group: "ecolife", Name: "invocations", Expected: 10_399_402, Got: float64(n)})
}
