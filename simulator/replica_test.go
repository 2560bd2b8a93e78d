package simulator

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/stage"
	"github.com/wattle-project/wattle/scheduler/state"
	"github.com/wattle-project/wattle/simulator/trace"
)

// The replica is a second simulator, written to be plain rather than fast: lists
// that are searched, no events, and integrals by slot over recorded spans. It takes
// the place of each request from the engine's decisions and nothing else.

// box is an instance of the replica. Times are in µs.
type box struct {
	fn, target int
	since      int64 // of its present busy or idle spell
	ready      int64
	ends       []int64 // of what it runs
	stamp      int     // when it became available, in order
	until      int64   // end of its keep-alive while idle
	off        bool
}

// stretch is a span of a reservation or of work.
type stretch struct {
	fn, target int
	part       part
	from, to   int64
	watts      float64 // above rest; 0 for reservations
}

type replica struct {
	c        *Config
	boxes    []*box
	clock    int
	spans    []stretch
	rejected int64
	cold     map[[2]int]int64 // by cluster and slot
	served   map[[2]int]int64
	network  map[[2]int]float64 // µJ moved
	ends     map[[2]int]float64 // half of it at either end
	dollars  float64
	latency  int64
	bad      []string // where the engine did what it must not
}

func (r *replica) complain(format string, args ...any) {
	r.bad = append(r.bad, fmt.Sprintf(format, args...))
}

func (r *replica) slot(us int64) int { return int(us / r.c.Slot.Microseconds()) }

func (r *replica) keep() int64 { return r.c.Core.Keeper.(*scheduler.Fixed).T.Microseconds() }

// elapse ends what ends before t, or at t unless it is a keep-alive.
func (r *replica) elapse(t int64) {
	for {
		var next *box
		at, request := int64(math.MaxInt64), -1
		for _, b := range r.boxes {
			for i, e := range b.ends {
				if e < at || e == at && request < 0 {
					next, at, request = b, e, i
				}
			}
			if len(b.ends) == 0 && !b.off && b.until < at {
				next, at, request = b, b.until, -1
			}
		}
		if next == nil || at > t || at == t && request < 0 {
			return
		}
		if request < 0 {
			r.end(next, at)
			continue
		}
		r.release(next, request, at)
	}
}

// release ends a request on b.
func (r *replica) release(b *box, request int, at int64) {
	f := &r.c.Functions[b.fn]
	full := len(b.ends) == int(f.Concurrency)
	b.ends = append(b.ends[:request], b.ends[request+1:]...)
	if full || len(b.ends) == 0 {
		r.clock++
		b.stamp = r.clock
	}
	if len(b.ends) > 0 {
		return
	}
	r.busy(b, at)
	r.share(b, at)
	b.since, b.until = at, at+r.keep()
	if r.keep() == 0 {
		r.end(b, at)
	}
}

// busy records the busy spell of b.
func (r *replica) busy(b *box, to int64) {
	ready := min(max(b.ready, b.since), to)
	r.spans = append(r.spans, stretch{b.fn, b.target, starting, b.since, ready, 0}, stretch{b.fn, b.target, running, ready, to, 0})
}

// share pays for the busy spell of an instance that requests share.
func (r *replica) share(b *box, to int64) {
	if f := &r.c.Functions[b.fn]; f.Concurrency > 1 {
		r.pay(f, &r.c.Fleet.Targets[b.target], b.since, max(b.ready, b.since), to)
	}
}

// end ends an idle instance.
func (r *replica) end(b *box, at int64) {
	r.spans = append(r.spans, stretch{b.fn, b.target, keeping, b.since, at, 0})
	b.off = true
}

// used is what instances hold of a pool, or of the devices of a target.
func (r *replica) used(pool, target int, idle bool) (u wattle.Resources) {
	for _, b := range r.boxes {
		if b.off || !idle && len(b.ends) == 0 {
			continue
		}
		n := r.c.Functions[b.fn].Needs
		if r.c.Fleet.Targets[b.target].Pool == pool {
			u.CPU, u.Memory = u.CPU+n.CPU, u.Memory+n.Memory
		}
		if b.target == target {
			u.Slices += n.Slices
		}
	}
	return u
}

