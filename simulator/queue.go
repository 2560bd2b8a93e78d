package simulator

import (
	"github.com/wattle-project/wattle"
)

// waiting is a request that has not been placed yet.
type waiting struct {
	fn    int32
	scale float32
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

func (q *fifo) peek() *waiting { return &q.ring[q.head] }

func (q *fifo) pop() {
	q.head = (q.head + 1) % len(q.ring)
	q.n--
}

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
	q := &r.queues.targets[d.Wait]
	if d.Reasons.Has(wattle.ReasonConcurrency) {
		q = r.queues.functions[w.fn]
		if q == nil {
			q = &fifo{}
			r.queues.functions[w.fn] = q
		}
	}
	if r.cfg.Queue >= 0 && q.n >= r.cfg.Queue && !patient {
		r.reject(d)
		return
	}
	q.push(*w)
	r.queues.waiting++
	r.tally.queued++
}

func (r *run) reject(d *wattle.Decision) {
	r.tally.rejected++
	for i := range r.tally.reasons {
		if d.Reasons&(1<<i) != 0 {
			r.tally.reasons[i]++
		}
	}
}

// drain serves who waits for fn, for target or for another target of the same
// pool, in order of arrival, until somebody cannot be placed.
func (r *run) drain(fn, target int32) {
	if q := r.queues.functions[fn]; q != nil {
		r.serve(q)
	}
	r.serve(&r.queues.targets[target])
	pool := r.cfg.Fleet.Targets[target].Pool
	for t := range r.queues.targets {
		if q := &r.queues.targets[t]; q.n > 0 && r.cfg.Fleet.Targets[t].Pool == pool {
			r.serve(q)
		}
	}
}

func (r *run) serve(q *fifo) {
	for q.n > 0 {
		w := *q.peek()
		if !r.arrive(&w, 0) {
			return
		}
		q.pop()
		r.queues.waiting--
	}
}
