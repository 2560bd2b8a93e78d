package simulator

import (
	"github.com/wattle-project/wattle"
)

// waiting is a request that has not been placed yet.
type waiting struct {
	fn    int32
	scale float64
	at    int64
	seq   uint64
	// work is what is known of deferrable work beyond its arrival, nil until it
	// has waited.
	work *work
}

// fifo is a queue in a ring that grows.
type fifo struct {
	ring []waiting
	head int
	n    int
}

func (q *fifo) push(w waiting) {
	if q.n == len(q.ring) {
		grown := make([]waiting, max(16, 2*len(q.ring)))
		for i := range q.n {
			grown[i] = q.ring[(q.head+i)%len(q.ring)]
		}
		q.ring, q.head = grown, 0
	}
	q.ring[(q.head+q.n)%len(q.ring)] = w
	q.n++
}

// insert puts w before everybody who came later.
func (q *fifo) insert(w waiting) {
	q.push(w)
	at := func(i int) *waiting { return &q.ring[(q.head+i)%len(q.ring)] }
	for i := q.n - 1; i > 0 && at(i-1).seq > w.seq; i-- {
		*at(i), *at(i - 1) = *at(i - 1), w
	}
}

func (q *fifo) peek() *waiting { return &q.ring[q.head] }

func (q *fifo) pop() {
	q.head = (q.head + 1) % len(q.ring)
	q.n--
}

// Order says who may take the room that a pool has.
type Order uint8

const (
	// Strict serves queues in order: while somebody waits for a target, nobody who
	// came later is placed there, not even on a warm instance; and nobody takes
	// vCPUs or memory of a pool that somebody waits for. A large request holds up
	// the small ones behind it and cannot starve.
	Strict Order = iota
	// Fitting lets a newcomer that fits pass those who wait for more room. It
	// keeps pools fuller; a large request can wait for ever behind small ones.
	Fitting
)

// queues holds requests that wait, first come first served: for a target when
// its capacity is short, for a function when its own concurrency is.
type queues struct {
	targets   []fifo
	functions map[int32]*fifo
	waiting   int
}

func newQueues(targets int) queues {
	return queues{targets: make([]fifo, targets), functions: make(map[int32]*fifo)}
}

// wait queues a request that could not be placed, or rejects it.
func (r *run) wait(d *wattle.Decision, w *waiting) {
	patient := r.patient(w)
	if d.Wait < 0 || r.cfg.Queue == 0 && !patient {
		r.reject(d)
		return
	}
	q := r.queueOf(d, w.fn)
	if r.cfg.Queue >= 0 && q.n >= r.cfg.Queue && !patient {
		r.reject(d)
		return
	}
	q.push(*w)
	r.queues.waiting++
	r.tally.queued++
	if r.fns[w.fn].Params.Deadline == 0 {
		r.tally.stalled++
	}
}

// queueOf is the queue for what stands in the way: the function's own bound, or
// the capacity of a target.
func (r *run) queueOf(d *wattle.Decision, fn int32) *fifo {
	if !d.Reasons.Has(wattle.ReasonConcurrency) {
		return &r.queues.targets[d.Wait]
	}
	q := r.queues.functions[fn]
	if q == nil {
		q = &fifo{}
		r.queues.functions[fn] = q
	}
	return q
}

func (r *run) reject(d *wattle.Decision) {
	r.tally.rejected++
	for i := range r.tally.reasons {
		if d.Reasons&(1<<i) != 0 {
			r.tally.reasons[i]++
		}
	}
}

// behind turns a placement into a wait if somebody who came earlier waits for
// the room that it would take. q is the queue whose head w is; nil is a newcomer.
// Work that was promised its room passes.
func (r *run) behind(d *wattle.Decision, w *waiting, q *fifo) bool {
	if r.queues.waiting == 0 || r.cfg.Order != Strict || w.work != nil || d.Start.UnixNano() > r.base+r.now {
		return false
	}
	fleet, load := r.cfg.Fleet, r.store.View().Load
	for t := range r.queues.targets {
		p := &r.queues.targets[t]
		if p.n == 0 || p == q || fleet.Targets[t].Pool != fleet.Targets[d.Target].Pool || q != nil && w.seq < p.peek().seq {
			continue
		}
		nodes := r.fns[p.peek().fn].Needs
		nodes.Slices = 0
		// Who waits for another device alone is not delayed by the use of vCPUs.
		if int32(t) == d.Target || !load.Fits(fleet, int32(t), nodes) {
			d.Placed, d.Wait, d.Reasons = false, d.Target, wattle.ReasonCapacity
			return true
		}
	}
	return false
}

// drain serves who waits for fn, for target or for another target of the same
// pool, until nobody can be placed.
func (r *run) drain(fn, target int32) {
	pool := r.cfg.Fleet.Targets[target].Pool
	for left := 0; left != r.queues.waiting; {
		left = r.queues.waiting
		if q := r.queues.functions[fn]; q != nil {
			r.serve(q)
		}
		r.serve(&r.queues.targets[target])
		for t := range r.queues.targets {
			if r.cfg.Fleet.Targets[t].Pool == pool {
				r.serve(&r.queues.targets[t])
			}
		}
	}
}

// serve places the head of q until one has to wait on. Who waits for something
// else by now changes the queue, and who can be placed no more, wherever there
// were room, is rejected: neither holds up the others.
func (r *run) serve(q *fifo) {
	for q.n > 0 {
		w := *q.peek()
		d := r.arrive(&w, q)
		if d.Placed || d.Wait < 0 {
			r.queues.waiting--
		} else if r.queueOf(&d, w.fn) == q {
			return
		}
		q.pop()
		switch {
		case d.Placed:
		case d.Wait < 0:
			r.reject(&d)
		default:
			r.queueOf(&d, w.fn).insert(w)
		}
	}
}
