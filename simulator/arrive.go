package simulator

import (
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/state"
	"github.com/wattle-project/wattle/simulator/trace"
)

// arrive places one invocation, now or after waiting at the head of q; q is nil
// for a newcomer, which waits or is rejected if there is no place for it. It
// returns what was decided.
func (r *run) arrive(w *waiting, q *fifo) wattle.Decision {
	f := r.fns[w.fn]
	r.request = wattle.Request{Sequence: w.seq, Function: f, Scale: w.scale}
	if f.Params.Deadline > 0 {
		r.slacken(w)
	}
	now, view := r.time(r.now), r.store.View()
	var d wattle.Decision
	r.decide(&d, now, view)
	r.tally.decisions++
	switch {
	case !d.Placed || r.behind(&d, w, q):
		if q == nil {
			r.wait(&d, w)
		}
	case d.Start.After(now):
		r.postpone(&d, w)
	default:
		r.start(&d, w)
	}
	return d
}

// decide asks the core once, so that a Chooser with a memory is not asked twice
// where the decision is explained too.
func (r *run) decide(d *wattle.Decision, now time.Time, view *state.Snapshot) {
	if len(r.explain) == 0 || !r.explain[r.request.Sequence] {
		r.core.Decide(d, now, view, &r.request)
		return
	}
	e := r.core.Explain(now, view, &r.request)
	r.tally.explained = append(r.tally.explained, e)
	*d = e.Decision
}

// start runs a placed invocation and books what it takes.
func (r *run) start(d *wattle.Decision, w *waiting) {
	f := d.Function
	id, err := r.store.Assume(d, r.cfg.Pick, r.time(r.now), time.Time{})
	if err != nil {
		panic("simulator: the core placed an invocation where there is no room: " + err.Error())
	}
	slot := state.Slot(id)
	in := r.store.Instance(id)
	r.mind(slot)
	s := &r.sides[slot]
	s.keep = d.Lifecycle
	ready := r.now
	switch {
	case d.Sandbox != wattle.Warm:
		ready += int64(d.Estimate.Start)
		*s = side{ready: ready, keep: d.Lifecycle}
		r.relieve(d.Target, f)
	case in.Rested != 0:
		r.bookIdle(in, in.Rested-r.base, r.now)
	default:
		ready = max(ready, s.ready) // joins an instance that may still be starting
	}
	p := piece{end: ready + trace.Lasts(d.Estimate.Exec, w.scale), to: entire}
	if w.work != nil || f.Params.Deadline > 0 && r.defers() {
		p = r.cut(d, w, ready)
	}
	s.ends = max(s.ends, p.end)
	r.wheel.push(event{at: p.end, kind: finished, id: uint64(r.hold(id, p.rest))})
	if d.Sandbox != wattle.Warm || in.Rested != 0 && r.core.Heeds(wattle.Started) {
		r.obey(r.core.Step(r.time(r.now), r.store.View(), wattle.Event{Kind: wattle.Started, Function: f, Target: d.Target, Instance: id, Sandbox: d.Sandbox}))
	}
	r.account(d, w, ready, &p)
}

// account books one stretch of an invocation, which mostly is all of it: dynamic
// energy, money, the hash; what is counted once goes to the first or the last.
func (r *run) account(d *wattle.Decision, w *waiting, ready int64, p *piece) {
	l, t, e, f := r.ledger, d.Target, &d.Estimate, d.Function
	c := l.at(t, r.now)
	target := &r.cfg.Fleet.Targets[t]
	cold := d.Sandbox != wattle.Warm
	if cold {
		l.spend(t, starting, e.StartEnergy.Micro(), r.now, ready)
	}
	l.spend(t, running, p.share(e.ExecEnergy.Times(w.scale).Micro()), ready, p.end)
	if f.Concurrency <= 1 {
		r.bill(t, f, r.now, ready, p.end)
	}
	if p.from == 0 {
		c.invocations++
		l.bills[t].requests++
		if cold {
			c.cold++
		}
		if f.In+f.Out > 0 {
			r.move(c, f, t)
		}
	} else {
		r.tally.resumes++
	}
	if p.to == entire {
		r.complete(w, p.end, e.Network)
	}
	cluster := int32(target.Cluster)
	if r.last[w.fn] != cluster {
		if r.last[w.fn] >= 0 {
			r.tally.moves++
		}
		r.last[w.fn] = cluster
	}
	r.tally.mix(uint64(r.now)<<16 ^ uint64(w.fn)<<40 ^ uint64(t)<<4 ^ uint64(d.Sandbox))
}

