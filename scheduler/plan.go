package scheduler

import (
	"math"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
)

// plan is everything about a request that does not depend on occupancy: the
// candidates that may be taken, with their G. It serves all requests of a
// function with equal parameters for one epoch. When only congestion prices
// change, the keys are priced and sorted again.
type plan struct {
	// What every decision reads comes first.
	function   *wattle.Function
	fleet      *state.Fleet
	epoch      uint64
	priced     uint64   // revision of the prices in the keys; 0 before the first
	from       int64    // Unix ns of the first instant that the plan holds for
	until      int64    // and of the last: no run then leaves its period
	keys       []key    // warm, one per target; then fresh ones by G
	rows       []row    // of the keys that were taken, or of all where all are compared
	skip       [2]int32 // fresh keys before the first that admits whileWarm, whileCold
	warm       int32    // number of warm keys
	considered int32
	feasible   int32
	reasons    wattle.Reasons
	heat       uint8
	own        bool // params are those of the function
	toHome     bool // intent has limits relative to home
	toCheapest bool // intent has limits relative to the cheapest candidate
	intent     wattle.Intent
	params     wattle.Params
	at         time.Time     // of the present request
	step       time.Duration // between start slots; 0 where a Deferrer plans them
}

// key ranks one candidate.
type key struct {
	g, base float64 // grams with and without the congestion price
	hold    float64 // vCPU·s that the price applies to; 0 before the first price
	target  int32
	slot    int32 // number of the start slot
	row     int32 // index into rows, −1 if not there yet
	sandbox wattle.Sandbox
	admits  uint8 // when it may be taken; 0 if never
}

// A key's admits: it is within the limits relative to home while the function
// is warm somewhere, while it is warm nowhere; it counts among the cheapest.
const (
	whileWarm uint8 = 1 << iota
	whileCold
	counted
)

// before orders keys by G, start slot, target and sandbox.
func (k *key) before(o *key) bool {
	switch {
	case k.g < o.g || k.g > o.g:
		return k.g < o.g
	case k.g != o.g && ordinal(k.g) != ordinal(o.g): // not a number
		return ordinal(k.g) < ordinal(o.g)
	case k.slot != o.slot:
		return k.slot < o.slot
	case k.target != o.target:
		return k.target < o.target
	}
	return k.sandbox < o.sandbox
}

// row is what must be known of a candidate to take it.
type row struct {
	delay time.Duration
	run   time.Duration // until a pause, 0: to the end
	est   wattle.Estimate
}

// plan finds the cached plan of r or builds it.
func (c *Core) plan(now time.Time, s *state.Snapshot, r *wattle.Request) *plan {
	params, own := &r.Params, false
	if *params == (wattle.Params{}) {
		params, own = &r.Function.Params, true
	}
	at := now.UnixNano()
	p := &c.plans[slot(r.Function.Index, params)&c.mask]
	if p.holds(at, s, r.Function, params, own) {
		p.heat = min(p.heat+1, maxHeat)
		return p.reprice(s)
	}
	if p.heat > 0 && p.epoch == s.Epoch && p.function != r.Function {
		// The place belongs to a function that is used more: it stays, so that
		// rare functions cost one plan each and not two.
		p.heat--
		if p = &c.spare; p.holds(at, s, r.Function, params, own) {
			return p.reprice(s)
		}
	}
	c.build(p, now, s, r.Function, params, own)
	return p
}

func (c *Core) build(p *plan, now time.Time, s *state.Snapshot, f *wattle.Function, params *wattle.Params, own bool) {
	c.built++
	p.params, p.own = *params, own
	home := s.Fleet.ClusterIndex(f.Home)
	c.measure(now, s, f, &p.params, &p.intent, home, c.outlook(f.Index, now, s))
	p.fleet, p.function, p.epoch, p.priced = s.Fleet, f, s.Epoch, s.PriceRevision
	p.compile(&c.scratch, now, s, home)
	planned := len(c.scratch.runs) > 0
	if planned || c.cfg.Chooser != nil || p.toCheapest {
		p.keepAll(&c.scratch)
	}
	if planned {
		p.until = p.from - 1 // waiting depends on the instant and on the request: not for others
	}
	c.scratch.of, c.scratch.built = p, c.built
}

// reprice brings the keys up to the present congestion prices.
func (p *plan) reprice(s *state.Snapshot) *plan {
	if p.priced == s.PriceRevision {
		return p
	}
	p.priced = s.PriceRevision
	for i := range p.keys {
		k := &p.keys[i]
		k.g = k.base + float64(s.Price(k.target).Times(k.hold))
	}
	resort(p.keys[p.warm:])
	p.begin()
	return p
}

// begin notes where the fresh keys begin to matter.
func (p *plan) begin() {
	fresh := p.keys[p.warm:]
	for state := range p.skip {
		i := 0
		for i < len(fresh) && fresh[i].admits>>state&1 == 0 {
			i++
		}
		p.skip[state] = int32(i)
	}
}

// resort orders keys by insertion, which is quick where little has changed.
func resort(keys []key) {
	for i := 1; i < len(keys); i++ {
		k := keys[i]
		j := i
		for ; j > 0 && k.before(&keys[j-1]); j-- {
			keys[j] = keys[j-1]
		}
		keys[j] = k
	}
}

