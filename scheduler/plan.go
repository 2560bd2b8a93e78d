package scheduler

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
)

// plan is everything about a request that does not depend on occupancy: the
// candidates that may be taken, measured and sorted by G. It serves all
// requests of a function with equal parameters for one epoch. When only
// congestion prices change, the keys are priced and sorted again.
type plan struct {
	fleet      *state.Fleet
	function   *wattle.Function
	params     wattle.Params
	epoch      uint64
	priced     uint64 // revision of the prices in the keys
	from       int64  // Unix ns of the first instant that the plan holds for
	until      int64  // and of the last: no run then leaves its period
	intent     wattle.Intent
	keys       []key // all feasible candidates by G
	rows       []row // those of the keys that came first when the plan was made
	homeP95    [2]int64
	reasons    wattle.Reasons
	considered int32
	heat       uint8
	relative   bool // intent has limits relative to other candidates
}

// key ranks one feasible candidate.
type key struct {
	g, base float64 // grams with and without the congestion price
	hold    float64 // vCPU·s that the price applies to
	slot    int32   // number of the start slot
	target  int32
	row     int32 // index into rows, −1 if left out
	sandbox wattle.Sandbox
}

func (k *key) compare(o *key) int {
	switch {
	case k.g != o.g && ordinal(k.g) != ordinal(o.g):
		return cmp.Compare(ordinal(k.g), ordinal(o.g))
	case k.slot != o.slot:
		return cmp.Compare(k.slot, o.slot)
	case k.target != o.target:
		return cmp.Compare(k.target, o.target)
	}
	return cmp.Compare(k.sandbox, o.sandbox)
}

// row is what must be known of a candidate to take it.
type row struct {
	p95     int64
	cost    float64
	target  int32
	sandbox wattle.Sandbox
	home    bool
	delay   time.Duration
	est     wattle.Estimate
}

// prefix is how many rows a plan keeps: nearly always one of the first fits,
// and if none does, the plan is made again with all of them.
const prefix = 16

// scratch is the memory in which plans are built.
type scratch struct {
	params   wattle.Params
	columns  wattle.Columns
	verdicts wattle.Verdicts
	refused  []wattle.Reasons
	batch    state.Batch
	g, base  []float64 // with and without the congestion price
	price    []wattle.GramsCO2e
	hold     []float64
	ranks    []rank
	merged   []rank
}

// plan finds the cached plan of r or builds it.
func (c *Core) plan(now time.Time, s *state.Snapshot, r *wattle.Request) *plan {
	params := &r.Params
	if *params == (wattle.Params{}) {
		params = &r.Function.Params
	}
	at := now.UnixNano()
	p := &c.plans[slot(r.Function.Index, params)&c.mask]
	if p.holds(at, s, r.Function, params) {
		p.heat = min(p.heat+1, maxHeat)
		return p.reprice(s)
	}
	if p.heat > 0 && p.epoch == s.Epoch && p.function != r.Function {
		// The place belongs to a function that is used more: it stays, so that
		// rare functions cost one plan each and not two.
		p.heat--
		if p = &c.spare; p.holds(at, s, r.Function, params) {
			return p.reprice(s)
		}
	}
	c.build(p, now, s, r.Function, params, c.prefix())
	return p
}

// prefix is the number of rows to keep: all where a Chooser wants to see them.
func (c *Core) prefix() int {
	if c.cfg.Chooser != nil {
		return math.MaxInt
	}
	return prefix
}

func (c *Core) build(p *plan, now time.Time, s *state.Snapshot, f *wattle.Function, params *wattle.Params, rows int) {
	c.built++
	own := &c.scratch.params // params may point into p
	*own = *params
	c.measure(now, s, f, own, &p.intent, c.outlook(f.Index, now, s))
	p.fleet, p.function, p.params, p.epoch, p.priced = s.Fleet, f, *own, s.Epoch, s.PriceRevision
	if p.intent.Limits.CostOverCheapest > 0 {
		rows = math.MaxInt
	}
	p.compile(&c.scratch, now, s, rows)
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
	p.sort()
	return p
}