// bill charges what the platform bills for an instance that was taken at from and
// worked over [ready, to). One that several requests share is billed as long as it
// has any.
func (r *run) bill(target int32, f *wattle.Function, from, ready, to int64) {
	price := &r.cfg.Fleet.Targets[target].Price
	if price.BillInit {
		ready = from
	}
	r.ledger.bills[target].charge(&f.Needs, uint64(price.Billed(time.Duration(to-ready))/time.Microsecond))
}

// billShared charges the busy spell of an instance that several requests share.
func (r *run) billShared(in *state.Instance, slot int32, to int64) {
	if in.Function.Concurrency > 1 {
		from := in.Since - r.base
		r.bill(in.Target, in.Function, from, max(r.sides[slot].ready, from), to)
	}
}

// complete books the latency of an invocation whose last stretch ends at end.
// Waiting within a request's own slack is delay, not latency.
func (r *run) complete(w *waiting, end int64, network time.Duration) {
	p := &r.fns[w.fn].Params
	latency := time.Duration(end-w.at) + network
	if p.Deadline > 0 {
		latency -= r.delay(w)
	}
	r.tally.latency.Add(latency)
	if p.SLO > 0 && latency > p.SLO {
		r.tally.misses++
	}
}

// move books the energy and money of moving an invocation's data.
func (r *run) move(c *cell, f *wattle.Function, target int32) {
	e, t, l := r.cfg.Network.For(f.In+f.Out).Micro(), &r.cfg.Fleet.Targets[target], r.ledger
	c.network += e
	from := scheduler.Origin(r.cfg.Fleet, f, &f.Params)
	here, there := power.Halves(e)
	k := l.index(r.now)
	l.ends[t.Cluster*l.slots+k] += here
	l.ends[r.cfg.Fleet.FarEnd(from, t)*l.slots+k] += there
	if from != t.Region {
		l.bills[target].egress += int64(f.Out)
	}
}

// relieve evicts idle instances until target's pool holds what is reserved.
func (r *run) relieve(target int32, f *wattle.Function) {
	load := r.store.View().Load
	for load.Over(r.cfg.Fleet, target) {
		actions := r.core.Step(r.time(r.now), r.store.View(), wattle.Event{Kind: wattle.Pressure, Function: f, Target: target, Need: f.Needs})
		done := false
		for i := range actions {
			done = actions[i].Kind == wattle.Evict && r.evict(actions[i].Instance) || done
		}
		if !done && !r.evict(r.store.LongestIdle(target)) {
			panic("simulator: a pool is over its capacity and nothing on it is idle")
		}
		r.tally.evictions++
	}
}

// evict ends an idle instance and books its keep-alive.
func (r *run) evict(id wattle.InstanceID) bool {
	in := r.store.Instance(id)
	if in == nil || in.Status != state.Idle {
		return false
	}
	r.bookIdle(in, in.Since-r.base, r.now)
	return r.store.Evict(id)
}

// bookIdle books the reservation of an idle instance over [from, to).
func (r *run) bookIdle(in *state.Instance, from, to int64) {
	r.tally.idle += max(min(to, r.ledger.horizon)-from, 0)
	r.ledger.reserve(in.Target, keeping, &in.Function.Needs, from, to)
	r.hours(in, from, to)
}

// bookBusy books the reservation of a busy spell that began at in.Since: its
// start-up, then its work.
func (r *run) bookBusy(in *state.Instance, slot int32, to int64) {
	from := in.Since - r.base
	r.tally.busy += max(min(to, r.ledger.horizon)-from, 0)
	ready := min(max(r.sides[slot].ready, from), to)
	r.ledger.reserve(in.Target, starting, &in.Function.Needs, from, ready)
	r.ledger.reserve(in.Target, running, &in.Function.Needs, ready, to)
	r.hours(in, from, to)
}

