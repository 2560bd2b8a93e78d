package simulator

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/power"
)

// tally counts while a run goes on.
type tally struct {
	decisions, queued, rejected, deferred int64
	misses, moves, evictions              int64
	prewarms, prewarmsRefused             int64
	waiting, paused, resumes, stalled     int64
	deferrable, late, delay               int64 // delay in ns
	idleAtEnd, busyAtEnd                  int64
	reasons                               [12]int64
	latency                               Histogram
	idle, busy                            int64 // instance ns
	tailEnergy                            wattle.Joules
	tailCarbon                            wattle.GramsCO2e
	explained                             []wattle.Explanation
	hash                                  uint64
}

// FNV-1a over 64-bit words; the result hash covers it with SHA-256.
const (
	fnvOffset uint64 = 14695981039346656037
	fnvPrime  uint64 = 1099511628211
)

func (t *tally) mix(v uint64) { t.hash = (t.hash ^ v) * fnvPrime }

// Energy is what the machines drew, by cause. The first five and Unallocated
// sum to Metered plus Network exactly.
type Energy struct {
	Exec, Startup        wattle.Microjoules // dynamic
	KeepAlive, IdleShare wattle.Microjoules // idle power reserved while idle, while working
	Network              wattle.Microjoules // not on the machines' meters
	Unallocated          wattle.Microjoules // idle power that nobody reserved
	Metered              wattle.Microjoules // what a meter at the machines shows
}

// Attributed is what functions are charged with.
func (e Energy) Attributed() wattle.Microjoules {
	return e.Exec + e.Startup + e.KeepAlive + e.IdleShare + e.Network
}

func (e *Energy) add(o Energy) {
	e.Exec += o.Exec
	e.Startup += o.Startup
	e.KeepAlive += o.KeepAlive
	e.IdleShare += o.IdleShare
	e.Network += o.Network
	e.Unallocated += o.Unallocated
	e.Metered += o.Metered
}

// Carbon is operational emissions by cause, and embodied ones.
type Carbon struct {
	Exec, Startup, KeepAlive, IdleShare, Network wattle.GramsCO2e
	Unallocated                                  wattle.GramsCO2e
	Embodied                                     wattle.GramsCO2e
}

// Operational is what functions are charged with.
func (c Carbon) Operational() wattle.GramsCO2e {
	return c.Exec + c.Startup + c.KeepAlive + c.IdleShare + c.Network
}

func (c *Carbon) add(o Carbon) {
	c.Exec += o.Exec
	c.Startup += o.Startup
	c.KeepAlive += o.KeepAlive
	c.IdleShare += o.IdleShare
	c.Network += o.Network
	c.Unallocated += o.Unallocated
	c.Embodied += o.Embodied
}

// Point is one cluster in one slot.
type Point struct {
	Invocations, Cold int64
	Energy            Energy
	Carbon            Carbon
}

// Result is what one run cost.
type Result struct {
	Invocations, Cold int64
	// Queued is how many requests had to wait for room; Waiting how many had not
	// been started at the horizon, in a queue or deferred beyond it.
	Queued, Waiting, Rejected          int64
	Deferred, Moves, Evictions, Misses int64
	Prewarms, PrewarmsRefused          int64
	// Deferrable is how many of the invocations had slack and began their last
	// stretch, Delay what they waited within it in all, and Late how many waited
	// longer than it. Resumes are stretches after the first; Paused is work that
	// was between two stretches at the horizon. Stalled are those among Queued that
	// had no slack to wait in.
	Deferrable, Late, Resumes, Paused, Stalled int64
	Delay                                      time.Duration
	// IdleAtEnd and BusyAtEnd are the instances alive at the horizon.
	IdleAtEnd, BusyAtEnd int64
	// TailEnergy and TailCarbon are what the instances alive at the horizon draw
	// after it: idle ones until their keep-alive ends, busy ones until their work
	// does, with Beyond. They are in none of the sums.
	TailEnergy wattle.Joules
	TailCarbon wattle.GramsCO2e
	// Beyond is dynamic energy of work that ran on past the horizon; it is in
	// none of the sums.
	Beyond  wattle.Microjoules
	Reasons map[string]int64 // why requests were rejected
	Latency Histogram
	Energy  Energy
	Carbon  Carbon
	Cost    wattle.USD
	SCI     wattle.GramsCO2e
	// Series is [cluster][slot].
	Series    [][]Point
	Decisions int64
	// Plans is how many decisions were not served from the cache.
	Plans     uint64
	Explained []wattle.Explanation
	// IdleTime and BusyTime are instance time within the horizon: warm without a
	// request, and starting or serving.
	IdleTime, BusyTime time.Duration
	// Held is for how long each function held instances in each slot, in ns:
	// [function·slots + slot]; nil unless asked for.
	Held []int64
	Hash string // SHA-256 over decisions and accounts, first 16 hex digits
}