// over reports whether a target's pool or its devices hold more than there is.
func (r *replica) over(target int, extra wattle.Resources, idle bool) bool {
	t := &r.c.Fleet.Targets[target]
	u, have := r.used(t.Pool, target, idle), r.c.Fleet.Pools[t.Pool].Capacity
	return u.CPU+extra.CPU > have.CPU || u.Memory+extra.Memory > have.Memory || u.Slices+extra.Slices > t.Slices
}

// short reports whether devices alone make way.
func (r *replica) short(target int) bool {
	t := &r.c.Fleet.Targets[target]
	return t.Slices > 0 && r.used(t.Pool, target, true).Slices > t.Slices
}

// free is the instance that serves: of those with room the first or the last that
// became available.
func (r *replica) free(fn, target int) (found *box) {
	for _, b := range r.boxes {
		if b.off || b.fn != fn || b.target != target || len(b.ends) >= int(r.c.Functions[fn].Concurrency) {
			continue
		}
		if found == nil || (b.stamp > found.stamp) == (r.c.Pick == state.Newest) {
			found = b
		}
	}
	return found
}

func (r *replica) live(fn int) (n int32) {
	for _, b := range r.boxes {
		if !b.off && b.fn == fn {
			n++
		}
	}
	return n
}

// serves reports whether fn can be placed on target at all.
func (r *replica) serves(fn, target int) bool {
	f := &r.c.Functions[fn]
	if (f.Needs.Slices > 0) != (r.c.Fleet.Targets[target].Slices > 0) {
		return false
	}
	return r.free(fn, target) != nil || !r.over(target, f.Needs, false) && (f.MaxInstances == 0 || r.live(fn) < f.MaxInstances)
}

// arrive replays one request where the engine placed it.
func (r *replica) arrive(a trace.Arrival, e *wattle.Explanation) {
	at, fn := a.At/1000, int(a.Function)
	r.elapse(at)
	d := &e.Decision
	if !d.Placed {
		r.rejected++
		for t := range r.c.Fleet.Targets {
			if r.serves(fn, t) {
				r.complain("%d µs: request %d is rejected, but there is room on target %d", at, d.Sequence, t)
			}
		}
		return
	}
	target := int(d.Target)
	if !r.serves(fn, target) {
		r.complain("%d µs: request %d is placed on target %d, where there is no room", at, d.Sequence, target)
	}
	b := r.free(fn, target)
	if (b == nil) != (d.Sandbox != wattle.Warm) {
		r.complain("%d µs: request %d is %s, an instance with room: %v", at, d.Sequence, d.Sandbox, b != nil)
		return
	}
	r.run(a, b, target, d.Estimate.Network)
}

func (r *replica) run(a trace.Arrival, b *box, target int, network time.Duration) {
	at, fn := a.At/1000, int(a.Function)
	f, t := &r.c.Functions[fn], &r.c.Fleet.Targets[target]
	key := [2]int{t.Cluster, r.slot(at)}
	wall, speed := func(d time.Duration) int64 { return d.Microseconds() }, int64(t.Speed)
	cold := b == nil
	switch {
	case cold:
		b = &box{fn: fn, target: target, since: at, ready: at + wall(f.Profile.Provision) + wall(f.Profile.Init)*1000/min(int64(f.Needs.CPU), 1000)/speed}
		r.clock++
		b.stamp = r.clock
		r.boxes = append(r.boxes, b)
		b.ends = append(b.ends, math.MaxInt64) // not idle while room is made
		for r.over(target, wattle.Resources{}, true) {
			r.relieve(target)
		}
		b.ends = b.ends[:0]
		r.spans = append(r.spans, stretch{fn, target, starting, at, b.ready, r.power(f, t, stage.DefaultConfig().StartUtilisation, 0)})
		r.cold[key]++
	case len(b.ends) == 0:
		r.spans = append(r.spans, stretch{b.fn, b.target, keeping, b.since, at, 0})
		b.since = at
	}
	begin := max(at, b.ready)
	end := begin + wall(f.Profile.Exec)/speed*int64(a.Scale*1024)/1024
	b.ends = append(b.ends, end)
	r.spans = append(r.spans, stretch{fn, target, running, begin, end, r.power(f, t, f.Profile.Utilisation, f.Profile.AcceleratorUtilisation)})
	r.served[key]++
	r.latency += end - at + network.Microseconds()
	r.request(f, t)
	if f.Concurrency == 1 {
		r.pay(f, t, at, begin, end)
	}
	moved := float64(r.c.Network) * 3.6e12 * float64(f.In+f.Out) / 1e9
	r.network[key] += moved
	r.ends[key] += moved / 2
	r.ends[[2]int{r.home(f), key[1]}] += moved / 2
}

