// Package analytic runs the event-driven simulator on systems whose answers are
// known in closed form: queues, loss systems and keep-alive of a Poisson stream.
package analytic

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/stage"
	"github.com/wattle-project/wattle/scheduler/state"
	"github.com/wattle-project/wattle/simulator"
	"github.com/wattle-project/wattle/simulator/trace"
)

// Service says how execution times are distributed.
type Service uint8

// Distributions of execution times, all with the system's mean.
const (
	Deterministic Service = iota
	Exponential
	Lognormal        // σ = 1: squared coefficient of variation e − 1
	Hyperexponential // half the mean for 80 %, three times it for 20 %: 3
	Erlang2          // two exponentials of half the mean: 1/2
)

// Branch is one exponential of a mixture: the share of gaps that it makes, and
// their rate per second.
type Branch struct{ Share, Rate float64 }

// System is a pool of equal servers in front of a stream of arrivals, Poisson
// unless Even or Mixture says otherwise.
type System struct {
	// Streams is the number of independent, equal functions. Default 1.
	Streams int
	// Rate is the arrivals per second of each stream. Even makes every gap 1/Rate.
	Rate float64
	Even bool
	// Mixture makes the gaps of a stream the Count quantiles of a mixture of
	// exponentials, in a scattered order: their means are those of the law to one
	// part in Count.
	Mixture []Branch
	// Count bounds the arrivals of each stream; 0 is no bound but Length.
	Count int
	// Batch is how many requests arrive at once; 0 is 1.
	Batch int
	// Script replaces all of these: arrivals in order of time, of stream 0.
	Script []trace.Arrival
	// Mean is the mean execution time in seconds, Service its distribution. Means
	// gives each stream its own instead.
	Mean    float64
	Means   []float64
	Service Service
	// Start is the seconds of a cold start.
	Start float64
	// Servers bounds the instances of each stream, Room those of all; 0 is no bound.
	// An instance takes one part of Room, or as many as Takes says for its stream.
	Servers int32
	Room    int
	Takes   []int
	// Concurrency is how many requests share an instance. Default 1.
	Concurrency int32
	// Pick says which idle instance serves.
	Pick state.Pick
	// Queue bounds the waiting requests: 0 is a loss system, −1 unbounded.
	Queue int
	// KeepAlive is how long an idle instance lives after its last use, or with Once
	// after its first.
	KeepAlive time.Duration
	Once      bool
	// Length is the simulated time. Seed starts the arrivals.
	Length time.Duration
	Seed   uint64
}

// mean is the mean execution time of stream i in seconds.
func (s *System) mean(i int) float64 {
	if len(s.Means) > 0 {
		return s.Means[i]
	}
	return s.Mean
}

// Observed is what the simulator measured.
type Observed struct {
	Arrivals int64
	// Wait is the mean time in the queue in seconds, Sojourn that in the system.
	Wait, Sojourn float64
	// Blocked is the share of arrivals that were rejected, Cold that of served
	// ones that found no warm instance, Delayed that of served ones that waited.
	Blocked, Cold, Delayed float64
	// Idle is seconds of idle instance time per served arrival, Busy the mean
	// number of busy instances, Present that of requests in the system.
	Idle, Busy, Present float64
	// Throughput is served arrivals per second.
	Throughput float64
	// Found is the share of arrivals that found so many requests being served.
	Found []float64
	// Latency is the distribution of the time in the system, with the round trip.
	Latency *simulator.Histogram
}

// Within is the time in seconds that the share q of requests spent in the system
// at most.
func (o *Observed) Within(q float64) float64 { return o.Latency.Quantile(q).Seconds() - rtt }

// rtt is the round trip within a region, which the simulator adds to latency.
const rtt = 2e-3

