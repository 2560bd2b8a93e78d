package known

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/wattle-project/wattle/simulator/analytic"
)

// queueing compares the engine with closed forms. Tolerances of what is drawn at
// random are about four standard errors at the run's length.
func queueing(ctx context.Context, _ string, yield func(Case) bool) bool {
	laws := append(append(poisson(), single()...), pools()...)
	laws = append(append(laws, losses()...), classes()...)
	return replay(ctx, "queueing", append(append(laws, shared()...), found()...), yield)
}

// workers are always warm, with a mean service of 1 s and an unbounded queue.
func workers(servers int32, rate float64, service analytic.Service) analytic.System {
	return analytic.System{
		Rate: rate, Mean: 1, Service: service, Servers: servers, Queue: -1, KeepAlive: 100_000 * time.Hour, Length: 240 * time.Hour,
	}
}

func poisson() (out []law) {
	for _, gap := range []float64{300, 600, 1200} {
		s := analytic.System{Streams: 300, Rate: 1 / gap, KeepAlive: 600 * time.Second, Length: 480 * time.Hour}
		name := fmt.Sprintf("Poisson, gap %g s, keep-alive 600 s", gap)
		out = append(
			out,
			law{name + ": cold share", "", analytic.ColdPoisson(1/gap, 600), 0.003, s, cold},
			law{name + ": idle per invocation", "s", analytic.IdlePoisson(1/gap, 600), 1.5, s, idle},
		)
	}
	return out
}

// single is one server: Pollaczek–Khinchine, even gaps, Kendall's D/M/1.
func single() (out []law) {
	for _, rho := range []float64{0.5, 0.8} {
		want := analytic.WaitMD1(rho, 1)
		out = append(out, law{fmt.Sprintf("M/D/1 at %g: wait", rho), "s", want, 0.04 * want, workers(1, rho, analytic.Deterministic), waited})
	}
	general := workers(1, 0.5, analytic.Lognormal)
	general.Length = 1000 * time.Hour
	phases := workers(1, 0.5, analytic.Hyperexponential)
	phases.Length = 500 * time.Hour
	lognormal, hyper := analytic.WaitMG1(0.5, 1, math.E-1), analytic.WaitMG1(0.5, 1, 3)
	out = append(
		out,
		law{"M/G/1, lognormal with σ = 1, at 0.5: wait", "s", lognormal, 0.05 * lognormal, general, waited},
		law{"M/G/1, hyperexponential, at 0.5: wait", "s", hyper, 0.04 * hyper, phases, waited},
	)
	for _, c := range []struct{ gap, wait float64 }{{1.25, 0}, {1, 0}, {0.75, 0.25 * 999 / 2}} {
		s := workers(1, 1/c.gap, analytic.Deterministic)
		s.Even, s.Count = true, 1000
		out = append(out, law{fmt.Sprintf("D/D/1, gap %g s, 1000 arrivals: wait", c.gap), "s", c.wait, 1e-6, s, waited})
	}
	s := workers(1, 0.8, analytic.Exponential)
	s.Even = true
	want := analytic.WaitDM1(0.8, 1)
	return append(out, law{"D/M/1 at 0.8: wait", "s", want, 0.04 * want, s, waited})
}

// pools are several servers with a queue, without one, and without a bound.
func pools() (out []law) {
	for _, c := range []struct {
		servers int32
		rate    float64
	}{{2, 1.4}, {5, 4}, {10, 8}} {
		s := workers(c.servers, c.rate, analytic.Exponential)
		n, wait := int(c.servers), analytic.WaitMMC(int(c.servers), c.rate, 1)
		loss := s
		loss.Queue = 0
		out = append(
			out,
			law{fmt.Sprintf("M/M/%d at %g: wait", n, c.rate), "s", wait, 0.06 * wait, s, waited},
			law{fmt.Sprintf("Erlang C, %d servers at %g: share that waits", n, c.rate), "", analytic.ErlangC(n, c.rate), 0.012, s, delayed},
			law{fmt.Sprintf("Little's law, M/M/%d: busy servers", n), "", c.rate, 0.02 * c.rate, s, busy},
			law{fmt.Sprintf("Erlang B, %d servers at %g", n, c.rate), "", analytic.ErlangB(n, c.rate), 0.004, loss, blocked},
		)
	}
	for _, c := range []struct {
		name string
		law  analytic.Service
	}{{"D", analytic.Deterministic}, {"M", analytic.Exponential}, {"lognormal", analytic.Lognormal}} {
		s := workers(0, 7, c.law)
		s.Length = 48 * time.Hour
		out = append(out, law{"M/G/∞, " + c.name + ", load 7: busy servers", "", 7, 0.08, s, busy})
	}
	return out
}

