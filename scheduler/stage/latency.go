package stage

import (
	"math"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
)

// Latency fills the network, start-up and execution times, their sum and its
// 95th percentile.
type Latency struct {
	// Tail is the ratio of p95 to mean of a cold start.
	Tail float64
}

// Name returns "latency".
func (Latency) Name() string { return "latency" }

// Apply fills Network, Start, Exec, Mean and P95.
func (l Latency) Apply(b *state.Batch) {
	c, p, m := b.Columns, &b.Function.Profile, len(b.Refused)
	box, delay, networks := c.Sandbox[:m], c.Delay[:m], c.Network[:m]
	starting, running, mean, p95 := c.Start[:m], c.Exec[:m], c.Mean[:m], c.P95[:m]
	spread, n, data := p.P95Ratio(), b.Stride(), b.Function.In+b.Function.Out
	for t := range n {
		target := b.Target(t)
		network := Network(b.State.Fleet, b.Origin, target.Region, data)
		cold, exec := Times(b.Function, target)
		busy := float64(float64(exec) * spread)
		starts := [...]time.Duration{wattle.Warm: 0, wattle.Snapshot: p.Restore, wattle.Cold: cold}
		for i := t; i < m; i += n {
			start := starts[box[i]]
			networks[i], starting[i], running[i] = network, start, exec
			mean[i] = delay[i] + network + start + exec
			// Whole microseconds, so that no processor's last bit of exp shows.
			tail := busy + float64(float64(start)*l.Tail)
			p95[i] = delay[i] + network + nearest(tail/1e3)*time.Microsecond
		}
	}
}

// nearest is math.Round of a time that is not negative, without a call.
func nearest(v float64) time.Duration {
	d := time.Duration(v)
	if v-float64(d) >= 0.5 {
		d++
	}
	return d
}

// Times returns the cold start-up and the execution time of f on t: metered
// ones where the hardware was measured, else stages with initialisation divided
// by the CPU share and the hardware's speed.
func Times(f *wattle.Function, t *state.Target) (cold, exec time.Duration) {
	p := &f.Profile
	if p.Measured != nil {
		if m, ok := p.Measured[t.Attributes.Hardware]; ok {
			return m.Cold, m.Exec
		}
	}
	share := min(f.Needs.CPU.VCPU(), 1)
	initial := float64(p.Init) / float64(share*t.Speed)
	exec = nearest(float64(p.Exec) / t.Speed)
	return p.Provision + p.Image + p.Runtime + nearest(initial), exec
}

// window is the TCP window that bounds single-stream transfers between
// regions: throughput ≈ 3 MB per round trip (fit over 2,138 region pairs,
// doitintl/intercloud-throughput, February 2022).
const window = 3_000_000

// local is the bandwidth within a region: 264 Mbit/s for inline payloads
// (STeLLAR, IISWC'21, AWS).
const local = 33_000_000

// Network is the round trip from one region to another plus moving n bytes.
// From an unknown origin (−1) it is the longest from any region of the fleet.
func Network(f *state.Fleet, from, to int, n wattle.Bytes) time.Duration {
	if from < 0 {
		worst := time.Duration(0)
		for i := range f.RTT {
			worst = max(worst, Network(f, i, to, n))
		}
		return worst
	}
	rtt := f.RTT[from][to]
	if n <= 0 {
		return rtt
	}
	if from == to {
		return rtt + time.Duration(int64(n)*1000/local)*time.Millisecond
	}
	return rtt + time.Duration(math.Round(float64(rtt)*(float64(n)/window)))
}
