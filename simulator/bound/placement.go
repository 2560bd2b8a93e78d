package bound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/state"
	"github.com/wattle-project/wattle/simulator"
	"github.com/wattle-project/wattle/simulator/trace"
)

// Options say which bounds are computed.
type Options struct {
	// Rates are what a second is worth at each point of the front.
	Rates []wattle.GramsPerSecond
	// Keep lists keep-alive times: each gives a bound of its own for the policies
	// that keep every instance for exactly this long after its last use.
	Keep []time.Duration
	// Defers lets functions with slack wait within it.
	Defers bool
	// Capped asks for a bound beside the one of hindsight in which what runs and
	// what waits fits into the pools, and nothing is started ahead of use.
	Capped bool
	// Plans asks for gaps to plans.
	Plans bool
}

// Point is the least of carbon + Rate·seconds, with its parts.
type Point struct {
	Rate    wattle.GramsPerSecond
	Grams   wattle.GramsCO2e
	Seconds float64 // sum over invocations, as callers see them
}

// PlacementBound is what no policy of its action space stays below.
type PlacementBound struct {
	// Name is short, Space says what is ranged over, Method how. Brief is Space in a few words.
	Name, Space, Method, Brief string
	Invocations                int64
	// Points has one entry per rate asked for.
	Points []Point
	// Cost is the least money, each invocation on its cheapest target.
	Cost wattle.USD
	// Slots spreads the grams of the first point over the slots: work where it arrives
	// or, if it waits, where a plan that fits runs it; instances where they are next
	// used. The bound is one for the sum alone.
	Slots []wattle.GramsCO2e
	// Gap is how much more than the bound takes what was found to be possible, as a
	// share of the first point: a plan with instances that stay where they are. Where
	// a cap alone raised the bound, it is that of the worst point to waits that fit.
	// Repaired says that there is such.
	Gap      float64
	Repaired bool
	// Priced says that there are prices of the room for waits, and PriceGap how much more
	// than at these prices waits take that fit, as a share of the worst point.
	PriceGap float64
	Priced   bool
	rule     rule
	each     []float64 // grams of the first point, by function
}

// Placement computes the bounds of a simulation, whose policy is ignored: first
// the one over any keep-alive and pre-warm, then that with a cap if asked for,
// then one per keep-alive time.
//
// Execution: each invocation costs at least the least grams + rate·seconds over
// its feasible targets at the intensity of its run. Instances: each holds what
// it reserves from its start to its last use at least at the cheapest place in
// every slot; see stock. Execution is what runs take beyond that, so that the two
// are bounded apart and their sum bounds the sum.
//
// Capacity: where the cheapest choices overfill a pool, its room is priced (see
// appraise), every invocation pays for the room it takes, and the value of all
// room is taken off: Lagrangian relaxation, a lower bound at any prices.
func Placement(ctx context.Context, c *simulator.Config, o Options) ([]*PlacementBound, error) {
	m, err := newModel(c, o)
	if err != nil {
		return nil, err
	}
	err = arrivals(ctx, c, func(a *trace.Arrival) {
		if f := m.function(a.Function); len(f.ways) > 0 {
			m.observe(f, a, m.at(a))
		}
		m.gather(a)
	})
	if err != nil {
		return nil, err
	}
	if m.congested() || m.waits() {
		if err := m.appraise(); err != nil {
			return nil, err
		}
	}
	out := m.spaces(o)
	series := make([][]uses, len(out))
	for i := range series {
		series[i] = make([]uses, len(c.Functions))
	}
	if err := arrivals(ctx, c, func(a *trace.Arrival) { m.add(out, series, a) }); err != nil {
		return nil, err
	}
	for _, b := range out {
		m.unrent(b)
	}
	bare := *out[0]
	bare.Points = slices.Clone(bare.Points)
	for i, b := range out {
		m.keep(b, series[i])
		b.level()
		if o.Plans {
			if err := m.attain(ctx, b); err != nil {
				return nil, err
			}
		}
	}
	if o.Capped {
		b, err := m.capped(ctx, &bare, out[0], o.Plans)
		if err != nil {
			return nil, err
		}
		out = slices.Insert(out, 1, b)
	}
	return out, nil
}

