package state

import (
	"slices"

	"github.com/wattle-project/wattle"
)

// Snapshot is one state of the world. Fleet and Signals are immutable; Load is
// immutable in a frozen snapshot and live in a view.
type Snapshot struct {
	// Revision counts every change; Epoch those that change what candidates cost
	// or are allowed (signals, fleet, health): plans last an epoch;
	// PriceRevision those of the congestion prices.
	Revision, Epoch, PriceRevision uint64
	Fleet                          *Fleet
	Signals                        *Signals
	// Prices are the congestion prices in grams per vCPU·s, one per pool.
	Prices []wattle.GramsCO2e
	Load   *Load
	// Promises is the room that deferred work is to have.
	Promises Promises
}

// Price is the congestion price of a target's pool.
func (s *Snapshot) Price(target int32) wattle.GramsCO2e {
	if p := s.Fleet.Targets[target].Pool; p < len(s.Prices) {
		return s.Prices[p]
	}
	return 0
}

// Load is the occupancy of a fleet.
type Load struct {
	nodes   []usage // per pool
	slices  []usage // per target; only Slices is meaningful
	running []int32 // requests being served, per target
	rested  []ends  // idle instances, per pool
	first   []int32 // first pool per function, index into pools
	live    []int32 // instances alive, per function
	pools   []pool
	down    []bool // per cluster
	// instances is the store's slice in a live view, nil in a frozen one.
	instances *[]Instance
}

type ends struct{ head, tail int32 }

func newLoad(f *Fleet, functions int) *Load {
	l := &Load{
		nodes: make([]usage, len(f.Pools)), slices: make([]usage, len(f.Targets)),
		running: make([]int32, len(f.Targets)), rested: make([]ends, len(f.Pools)),
		first: make([]int32, functions), live: make([]int32, functions), down: make([]bool, len(f.Clusters)),
		pools: make([]pool, 0, functions), // most have instances in one place
	}
	for i := range l.first {
		l.first[i] = none
	}
	for i := range l.rested {
		l.rested[i] = ends{none, none}
	}
	return l
}

func (l *Load) clone() *Load {
	return &Load{
		nodes: slices.Clone(l.nodes), slices: slices.Clone(l.slices), running: slices.Clone(l.running),
		rested: slices.Clone(l.rested), first: slices.Clone(l.first), live: slices.Clone(l.live),
		pools: slices.Clone(l.pools), down: slices.Clone(l.down),
	}
}

// Warm is the number of instances of function fn on target with room for a request.
func (l *Load) Warm(fn, target int32) int32 {
	if p := l.find(fn, target); p != nil {
		return p.avail
	}
	return 0
}

// Idle calls yield for each idle instance that would make room on target, the
// longest idle first, until it returns false: those of its pool, but while its
// devices are short only those that hold one. Frozen snapshots list none.
func (l *Load) Idle(f *Fleet, target int32, yield func(wattle.InstanceID, *Instance) bool) {
	if l.instances == nil {
		return
	}
	devices := l.shortOfDevices(f, target)
	for slot := l.rested[f.Targets[target].Pool].head; slot != none; {
		in := &(*l.instances)[slot]
		next := in.after
		if (!devices || in.Target == target) && !yield(identity(slot, in.generation), in) {
			return
		}
		slot = next
	}
}

// WarmAnywhere reports whether function fn has an instance with room for a
// request on any target.
func (l *Load) WarmAnywhere(fn int32) bool {
	for i := l.first[fn]; i != none; i = l.pools[i].next {
		if l.pools[i].avail > 0 {
			return true
		}
	}
	return false
}

// NextWarm walks the targets on which function fn has an instance with room for
// a request, in no particular order: pass 0 first, then what it returned as
// next. The target is −1 at the end.
func (l *Load) NextWarm(fn, at int32) (target, next int32) {
	i := l.first[fn]
	if at > 0 {
		i = l.pools[at-1].next
	}
	for ; i != none; i = l.pools[i].next {
		if l.pools[i].avail > 0 {
			return l.pools[i].target, i + 1
		}
	}
	return none, none
}

// Functions is the number of functions that the occupancy is of.
func (l *Load) Functions() int { return len(l.live) }

