package simulator

import (
	"math/bits"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
)

// part is what a reservation is held for.
type part uint8

const (
	starting part = iota
	running
	keeping
	parts
)

// hold is reserved capacity integrated over time.
type hold struct {
	cpu    uint64 // mCPU·µs
	memory uint64 // MiB·µs
	slices uint64 // slice·µs
}

// cell is the account of one target in one slot. Everything is an integer, so
// sums close exactly and do not depend on the order of events.
type cell struct {
	invocations, cold int64
	startup, exec     wattle.Microjoules // dynamic
	network           wattle.Microjoules
	holds             [parts]hold
}

// bill is what one target is paid for, over the whole run.
type bill struct {
	requests int64
	egress   int64  // bytes
	cpu      uint64 // mCPU·µs billed
	memory   uint64 // MiB·µs billed
	slices   uint64
}

// ledger accounts for a run. Times are ns since its start.
type ledger struct {
	slot    int64 // ns
	slots   int
	horizon int64
	cells   []cell // target-major: [target][slot]
	bills   []bill
	// ends is the energy of moving data, half on the grid of either end:
	// [cluster][slot].
	ends []wattle.Microjoules
	// The slot that was booked last, and when it begins: the next is likely in it.
	k     int64
	begin int64
	// beyond is the dynamic energy of what ran past the horizon, by target.
	beyond []wattle.Microjoules
}

func newLedger(targets, clusters int, slot, horizon int64) *ledger {
	n := int((horizon + slot - 1) / slot)
	return &ledger{
		slot: slot, slots: n, horizon: horizon, cells: make([]cell, targets*n), bills: make([]bill, targets),
		ends: make([]wattle.Microjoules, clusters*n), beyond: make([]wattle.Microjoules, targets),
	}
}

// index is the slot of time t, or the last one past the end.
func (l *ledger) index(t int64) int { return min(int(l.number(t)), l.slots-1) }

// at is the cell of target at time t, or that of the last slot past the end.
func (l *ledger) at(target int32, t int64) *cell {
	return &l.cells[int(target)*l.slots+l.index(t)]
}

// number is the slot that t is in.
func (l *ledger) number(t int64) int64 {
	if uint64(t-l.begin) >= uint64(l.slot) {
		l.k = t / l.slot
		l.begin = l.k * l.slot
	}
	return l.k
}

// reserve books the reservation of r on target over [from, to). Instants are
// cut to whole microseconds, so adjoining spans add up without a remainder, and
// memory to whole MiB, so that what fits a pool never has more than the pool.
func (l *ledger) reserve(target int32, p part, r *wattle.Resources, from, to int64) {
	to = min(to, l.horizon)
	if from >= to {
		return
	}
	last := l.number(to - 1)
	if from >= l.begin {
		l.cells[int(target)*l.slots+int(last)].holds[p].add(r, from, to)
		return
	}
	for k := from / l.slot; k <= last; k++ {
		l.cells[int(target)*l.slots+int(k)].holds[p].add(r, max(from, k*l.slot), min(to, (k+1)*l.slot))
	}
}

func (h *hold) add(r *wattle.Resources, from, to int64) {
	us := uint64(to/1000 - from/1000)
	h.cpu += us * uint64(r.CPU)
	h.memory += us * uint64(max(uint64(r.Memory)/uint64(wattle.MiB), 1))
	h.slices += us * uint64(r.Slices)
}

// mebibytes rounds up, as platforms bill.
func mebibytes(b wattle.Bytes) int64 { return int64((b + wattle.MiB - 1) / wattle.MiB) }

// spend books the dynamic energy e of what runs over [from, to), spread evenly.
func (l *ledger) spend(target int32, p part, e wattle.Microjoules, from, to int64) {
	if k := l.number(from); from < to && to-l.begin <= l.slot && to <= l.horizon {
		l.cells[int(target)*l.slots+int(k)].add(p, e)
		return
	}
	l.spread(target, p, e, from, to)
}

func (l *ledger) spread(target int32, p part, e wattle.Microjoules, from, to int64) {
	if from >= l.horizon {
		l.beyond[target] += e
		return
	}
	if to <= from {
		l.at(target, from).add(p, e)
		return
	}
	var booked wattle.Microjoules
	for k := from / l.slot; k <= (to-1)/l.slot; k++ {
		if k >= int64(l.slots) {
			break
		}
		end := min(to, (k+1)*l.slot, l.horizon)
		upto := wattle.Microjoules(muldiv(uint64(e), uint64(end-from), uint64(to-from)))
		l.cells[int(target)*l.slots+int(k)].add(p, upto-booked)
		booked = upto
	}
	l.beyond[target] += e - booked
}

func (c *cell) add(p part, e wattle.Microjoules) {
	if p == starting {
		c.startup += e
	} else {
		c.exec += e
	}
}

// charge books what the platform bills for holding r for us microseconds; what a
// request costs is counted apart.
func (b *bill) charge(r *wattle.Resources, us uint64) {
	b.cpu += us * uint64(r.CPU)
	b.memory += us * uint64(mebibytes(r.Memory))
	b.slices += us * uint64(r.Slices)
}

// cost is the money of a target's bill.
func (b *bill) cost(p *state.Price) wattle.USD {
	const us = 1e-6
	return p.PerRequest.Times(float64(b.requests)) + p.EgressPerGB.Times(float64(b.egress)/1e9) +
		p.PerCPUSecond.Times(float64(b.cpu)*us/1000) + p.PerGBSecond.Times(float64(b.memory)*us/1024) +
		p.PerSlice.Times(float64(b.slices)*us)
}

// muldiv is a·b/c rounded down with a 128-bit product; c > 0 and the result
// must fit.
func muldiv(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	q, _ := bits.Div64(hi, lo, c)
	return q
}