// where states what spaces with this room have in common.
func (m *model) where(room string) string {
	when := "every invocation starts on arrival"
	if m.waits() {
		when = "work runs when its slack lets it, in stretches where it may pause, the rest on arrival"
	}
	return when + ", on any target whose device, isolation and residency fit; limits of policies are ignored; " + room
}

// brief is what a space leaves free, with what all spaces have in common, in a few words.
func (m *model) brief(free string) string {
	if m.waits() {
		free += ", any start in slack"
	}
	if m.prices != nil {
		return free + "; room priced"
	}
	return free + "; no capacity"
}

// spaces makes the bounds, still empty.
func (m *model) spaces(o Options) []*PlacementBound {
	room := "capacity does not bind"
	if m.prices != nil {
		room = "no pool is busier in a slot than it can be"
	}
	where := m.where(room)
	method := "least execution, instances by the dual of a flow along time"
	if m.prices != nil {
		method += ", room at the prices of a min-cost flow"
	}
	rules := []rule{{}}
	for _, t := range o.Keep {
		rules = append(rules, rule{fixed: true, keep: t})
	}
	var out []*PlacementBound
	for _, r := range rules {
		b := &PlacementBound{Name: "hindsight", Space: where + "; any keep-alive and pre-warm with hindsight", Method: method, rule: r}
		b.Brief = m.brief("any place, keep-alive and pre-warm")
		if r.fixed {
			b.Name = "keep " + short(r.keep)
			b.Space = fmt.Sprintf("%s; every instance is kept for exactly %s after its last use", where, short(r.keep))
			b.Brief = m.brief("any place, kept for " + short(r.keep))
		}
		for _, rate := range o.Rates {
			b.Points = append(b.Points, Point{Rate: rate})
		}
		b.Slots, b.each = make([]wattle.GramsCO2e, m.slots), make([]float64, len(m.fns))
		out = append(out, b)
	}
	return out
}

