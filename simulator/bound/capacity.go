package bound

import (
	"fmt"
	"math"
	"time"

	"github.com/wattle-project/wattle/simulator/flow"
	"github.com/wattle-project/wattle/simulator/trace"
)

// demand is what the arrivals of one slot ask of the pools.
type demand struct {
	scale   []float64 // by function: sum of scales
	longest int64     // longest cold start and execution of work that runs on arrival, ns
}

// load is how much of the pools the cheapest choices take, in pool·seconds.
type load struct {
	cpu, memory [][]float64 // [pool][slot]
}

func newLoad(pools, slots int) load {
	l := load{}
	for range pools {
		l.cpu, l.memory = append(l.cpu, make([]float64, slots)), append(l.memory, make([]float64, slots))
	}
	return l
}

// observe adds an arrival to what is asked of its slot, and its cheapest choice
// to the loads. Work in stretches is left out: where it runs is not told.
func (m *model) observe(f *function, a *trace.Arrival, k int) {
	d := &m.demands[k]
	if d.scale == nil {
		d.scale = make([]float64, len(m.fns))
	}
	d.scale[a.Function] += float64(a.Scale)
	if f.slack > 0 {
		return
	}
	d.longest = max(d.longest, int64(f.start)+int64(float64(f.slow)*float64(a.Scale)))
	c := f.run(m, a, k, 0)
	w := &f.ways[c.way]
	t := w.exec.Seconds() * float64(a.Scale)
	m.load.cpu[w.pool][k] += w.cpu * t
	m.load.memory[w.pool][k] += w.memory * t
}

// room is the pool·seconds that the work of slot k can have at most: that which
// arrives in it and runs on arrival, and that which waits and runs in it.
func (m *model) room(k int) float64 {
	return time.Duration(m.slot + m.demands[k].longest).Seconds()
}

// congested reports whether the cheapest choices do not fit, and settles which
// resource of each pool is the scarcer.
func (m *model) congested() bool {
	over := false
	for p := range m.load.cpu {
		cpu, memory := 0.0, 0.0
		for k := range m.slots {
			cpu, memory = max(cpu, m.load.cpu[p][k]/m.room(k)), max(memory, m.load.memory[p][k]/m.room(k))
		}
		m.byMemory[p] = memory > cpu
		over = over || max(cpu, memory) > 1
	}
	return over
}

// share is the part of its pool that a run by way w holds.
func (m *model) share(w *runWay) float64 {
	if m.byMemory[w.pool] {
		return w.memory
	}
	return w.cpu
}

// batch is work of one kind that arrives in one slot: what can run at the same
// places and may wait equally long.
type batch struct {
	slot, last int       // first and last slot in which it may run
	waits      bool      // not for room alone
	work       float64   // pool·seconds on its first pool
	grams      []float64 // per pool·second, by pool and gCO₂/kWh of the slot; +Inf where it cannot run
	use        []float64 // pool·seconds of each pool per pool·second of the first
}

// appraise finds prices for the room of congested pools by the cheapest flow of
// all work to the pools and slots in which it may run: a transportation problem
// for each slot, joined over the slots where work may wait. The bound holds at any
// prices; these only make it tight, so that alike work is taken together.
func (m *model) appraise() error {
	x, err := m.market()
	if err != nil {
		return err
	}
	x.settle()
	for p, ratio := range x.ratio {
		row := make([]float64, m.slots)
		for k := range row {
			// Grams per unit of the flow are per pool·second of the first pool.
			row[k] = min(x.Price(len(x.batches)+p*m.slots+k, x.sink), x.most) / ratio
		}
		m.prices = append(m.prices, row)
	}
	m.planned = m.plan(x)
	return nil
}

// market is the network of all work: a node for each batch, one for each pool and
// slot, and the sink.
type market struct {
	*flow.Network
	batches []batch
	lanes   [][]lane  // by batch, to pools and slots
	ratio   []float64 // mean use of each pool, per pool·second of the first
	sink    int
	unit    float64 // pool·seconds of a unit of flow
	most    float64 // the highest price
}

// lane is an arc of a market: work that runs in a slot, at a cost by unit.
type lane struct {
	arc, slot int
	cost      float64
}

// market lays the network, as yet without flow.
func (m *model) market() (*market, error) {
	x := &market{batches: m.batches()}
	total, pools := 0.0, len(m.load.cpu)
	for i := range x.batches {
		total += x.batches[i].work
	}
	x.ratio, x.unit, x.sink = ratios(x.batches, pools), max(total/1e7, 1e-9), len(x.batches)+pools*m.slots
	x.Network = flow.NewNetwork(x.sink + 1)
	for p := range pools {
		for k := range m.slots {
			if _, err := x.Arc(len(x.batches)+p*m.slots+k, x.sink, int64(m.room(k)/x.ratio[p]/x.unit), 0); err != nil {
				return nil, fmt.Errorf("bound: %w", err)
			}
		}
	}
	x.most = m.connect(x, pools)
	return x, nil
}