// home is the cluster that a function's callers are at.
func (r *replica) home(f *wattle.Function) int {
	for i := range r.c.Fleet.Clusters {
		if r.c.Fleet.Clusters[i].ID == f.Home {
			return i
		}
	}
	return -1
}

// request adds the price of one more request.
func (r *replica) request(f *wattle.Function, t *state.Target) {
	r.dollars += float64(t.Price.PerRequest)
	if r.home(f) != t.Cluster {
		r.dollars += float64(t.Price.EgressPerGB) * float64(f.Out) / 1e9
	}
}

// pay adds the price of having an instance.
func (r *replica) pay(f *wattle.Function, t *state.Target, at, begin, end int64) {
	p, us := &t.Price, end-begin
	if p.BillInit {
		us = end - at
	}
	if step := p.Round.Microseconds(); step > 0 {
		us = int64(math.Ceil(float64(us)/float64(step))) * step
	}
	s, mib := float64(max(us, p.Minimum.Microseconds()))/1e6, math.Ceil(float64(f.Needs.Memory)/float64(wattle.MiB))
	r.dollars += s * (float64(p.PerCPUSecond)*float64(f.Needs.CPU)/1000 + float64(p.PerGBSecond)*mib/1024 + float64(p.PerSlice)*float64(f.Needs.Slices))
}

// relieve ends the instance of target's pool that is idle longest.
func (r *replica) relieve(target int) {
	var victim *box
	for _, b := range r.boxes {
		if b.off || len(b.ends) > 0 || r.c.Fleet.Targets[b.target].Pool != r.c.Fleet.Targets[target].Pool || r.short(target) && b.target != target {
			continue
		}
		if victim == nil || b.since < victim.since || b.since == victim.since && b.stamp < victim.stamp {
			victim = b
		}
	}
	last := r.boxes[len(r.boxes)-1]
	r.end(victim, last.since)
}

// power is the watts above rest of an instance that works so much.
func (r *replica) power(f *wattle.Function, t *state.Target, cpu, device float64) float64 {
	m := &t.Machine
	if starting := f.Profile.Utilisation != cpu; starting {
		return cpu * float64(f.Needs.CPU) / 1000 * float64(m.MaxPerVCPU-m.IdlePerVCPU)
	}
	w := cpu * float64(f.Needs.CPU) / 1000 * float64(m.MaxPerVCPU-m.IdlePerVCPU)
	if f.Needs.Slices > 0 {
		w += device * float64(m.Accelerator.Max-m.Accelerator.Idle) / float64(max(m.Accelerator.OfSlices, 1)) * float64(max(m.Accelerator.Slices, 1))
	}
	return w / float64(f.Concurrency)
}

// finish records what lives at the horizon.
func (r *replica) finish() {
	horizon := r.c.Horizon.Microseconds()
	r.elapse(horizon)
	for _, b := range r.boxes {
		if !b.off && len(b.ends) > 0 {
			r.busy(b, horizon)
			r.share(b, slices.Max(b.ends))
		} else if !b.off {
			r.end(b, horizon)
		}
	}
}

// sums integrates the spans over one slot of one cluster: µJ above rest and at
// rest by part, grams of making.
type sums struct {
	work, rest [parts]float64
	made       float64
}

func (r *replica) integrate() map[[2]int]*sums {
	out := make(map[[2]int]*sums)
	slot, horizon := r.c.Slot.Microseconds(), r.c.Horizon.Microseconds()
	for _, s := range r.spans {
		f, t := &r.c.Functions[s.fn], &r.c.Fleet.Targets[s.target]
		for k := 0; k < r.c.slots(); k++ {
			us := float64(min(s.to, int64(k+1)*slot, horizon) - max(s.from, int64(k)*slot))
			if us <= 0 {
				continue
			}
			key := [2]int{t.Cluster, k}
			if out[key] == nil {
				out[key] = &sums{}
			}
			if s.watts > 0 {
				out[key].work[s.part] += s.watts * us
				continue
			}
			m := &t.Machine
			mib := float64(f.Needs.Memory / wattle.MiB)
			out[key].rest[s.part] += us * (float64(m.IdlePerVCPU)*float64(f.Needs.CPU)/1000 + float64(m.DRAMPerGiB)*mib/1024)
			made := float64(m.Embodied.CPU+m.Embodied.Rest)*float64(f.Needs.CPU)/1000/float64(m.VCPU) + float64(m.Embodied.DRAM)*mib/1024/m.Memory.GiB()
			if f.Needs.Slices > 0 {
				a := &m.Accelerator
				share := max(float64(max(a.Slices, 1))/float64(max(a.OfSlices, 1)), float64(a.MemorySlices)/float64(max(a.OfMemorySlices, 1)))
				out[key].rest[s.part] += us * float64(a.Idle) * share
				made += float64(m.Embodied.Devices) * share / float64(m.Accelerators)
			}
			out[key].made += made * us * 1e3 / float64(m.Embodied.Lifetime)
		}
	}
	return out
}

