package bound

import (
	"math"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/simulator/trace"
)

const perKWh = 1 / 3.6e6

// soft are the reasons that a policy sets itself.
const soft = wattle.ReasonLatency | wattle.ReasonCost | wattle.ReasonCarbon | wattle.ReasonDeadline

// runWay is what running a function on one target takes, for an execution of
// scale 1.
type runWay struct {
	cluster, pool int
	far           int // cluster at the caller's end
	exec          time.Duration
	joules        float64 // dynamic, times PUE
	hold          float64 // W of idle power reserved, times PUE
	network       float64 // seconds
	usd, perRun   float64 // money for the execution, and per request
	cpu, memory   float64 // share of the pool
}

// hosting is what starting an instance on one target takes.
type hosting struct {
	cluster int
	time    int64   // ns
	start   float64 // J of dynamic energy, times PUE
	hold    float64 // W, times PUE
}

// hosts are the targets on which a start takes the same time.
type hosts struct {
	time  int64 // ns
	each  []hosting
	start []float64 // the least grams of a start within slot k, with what it holds
}

// function is the model of one function.
type function struct {
	ways       []runWay
	fast, slow time.Duration // execution at scale 1
	start      time.Duration // longest cold start
	quickest   time.Duration // shortest cold start
	slack      time.Duration
	pauses     bool // runs in stretches
	shared     bool // an instance serves several requests at a time
	netJoules  float64
	starts     []float64 // least dynamic grams of a start in slot k
	ahead      []float64 // at the start of slot k, of an instance started before
	held       []float64 // least grams of holding an instance from the beginning to slot k
	holding    []float64 // least grams of holding an instance through slot k
	hosts      []hosts
	eve        []float64 // least grams of an instance that is there when slot k begins
	naked      *function // see bare
	present    slotCosts
}

// slotCosts are the costs of the ways within one slot.
type slotCosts struct {
	slot  int
	grams []float64 // per unit of scale, beyond the least hold
	net   []float64 // grams of the network
}

// function returns the model of a function, made at its first use.
func (m *model) function(i int32) *function {
	if m.fns[i] == nil {
		m.fns[i] = m.build(m.store.Functions()[i])
	}
	return m.fns[i]
}

func (m *model) build(fn *wattle.Function) *function {
	cols, refused := m.core.Candidates(m.cfg.Start, m.store.View(), fn)
	f := &function{
		fast: math.MaxInt64, shared: fn.Concurrency > 1, netJoules: float64(m.cfg.Network.For(fn.In + fn.Out)),
		present: slotCosts{slot: -1},
	}
	if m.defers {
		f.slack, f.pauses = fn.Params.Deadline, fn.Interruptible
	}
	var starts []hosting
	origin := scheduler.Origin(m.cfg.Fleet, fn, &fn.Params)
	for i := range refused {
		if refused[i]&^soft != 0 {
			continue
		}
		t := &m.cfg.Fleet.Targets[cols.Target[i]]
		hold := float64(t.Machine.Reserved(fn.Needs)) * t.PUE
		if cols.Sandbox[i] != wattle.Warm {
			starts = append(starts, hosting{t.Cluster, int64(cols.Start[i]), float64(cols.StartEnergy[i]) * t.PUE, hold})
			if f.start = max(f.start, cols.Start[i]); len(starts) == 1 || cols.Start[i] < f.quickest {
				f.quickest = cols.Start[i]
			}
			continue
		}
		if f.shared {
			hold = 0 // what is reserved may serve several at once
		}
		f.fast, f.slow = min(f.fast, cols.Exec[i]), max(f.slow, cols.Exec[i])
		c := &m.cfg.Fleet.Pools[t.Pool].Capacity
		f.ways = append(f.ways, runWay{
			cluster: t.Cluster, pool: t.Pool, far: m.cfg.Fleet.FarEnd(origin, t), exec: cols.Exec[i], joules: float64(cols.ExecEnergy[i]) * t.PUE, hold: hold,
			network: cols.Network[i].Seconds(), usd: float64(t.Price.Rate(fn.Needs)) * cols.Exec[i].Seconds() / float64(fn.Concurrency), perRun: float64(t.Price.PerRequest),
			cpu:    float64(fn.Needs.CPU) / float64(c.CPU) / float64(fn.Concurrency),
			memory: float64(fn.Needs.Memory) / float64(c.Memory) / float64(fn.Concurrency),
		})
	}
	m.host(f, starts)
	m.group(f, starts)
	f.eves(m)
	return f
}