// Observe simulates s.
func Observe(ctx context.Context, s System) (Observed, error) {
	cfg, err := s.config()
	if err != nil {
		return Observed{}, err
	}
	seen := &witness{Keeper: cfg.Core.Keeper}
	cfg.Core.Keeper = seen
	r, err := simulator.Run(ctx, cfg)
	if err != nil {
		return Observed{}, err
	}
	n, secs := float64(max(r.Invocations, 1)), s.Length.Seconds()
	o := Observed{
		Arrivals: r.Invocations + r.Rejected + r.Waiting, Sojourn: r.Latency.Mean().Seconds() - rtt,
		Cold: float64(r.Cold) / n, Delayed: float64(r.Queued) / n, Idle: r.IdleTime.Seconds() / n, Busy: r.BusyTime.Seconds() / secs, Throughput: n / secs,
		Found: seen.shares(), Latency: &r.Latency,
	}
	o.Wait = o.Sojourn - served(cfg.Trace.(*arrivals))/n
	o.Present = o.Throughput * o.Sojourn
	o.Blocked = float64(r.Rejected) / float64(max(o.Arrivals, 1))
	return o, nil
}

// served is the sum of the execution times that the replay handed out.
func served(a *arrivals) float64 { return a.total }

func (s *System) config() (*simulator.Config, error) {
	machine := power.Machine{VCPU: 1 << 16, Memory: 1 << 50, IdlePerVCPU: 0.01, MaxPerVCPU: 3}
	needs := wattle.Resources{CPU: 1, Memory: wattle.MiB}
	if s.Room > 0 {
		machine.VCPU, needs.CPU = s.Room, 1000
	}
	takes := func(i int) wattle.Resources {
		r := needs
		if len(s.Takes) > 0 {
			r.CPU = wattle.MilliCPU(1000 * s.Takes[i])
		}
		return r
	}
	fleet, err := state.NewFleet([]state.Cluster{{
		ID: "one", Zone: "ONE", Region: "one", PUE: 1,
		Pools: []state.Pool{{Name: "pool", Nodes: 1, Hardware: "reference", Speed: 1, Machine: machine}},
	}})
	if err != nil {
		return nil, err
	}
	c := &simulator.Config{
		Fleet: fleet, Trace: &arrivals{System: *s}, Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Horizon: s.Length,
		Slot: s.Length, Grid: [][]wattle.GramsPerKWh{{100}}, Core: scheduler.DefaultConfig(), Queue: s.Queue, Pick: s.Pick,
	}
	for i := range max(s.Streams, 1) {
		c.Functions = append(c.Functions, wattle.Function{
			ID: wattle.FunctionID(fmt.Sprint("stream-", i)), Home: "one", Concurrency: max(s.Concurrency, 1), MaxInstances: s.Servers, Needs: takes(i),
			Profile: wattle.Profile{Exec: seconds(s.mean(i)), Provision: seconds(s.Start)},
		})
	}
	for _, st := range stage.Default(stage.DefaultConfig()) {
		c.Core.Stages = append(c.Core.Stages, st)
	}
	c.Core.Keeper = &scheduler.Fixed{T: s.KeepAlive, Once: s.Once}
	return c, nil
}

// witness passes events on to a Keeper and counts what arrivals find.
type witness struct {
	scheduler.Keeper
	found []int64
}

// Heeds names Arrived and what the Keeper wants to be told of.
func (w *witness) Heeds(k wattle.EventKind) bool {
	picky, ok := w.Keeper.(interface{ Heeds(wattle.EventKind) bool })
	return k == wattle.Arrived || !ok || picky.Heeds(k)
}

// Step counts the requests being served when another arrives.
func (w *witness) Step(now time.Time, s *state.Snapshot, e wattle.Event, out []wattle.Action) []wattle.Action {
	if e.Kind != wattle.Arrived {
		return w.Keeper.Step(now, s, e, out)
	}
	n := int(s.Load.Running(0))
	for len(w.found) <= n {
		w.found = append(w.found, 0)
	}
	w.found[n]++
	return out
}

func (w *witness) shares() []float64 {
	sum, out := int64(0), make([]float64, len(w.found))
	for _, n := range w.found {
		sum += n
	}
	for i, n := range w.found {
		out[i] = float64(n) / float64(max(sum, 1))
	}
	return out
}

func seconds(s float64) time.Duration { return time.Duration(math.Round(s * 1e9)) }