// randomRun is a small run on the small fleet whose times are all whole µs.
func randomRun(t *testing.T, rt *rapid.T) (*Config, []trace.Arrival) {
	second := int64(time.Second)
	n, minutes := rapid.IntRange(20, 150).Draw(rt, "arrivals"), rapid.Int64Range(1, 40).Draw(rt, "minutes")
	c := crowded(t, 1, rapid.IntRange(2, 9).Draw(rt, "vcpu"), time.Duration(minutes)*time.Minute)
	c.Slot = time.Duration(rapid.Int64Range(7, 900).Draw(rt, "slot")) * time.Second
	c.Horizon -= time.Duration(rapid.Int64Range(0, 50).Draw(rt, "cut")) * time.Second
	c.Queue, c.Feed, c.Core.Slot, c.PriceEpoch = 0, nil, 0, 0
	c.Core.Keeper = &scheduler.Fixed{T: time.Duration(rapid.Int64Range(0, 600).Draw(rt, "keep")) * time.Second}
	c.Pick = rapid.SampledFrom([]state.Pick{state.Newest, state.Oldest}).Draw(rt, "pick")
	c.Core.Chooser, c.Held = &turns{}, true
	for i := range c.Fleet.Targets {
		c.Fleet.Targets[i].Speed = float64(1 + i%2)
		c.Fleet.Targets[i].Price.Minimum = time.Duration(i) * time.Second
		c.Fleet.Targets[i].Price.PerCPUSecond = 3e-5
	}
	for i := range c.Functions {
		f := &c.Functions[i]
		f.Params, f.Profile.Restore = wattle.Params{}, 0
		f.Profile.Exec, f.Profile.Init = time.Duration(1+i%9)*1024*time.Millisecond, time.Duration(i%5)*600*time.Millisecond
	}
	for i := range c.Grid {
		for len(c.Grid[i]) < c.slots() {
			c.Grid[i] = append(c.Grid[i], wattle.GramsPerKWh(30+(len(c.Grid[i])*91+i*17)%500))
		}
	}
	var arrivals []trace.Arrival
	at := int64(0)
	few := rapid.IntRange(1, len(c.Functions)).Draw(rt, "functions")
	for range n {
		at += rapid.Int64Range(0, 2*minutes*60*second/int64(n)/1000).Draw(rt, "gap") * 1000
		arrivals = append(arrivals, trace.Arrival{At: at, Function: int32(rapid.IntRange(0, few-1).Draw(rt, "fn")), Scale: float64(rapid.IntRange(1, 4000).Draw(rt, "scale")) / 1024})
		c.Explain = append(c.Explain, uint64(len(c.Explain)))
	}
	c.Trace = scripted{functions: len(c.Functions), length: c.Horizon, arrivals: arrivals}
	return c, arrivals
}

// Whatever runs, a second simulator finds the same instances, energy, carbon and
// money in every cluster and slot.
func TestASecondSimulatorAgrees(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c, arrivals := randomRun(t, rt)
		got := mustRun(t, c)
		r := &replica{c: c, cold: map[[2]int]int64{}, served: map[[2]int]int64{}, network: map[[2]int]float64{}, ends: map[[2]int]float64{}}
		for i, a := range arrivals {
			if a.At >= int64(c.Horizon) {
				break
			}
			r.arrive(a, &got.Explained[i])
		}
		r.finish()
		for _, b := range r.bad {
			rt.Error(b)
		}
		r.compare(rt, got)
	})
}