// sort orders the keys by insertion, which is quick where little has changed.
func (p *plan) sort() {
	for i := 1; i < len(p.keys); i++ {
		k := p.keys[i]
		j := i
		for ; j > 0 && k.compare(&p.keys[j-1]) < 0; j-- {
			p.keys[j] = p.keys[j-1]
		}
		p.keys[j] = k
	}
}

// maxHeat is how many uses of others a busy plan outlives.
const maxHeat = 8

// holds reports whether p is the plan of f with params at this instant.
func (p *plan) holds(at int64, s *state.Snapshot, f *wattle.Function, params *wattle.Params) bool {
	return p.function == f && p.epoch == s.Epoch && p.fleet == s.Fleet && p.from <= at && at <= p.until && p.params == *params
}

func slot(index int32, p *wattle.Params) uint64 {
	h := uint64(index)
	if p.SLO|p.Deadline != 0 || p.Region != "" || p.Cap != 0 || p.Budget != 0 {
		h ^= uint64(p.SLO)*0x9E3779B97F4A7C15 ^ uint64(p.Deadline)*0xBF58476D1CE4E5B9 ^ uint64(len(p.Region))<<40
		h ^= h >> 29
	}
	return h
}

// measure fills the scratch with all candidates of f: columns, verdicts,
// refusals and G, with what is expected of the instance afterwards.
func (c *Core) measure(now time.Time, s *state.Snapshot, f *wattle.Function, params *wattle.Params, intent *wattle.Intent, o outlook) {
	x := &c.scratch
	if c.cfg.Policy != nil {
		*intent = c.cfg.Policy.Intent(f, params)
	} else {
		*intent = DefaultIntent()
	}
	x.enumerate(s.Fleet, f, c.slots(params, intent), c.cfg.Slot)
	x.batch = state.Batch{
		Now: now, Keep: o.keep, State: s, Function: f, Params: params, Intent: intent,
		Origin: Origin(s.Fleet, f, params), Columns: &x.columns, Targets: len(s.Fleet.Targets), Refused: x.refused,
	}
	for _, st := range c.cfg.Stages {
		st.Apply(&x.batch)
	}
	x.verdicts.Reset(x.columns.Len())
	if c.cfg.Policy != nil {
		c.cfg.Policy.Judge(f, params, s.Fleet.Attributes(), &x.columns, &x.verdicts)
	}
	x.judge(s, f, params, intent, o)
}

// judge applies what needs no other candidate, and weighs.
func (x *scratch) judge(s *state.Snapshot, f *wattle.Function, params *wattle.Params, intent *wattle.Intent, o outlook) {
	c, n, cpu := &x.columns, len(s.Fleet.Targets), f.Needs.CPU.VCPU()
	limited := intent.Limits != (wattle.Limits{}) || params.Budget > 0 || params.Cap > 0
	refused, denied := x.refused, x.verdicts.Denied[:len(x.refused)]
	for i, why := range refused {
		if len(denied[i]) > 0 {
			why |= wattle.ReasonPolicy
		}
		if limited {
			why |= absolute(c, i, params, &intent.Limits)
		}
		refused[i] = why
	}
	for t := range n {
		price := s.Price(int32(t))
		for i := t; i < len(refused); i += n {
			hold := cpu * (c.Start[i] + c.Exec[i] + o.keep).Seconds()
			base, paid := weigh(c, i, &intent.Objective, x.verdicts.Score[i]), price.Times(hold)
			x.hold[i], x.price[i], x.base[i], x.g[i] = hold, paid, base, base+float64(paid)
		}
		if o.uses > 1 {
			x.spread(t, n, o.uses)
		}
	}
}

