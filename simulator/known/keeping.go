package known

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/wattle-project/wattle/simulator/analytic"
)

// law is a system, a figure of it and what it should be.
type law struct {
	name, unit      string
	want, tolerance float64
	system          analytic.System
	get             func(analytic.Observed) float64
}

// replay yields every law until one is refused; neighbours of the same system
// share its run. Tolerances are about four standard errors at the run's length,
// or nothing where the answer is exact.
func replay(ctx context.Context, group string, laws []law, yield func(Case) bool) bool {
	var o analytic.Observed
	var err error
	for i, l := range laws {
		if ctx.Err() != nil {
			return false
		}
		if i == 0 || !reflect.DeepEqual(l.system, laws[i-1].system) {
			s := l.system
			s.Seed = 1
			o, err = analytic.Observe(ctx, s)
		}
		if !yield(Case{Group: group, Name: l.name, Unit: l.unit, Expected: l.want, Got: l.get(o), Tolerance: l.tolerance, Err: err}) {
			return false
		}
	}
	return true
}

func waited(o analytic.Observed) float64  { return o.Wait }
func delayed(o analytic.Observed) float64 { return o.Delayed }
func blocked(o analytic.Observed) float64 { return o.Blocked }
func cold(o analytic.Observed) float64    { return o.Cold }
func idle(o analytic.Observed) float64    { return o.Idle }
func busy(o analytic.Observed) float64    { return o.Busy }
func present(o analytic.Observed) float64 { return o.Present }

// keeping compares the keep-alive of the engine with renewal theory.
func keeping(ctx context.Context, _ string, yield func(Case) bool) bool {
	return replay(ctx, "keep-alive", append(append(quantiles(), even()...), renewals()...), yield)
}

const keep = 600 // seconds

// quantiles replays the quantiles of a law of gaps instead of a sample, which
// gives the printed digits.
func quantiles() (out []law) {
	const n = 500_000
	for _, c := range []struct {
		name string
		mix  []analytic.Branch
	}{
		{"gap 300 s", []analytic.Branch{{Share: 1, Rate: 1. / 300}}},
		{"gap 600 s", []analytic.Branch{{Share: 1, Rate: 1. / 600}}},
		{"gap 1200 s", []analytic.Branch{{Share: 1, Rate: 1. / 1200}}},
		{"gaps of 120 s (30 %) or 1800 s (70 %)", []analytic.Branch{{Share: 0.3, Rate: 1. / 120}, {Share: 0.7, Rate: 1. / 1800}}},
	} {
		mean := 0.0
		for _, b := range c.mix {
			mean += b.Share / b.Rate
		}
		s := analytic.System{Mixture: c.mix, Count: n, KeepAlive: keep * time.Second, Length: time.Duration(n*mean+2*keep) * time.Second}
		name := "exponential " + c.name + ", every quantile"
		out = append(
			out,
			law{name + ": cold share", "", analytic.ColdMixture(c.mix, keep), 3. / n, s, cold},
			law{name + ": idle per invocation", "s", analytic.IdleMixture(c.mix, keep), 0.005, s, idle},
		)
	}
	return out
}

// even replays even gaps about the keep-alive. One that lasts exactly as long
// still finds the instance.
func even() (out []law) {
	const n = 1000
	for _, c := range []struct {
		gap, service, cold, idle float64
	}{
		{599, 0, 1. / n, (599*(n-1) + keep) / float64(n)},
		{600, 0, 1. / n, keep},
		{601, 0, 1, keep},
		// The keep-alive begins when the work ends, not when it began.
		{630, 30, 1. / n, keep},
		{631, 30, 1, keep},
	} {
		s := analytic.System{Rate: 1 / c.gap, Even: true, Count: n, Mean: c.service, KeepAlive: keep * time.Second, Length: time.Duration(c.gap*(n+2)) * time.Second}
		name := fmt.Sprintf("gap %g s, service %g s, keep-alive %d s", c.gap, c.service, keep)
		out = append(out, law{name + ": cold share", "", c.cold, 0, s, cold}, law{name + ": idle per invocation", "s", c.idle, 1e-6, s, idle})
	}
	return out
}

// renewals are systems whose idle spells begin when work ends. One instance
// without a queue alternates between a cold or warm service and an exponential
// idle spell, whatever the service; one that serves all at once is busy with the
// probability that M/G/∞ is not empty.
func renewals() (out []law) {
	const rate, service, start = 1. / 200, 100., 50.
	length := 10_000 * time.Hour
	for _, c := range []struct {
		name string
		law  analytic.Service
	}{{"even", analytic.Deterministic}, {"exponential", analytic.Exponential}} {
		s := analytic.System{Rate: rate, Mean: service, Service: c.law, Start: start, Servers: 1, KeepAlive: 200 * time.Second, Length: length}
		p := analytic.ColdPoisson(rate, 200)
		taken := rate * (service + start*p)
		name := "one instance, " + c.name + " service of 100 s, cold start 50 s, gap 200 s, keep-alive 200 s"
		out = append(
			out,
			law{name + ": cold share", "", p, 0.004, s, cold},
			law{name + ": idle per invocation", "s", analytic.IdlePoisson(rate, 200), 0.7, s, idle},
			law{name + ": loss", "", taken / (1 + taken), 0.003, s, blocked},
		)
		all := analytic.System{Rate: 1 / 60., Mean: 60, Service: c.law, Concurrency: 1 << 20, KeepAlive: 60 * time.Second, Length: 4000 * time.Hour}
		name = "M/G/∞ on one instance, " + c.name + " service, load 1, keep-alive of a mean gap"
		out = append(
			out,
			law{name + ": cold share", "", math.Exp(-2), 0.003, all, cold},
			law{name + ": share of time busy", "", 1 - math.Exp(-1), 0.004, all, busy},
		)
	}
	return out
}
