package simulator

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/state"
	"github.com/wattle-project/wattle/simulator/trace"
)

// run is the state of one simulation. Times are ns since Config.Start.
type run struct {
	cfg     *Config
	core    *scheduler.Core
	store   *state.Store
	fns     []*wattle.Function
	wheel   *wheel
	ledger  *ledger
	control control
	queues  queues
	tally   tally
	sides   []side
	pending []request // running requests' slots, by event id
	freed   []int32
	last    []int32 // cluster of each function's last placement, -1 at first
	prices  []wattle.GramsCO2e
	request wattle.Request
	base    int64 // Config.Start in Unix ns
	now     int64
	told    int64 // run time that clock is for
	clock   time.Time
	seq     uint64
	explain map[uint64]bool
	held    []int64 // see Result
}

// side is what the simulator knows of an instance beside the state: when its
// start-up ended, when its pending expiry event fires (0: none), and when the last
// of what was started on it ends.
type side struct {
	ready int64
	armed int64
	ends  int64
	// keep holds the lifecycle bounds of the decision that used it last.
	keep wattle.LifecycleBounds
}

// request is one running invocation.
type request struct {
	id wattle.InstanceID
	// rest is what is left of work that pauses when this stretch ends, else nil.
	rest *waiting
}

// Run simulates to the horizon. It stops with the context's error when ctx ends.
func Run(ctx context.Context, cfg *Config) (*Result, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	r, err := newRun(cfg)
	if err != nil {
		return nil, err
	}
	src, err := cfg.Trace.Open()
	if err != nil {
		return nil, err
	}
	err = errors.Join(r.replay(ctx, src), src.Close())
	if err != nil {
		return nil, err
	}
	r.close()
	return r.result(), nil
}

func newRun(cfg *Config) (*run, error) {
	core, err := scheduler.New(cfg.Core)
	if err != nil {
		return nil, err
	}
	store, err := state.NewStore(cfg.Fleet, cfg.Functions)
	if err != nil {
		return nil, err
	}
	r := &run{
		cfg: cfg, core: core, store: store, fns: store.Functions(), wheel: newWheel(),
		ledger: newLedger(len(cfg.Fleet.Targets), len(cfg.Fleet.Clusters), int64(cfg.Slot), int64(cfg.Horizon)),
		queues: newQueues(len(cfg.Fleet.Targets)), base: cfg.Start.UnixNano(), told: -1,
		last: make([]int32, len(cfg.Functions)), explain: make(map[uint64]bool),
	}
	for i := range r.last {
		r.last[i] = -1
	}
	for _, n := range cfg.Explain {
		r.explain[n] = true
	}
	r.tally.hash = fnvOffset
	if cfg.Held {
		r.held = make([]int64, len(cfg.Functions)*r.ledger.slots)
	}
	r.begin()
	return r, nil
}

// begin schedules the epochs and shows the first signals.
func (r *run) begin() {
	r.signals()
	r.control.push(event{at: int64(r.cfg.Slot), kind: epoch, id: slotEpoch})
	if r.cfg.PriceEpoch > 0 && r.cfg.Congestion.Step > 0 {
		r.control.push(event{at: int64(r.cfg.PriceEpoch), kind: epoch, id: priceEpoch})
	}
}

// time converts run time to wall time.
func (r *run) time(t int64) time.Time {
	if t != r.told {
		r.told, r.clock = t, time.Unix(0, r.base+t)
	}
	return r.clock
}

func (r *run) replay(ctx context.Context, src trace.Source) error {
	var buf []trace.Arrival
	var err error
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		buf, err = src.Next(buf)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range buf {
			a := &buf[i]
			if a.At >= r.ledger.horizon {
				return nil
			}
			r.advance(a.At, arrival)
			r.obey(r.core.Step(r.time(a.At), r.store.View(), wattle.Event{Kind: wattle.Arrived, Function: r.fns[a.Function]}))
			r.arrive(&waiting{fn: a.Function, scale: a.Scale, at: a.At, seq: r.seq}, nil)
			r.seq++
		}
	}
}

// advance handles every event before (t, k). Handling one may schedule others,
// so both queues are asked anew each time.
func (r *run) advance(t int64, k kind) {
	limit := event{at: t, kind: k}
	for {
		next, governed := limit, false
		if c, ok := r.control.peek(); ok && c.before(&limit) {
			next, governed = c, true
		}
		if e, ok := r.wheel.next(next.at, next.kind); ok {
			r.now = e.at
			r.fire(&e)
			continue
		}
		if !governed {
			r.now = t
			return
		}
		e := r.control.pop()
		r.now = e.at
		r.govern(&e)
	}
}

// fire handles an event of an instance.
func (r *run) fire(e *event) {
	if e.kind == finished {
		r.finish(int32(e.id))
		return
	}
	r.expire(wattle.InstanceID(e.id))
}

// close advances to the horizon and books what is still reserved then.
func (r *run) close() {
	r.advance(r.ledger.horizon, finished)
	r.now = r.ledger.horizon
	r.settle()
	for slot := range int32(r.store.Slots()) {
		in := r.store.Instance(r.store.IDAt(slot))
		if in == nil {
			continue
		}
		switch in.Status {
		case state.Idle:
			r.tally.idleAtEnd++
			r.bookIdle(in, in.Since-r.base, r.now)
			r.tail(in, in.Until-r.base)
		case state.Gone:
		default:
			r.tally.busyAtEnd++
			r.bookBusy(in, slot, r.now)
			if in.Running > 0 {
				r.billShared(in, slot, r.sides[slot].ends)
			}
			r.tail(in, r.sides[slot].ends)
		}
	}
	for t, e := range r.ledger.beyond {
		r.after(int32(t), e.Joules())
	}
}

// tail adds what an instance reserves from the horizon until a time.
func (r *run) tail(in *state.Instance, until int64) {
	if left := until - r.ledger.horizon; left > 0 {
		r.after(in.Target, r.cfg.Fleet.Targets[in.Target].Machine.Reserved(in.Function.Needs).For(time.Duration(left)))
	}
}

// after counts energy past the horizon, at the intensity of the last slot.
func (r *run) after(target int32, e wattle.Joules) {
	t := &r.cfg.Fleet.Targets[target]
	r.tally.tailEnergy += e
	r.tally.tailCarbon += e.Times(t.PUE).At(r.cfg.Grid[t.Cluster][r.ledger.slots-1])
}
