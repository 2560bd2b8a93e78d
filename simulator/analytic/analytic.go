// Package analytic runs the event-driven simulator on systems whose answers are
// known in closed form: queues, loss systems and keep-alive of a Poisson stream.
package analytic

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/stage"
	"github.com/wattle-project/wattle/scheduler/state"
	"github.com/wattle-project/wattle/simulator"
	"github.com/wattle-project/wattle/simulator/trace"
	"github.com/wattle-project/wattle/simulator/workload/random"
)

// Service says how execution times are distributed.
type Service uint8

// Distributions of execution times, all with the system's mean.
const (
	Deterministic Service = iota
	Exponential
	Lognormal // σ = 1: squared coefficient of variation e − 1
)

// System is a pool of equal servers in front of Poisson arrivals.
type System struct {
	// Streams is the number of independent, equal functions. Default 1.
	Streams int
	// Rate is the arrivals per second of each stream.
	Rate float64
	// Mean is the mean execution time in seconds, Service its distribution.
	Mean    float64
	Service Service
	// Servers bounds the instances of each stream; 0 is no bound.
	Servers int32
	// Queue bounds the waiting requests: 0 is a loss system, −1 unbounded.
	Queue int
	// KeepAlive is how long an idle instance lives.
	KeepAlive time.Duration
	// Length is the simulated time. Seed starts the arrivals.
	Length time.Duration
	Seed   uint64
}

// Observed is what the simulator measured.
type Observed struct {
	Arrivals int64
	// Wait is the mean time in the queue in seconds, Sojourn that in the system.
	Wait, Sojourn float64
	// Blocked is the share of arrivals that were rejected, Cold that of served
	// ones that found no warm instance.
	Blocked, Cold float64
	// Idle is seconds of idle instance time per served arrival, Busy the mean
	// number of busy instances.
	Idle, Busy float64
	// Throughput is served arrivals per second.
	Throughput float64
}

// rtt is the round trip within a region, which the simulator adds to latency.
const rtt = 2e-3

// Observe simulates s.
func Observe(ctx context.Context, s System) (Observed, error) {
	cfg, err := s.config()
	if err != nil {
		return Observed{}, err
	}
	r, err := simulator.Run(ctx, cfg)
	if err != nil {
		return Observed{}, err
	}
	n, secs := float64(max(r.Invocations, 1)), s.Length.Seconds()
	o := Observed{
		Arrivals: r.Invocations + r.Rejected + r.Waiting, Sojourn: r.Latency.Mean().Seconds() - rtt,
		Cold: float64(r.Cold) / n, Idle: r.IdleTime.Seconds() / n, Busy: r.BusyTime.Seconds() / secs, Throughput: n / secs,
	}
	o.Wait = o.Sojourn - served(cfg.Trace.(*arrivals))/n
	o.Blocked = float64(r.Rejected) / float64(max(o.Arrivals, 1))
	return o, nil
}

// served is the sum of the execution times that the replay handed out.
func served(a *arrivals) float64 { return a.total }

func (s *System) config() (*simulator.Config, error) {
	machine := power.Machine{VCPU: 1 << 16, Memory: 1 << 50, IdlePerVCPU: 0.5, MaxPerVCPU: 3}
	fleet, err := state.NewFleet([]state.Cluster{{
		ID: "one", Zone: "ONE", Region: "one", PUE: 1,
		Pools: []state.Pool{{Name: "pool", Nodes: 1, Hardware: "reference", Speed: 1, Machine: machine}},
	}})
	if err != nil {
		return nil, err
	}
	c := &simulator.Config{
		Fleet: fleet, Trace: &arrivals{System: *s}, Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Horizon: s.Length,
		Slot: s.Length, Grid: [][]wattle.GramsPerKWh{{100}}, Core: scheduler.DefaultConfig(), Queue: s.Queue,
	}
	for i := range max(s.Streams, 1) {
		c.Functions = append(c.Functions, wattle.Function{
			ID: wattle.FunctionID(fmt.Sprint("stream-", i)), Home: "one", Concurrency: 1, MaxInstances: s.Servers,
			Needs:   wattle.Resources{CPU: 1, Memory: wattle.MiB},
			Profile: wattle.Profile{Exec: time.Duration(math.Round(s.Mean * 1e9))},
		})
	}
	for _, st := range stage.Default(stage.DefaultConfig()) {
		c.Core.Stages = append(c.Core.Stages, st)
	}
	c.Core.Keeper = &scheduler.Fixed{T: s.KeepAlive}
	return c, nil
}

// arrivals is the trace of a System.
type arrivals struct {
	System
	total float64 // execution seconds handed out so far
}

// Functions returns one entry per stream.
func (a *arrivals) Functions() []trace.Function { return make([]trace.Function, max(a.Streams, 1)) }

// Length is the simulated time.
func (a *arrivals) Length() time.Duration { return a.System.Length }

// Open starts a replay.
func (a *arrivals) Open() (trace.Source, error) {
	src := &source{a: a}
	for i := range max(a.Streams, 1) {
		s := random.New(a.Seed, fmt.Sprint(i))
		src.streams = append(src.streams, s)
		src.next = append(src.next, src.streams[i].Exponential()/a.Rate)
	}
	return src, nil
}

// source replays a System.
type source struct {
	a       *arrivals
	streams []random.Stream
	next    []float64 // seconds
	until   float64
	sorter  trace.Sorter
}

// Close does nothing.
func (*source) Close() error { return nil }

// Next yields the arrivals of the next minute.
func (s *source) Next(buf []trace.Arrival) ([]trace.Arrival, error) {
	buf = buf[:0]
	if s.until >= s.a.System.Length.Seconds() {
		return buf, io.EOF
	}
	origin := int64(s.until * 1e9)
	s.until += 60
	end := min(s.until, s.a.System.Length.Seconds())
	for i := range s.next {
		for ; s.next[i] < end; s.next[i] += s.streams[i].Exponential() / s.a.Rate {
			scale := 1.0
			switch s.a.Service {
			case Deterministic:
			case Exponential:
				scale = s.streams[i].Exponential()
			case Lognormal:
				scale = s.streams[i].Lognormal(1)
			}
			scale = float64(float32(scale))
			s.a.total += float64(scale * s.a.Mean)
			buf = append(buf, trace.Arrival{At: int64(s.next[i] * 1e9), Function: int32(i), Scale: float32(scale)})
		}
	}
	s.sorter.Sort(buf, origin)
	return buf, nil
}
