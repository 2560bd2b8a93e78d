package known

import (
	"context"
	"fmt"
	"iter"
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
	// coarse rows are printed with a digit less; charged ones pay for every start
	// ahead of demand.
	coarse, charged bool
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
	var r, charged *minute.Replay
	if err == nil {
		r, err = minute.New(cfg)
	}
	if err == nil {
		cfg.ChargeStarts = true
		charged, err = minute.New(cfg)
	}
	if err != nil {
		return yield(Case{Group: "ecolife", Name: "inputs", Err: err})
	}
	for _, f := range figures() {
		on := r
		if f.charged {
			on = charged
		}
		if ctx.Err() != nil || !f.compare(on, dir, yield) {
			return false
		}
	}
	return targets(cfg, dir, yield) && coldMinutes(dir, yield)
}

// targets holds what the shipped policies are to do on the same day, copies that
// a use did not need waiting on as they do in a cluster. The first policy is
// compared at the service time of EcoLife's swarm, the others pay for every start.
func targets(cfg minute.Config, dir string, yield func(Case) bool) bool {
	day := minute.Archive(archive(dir), dayEnd)
	most := func(name, unit string, limit, got float64, err error) bool {
		return yield(Case{Group: "ecolife", Name: name, Unit: unit, Expected: limit, Got: got, Most: true, Err: err})
	}
	cfg.ChargeStarts, cfg.Retain = false, true
	above, err := aboveBound(cfg, day)
	if !most("forecast, copies wait on: above the keep-alive bound", "%", 1.2, 100*above, err) {
		return false
	}
	cfg.ChargeStarts = true
	var x minute.Result
	r, err := minute.New(cfg)
	if err == nil {
		c := lifecycle.DefaultConfig()
		c.Rate = 0.006
		x, err = run(r, day, "expected-prewarm", c)
	}
	return most("expected-prewarm, .006 g/s: service", "s", 2.70, x.MeanSeconds(), err) &&
		most("expected-prewarm, .006 g/s: carbon", "g", .0245, x.MeanGrams(), err)
}

// aboveBound is the regret of "forecast" against the clairvoyant bound without
// pre-warming, at the mean service time of EcoLife's particle swarm.
func aboveBound(cfg minute.Config, day iter.Seq2[minute.Trace, error]) (float64, error) {
	r, err := minute.New(cfg)
	if err != nil {
		return 0, err
	}
	swarm, err := run(r, day, "ecolife-pso", lifecycle.DefaultConfig())
	if err != nil {
		return 0, err
	}
	x, err := r.Match(day, "forecast", swarm.MeanSeconds())
	if err != nil {
		return 0, err
	}
	// Near EcoLife's service time; other rates would not raise the front there.
	f, err := r.Front(day, bound.Space{}, 0.004, 0.0045, 0.005, 0.0055)
	if err != nil {
		return 0, err
	}
	return f.Regret(&x), nil
}

func run(r *minute.Replay, day iter.Seq2[minute.Trace, error], name string, c lifecycle.Config) (minute.Result, error) {
	k, err := lifecycle.New(name, c)
	if err != nil {
		return minute.Result{}, err
	}
	return r.Run(day, k)
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
	digit := 1.0
	if f.coarse {
		digit = 10
	}
	return row("service", "s", f.seconds, x.MeanSeconds(), 1e-4*digit) && row("carbon", "g", f.grams, x.MeanGrams(), 1e-6*digit) &&
		row("cold", "%", f.cold, 100*x.ColdShare(), 1e-2*digit)
}

func policy(name string, keep int, option int32) func(*minute.Replay, string) (minute.Result, error) {
	return func(r *minute.Replay, dir string) (minute.Result, error) {
		c := lifecycle.DefaultConfig()
		c.Keep, c.Option = time.Duration(keep)*time.Minute, option
		return run(r, minute.Archive(archive(dir), dayEnd), name, c)
	}
}