// hours adds [from, to) to what the function of an instance has held.
func (r *run) hours(in *state.Instance, from, to int64) {
	if r.held == nil {
		return
	}
	l := r.ledger
	row := r.held[int(in.Function.Index)*l.slots:]
	for to = min(to, l.horizon); from < to; {
		k := from / l.slot
		next := min(to, (k+1)*l.slot)
		row[k] += next - from
		from = next
	}
}

// finish ends a running request.
func (r *run) finish(n int32) {
	id, rest := r.pending[n].id, r.pending[n].rest
	r.freed = append(r.freed, n)
	in := r.store.Instance(id)
	f, target, slot := in.Function, in.Target, state.Slot(id)
	if in.Running == 1 {
		r.bookBusy(in, slot, r.now)
		r.billShared(in, slot, r.now)
	}
	now := r.base + r.now
	if r.store.Finish(id, now) {
		r.obey(r.core.Step(r.time(r.now), r.store.View(), wattle.Event{
			Kind: wattle.Finished, Function: f, Target: target, Instance: id, Lifecycle: r.sides[slot].keep,
		}))
	}
	if rest != nil {
		r.arrive(rest, nil)
	}
	if r.queues.waiting > 0 {
		r.drain(f.Index, target)
	}
}

// obey carries out what the core asks for.
func (r *run) obey(actions []wattle.Action) {
	for i := range actions {
		a := &actions[i]
		at := a.At.UnixNano() - r.base
		switch a.Kind {
		case wattle.Keep:
			if at < r.now {
				r.evict(a.Instance)
				continue
			}
			r.store.Keep(a.Instance, a.At.UnixNano())
			r.arm(a.Instance, at)
		case wattle.Evict:
			r.evict(a.Instance)
		case wattle.Prewarm:
			r.control.schedule(max(at, r.now), prewarm, task{action: *a})
		case wattle.WakeAt:
			r.control.push(event{at: at, kind: epoch, id: wakeEpoch})
		case wattle.Defer:
		}
	}
}

// arm makes sure that an expiry event fires at or before until. An instance
// that is used meanwhile keeps its event, which is then pushed on when it fires.
func (r *run) arm(id wattle.InstanceID, until int64) {
	slot := state.Slot(id)
	r.mind(slot)
	s := &r.sides[slot]
	if s.armed != 0 && s.armed <= until {
		return
	}
	s.armed = until
	r.wheel.push(event{at: until, kind: expiry, id: uint64(id)})
}

// expire ends an instance whose keep-alive is over, or re-arms it.
func (r *run) expire(id wattle.InstanceID) {
	in := r.store.Instance(id)
	if in == nil {
		return
	}
	s := &r.sides[state.Slot(id)]
	if s.armed != r.now {
		return // an earlier event replaced this one
	}
	s.armed = 0
	if in.Status != state.Idle {
		return // finishing will arm it again
	}
	if until := in.Until - r.base; until > r.now {
		r.arm(id, until)
		return
	}
	f, target := in.Function, in.Target
	r.obey(r.core.Step(r.time(r.now), r.store.View(), wattle.Event{Kind: wattle.Expired, Function: f, Target: target, Instance: id}))
	if r.evict(id) && r.queues.waiting > 0 {
		r.drain(f.Index, target)
	}
}

// mind makes room for what is known beside a slot.
func (r *run) mind(slot int32) {
	for int(slot) >= len(r.sides) {
		r.sides = append(r.sides, side{})
	}
}

// hold numbers a running request.
func (r *run) hold(id wattle.InstanceID, rest *waiting) int32 {
	if n := len(r.freed); n > 0 {
		i := r.freed[n-1]
		r.freed = r.freed[:n-1]
		r.pending[i] = request{id, rest}
		return i
	}
	r.pending = append(r.pending, request{id, rest})
	return int32(len(r.pending) - 1)
}