// host fills the least grams of starting and of holding, slot by slot. A start
// may reach into the slot after; an instance that is there in slot k may have
// been started in one before and held since.
func (m *model) host(f *function, starts []hosting) {
	f.holding = make([]float64, m.slots)
	f.starts, f.ahead, f.held = make([]float64, m.slots), make([]float64, m.slots+1), make([]float64, m.slots+1)
	f.ahead[0] = math.Inf(1)
	reach := int((int64(f.start) + m.slot - 1) / m.slot)
	for k := range m.slots {
		start, hold := math.Inf(1), math.Inf(1)
		for _, h := range starts {
			for j := k; j <= min(k+reach, m.slots-1); j++ {
				start = min(start, h.start*float64(m.cfg.Grid[h.cluster][j])*perKWh)
			}
			hold = min(hold, h.hold*float64(m.cfg.Grid[h.cluster][k])*perKWh)
		}
		f.holding[k] = float64(hold * time.Duration(m.slot).Seconds())
		if f.shared || f.slack > 0 {
			hold = 0 // one instance may serve several at a time, or one after another
		}
		f.starts[k] = start
		slot := float64(hold * time.Duration(m.slot).Seconds())
		f.held[k+1] = f.held[k] + slot
		f.ahead[k+1] = min(f.ahead[k]+slot, start)
	}
}

// until is the least grams of holding an instance from the beginning to t, up to
// the horizon.
func (f *function) until(m *model, t int64) float64 {
	t = min(t, int64(m.cfg.Horizon))
	k := min(t/m.slot, int64(m.slots-1))
	return f.held[k] + float64((f.held[k+1]-f.held[k])*(float64(t-k*m.slot)/float64(m.slot)))
}

// fresh is the least dynamic grams of an instance that is there at t and was not
// used before, with what holding it so far took. It never grows faster than
// holding does.
func (f *function) fresh(m *model, t int64) float64 {
	if t+int64(f.start) >= int64(m.cfg.Horizon) {
		return 0 // clipped at the horizon
	}
	k := t / m.slot
	return min(f.starts[k], f.ahead[k]+f.until(m, t)-f.held[k])
}

// cheapest is the least money that one run can cost.
func (f *function) cheapest(a *trace.Arrival) wattle.USD {
	best := math.Inf(1)
	for i := range f.ways {
		w := &f.ways[i]
		best = min(best, w.perRun+float64(w.usd*a.Scale))
	}
	return wattle.USD(best)
}

// excess is the grams per unit of scale of running by way w in slot k, beyond
// the least hold of that slot: never less than 0.
func (f *function) excess(m *model, w *runWay, k int) float64 {
	ci := float64(m.cfg.Grid[w.cluster][k]) * perKWh
	least := (f.held[k+1] - f.held[k]) / time.Duration(m.slot).Seconds()
	return float64(w.joules*ci) + float64(w.exec.Seconds()*max(float64(w.hold*ci)-least, 0))
}

// moving is the grams of moving an invocation's data in slot k, half at each end.
func (f *function) moving(m *model, w *runWay, k int) float64 {
	return float64(f.netJoules * float64((m.cfg.Grid[w.cluster][k]+m.cfg.Grid[w.far][k])/2) * perKWh)
}

// costs brings the costs of the ways up to slot k.
func (f *function) costs(m *model, k int) *slotCosts {
	c := &f.present
	if c.slot == k {
		return c
	}
	c.slot, c.grams, c.net = k, c.grams[:0], c.net[:0]
	for i := range f.ways {
		w := &f.ways[i]
		c.grams = append(c.grams, f.excess(m, w, k))
		c.net = append(c.net, f.moving(m, w, k))
	}
	return c
}

// price is what the room for a run by way w costs, in grams.
func (m *model) price(w *runWay, k int, scale float64) float64 {
	if m.prices == nil {
		return 0
	}
	return float64(m.prices[w.pool][k] * m.share(w) * w.exec.Seconds() * scale)
}

// run is the way of least grams + rate·seconds + the price of its room for an
// arrival in slot k: its grams beyond the least hold, its seconds, and the price.
// A run that may reach into later slots, be it by a cold start, is measured at
// the least of the slots that it can touch; one past the horizon counts nothing.
func (f *function) run(m *model, a *trace.Arrival, k int, rate wattle.GramsPerSecond) choice {
	best := choice{cost: math.Inf(1), way: -1}
	scale := a.Scale
	c := f.costs(m, k)
	for i := range f.ways {
		w := &f.ways[i]
		end := a.At + int64(f.start) + trace.Lasts(w.exec, scale)
		g, net := c.grams[i], c.net[i]
		if end >= int64(m.cfg.Horizon) {
			g = 0
		} else if last := int(end / m.slot); last > k {
			for j := k + 1; j <= last; j++ {
				g = min(g, f.excess(m, w, j))
			}
		}
		x := choice{grams: float64(g*scale) + net, seconds: w.network + float64(w.exec.Seconds()*scale), price: m.price(w, k, scale), way: i}
		x.cost = x.grams + float64(float64(rate)*x.seconds) + x.price
		if x.cost < best.cost {
			best = x
		}
	}
	return best
}

// choice is the best way for one invocation.
type choice struct {
	cost, grams, seconds, price float64
	way                         int
}