// spread charges the starts on target t to all the requests that an instance is
// expected to serve: of what a fresh instance costs more than a warm one, only
// the part of this request counts in G. Without it a place that starts a little
// faster would keep a function for good, however far it is from its callers.
func (x *scratch) spread(t, n int, uses float64) {
	later := float64((x.base[n+t] - x.base[t]) * (1 - 1/uses))
	if !(later > 0) {
		return
	}
	for i := n + t; i < len(x.base); i += n {
		x.base[i] -= later
		x.g[i] = x.base[i] + float64(x.price[i])
	}
}

// DefaultIntent minimises operational carbon without limits.
func DefaultIntent() wattle.Intent {
	return wattle.Intent{Objective: wattle.Objective{Carbon: 1}, Policy: "built-in"}
}

// slots is the number of start slots to consider, at least one.
func (c *Core) slots(p *wattle.Params, in *wattle.Intent) int {
	if c.cfg.Slot <= 0 || p.Deadline < c.cfg.Slot {
		return 1
	}
	d := p.Deadline
	if in.Lifecycle.DeferMax > 0 {
		d = min(d, in.Lifecycle.DeferMax)
	}
	return 1 + min(int(d/c.cfg.Slot), c.cfg.MaxSlots)
}

// enumerate lists (target, sandbox) now and (target, cold) for later slots.
func (x *scratch) enumerate(fleet *state.Fleet, f *wattle.Function, slots int, step time.Duration) {
	n := len(fleet.Targets)
	fresh := wattle.Cold
	if f.Profile.Restore > 0 {
		fresh = wattle.Snapshot
	}
	x.columns.Reset(n * (slots + 1))
	x.refused = slices.Grow(x.refused[:0], x.columns.Len())[:x.columns.Len()]
	clear(x.refused)
	x.g = slices.Grow(x.g[:0], len(x.refused))[:len(x.refused)]
	x.base = slices.Grow(x.base[:0], len(x.refused))[:len(x.refused)]
	x.price = slices.Grow(x.price[:0], len(x.refused))[:len(x.refused)]
	x.hold = slices.Grow(x.hold[:0], len(x.refused))[:len(x.refused)]
	for t := range n {
		x.columns.Target[t], x.columns.Sandbox[t] = int32(t), wattle.Warm
		for k := range slots {
			i := n*(k+1) + t
			x.columns.Target[i], x.columns.Sandbox[i] = int32(t), fresh
			x.columns.Delay[i] = time.Duration(k) * step
		}
	}
}

// Origin is the index of the caller's region: stated, else that of the home
// cluster; -1 if neither is known.
func Origin(fleet *state.Fleet, f *wattle.Function, p *wattle.Params) int {
	if p.Region != "" {
		return fleet.RegionIndex(p.Region)
	}
	if i := fleet.ClusterIndex(f.Home); i >= 0 {
		return fleet.RegionIndex(fleet.Clusters[i].Region)
	}
	return -1
}

// weigh is G in grams of candidate i without the congestion price:
// carbon + penalty + seconds·rate + dollars·rate + score.
func weigh(c *wattle.Columns, i int, o *wattle.Objective, score int64) float64 {
	g := (c.Carbon[i] + c.Penalty[i]).Times(o.Carbon)
	if o.Embodied {
		g += c.Embodied[i]
	}
	if o.Seconds != 0 {
		// Waiting for a start slot is not felt as latency: its limit is the deadline.
		g += o.Seconds.For(c.Mean[i] - c.Delay[i])
	}
	g += o.Dollars.For(c.Cost[i])
	return float64(g + wattle.GramsCO2e(float64(score)/1e6))
}

