package state

import (
	"time"

	"github.com/wattle-project/wattle"
)

// Promises is the room in pools that deferred work is to have: of whatever is
// planned for a time, and of deferrable work that runs, until it should end.
// Room is counted as an area, reserved resources times time, in steps of
// PromiseStep: work that shares a step takes turns in it.
type Promises struct {
	base  int64 // number of the first step, since 1970
	steps [][]area
	pools int
}

// area is resources times time.
type area struct {
	cpu    int64 // mCPU·µs
	memory int64 // MiB·µs
}

// PromiseStep is the raster of promises.
const PromiseStep = 5 * time.Minute

const (
	promiseStep = int64(PromiseStep)
	// maxPromise bounds the memory: nothing is promised more than 60 days ahead.
	maxPromise = int64(60 * 24 * time.Hour / PromiseStep)
)

// add books need on pool over [from, to), in Unix ns, or takes it back.
func (p *Promises) add(pool int, need wattle.Resources, from, to, sign int64) {
	p.each(from, to, func(step []area, us int64) {
		step[pool].cpu += sign * us * int64(need.CPU)
		step[pool].memory += sign * us * int64(need.Memory/wattle.MiB)
	})
}

// each visits the steps of [from, to), which are made if need be, with the time
// in each. What lies before the first step is past.
func (p *Promises) each(from, to int64, visit func([]area, int64)) {
	for k := max(from/promiseStep, p.base); k*promiseStep < to && k < p.base+maxPromise; k++ {
		for int64(len(p.steps)) <= k-p.base {
			p.steps = append(p.steps, make([]area, p.pools))
		}
		visit(p.steps[k-p.base], (min(to, (k+1)*promiseStep)-max(from, k*promiseStep))/1000)
	}
}

// begin forgets what lies before now.
func (p *Promises) begin(now int64) {
	first := now / promiseStep
	if n := min(first-p.base, int64(len(p.steps))); n > 0 {
		p.steps = p.steps[n:]
	}
	p.base = max(p.base, first)
}

// Promise books room for a decision to run later, or for deferrable work that
// runs: from the Start of d for length. It lasts until Redeem with the same
// arguments, or until its time is past.
func (s *Store) Promise(d *wattle.Decision, length time.Duration) { s.promise(d, length, 1) }

// Redeem gives a promise back, because its time has come.
func (s *Store) Redeem(d *wattle.Decision, length time.Duration) { s.promise(d, length, -1) }

func (s *Store) promise(d *wattle.Decision, length time.Duration, sign int64) {
	p := &s.view.Promises
	if p.pools == 0 {
		p.pools = len(s.view.Fleet.Pools)
	}
	from := d.Start.UnixNano()
	p.add(s.view.Fleet.Targets[d.Target].Pool, d.Function.Needs, from, from+int64(length), sign)
}

// Elapse forgets promises of times before now.
func (s *Store) Elapse(now time.Time) { s.view.Promises.begin(now.UnixNano()) }

// Full says for n steps of PromiseStep from the one that now is in whether target
// lacks room for need, beside what is promised then and what else is busy now.
func (s *Snapshot) Full(dst []bool, now time.Time, target int32, need wattle.Resources, n int) []bool {
	const us = int64(PromiseStep / time.Microsecond)
	p := s.Fleet.Targets[target].Pool
	c, u := &s.Fleet.Pools[p].Capacity, &s.Load.nodes[p]
	k := now.UnixNano() / promiseStep
	present := s.Promises.at(k, p)
	cpu := int64(c.CPU) - max(0, int64(u.used.CPU-u.idle.CPU)-present.cpu/us) - int64(need.CPU)
	memory := int64(c.Memory/wattle.MiB) - max(0, int64((u.used.Memory-u.idle.Memory)/wattle.MiB)-present.memory/us) - int64(need.Memory/wattle.MiB)
	dst = dst[:0]
	for i := range n {
		a := s.Promises.at(k+int64(i), p)
		dst = append(dst, cpu < 0 || memory < 0 || a.cpu > cpu*us || a.memory > memory*us)
	}
	return dst
}

// at is what is promised of a pool in step k.
func (p *Promises) at(k int64, pool int) area {
	if k < p.base || k >= p.base+int64(len(p.steps)) {
		return area{}
	}
	return p.steps[k-p.base][pool]
}

func (p *Promises) clone() Promises {
	c := *p
	c.steps = make([][]area, len(p.steps))
	for i := range p.steps {
		c.steps[i] = append([]area(nil), p.steps[i]...)
	}
	return c
}