// losses are systems with little room: insensitive to the service without a
// queue, and of known loss and size with one server.
func losses() (out []law) {
	for _, c := range []struct {
		name string
		law  analytic.Service
	}{{"even", analytic.Deterministic}, {"lognormal", analytic.Lognormal}, {"hyperexponential", analytic.Hyperexponential}} {
		s := workers(4, 3, c.law)
		s.Queue, s.Length = 0, 120*time.Hour
		out = append(out, law{"Erlang B, 4 servers at 3, " + c.name + " service", "", analytic.ErlangB(4, 3), 0.004, s, blocked})
	}
	for _, k := range []int{1, 3, 10} {
		s := workers(1, 0.9, analytic.Exponential)
		s.Queue = k - 1
		mean := analytic.PresentMM1K(0.9, k)
		out = append(
			out,
			law{fmt.Sprintf("M/M/1/%d at 0.9: loss", k), "", analytic.LossMM1K(0.9, k), 0.01, s, blocked},
			law{fmt.Sprintf("M/M/1/%d at 0.9: present", k), "", mean, 0.02 * mean, s, present},
		)
	}
	return out
}

// classes are two functions that share one vCPU first come, first served: both
// wait as in M/G/1 with the mixture of their services.
func classes() []law {
	s := workers(0, 0.3, analytic.Deterministic)
	s.Streams, s.Means, s.Room = 2, []float64{0.5, 2}, 1
	const want = 0.3 * (0.25 + 4) / 2 / (1 - 0.75)
	return []law{{"two functions of 0.5 s and 2 s on one vCPU: wait", "s", want, 0.04 * want, s, waited}}
}

// shared are servers that are places on one instance, or on several.
func shared() (out []law) {
	for _, c := range []struct{ instances, places int32 }{{1, 3}, {2, 2}} {
		n := int(c.instances * c.places)
		s := workers(c.instances, 0.8*float64(n), analytic.Exponential)
		s.Concurrency, s.Length = c.places, 100*time.Hour
		name := fmt.Sprintf("M/M/%d in %d instances of %d places at %.2g", n, c.instances, c.places, s.Rate)
		wait := analytic.WaitMMC(n, s.Rate, 1)
		loss := s
		loss.Queue = 0
		out = append(
			out,
			law{name + ": wait", "s", wait, 0.06 * wait, s, waited},
			law{name + ": share that waits", "", analytic.ErlangC(n, s.Rate), 0.015, s, delayed},
			law{name + ": loss without a queue", "", analytic.ErlangB(n, s.Rate), 0.005, loss, blocked},
		)
	}
	return out
}

// found is the whole distribution of what arrivals find or have to spend.
func found() (out []law) {
	many := workers(0, 3, analytic.Lognormal)
	many.Length = 48 * time.Hour
	for k := range 6 {
		out = append(out, law{fmt.Sprintf("M/G/∞, load 3: arrivals that find %d", k), "", analytic.Found(k, 3), 0.006, many, func(o analytic.Observed) float64 {
			return o.Found[k]
		}})
	}
	one := workers(1, 0.5, analytic.Exponential)
	one.Length = 300 * time.Hour
	for _, q := range []float64{0.5, 0.95, 0.99} {
		want := -math.Log(1-q) / 0.5
		out = append(out, law{fmt.Sprintf("M/M/1 at 0.5: %g %% are served within", 100*q), "s", want, 0.03 * want, one, func(o analytic.Observed) float64 {
			return o.Within(q)
		}})
	}
	phases := workers(1, 0.5, analytic.Erlang2)
	batch := workers(1, 0.2, analytic.Exponential)
	batch.Batch = 3
	erlang, group := analytic.WaitMG1(0.5, 1, 0.5), analytic.WaitBatch(0.2, 3, 1, 1)
	const slots = 6
	rooms := workers(0, 0, analytic.Exponential)
	rooms.Rate, rooms.Streams, rooms.Takes, rooms.Room, rooms.Queue, rooms.Length = 1, 3, []int{1, 2, 4}, slots, 0, 60*time.Hour
	lost := analytic.LossClasses(slots, []analytic.Class{{Load: 1, Size: 1}, {Load: 1, Size: 2}, {Load: 1, Size: 4}})
	return append(
		out,
		law{"M/E2/1 at 0.5: wait", "s", erlang, 0.04 * erlang, phases, waited},
		law{"M/M/1 in batches of 3 at 0.6: wait", "s", group, 0.04 * group, batch, waited},
		law{"functions of 1, 2 and 4 vCPUs on 6: loss", "", (lost[0] + lost[1] + lost[2]) / 3, 0.005, rooms, blocked},
	)
}