// settle sends all work through the network.
func (x *market) settle() {
	for i := range x.batches {
		x.Send(i, x.sink, int64(x.batches[i].work/x.unit))
	}
}

// ratios is the mean use of each pool, 1 where nothing can run.
func ratios(batches []batch, pools int) []float64 {
	out := make([]float64, pools)
	for p := range out {
		sum, n := 0.0, 0.0
		for i := range batches {
			if b := &batches[i]; !math.IsInf(b.grams[p], 1) {
				sum, n = sum+b.use[p]*b.work, n+b.work
			}
		}
		if out[p] = 1; n > 0 {
			out[p] = sum / n
		}
	}
	return out
}

// connect lays the arcs of the batches. What fits nowhere goes to the sink
// directly, at ten times the dearest place; that is the highest price.
func (m *model) connect(x *market, pools int) (most float64) {
	x.lanes = make([][]lane, len(x.batches))
	for i := range x.batches {
		b := &x.batches[i]
		dearest := 0.0
		for p := range pools {
			for k := b.slot; k <= b.last && !math.IsInf(b.grams[p], 1); k++ {
				cost := float64(b.grams[p] * float64(m.cfg.Grid[m.cfg.Fleet.Pools[p].Cluster][k]))
				dearest = max(dearest, cost)
				arc, _ := x.Arc(i, len(x.batches)+p*m.slots+k, math.MaxInt32, cost)
				if b.waits {
					x.lanes[i] = append(x.lanes[i], lane{arc, k, cost})
				}
			}
		}
		_, _ = x.Arc(i, x.sink, math.MaxInt32, 10*dearest)
		most = max(most, 10*dearest)
	}
	return most
}

// batches groups the functions by the pools that they can run on, and by slack.
func (m *model) batches() []batch {
	type kind struct {
		pools string
		slack time.Duration
	}
	var out []batch
	for k := range m.demands {
		index := map[kind]int{}
		for i, scale := range m.demands[k].scale {
			f := m.fns[i]
			if scale == 0 || f == nil || len(f.ways) == 0 || f.fast == 0 {
				continue
			}
			grams, use, first := m.rates(f)
			key := kind{fmt.Sprint(reach(grams)), f.slack}
			at, ok := index[key]
			if !ok {
				length := int64(f.slack) + int64(f.start)
				if f.slack > 0 {
					length += int64(f.slow)
				}
				at, index[key] = len(out), len(out)
				out = append(out, batch{slot: k, last: min(k+int(length/m.slot), m.slots-1), grams: grams, use: use, waits: f.slack > 0})
				if f.slack == 0 {
					out[at].last = k
				}
			}
			out[at].join(grams, use, float64(first*scale))
		}
	}
	return out
}

// join adds work, and keeps the means of what it takes.
func (b *batch) join(grams, use []float64, work float64) {
	part := work / (b.work + work)
	for p := range grams {
		if !math.IsInf(grams[p], 1) {
			b.grams[p] += part * (grams[p] - b.grams[p])
			b.use[p] += part * (use[p] - b.use[p])
		}
	}
	b.work += work
}

// rates is what a pool·second of f takes in each pool, at 1 g/kWh, and the
// pool·seconds of an execution of scale 1 in its first pool.
func (m *model) rates(f *function) (grams, use []float64, first float64) {
	grams, use = make([]float64, len(m.load.cpu)), make([]float64, len(m.load.cpu))
	for p := range grams {
		grams[p] = math.Inf(1)
	}
	first = m.share(&f.ways[0]) * f.ways[0].exec.Seconds()
	for i := range f.ways {
		w := &f.ways[i]
		if g := (w.joules + float64(w.hold*w.exec.Seconds())) * perKWh / first; g < grams[w.pool] {
			grams[w.pool], use[w.pool] = g, float64(m.share(w)*w.exec.Seconds())/first
		}
	}
	return grams, use, first
}

// reach is the set of pools that can be reached.
func reach(grams []float64) (out []bool) {
	for _, g := range grams {
		out = append(out, !math.IsInf(g, 1))
	}
	return out
}

// rent is what the room of slot k costs at the prices.
func (m *model) rent(k int) (sum float64) {
	for p := range m.prices {
		sum += float64(m.prices[p][k] * m.room(k))
	}
	return sum
}