// maxHeat is how many uses of others a busy plan outlives.
const maxHeat = 8

// holds reports whether p is the plan of f with params at this instant. A plan
// made before the first price does not know what prices apply to.
func (p *plan) holds(at int64, s *state.Snapshot, f *wattle.Function, params *wattle.Params, own bool) bool {
	return p.function == f && p.epoch == s.Epoch && p.fleet == s.Fleet && p.from <= at && at <= p.until &&
		(p.priced == s.PriceRevision || p.priced > 0) && (p.own && own || p.params == *params)
}

func slot(index int32, p *wattle.Params) uint64 {
	h := uint64(index)
	if p.SLO|p.Deadline != 0 || p.Region != "" || p.Cap != 0 || p.Budget != 0 {
		h ^= uint64(p.SLO)*0x9E3779B97F4A7C15 ^ uint64(p.Deadline)*0xBF58476D1CE4E5B9 ^ uint64(len(p.Region))<<40
		h ^= h >> 29
	}
	return h
}

// compile keeps the candidates that were not refused: warm ones by target,
// fresh ones sorted by G.
func (p *plan) compile(x *scratch, now time.Time, s *state.Snapshot, home int) {
	c, n := &x.columns, len(s.Fleet.Targets)
	p.rows, p.reasons, p.considered, p.feasible, p.warm = p.rows[:0], 0, int32(c.Len()), 0, int32(n)
	p.narrow(c, now, s)
	p.toHome, p.toCheapest = p.intent.Limits.P95OverHome > 0, p.intent.Limits.CostOverCheapest > 0
	x.relate(s, home, &p.intent.Limits)
	for i, why := range x.refused {
		if why != 0 {
			x.admits[i] = 0
		} else if x.admits[i] == 0 {
			why = wattle.ReasonLatency
		} else {
			p.feasible++
		}
		p.reasons |= why
	}
	x.rank(n)
	p.keys = slices.Grow(p.keys[:0], n+len(x.ranks))[:n+len(x.ranks)]
	for t := range n {
		x.key(&p.keys[t], t, 0)
	}
	for at := range x.ranks {
		i := int(x.ranks[at].row)
		x.key(&p.keys[n+at], i, int32(i/n-1))
	}
	p.begin()
}

// narrow bounds the time that the plan holds so that no signal loses quality in
// it and no run that begins within it leaves the period, ending at End, in which
// it was measured.
func (p *plan) narrow(c *wattle.Columns, now time.Time, s *state.Snapshot) {
	p.from, p.until = now.UnixNano(), math.MaxInt64
	signals := s.Signals.Of(p.intent.Objective.Signal)
	for t := range s.Fleet.Targets {
		cluster := s.Fleet.Targets[t].Cluster
		p.until = min(p.until, signals.Turns(cluster, now)-1)
		end := signals.End(cluster)
		if end == math.MaxInt64 {
			continue
		}
		for i := t; i < c.Len(); i += len(s.Fleet.Targets) {
			run := c.Delay[i] + c.Start[i] + c.Exec[i]
			p.until = min(p.until, max(end-int64(max(run, 1)), p.from))
		}
	}
}

// keepAll keeps the rows of all keys.
func (p *plan) keepAll(x *scratch) {
	for i := range p.keys {
		if k := &p.keys[i]; k.admits != 0 {
			p.keep(x, k)
		}
	}
}

// keep adds the row of k from the table that the plan was compiled from.
func (p *plan) keep(x *scratch, k *key) {
	i := int(k.target)
	if k.sandbox != wattle.Warm {
		i += int(p.warm) * (int(k.slot) + 1)
	}
	k.row = int32(len(p.rows))
	w := row{delay: x.columns.Delay[i], est: estimate(&x.columns, i)}
	if len(x.runs) > 0 {
		w.run = x.runs[k.target]
	}
	p.rows = append(p.rows, w)
}

// row returns what is known of a key, measuring it again where it was not kept.
func (c *Core) row(p *plan, k *key, now time.Time, s *state.Snapshot) *row {
	switch {
	case k.row >= 0:
	case c.scratch.of == p && c.scratch.built == c.built:
		p.keep(&c.scratch, k)
		// Who starts an instance there will use it there.
		if warm := &p.keys[k.target]; k.sandbox != wattle.Warm && k.slot == 0 && warm.admits != 0 && warm.row < 0 {
			p.keep(&c.scratch, warm)
		}
	default:
		delay := time.Duration(k.slot) * c.cfg.Slot
		c.single(now, s, p.function, &p.params, &p.intent, k.target, k.sandbox, delay, c.outlook(p.function.Index, now, s).keep)
		k.row = int32(len(p.rows))
		p.rows = append(p.rows, row{delay: delay, est: estimate(&c.scratch.columns, 0)})
	}
	return &p.rows[k.row]
}

func estimate(c *wattle.Columns, i int) wattle.Estimate {
	return wattle.Estimate{
		Network: c.Network[i], Start: c.Start[i], Exec: c.Exec[i], Mean: c.Mean[i], P95: c.P95[i],
		StartEnergy: c.StartEnergy[i], ExecEnergy: c.ExecEnergy[i], NetEnergy: c.NetEnergy[i], Energy: c.Energy[i],
		Carbon: c.Carbon[i], Embodied: c.Embodied[i], Cost: c.Cost[i],
	}
}