func clairvoyant(rate wattle.GramsPerSecond) func(*minute.Replay, string) (minute.Result, error) {
	return func(r *minute.Replay, dir string) (minute.Result, error) {
		return r.Bound(minute.Archive(archive(dir), dayEnd), bound.Space{Rate: rate, Longest: 30 * time.Minute})
	}
}

func foresight(r *minute.Replay, dir string) (minute.Result, error) {
	return r.Bound(minute.Archive(archive(dir), dayEnd), bound.Space{Rate: 0.005, Prewarm: true})
}

func published(which minute.Published) func(*minute.Replay, string) (minute.Result, error) {
	return func(r *minute.Replay, dir string) (minute.Result, error) {
		return r.Published(minute.Archive(archive(dir), dayEnd), which)
	}
}

func figures() []figure {
	return []figure{
		{name: "fixed 1 min on i3", seconds: 3.7610, grams: .023503, cold: 22.10, run: policy("fixed", 1, 0)},
		{name: "fixed 5 min on i3", seconds: 3.4462, grams: .024262, cold: 8.77, run: policy("fixed", 5, 0)},
		{name: "fixed 10 min on i3", seconds: 3.4012, grams: .024700, cold: 7.27, run: policy("fixed", 10, 0)},
		{name: "fixed 30 min on i3", seconds: 3.3668, grams: .025435, cold: 6.10, run: policy("fixed", 30, 0)},
		{name: "fixed 1 min on m5zn", seconds: 3.0730, grams: .025152, cold: 22.10, run: policy("fixed", 1, 1)},
		{name: "fixed 5 min on m5zn", seconds: 2.7792, grams: .026274, cold: 8.77, run: policy("fixed", 5, 1)},
		{name: "fixed 10 min on m5zn", seconds: 2.7399, grams: .026860, cold: 7.27, run: policy("fixed", 10, 1)},
		{name: "fixed 30 min on m5zn", seconds: 2.7086, grams: .027814, cold: 6.10, run: policy("fixed", 30, 1)},
		{name: "hybrid histogram, 4 h", seconds: 2.7005, grams: .026218, cold: 5.86, run: policy("hybrid", 240, 1)},
		{name: "hybrid histogram, 10 min", seconds: 2.7018, grams: .025705, cold: 5.90, run: policy("hybrid", 10, 1)},
		{name: "EcoLife, exact search", seconds: 2.865, grams: .02504, cold: 13.2, run: policy("ecolife", 0, 0), coarse: true},
		{name: "EcoLife, particle swarm", seconds: 2.953, grams: .02481, cold: 13.2, run: policy("ecolife-pso", 0, 0), relative: 0.01},
		{name: "clairvoyant, 0 g/s", seconds: 3.5796, grams: .022302, cold: 19.71, run: clairvoyant(0)},
		{name: "clairvoyant, .001 g/s", seconds: 3.3460, grams: .022373, cold: 18.12, run: clairvoyant(0.001)},
		{name: "clairvoyant, .003 g/s", seconds: 3.0841, grams: .022955, cold: 15.64, run: clairvoyant(0.003)},
		{name: "clairvoyant, .01 g/s", seconds: 2.8046, grams: .024328, cold: 11.39, run: clairvoyant(0.01)},
		{name: "clairvoyant, .1 g/s", seconds: 2.7092, grams: .026344, cold: 6.14, run: clairvoyant(0.1)},
		{name: "clairvoyant with pre-warming, .005 g/s", seconds: 2.638, grams: .02348, run: foresight, coarse: true, charged: true},
		{name: "published CO2-Opt", seconds: 3.4961, grams: .021403, cold: 0, run: published(0)},
		{name: "published Oracle", seconds: 2.7920, grams: .023229, cold: 0, run: published(1)},
		{name: "published Service-Time-Opt", seconds: 2.5840, grams: .028682, cold: 0, run: published(2)},
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