func short(d time.Duration) string {
	if d%time.Minute == 0 && d > 0 {
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return d.String()
}

// add counts one arrival in every bound.
func (m *model) add(out []*PlacementBound, series [][]uses, a *trace.Arrival) {
	f := m.function(a.Function)
	if len(f.ways) == 0 {
		return // no policy can serve it
	}
	k, cost := m.at(a), f.cheapest(a)
	for i := range out[0].Points {
		x := f.choose(m, a, k, out[0].Points[i].Rate)
		for _, b := range out {
			b.Points[i].Grams += wattle.GramsCO2e(x.grams + x.price)
			b.Points[i].Seconds += x.seconds
			if i == 0 {
				b.spread(m, f, k, x.grams+x.price)
				b.each[a.Function] += x.grams + x.price
			}
		}
	}
	least := f.until(m, a.At+trace.Lasts(f.fast, a.Scale)) - f.until(m, a.At)
	for i, b := range out {
		b.Invocations++
		b.Cost += cost
		if f.shared || f.slack > 0 {
			continue // it may share an instance with others
		}
		b.charge(k, least)
		b.each[a.Function] += least
		if m.courses == nil {
			b.charge(k, series[i][a.Function].take(f, a, m, b.rule))
		}
	}
}

// choose is the best way for an arrival.
func (f *function) choose(m *model, a *trace.Arrival, k int, rate wattle.GramsPerSecond) choice {
	if f.slack > 0 {
		return f.wait(m, a, rate)
	}
	return f.run(m, a, k, rate)
}

// charge adds grams in slot k that do not depend on the rate.
func (b *PlacementBound) charge(k int, grams float64) {
	for i := range b.Points {
		b.Points[i].Grams += wattle.GramsCO2e(grams)
	}
	if b.Slots != nil {
		b.Slots[k] += wattle.GramsCO2e(grams)
	}
}

// keep charges what instances take beside the hold of what runs: of all uses
// together where they are at hand, else what becomes of the last ones of series.
func (m *model) keep(b *PlacementBound, series []uses) {
	if b.rule.fixed && b.rule.keep == 0 && !m.mixed && m.courses != nil {
		b.rule.alone = true
		b.Space += ", so that each serves once"
		b.Brief += "; each serves once"
	}
	s := stock{m: m, rule: b.rule}
	for i, f := range m.fns {
		switch {
		case f == nil || len(f.ways) == 0:
		case m.courses == nil:
			b.charge(m.slots-1, series[i].rest(f, m, b.rule))
		default:
			c := &m.courses[i]
			for n, x := range s.settle(f, c) {
				b.each[i] += b.take(m.slotOf(c.at[n]), &x)
			}
		}
	}
}

// take charges what an instance takes for an arrival in slot k, and returns what it does at
// the first point.
func (b *PlacementBound) take(k int, x *share) (first float64) {
	for i := range b.Points {
		p := &b.Points[i]
		grams := min(x.there, x.cold+float64(float64(p.Rate)*x.seconds))
		p.Grams += wattle.GramsCO2e(grams)
		if i == 0 {
			b.Slots[k] += wattle.GramsCO2e(grams)
			first = grams
		}
	}
	return first
}

// unrent takes off what the room is worth.
func (m *model) unrent(b *PlacementBound) {
	for k := range m.slots {
		b.charge(k, -m.rent(k))
	}
	b.level()
}

// at is the slot of an arrival.
func (m *model) at(a *trace.Arrival) int { return m.slotOf(a.At) }

// slotOf is the slot of a time.
func (m *model) slotOf(t int64) int { return min(int(t/m.slot), m.slots-1) }

// arrivals calls each for every arrival within the horizon.
func arrivals(ctx context.Context, c *simulator.Config, each func(*trace.Arrival)) error {
	src, err := c.Trace.Open()
	if err != nil {
		return err
	}
	var buf []trace.Arrival
	for err == nil {
		if err = ctx.Err(); err != nil {
			break
		}
		if buf, err = src.Next(buf); err != nil {
			break
		}
		for i := range buf {
			if buf[i].At >= int64(c.Horizon) {
				return src.Close()
			}
			each(&buf[i])
		}
	}
	if err == io.EOF {
		err = nil
	}
	return errors.Join(err, src.Close())
}

// model caches functions and holds what all of them share.
type model struct {
	cfg      *simulator.Config
	core     *scheduler.Core
	store    *state.Store
	slot     int64
	slots    int
	defers   bool
	fns      []*function
	demands  []demand
	load     load
	byMemory []bool      // which resource of a pool is priced
	prices   [][]float64 // grams per pool·second, [pool][slot]; nil: all is free
	planned  plan        // nil where nothing waits
	slices   []slice
	emitted  [][]float64 // see emission
	courses  []course    // nil where there are too many arrivals
	many     int
	mixed    bool // some arrivals wait or share instances
	surveys  sync.Mutex
}

func newModel(c *simulator.Config, o Options) (*model, error) {
	cfg := c.Core
	cfg.Policy, cfg.Keeper, cfg.Chooser, cfg.Deferrer, cfg.Hold, cfg.Slot = nil, nil, nil, nil, 0, 0
	core, err := scheduler.New(cfg)
	if err != nil {
		return nil, err
	}
	store, err := state.NewStore(c.Fleet, c.Functions)
	if err != nil {
		return nil, err
	}
	// Unit intensities: what is measured here is joules, not grams.
	zones := make([]state.ZoneSignal, len(c.Fleet.Clusters))
	for i := range zones {
		zones[i].Current = wattle.Signal{Zone: c.Fleet.Clusters[i].Zone, Intensity: 1, From: c.Start, To: c.Start.Add(c.Slot), Provider: "unit"}
	}
	store.SetSignals(state.NewSignals(zones, c.Start))
	slots, pools := int((c.Horizon+c.Slot-1)/c.Slot), len(c.Fleet.Pools)
	m := &model{
		cfg: c, core: core, store: store, slot: int64(c.Slot), slots: slots, defers: o.Defers, fns: make([]*function, len(c.Functions)),
		courses: make([]course, len(c.Functions)), demands: make([]demand, slots), load: newLoad(pools, slots), byMemory: make([]bool, pools),
	}
	m.emitted = m.emissions()
	return m, nil
}

// waits reports whether any function may wait.
func (m *model) waits() bool {
	for i := range m.cfg.Functions {
		if m.defers && m.cfg.Functions[i].Params.Deadline > 0 {
			return true
		}
	}
	return false
}