// near reports a difference of more than the given one.
func near(t *rapid.T, what string, got, want, most float64) {
	if math.Abs(got-want) > most {
		t.Errorf("%s: the engine says %.12g, the replica %.12g", what, got, want)
	}
}

func (r *replica) compare(t *rapid.T, got *Result) {
	c := r.c
	all := r.integrate()
	var idle, busy int64
	held := make([]int64, len(got.Held))
	horizon, slot := c.Horizon.Nanoseconds()/1000, c.Slot.Microseconds()
	for _, s := range r.spans {
		if s.watts > 0 {
			continue
		}
		n := max(min(s.to, horizon)-s.from, 0)
		if s.part == keeping {
			idle += n
		} else {
			busy += n
		}
		for k := range c.slots() {
			held[s.fn*c.slots()+k] += max(min(s.to, int64(k+1)*slot, horizon)-max(s.from, int64(k)*slot), 0) * 1000
		}
	}
	for i := range held {
		near(t, fmt.Sprintf("ns held by function %d in slot %d", i/c.slots(), i%c.slots()), float64(got.Held[i]), float64(held[i]), 0)
	}
	near(t, "idle µs", float64(got.IdleTime.Microseconds()), float64(idle), 0)
	near(t, "busy µs", float64(got.BusyTime.Microseconds()), float64(busy), 0)
	near(t, "rejected", float64(got.Rejected), float64(r.rejected), 0)
	near(t, "latency µs", float64(got.Latency.Sum().Microseconds()), float64(r.latency), 0)
	near(t, "USD", float64(got.Cost), r.dollars, 1e-9*r.dollars)
	for i := range got.Series {
		for k := range got.Series[i] {
			r.point(t, &got.Series[i][k], i, k, all[[2]int{i, k}])
		}
	}
}

// point compares one cluster in one slot: energy to a µJ per rounding.
func (r *replica) point(t *rapid.T, p *Point, i, k int, want *sums) {
	if want == nil {
		want = &sums{}
	}
	key := [2]int{i, k}
	at := func(what string) string { return fmt.Sprintf("cluster %d, slot %d: %s", i, k, what) }
	round := float64(r.served[key]) + 12
	near(t, at("invocations"), float64(p.Invocations), float64(r.served[key]), 0)
	near(t, at("cold"), float64(p.Cold), float64(r.cold[key]), 0)
	near(t, at("µJ of work"), float64(p.Energy.Exec), want.work[running], round)
	near(t, at("µJ of starts"), float64(p.Energy.Startup), want.work[starting], round)
	near(t, at("µJ of keep-alive"), float64(p.Energy.KeepAlive), want.rest[keeping], round)
	near(t, at("µJ of idle share"), float64(p.Energy.IdleShare), want.rest[starting]+want.rest[running], round)
	near(t, at("µJ moved"), float64(p.Energy.Network), r.network[key], round)
	cluster, rest := &r.c.Fleet.Clusters[i], 0.0
	for j := range r.c.Fleet.Pools {
		if q := &r.c.Fleet.Pools[j]; q.Cluster == i {
			us := min(int64(k+1)*r.c.Slot.Microseconds(), r.c.Horizon.Microseconds()) - int64(k)*r.c.Slot.Microseconds()
			rest += float64(q.Machine.Idle()) * float64(q.Nodes) * float64(us)
		}
	}
	near(t, at("µJ metered"), float64(p.Energy.Metered), rest+want.work[running]+want.work[starting], 2*round)
	grams := func(uj float64) float64 { return uj / 3.6e12 * float64(r.c.Grid[i][k]) }
	small := grams(round) * cluster.PUE
	near(t, at("g of work"), float64(p.Carbon.Exec), cluster.PUE*grams(want.work[running]), small)
	near(t, at("g of starts"), float64(p.Carbon.Startup), cluster.PUE*grams(want.work[starting]), small)
	near(t, at("g of keep-alive"), float64(p.Carbon.KeepAlive), cluster.PUE*grams(want.rest[keeping]), small)
	near(t, at("g of idle share"), float64(p.Carbon.IdleShare), cluster.PUE*grams(want.rest[starting]+want.rest[running]), small)
	near(t, at("g moved"), float64(p.Carbon.Network), grams(r.ends[key]), small+grams(float64(len(r.c.Explain))))
	near(t, at("g of making"), float64(p.Carbon.Embodied), want.made, 1e-9*want.made+1e-15)
}
