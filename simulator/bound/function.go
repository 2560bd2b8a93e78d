package bound

import (
	"math"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/simulator/trace"
)

const perKWh = 1 / 3.6e6

// function returns the model of a function, made at its first use.
func (m *model) function(i int32) *function {
	if m.fns[i] == nil {
		m.fns[i] = m.build(m.store.Functions()[i])
	}
	return m.fns[i]
}

// hosting is what starting and holding an instance on one target takes.
type hosting struct {
	cluster      int
	start        float64 // J times PUE, dynamic and idle share while starting
	hold         float64 // W times PUE
	startSeconds time.Duration
}

func (m *model) build(fn *wattle.Function) *function {
	cols, refused := m.core.Candidates(m.cfg.Start, m.store.View(), fn)
	f := &function{fast: math.MaxInt64, shared: fn.Concurrency > 1}
	var hosts []hosting
	origin := scheduler.Origin(m.cfg.Fleet, fn, &fn.Params)
	for i := range refused {
		if refused[i]&^(wattle.ReasonLatency|wattle.ReasonCost|wattle.ReasonCarbon|wattle.ReasonDeadline) != 0 {
			continue
		}
		t := &m.cfg.Fleet.Targets[cols.Target[i]]
		own := float64(cols.Energy[i] - cols.NetEnergy[i])
		if cols.Sandbox[i] != wattle.Warm {
			warm := float64(cols.ExecEnergy[i] + t.Machine.Reserved(fn.Needs).For(cols.Exec[i]))
			hosts = append(hosts, hosting{t.Cluster, (own - warm) * t.PUE, float64(t.Machine.Reserved(fn.Needs)) * t.PUE, cols.Start[i]})
			f.start = max(f.start, cols.Start[i])
			continue
		}
		if f.shared {
			own = float64(cols.ExecEnergy[i]) // what is reserved may serve several at once
		}
		f.fast, f.slow = min(f.fast, cols.Exec[i]), max(f.slow, cols.Exec[i])
		price := &t.Price
		f.ways = append(f.ways, runWay{
			cluster: t.Cluster, far: m.cfg.Fleet.FarEnd(origin, t), exec: cols.Exec[i], joules: own * t.PUE, network: cols.Network[i].Seconds(),
			netJoules: float64(m.cfg.Network.For(fn.In + fn.Out)),
			usd:       float64(price.Rate(fn.Needs)) * cols.Exec[i].Seconds(), usdPerRun: float64(price.PerRequest),
		})
	}
	m.host(f, hosts)
	return f
}

// host fills the least grams of starting and of holding, slot by slot.
func (m *model) host(f *function, hosts []hosting) {
	f.startGrams, f.holdGrams = make([]float64, m.slots), make([]float64, m.slots+1)
	ahead := math.Inf(1) // least grams of an instance that was started before slot k
	for k := range m.slots {
		start, hold := math.Inf(1), math.Inf(1)
		for _, h := range hosts {
			g := float64(m.cfg.Grid[h.cluster][k]) * perKWh
			start, hold = min(start, h.start*g), min(hold, h.hold*g)
		}
		f.startGrams[k] = min(start, ahead)
		slot := float64(hold * time.Duration(m.slot).Seconds())
		f.holdGrams[k+1] = f.holdGrams[k] + slot
		ahead = min(start, ahead+slot)
	}
}

// held is the least grams of holding an instance over [from, to).
func (f *function) held(m *model, from, to int64) float64 {
	at := func(t int64) float64 {
		k := min(t/m.slot, int64(m.slots-1))
		return f.holdGrams[k] + float64((f.holdGrams[k+1]-f.holdGrams[k])*(float64(t-k*m.slot)/float64(m.slot)))
	}
	return at(to) - at(from)
}

// cheapest is the least money that one run can cost.
func (f *function) cheapest(a *trace.Arrival) wattle.USD {
	best := math.Inf(1)
	for i := range f.ways {
		w := &f.ways[i]
		best = min(best, w.usdPerRun+float64(w.usd*float64(a.Scale)))
	}
	return wattle.USD(best)
}

// run is the way with the least grams + rate·seconds for one arrival in slot k.
// A run that may reach into later slots, be it by a cold start, is measured at
// the least intensity of the slots that it can touch.
func (f *function) run(m *model, a *trace.Arrival, k int, rate wattle.GramsPerSecond) (wattle.GramsCO2e, float64) {
	best, grams, seconds := math.Inf(1), 0.0, 0.0
	scale := float64(a.Scale)
	for i := range f.ways {
		w := &f.ways[i]
		last := (a.At + int64(f.start) + int64(float64(w.exec)*scale)) / m.slot
		if last >= int64(m.slots) {
			continue // what runs past the horizon is not counted there: no bound
		}
		ci, far := m.least(w.cluster, k, int(last)), m.least(w.far, k, int(last))
		g := float64(w.joules*scale*ci*perKWh) + float64(w.netJoules*(ci+far)/2*perKWh)
		s := w.network + float64(w.exec.Seconds()*scale)
		if cost := g + float64(float64(rate)*s); cost < best {
			best, grams, seconds = cost, g, s
		}
	}
	return wattle.GramsCO2e(grams), seconds
}

// least is the least intensity of a cluster in the slots from first to last.
func (m *model) least(cluster, first, last int) float64 {
	grid := m.cfg.Grid[cluster]
	ci := grid[first]
	for _, v := range grid[first+1 : min(last+1, m.slots)] {
		ci = min(ci, v)
	}
	return float64(ci)
}

// uses is the stack of instances of one function that have ended their last
// request, the newest on top.
type uses struct {
	running []int64 // earliest ends, a binary heap
	idle    []int64 // earliest ends, ascending
}

// take serves one arrival and returns the least grams of its instance.
func (u *uses) take(f *function, a *trace.Arrival, k int, slowest float64, m *model) wattle.GramsCO2e {
	if f.shared {
		return 0 // it may join an instance that serves others
	}
	for len(u.running) > 0 && u.running[0] <= a.At {
		u.idle = append(u.idle, u.pop())
	}
	cost := f.startGrams[k]
	switch done := a.At + int64(f.start); {
	case done >= int64(m.cfg.Horizon):
		cost = 0 // clipped at the horizon
	case done/m.slot > int64(k):
		cost = min(cost, f.startGrams[min(k+1, m.slots-1)])
	}
	if n := len(u.idle); n > 0 {
		// The gap may have begun later: on slower hardware, after a cold start.
		from := u.idle[n-1] + int64(f.start) + int64(float64(f.slow-f.fast)*slowest)
		u.idle = u.idle[:n-1]
		if from < a.At {
			cost = min(cost, f.held(m, from, a.At))
		} else {
			cost = 0
		}
	}
	u.push(a.At + int64(float64(f.fast)*float64(a.Scale)))
	return wattle.GramsCO2e(cost)
}

func (u *uses) push(v int64) {
	h := append(u.running, v)
	i := len(h) - 1
	for i > 0 && v < h[(i-1)/2] {
		h[i] = h[(i-1)/2]
		i = (i - 1) / 2
	}
	h[i] = v
	u.running = h
}

func (u *uses) pop() int64 {
	h := u.running
	top, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	i := 0
	for {
		c := 2*i + 1
		if c >= len(h) {
			break
		}
		if c+1 < len(h) && h[c+1] < h[c] {
			c++
		}
		if h[c] >= last {
			break
		}
		h[i] = h[c]
		i = c
	}
	if len(h) > 0 {
		h[i] = last
	}
	u.running = h
	return top
}