// absolute checks the limits that need no other candidate.
func absolute(c *wattle.Columns, i int, p *wattle.Params, l *wattle.Limits) wattle.Reasons {
	var why wattle.Reasons
	if l.Mean > 0 && c.Mean[i]-c.Delay[i] > l.Mean || l.P95 > 0 && c.P95[i]-c.Delay[i] > l.P95 {
		why |= wattle.ReasonLatency
	}
	if over(c.Cost[i], l.Cost) || over(c.Cost[i], p.Budget) {
		why |= wattle.ReasonCost
	}
	if over(c.Carbon[i], l.Carbon) || over(c.Carbon[i], p.Cap) {
		why |= wattle.ReasonCarbon
	}
	if l.StartWithin > 0 && c.Delay[i]+c.Start[i] > l.StartWithin {
		why |= wattle.ReasonDeadline
	}
	return why
}

func over[T ~float64](v, limit T) bool { return limit > 0 && v > limit }

// compile keeps the candidates that were not refused, sorted by G, and at most
// n rows of them.
func (p *plan) compile(x *scratch, now time.Time, s *state.Snapshot, n int) {
	c, targets := &x.columns, len(s.Fleet.Targets)
	p.keys, p.rows, p.reasons = p.keys[:0], p.rows[:0], 0
	p.considered = int32(c.Len())
	p.narrow(c, now, s)
	x.rank(targets)
	home := s.Fleet.ClusterIndex(p.function.Home)
	p.keys = slices.Grow(p.keys, len(x.ranks))[:len(x.ranks)]
	p.rows = slices.Grow(p.rows, min(n, len(x.ranks)))[:min(n, len(x.ranks))]
	for at := range x.ranks {
		i, k := int(x.ranks[at].row), &p.keys[at]
		k.g, k.base, k.hold, k.target, k.sandbox = x.g[i], x.base[i], x.hold[i], c.Target[i], c.Sandbox[i]
		if k.slot = 0; i >= 2*targets {
			k.slot = int32(i/targets - 1)
		}
		if k.row = -1; at < len(p.rows) {
			k.row = int32(at)
			x.fill(&p.rows[at], i, s.Fleet.Targets[k.target].Cluster == home)
		}
	}
	for _, why := range x.refused {
		p.reasons |= why
	}
	l := &p.intent.Limits
	if p.relative = l.P95OverHome > 0 || l.CostOverCheapest > 0; p.relative {
		p.findHome(x, s, home)
	}
}

// narrow bounds the time that the plan holds so that no run that begins within
// it leaves the period, ending at End, in which it was measured.
func (p *plan) narrow(c *wattle.Columns, now time.Time, s *state.Snapshot) {
	p.from, p.until = now.UnixNano(), math.MaxInt64
	for t := range s.Fleet.Targets {
		end := s.Signals.End(s.Fleet.Targets[t].Cluster)
		if end == math.MaxInt64 {
			continue
		}
		for i := t; i < c.Len(); i += len(s.Fleet.Targets) {
			run := c.Delay[i] + c.Start[i] + c.Exec[i]
			p.until = min(p.until, max(end-int64(max(run, 1)), p.from))
		}
	}
}

func (x *scratch) row(i int, home bool) (r row) {
	x.fill(&r, i, home)
	return r
}

func (x *scratch) fill(r *row, i int, home bool) {
	c := &x.columns
	r.p95, r.cost, r.target, r.home = int64(c.P95[i]), float64(c.Cost[i]), c.Target[i], home
	r.sandbox, r.delay, r.est = c.Sandbox[i], c.Delay[i], estimate(c, i)
}

func estimate(c *wattle.Columns, i int) wattle.Estimate {
	return wattle.Estimate{
		Network: c.Network[i], Start: c.Start[i], Exec: c.Exec[i], Mean: c.Mean[i], P95: c.P95[i],
		StartEnergy: c.StartEnergy[i], ExecEnergy: c.ExecEnergy[i], NetEnergy: c.NetEnergy[i], Energy: c.Energy[i],
		Carbon: c.Carbon[i], Embodied: c.Embodied[i], Cost: c.Cost[i],
	}
}