// Live is the number of instances of function fn everywhere.
func (l *Load) Live(fn int32) int32 { return l.live[fn] }

// Running is the number of requests being served on target.
func (l *Load) Running(target int32) int32 { return l.running[target] }

// Healthy reports whether a cluster takes work.
func (l *Load) Healthy(cluster int) bool { return !l.down[cluster] }

// Used is what instances reserve on the pool of target, idle ones included.
func (l *Load) Used(f *Fleet, target int32) wattle.Resources {
	return l.nodes[f.Targets[target].Pool].used
}

// Reserved is the share in [0, 1] of a pool's scarcer resource, vCPUs or memory,
// that instances reserve, idle ones included.
func (l *Load) Reserved(f *Fleet, pool int) float64 {
	u, c := &l.nodes[pool].used, &f.Pools[pool].Capacity
	return max(float64(u.CPU)/float64(c.CPU), float64(u.Memory)/float64(c.Memory))
}

// Busy is the share in [0, 1] of a pool's vCPUs that non-idle instances reserve.
func (l *Load) Busy(f *Fleet, pool int) float64 {
	u, c := l.nodes[pool], f.Pools[pool].Capacity.CPU
	return float64(u.used.CPU-u.idle.CPU) / float64(c)
}

// Fits reports whether target has room for need, counting what idle instances
// hold as free: they make way.
func (l *Load) Fits(f *Fleet, target int32, need wattle.Resources) bool {
	t := &f.Targets[target]
	u, c := &l.nodes[t.Pool], &f.Pools[t.Pool].Capacity
	if u.used.CPU-u.idle.CPU+need.CPU > c.CPU || u.used.Memory-u.idle.Memory+need.Memory > c.Memory {
		return false
	}
	if need.Slices == 0 {
		return true
	}
	d := &l.slices[target]
	return d.used.Slices-d.idle.Slices+need.Slices <= t.Slices
}

// Over reports whether target's reservations exceed its capacity, so that
// idle instances must go.
func (l *Load) Over(f *Fleet, target int32) bool {
	t := &f.Targets[target]
	u, c := &l.nodes[t.Pool].used, &f.Pools[t.Pool].Capacity
	return u.CPU > c.CPU || u.Memory > c.Memory || l.shortOfDevices(f, target)
}

func (l *Load) shortOfDevices(f *Fleet, target int32) bool {
	t := &f.Targets[target]
	return t.Slices > 0 && l.slices[target].used.Slices > t.Slices
}

func (l *Load) reserve(f *Fleet, target int32, r wattle.Resources) { l.change(f, target, r, 1) }
func (l *Load) release(f *Fleet, target int32, r wattle.Resources) { l.change(f, target, r, -1) }

func (l *Load) change(f *Fleet, target int32, r wattle.Resources, sign int64) {
	u := &l.nodes[f.Targets[target].Pool].used
	u.CPU += wattle.MilliCPU(sign) * r.CPU
	u.Memory += wattle.Bytes(sign) * r.Memory
	l.slices[target].used.Slices += int32(sign) * r.Slices
}

func (l *Load) idle(f *Fleet, target int32, r wattle.Resources, sign int64) {
	u := &l.nodes[f.Targets[target].Pool].idle
	u.CPU += wattle.MilliCPU(sign) * r.CPU
	u.Memory += wattle.Bytes(sign) * r.Memory
	l.slices[target].idle.Slices += int32(sign) * r.Slices
}

// find returns the pool of fn on target, or nil.
func (l *Load) find(fn, target int32) *pool {
	for i := l.first[fn]; i != none; i = l.pools[i].next {
		if l.pools[i].target == target {
			return &l.pools[i]
		}
	}
	return nil
}

// poolOf returns the index of the pool of fn on target, made if need be.
func (l *Load) poolOf(fn, target int32) int32 {
	for i := l.first[fn]; i != none; i = l.pools[i].next {
		if l.pools[i].target == target {
			return i
		}
	}
	l.pools = append(l.pools, pool{target: target, head: none, tail: none, next: l.first[fn]})
	l.first[fn] = int32(len(l.pools) - 1)
	return l.first[fn]
}
