package simulator

import (
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
)

// Identities of epoch events: signals change before prices.
const (
	slotEpoch uint64 = iota
	priceEpoch
	wakeEpoch
)

// task is a pre-warm: to begin, or about to be ready.
type task struct {
	action wattle.Action
	id     wattle.InstanceID // 0 until begun
}

// control holds the few events that do not belong to an instance.
type control struct {
	heap  wheel // only its heap is used
	waits map[uint64]waiting
	tasks map[uint64]task
	count uint64
}

func (c *control) push(e event) { c.heap.heapPush(e) }

func (c *control) peek() (event, bool) {
	if len(c.heap.heap) == 0 {
		return event{}, false
	}
	return c.heap.heap[0], true
}

func (c *control) pop() event { return c.heap.heapPop() }

// postpone places w again at time at.
func (c *control) postpone(at int64, w waiting) {
	if c.waits == nil {
		c.waits = make(map[uint64]waiting)
	}
	c.waits[w.seq] = w
	c.push(event{at: at, kind: arrival, id: w.seq})
}

// schedule begins t, or has it ready, at time at.
func (c *control) schedule(at int64, k kind, t task) {
	if c.tasks == nil {
		c.tasks = make(map[uint64]task)
	}
	c.count++
	c.tasks[c.count] = t
	c.push(event{at: at, kind: k, id: c.count})
}

// take returns a scheduled task and forgets it.
func (c *control) take(id uint64) task {
	t := c.tasks[id]
	delete(c.tasks, id)
	return t
}

// govern handles a control event.
func (r *run) govern(e *event) {
	switch e.kind {
	case epoch:
		r.turn(e)
	case arrival:
		w := r.control.waits[e.id]
		delete(r.control.waits, e.id)
		r.wake(&w)
	case prewarm:
		r.prepare(r.control.take(e.id))
	case readied:
		r.ready(r.control.take(e.id))
	default:
		panic("simulator: an instance event reached the control queue")
	}
}

// turn begins a slot or a price epoch.
func (r *run) turn(e *event) {
	switch e.id {
	case slotEpoch:
		r.signals()
		if next := e.at + int64(r.cfg.Slot); next < r.ledger.horizon {
			r.control.push(event{at: next, kind: epoch, id: slotEpoch})
		}
		if r.cfg.Progress != nil {
			r.cfg.Progress(float64(e.at) / float64(r.ledger.horizon))
		}
	case priceEpoch:
		r.prices = r.cfg.Congestion.Update(r.prices, r.store.View())
		r.store.SetPrices(r.prices)
		r.control.push(event{at: e.at + int64(r.cfg.PriceEpoch), kind: epoch, id: priceEpoch})
		return
	}
	r.obey(r.core.Step(r.time(r.now), r.store.View(), wattle.Event{Kind: wattle.Epoch}))
}

// signals shows the scheduler the intensities of the slot that begins.
func (r *run) signals() {
	now := r.time(r.now).UTC()
	r.store.Elapse(now)
	if r.cfg.OnEpoch != nil {
		r.cfg.OnEpoch(now)
	}
	k := min(int(r.now/int64(r.cfg.Slot)), r.ledger.slots-1)
	zones := make([]state.ZoneSignal, len(r.cfg.Fleet.Clusters))
	for i := range zones {
		if r.cfg.Feed != nil {
			zones[i] = r.cfg.Feed.Observe(i, now)
			continue
		}
		zones[i].Current = wattle.Signal{
			Zone: r.cfg.Fleet.Clusters[i].Zone, Intensity: r.cfg.Grid[i][k], Quality: wattle.Measured,
			From: now, To: now.Add(r.cfg.Slot), FetchedAt: now, Provider: "actual",
		}
	}
	r.store.SetSignals(r.withMarginal(state.NewSignals(zones, now), now))
}

// withMarginal adds what the feed knows of marginal intensities.
func (r *run) withMarginal(s *state.Signals, now time.Time) *state.Signals {
	feed, ok := r.cfg.Feed.(MarginalFeed)
	if !ok {
		return s
	}
	zones := make([]state.ZoneSignal, len(r.cfg.Fleet.Clusters))
	for i := range zones {
		zones[i] = feed.Marginal(i, now)
		zones[i].Current.Zone = r.cfg.Fleet.Clusters[i].Zone
	}
	return s.WithMarginal(zones)
}

// prepare starts an instance ahead of demand. Only idle instances make way for
// it; a pool full of busy ones is left alone.
func (r *run) prepare(t task) {
	a := &t.action
	if a.Until.UnixNano()-r.base <= r.now || !r.confirmed(a) {
		return
	}
	est := r.core.Estimate(r.time(r.now), r.store.View(), a.Function, a.Target, wattle.Cold)
	for range max(a.Copies, 1) {
		id, err := r.store.Prewarm(a.Function, a.Target, r.base+r.now)
		if err != nil {
			r.tally.prewarmsRefused++
			return
		}
		slot := state.Slot(id)
		r.mind(slot)
		ready := r.now + int64(est.Start)
		r.sides[slot] = side{ready: ready, ends: ready}
		r.relieve(a.Target, a.Function)
		r.ledger.spend(a.Target, starting, est.StartEnergy.Micro(), r.now, ready)
		r.tally.prewarms++
		r.control.schedule(ready, readied, task{action: *a, id: id})
	}
}

// confirmed asks the core whether a conditional pre-warm is still wanted.
func (r *run) confirmed(a *wattle.Action) bool {
	if a.Token == 0 {
		return true
	}
	for _, b := range r.core.Step(r.time(r.now), r.store.View(), wattle.Event{Kind: wattle.Due, Function: a.Function, Target: a.Target, Token: a.Token}) {
		if b.Kind == wattle.Prewarm {
			return true
		}
	}
	return false
}

// ready turns a pre-warmed instance idle and keeps it as asked.
func (r *run) ready(t task) {
	in := r.store.Instance(t.id)
	if in == nil {
		return
	}
	r.bookBusy(in, state.Slot(t.id), r.now)
	r.store.Ready(t.id, r.base+r.now)
	r.store.Keep(t.id, t.action.Until.UnixNano())
	r.arm(t.id, max(t.action.Until.UnixNano()-r.base, r.now))
	if r.queues.waiting > 0 {
		r.drain(in.Function.Index, in.Target)
	}
}
