package simulator

import (
	"math"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator/trace"
)

// work follows deferrable work from its first wait to its end.
type work struct {
	// ran is the time that earlier stretches held an instance, ns.
	ran int64
	// done is the share of the work that they have done, of entire; mean is the same
	// in mean executions, which is what a scheduler can know.
	done uint64
	mean float64
	// plan is what is promised until it is placed again.
	plan   wattle.Decision
	length time.Duration
}

// entire is all of an invocation's work: shares of it are integers, so that what
// the stretches of one invocation take sums to what it takes at once.
const entire = 1 << 62

// piece is one stretch: it does the shares [from, to) of the work until end.
type piece struct {
	from, to uint64
	end      int64
	rest     *waiting // what is left, nil if nothing
}

// share is the piece's part of what all the work takes on its target.
func (p *piece) share(e wattle.Microjoules) wattle.Microjoules {
	if p.from == 0 && p.to == entire {
		return e
	}
	return wattle.Microjoules(muldiv(uint64(e), p.to, entire) - muldiv(uint64(e), p.from, entire))
}

// slacken states how long w has waited and what is left of its slack.
func (r *run) slacken(w *waiting) {
	waited := r.waited(w)
	if waited == 0 && w.work == nil {
		return // the function's own parameters
	}
	q := &r.request
	q.Params, q.Waited = q.Function.Params, time.Duration(waited)
	// Not 0: a request that states nothing has its function's own deadline.
	q.Params.Deadline = max(1, q.Params.Deadline-q.Waited)
	if w.work != nil {
		q.Done = w.work.mean
	}
}

// waited is how long w has not run since it arrived, in ns.
func (r *run) waited(w *waiting) int64 {
	if w.work != nil {
		return r.now - w.at - w.work.ran
	}
	return r.now - w.at
}

// delay counts what the last stretch of w, which starts now, has waited in all,
// and returns the part within its slack.
func (r *run) delay(w *waiting) time.Duration {
	slack, waited := int64(r.fns[w.fn].Params.Deadline), r.waited(w)
	r.tally.deferrable++
	if waited > slack {
		r.tally.late++
	}
	waited = min(waited, slack)
	r.tally.delay += waited
	return time.Duration(waited)
}

// defers reports whether this run's contender defers anything.
func (r *run) defers() bool { return r.cfg.Core.Deferrer != nil || r.cfg.Core.Slot > 0 }

// postpone places w again when the start of d comes. Until then the room that it
// will need is promised to it.
func (r *run) postpone(d *wattle.Decision, w *waiting) {
	if w.work == nil {
		w.work = &work{}
		r.tally.deferred++
	}
	w.work.plan, w.work.length = *d, r.lasts(d, w)
	r.store.Promise(d, w.work.length)
	r.control.postpone(d.Start.UnixNano()-r.base, *w)
}

// lasts is how long the stretch of d is expected to hold its instance.
func (r *run) lasts(d *wattle.Decision, w *waiting) time.Duration {
	if d.Run > 0 {
		return d.Run
	}
	left := 1.0
	if w.work != nil {
		left = max(0, 1-w.work.mean)
	}
	return d.Estimate.Start + time.Duration(float64(d.Estimate.Exec)*left)
}

// wake places postponed work again.
func (r *run) wake(w *waiting) {
	r.store.Redeem(&w.work.plan, w.work.length)
	r.arrive(w, nil)
}

// patient reports whether w waits in a queue of any length rather than being
// rejected: work in progress, and deferrable work of contenders that defer.
func (r *run) patient(w *waiting) bool {
	return w.work != nil && w.work.done > 0 || r.fns[w.fn].Params.Deadline > 0 && r.defers()
}

// cut is the stretch of w that begins now and is ready to work at ready.
func (r *run) cut(d *wattle.Decision, w *waiting, ready int64) piece {
	if w.work == nil {
		w.work = &work{}
	}
	r.store.Promise(d, r.lasts(d, w))
	exec := uint64(trace.Lasts(d.Estimate.Exec, w.scale))
	p := piece{from: w.work.done, to: entire}
	p.end = ready + int64(muldiv(exec, entire-p.from, entire))
	stop := r.now + int64(d.Run)
	if d.Run == 0 || stop >= p.end || stop <= ready || w.work.mean >= 1 {
		return p // work that outlasts what was expected of it pauses no more
	}
	p.to, p.end = min(p.from+muldiv(uint64(stop-ready), entire, exec), entire-1), stop
	rest := *w
	rest.work = &work{
		ran: w.work.ran + stop - r.now, done: p.to,
		mean: w.work.mean + float64(stop-ready)/math.Max(float64(d.Estimate.Exec), 1),
	}
	p.rest = &rest
	return p
}

// settle counts the deferrable work that is still waiting at the horizon.
func (r *run) settle() {
	each := func(w *waiting) {
		if w.work != nil && w.work.done > 0 {
			r.tally.paused++
		} else {
			r.tally.waiting++
		}
		if p := &r.fns[w.fn].Params; p.Deadline > 0 && r.waited(w) > int64(p.Deadline) {
			r.tally.late++
		}
	}
	for _, w := range r.control.waits {
		each(&w)
	}
	for i := range r.queues.targets {
		r.queues.targets[i].each(each)
	}
	for _, q := range r.queues.functions {
		q.each(each)
	}
}

// each visits who waits, in order.
func (q *fifo) each(f func(*waiting)) {
	for i := range q.n {
		f(&q.ring[(q.head+i)%len(q.ring)])
	}
}
