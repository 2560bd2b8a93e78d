package known

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/wattle-project/wattle/simulator/analytic"
)

// queueing compares the engine with closed forms. Tolerances are about four
// standard errors at the run's length.
func queueing(ctx context.Context, _ string, yield func(Case) bool) bool {
	const forever = 100_000 * time.Hour
	observe := func(name, unit string, want, tolerance float64, s analytic.System, get func(analytic.Observed) float64) bool {
		s.Seed = 1
		o, err := analytic.Observe(ctx, s)
		return yield(Case{Group: "queueing", Name: name, Unit: unit, Expected: want, Got: get(o), Tolerance: tolerance, Err: err})
	}
	for _, gap := range []float64{300, 600, 1200} {
		s := analytic.System{Streams: 300, Rate: 1 / gap, KeepAlive: 600 * time.Second, Length: 480 * time.Hour}
		name := fmt.Sprintf("Poisson, gap %g s, keep-alive 600 s", gap)
		ok := observe(name+": cold share", "", analytic.ColdPoisson(1/gap, 600), 0.003, s, func(o analytic.Observed) float64 { return o.Cold }) &&
			observe(name+": idle per invocation", "s", analytic.IdlePoisson(1/gap, 600), 1.5, s, func(o analytic.Observed) float64 { return o.Idle })
		if !ok {
			return false
		}
	}
	wait := func(o analytic.Observed) float64 { return o.Wait }
	queue := analytic.System{Mean: 1, Queue: -1, KeepAlive: forever, Length: 240 * time.Hour}
	for _, rho := range []float64{0.5, 0.8} {
		s := queue
		s.Rate, s.Servers = rho, 1
		if !observe(fmt.Sprintf("M/D/1 at %g: wait", rho), "s", analytic.WaitMD1(rho, 1), 0.04*analytic.WaitMD1(rho, 1), s, wait) {
			return false
		}
	}
	for _, c := range []struct {
		servers int32
		rate    float64
	}{{2, 1.4}, {10, 8}} {
		s := queue
		s.Rate, s.Servers, s.Service = c.rate, c.servers, analytic.Exponential
		want := analytic.WaitMMC(int(c.servers), c.rate, 1)
		loss := s
		loss.Queue = 0
		ok := observe(fmt.Sprintf("M/M/%d at %g: wait", c.servers, c.rate), "s", want, 0.06*want, s, wait) &&
			observe(fmt.Sprintf("Erlang B, %d servers at %g", c.servers, c.rate), "", analytic.ErlangB(int(c.servers), c.rate), 0.004, loss,
				func(o analytic.Observed) float64 { return o.Blocked }) &&
			observe(fmt.Sprintf("Little's law, M/M/%d: busy servers", c.servers), "", c.rate, 0.02*c.rate, s, func(o analytic.Observed) float64 { return o.Busy })
		if !ok {
			return false
		}
	}
	general := queue
	general.Rate, general.Servers, general.Service, general.Length = 0.5, 1, analytic.Lognormal, 1000*time.Hour
	want := analytic.WaitMG1(0.5, 1, math.E-1)
	if !observe("M/G/1, lognormal with σ = 1, at 0.5: wait", "s", want, 0.05*want, general, wait) {
		return false
	}
	for _, k := range []int{1, 3, 10} {
		s := queue
		s.Rate, s.Servers, s.Service, s.Queue = 0.9, 1, analytic.Exponential, k-1
		want := analytic.LossMM1K(0.9, k)
		if !observe(fmt.Sprintf("M/M/1/%d at 0.9: loss", k), "", want, 0.01, s, func(o analytic.Observed) float64 { return o.Blocked }) {
			return false
		}
	}
	return true
}