// result sums the ledger up.
func (r *run) result() *Result {
	t := &r.tally
	res := &Result{
		Queued: t.queued, Waiting: t.waiting, Rejected: t.rejected, Deferred: t.deferred, Moves: t.moves, Evictions: t.evictions, Misses: t.misses,
		Held: r.held, Deferrable: t.deferrable, Paused: t.paused, Stalled: t.stalled, Resumes: t.resumes, Late: t.late, Delay: time.Duration(t.delay),
		Prewarms: t.prewarms, PrewarmsRefused: t.prewarmsRefused, IdleAtEnd: t.idleAtEnd, BusyAtEnd: t.busyAtEnd, TailEnergy: t.tailEnergy, TailCarbon: t.tailCarbon,
		Latency: t.latency, Decisions: t.decisions, Plans: r.core.Built(), Explained: t.explained, IdleTime: time.Duration(t.idle), BusyTime: time.Duration(t.busy),
		Reasons: make(map[string]int64), Series: make([][]Point, len(r.cfg.Fleet.Clusters)),
	}
	for _, e := range r.ledger.beyond {
		res.Beyond += e
	}
	for i, n := range t.reasons {
		if n > 0 {
			res.Reasons[wattle.Reasons(1 << i).Names()[0]] = n
		}
	}
	for i := range res.Series {
		res.Series[i] = make([]Point, r.ledger.slots)
	}
	for p := range r.cfg.Fleet.Pools {
		r.sumPool(res, p)
	}
	for i := range res.Series {
		for k := range res.Series[i] {
			pt := &res.Series[i][k]
			pt.Carbon.Network = r.ledger.ends[i*r.ledger.slots+k].Joules().At(r.cfg.Grid[i][k])
			res.Invocations += pt.Invocations
			res.Cold += pt.Cold
			res.Energy.add(pt.Energy)
			res.Carbon.add(pt.Carbon)
		}
	}
	for i := range r.ledger.bills {
		res.Cost += r.ledger.bills[i].cost(&r.cfg.Fleet.Targets[i].Price)
	}
	res.SCI = power.SCI(res.Carbon.Operational(), res.Carbon.Embodied, res.Invocations)
	res.Hash = r.digest(res)
	return res
}

// sumPool adds a pool's cells to its cluster's series.
func (r *run) sumPool(res *Result, p int) {
	pool := &r.cfg.Fleet.Pools[p]
	m := newMeter(pool, r.cfg.Fleet.Clusters[pool.Cluster].PUE)
	for k := range r.ledger.slots {
		from := int64(k) * r.ledger.slot
		to := min(from+r.ledger.slot, r.ledger.horizon)
		grid := r.cfg.Grid[pool.Cluster][k]
		pt := &res.Series[pool.Cluster][k]
		var e Energy
		e.Metered = m.idle(uint64(to/1000 - from/1000))
		e.Unallocated = e.Metered
		for t := range r.cfg.Fleet.Targets {
			if r.cfg.Fleet.Targets[t].Pool != p {
				continue
			}
			c := &r.ledger.cells[t*r.ledger.slots+k]
			pt.Invocations += c.invocations
			pt.Cold += c.cold
			m.read(c, &e, &pt.Carbon)
		}
		pt.Energy.add(e)
		pt.Carbon.add(m.emit(&e, grid))
	}
}

// digest is the result hash.
func (r *run) digest(res *Result) string {
	h := sha256.New()
	var b [8]byte
	put := func(v int64) {
		binary.LittleEndian.PutUint64(b[:], uint64(v))
		h.Write(b[:])
	}
	put(int64(r.tally.hash))
	for _, v := range []int64{
		res.Invocations, res.Cold, res.Queued, res.Rejected, res.Deferred, res.Misses, res.Evictions, res.Prewarms,
		int64(res.Energy.Metered), int64(res.Energy.Attributed()), int64(res.Beyond), int64(res.Latency.Sum()),
	} {
		put(v)
	}
	for i := range r.ledger.cells {
		c := &r.ledger.cells[i]
		put(c.invocations)
		put(int64(c.startup))
		put(int64(c.exec))
		for p := range c.holds {
			put(int64(c.holds[p].cpu))
			put(int64(c.holds[p].memory))
		}
	}
	for _, e := range r.ledger.ends {
		put(int64(e))
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}
