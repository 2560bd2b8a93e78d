package bound

import (
	"cmp"
	"container/heap"
	"context"
	"slices"

	"github.com/wattle-project/wattle/simulator"
	"github.com/wattle-project/wattle/simulator/trace"
)

// stay is an instance that serves one arrival. It runs over [at, end) at least
// and, where that pays, waited for it over [since, at).
type stay struct {
	match
	at, end int64
	gain    float64 // what the wait saves at the present rate; 0: it did not wait
	fn      int32
	arrival int32 // of its function, where it is of a plan
}

// crowd is every instance of a run at once, as the bound of hindsight has them,
// beside the room that all pools have together. Of vCPUs and memory, which waiting
// instances hold as running ones do, the scarcer one counts.
type crowd struct {
	stays   []stay
	needs   [2][]float64 // vCPU milli and bytes, by function
	starts  []float64    // least seconds of a cold start, by function
	room    [2]float64
	horizon int64
	moments []moment
	scarcer int
}

// moment is when a stay begins to wait, begins to run or ends. Its key is the
// time in quarters of a nanosecond, by which ends come before waits before runs.
type moment struct {
	key  int64
	stay int32
}

const (
	ends int64 = iota
	waits
	runs
)

const (
	// maxStays bounds the memory of a crowd. A larger one is not priced.
	maxStays = 8_000_000
	// crowdCells is how many instants have a price at most: the fullest one of
	// each equal part of the run.
	crowdCells = 16384
	// crowdWork bounds holds × iterations of the search for prices.
	crowdWork = 50_000_000
)

// newCrowd gathers the stays of a simulation. Work that may wait and instances
// that serve several requests at a time are left out, which only lowers the bound.
func newCrowd(ctx context.Context, c *simulator.Config, m *model) (*crowd, error) {
	w := &crowd{horizon: int64(c.Horizon), starts: make([]float64, len(c.Functions))}
	for i := range c.Fleet.Pools {
		have := &c.Fleet.Pools[i].Capacity
		w.room[0] += float64(have.CPU)
		w.room[1] += float64(have.Memory)
	}
	for _, fn := range m.store.Functions() {
		w.needs[0], w.needs[1] = append(w.needs[0], float64(fn.Needs.CPU)), append(w.needs[1], float64(fn.Needs.Memory))
	}
	series := make([]uses, len(c.Functions))
	err := arrivals(ctx, c, func(a *trace.Arrival) {
		f := m.function(a.Function)
		if len(f.ways) == 0 || f.shared || f.slack > 0 || len(w.stays) > maxStays {
			return
		}
		w.starts[a.Function] = f.quickest.Seconds()
		w.stays = append(w.stays, stay{
			match: series[a.Function].pair(f, a, m, rule{}), at: a.At, end: a.At + trace.Lasts(f.fast, a.Scale), fn: a.Function,
		})
	})
	return w, err
}

// order lists the moments of all stays in time, unless it has: with all that may wait.
func (w *crowd) order() {
	if w.moments != nil {
		return
	}
	for i := range w.stays {
		s, n := &w.stays[i], int32(i)
		w.moments = append(w.moments, moment{s.at<<2 | runs, n}, moment{s.end<<2 + ends, n})
		if s.found {
			w.moments = append(w.moments, moment{s.since<<2 | waits, n})
		}
	}
	slices.SortFunc(w.moments, func(a, b moment) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.stay, b.stay))
	})
}

// fullest is the most that runs and waits at a time if every wait that saves grams
// is chosen, and the fullest instant of every cell that is over the room.
func (w *crowd) fullest(resource int) (most float64, instants []int64) {
	level, cell, peak, at := 0.0, int64(-1), 0.0, int64(0)
	size := max(w.horizon/crowdCells, 1)
	flush := func() {
		if peak > w.room[resource] {
			instants = append(instants, at)
		}
		most = max(most, peak)
	}
	for i, e := range w.moments {
		t := e.key >> 2
		if t >= w.horizon {
			break
		}
		for ; t/size > cell && cell < crowdCells; cell++ {
			flush()
			peak, at = level, (cell+1)*size // what the cell begins with
		}
		need, gain := w.needs[resource][w.stays[e.stay].fn], w.stays[e.stay].gain
		switch kind := e.key & 3; {
		case kind == ends:
			level -= need
		case kind == waits && gain > 0, kind == runs && gain == 0:
			level += need
		}
		if last := i+1 == len(w.moments) || w.moments[i+1].key>>2 != t; last && level > peak {
			peak, at = level, t
		}
	}
	flush()
	return most, instants
}

// weights are what a gram and a second of cold start count.
type weights struct{ grams, seconds float64 }

// toll is what all instances take beside what they run, at some weights: low at
// least, by prices, and high with waits that fit, of which seconds are cold starts.
type toll struct{ low, high, seconds float64 }

// settle values every wait at v, and returns what all stays take without any.
func (w *crowd) settle(v weights) (all float64) {
	for i := range w.stays {
		s := &w.stays[i]
		apart := float64(v.grams*s.apart) + float64(v.seconds*w.starts[s.fn])
		all += apart
		if s.gain = 0; s.found {
			s.gain = max(apart-float64(v.grams*s.together), 0)
		}
	}
	return all
}

// toll solves for the weights v.
func (w *crowd) toll(v weights) (t toll, err error) {
	all := w.settle(v)
	saved := 0.0
	for i := range w.stays {
		saved += w.stays[i].gain
	}
	if t = (toll{low: all - saved, high: all}); len(w.stays) > maxStays {
		return t, nil
	}
	w.order()
	most, instants := w.fullest(0)
	w.scarcer = 0
	if m, in := w.fullest(1); m*w.room[0] > most*w.room[1] {
		w.scarcer, most, instants = 1, m, in
	}
	out := make([]bool, len(w.stays))
	if most > w.room[w.scarcer] {
		if err := w.price(instants, &t, out); err != nil {
			return t, err
		}
	}
	w.repair(out)
	t.high = 0
	for i := range w.stays {
		s := &w.stays[i]
		if s.gain > 0 && !out[i] {
			t.high += float64(v.grams * s.together)
			continue
		}
		t.high += float64(v.grams*s.apart) + float64(v.seconds*w.starts[s.fn])
		t.seconds += w.starts[s.fn]
	}
	return t, nil
}

// price finds prices for the room at the instants. It adds what is lost at least of all
// that waits save to t, and marks those that are out.
func (w *crowd) price(instants []int64, t *toll, out []bool) error {
	holds, room, index := w.holds(instants)
	cfg := DefaultCapConfig()
	cfg.Iterations = max(min(cfg.Iterations, crowdWork/(len(holds)+len(room)+1)), 20)
	b, err := CappedSteps(holds, room, cfg)
	if err != nil {
		return err
	}
	lost := 0.0
	for i, chosen := range b.Chosen {
		out[index[i]] = !chosen
		lost += holds[i].Value
	}
	t.low += max(lost-b.Upper, 0)
	return nil
}

// holds are the waits that fill any of the instants, and the room that running
// instances leave at each.
func (w *crowd) holds(instants []int64) (holds []Hold, room []float64, index []int32) {
	needs := w.needs[w.scarcer]
	change := make([]float64, len(instants)+1)
	at := func(t int64) int32 {
		i, _ := slices.BinarySearch(instants, t)
		return int32(i)
	}
	for i := range w.stays {
		s := &w.stays[i]
		from, to := at(s.at), at(s.end)
		change[from] += needs[s.fn]
		change[to] -= needs[s.fn]
		if s.gain == 0 {
			continue
		}
		if since := at(s.since); since < from {
			holds, index = append(holds, Hold{From: since, To: from, Memory: needs[s.fn], Value: s.gain}), append(index, int32(i))
		}
	}
	running := 0.0
	for i := range instants {
		running += change[i]
		room = append(room, max(w.room[w.scarcer]-running, 0))
	}
	return holds, room, index
}

// repair puts waits out until all others fit at any time, in both resources. It
// reports whether they do: what runs may not.
func (w *crowd) repair(out []bool) bool {
	fits := true
	level, idle := [2]float64{}, &idlers{w: w}
	change := func(n int32, sign float64) {
		for r := range level {
			level[r] += float64(sign * w.needs[r][w.stays[n].fn])
		}
	}
	begun := make([]bool, len(w.stays))
	for _, e := range w.moments {
		n := e.stay
		switch e.key & 3 {
		case ends:
			change(n, -1)
		case waits:
			if begun[n] = w.stays[n].gain > 0 && !out[n]; begun[n] {
				change(n, 1)
				heap.Push(idle, n)
			}
		case runs:
			if !begun[n] {
				change(n, 1)
			}
			begun[n] = false
		}
		for (level[0] > w.room[0] || level[1] > w.room[1]) && idle.Len() > 0 {
			if n := heap.Pop(idle).(int32); begun[n] {
				begun[n], out[n] = false, true
				change(n, -1)
			}
		}
		fits = fits && level[0] <= w.room[0] && level[1] <= w.room[1]
	}
	return fits
}

// idlers is a heap of waits, the one that saves least for its room and time first.
type idlers struct {
	w    *crowd
	list []int32
}

func (h *idlers) worth(i int) float64 {
	s := &h.w.stays[h.list[i]]
	return s.gain / (h.w.needs[h.w.scarcer][s.fn] * float64(s.at-s.since+1))
}

func (h *idlers) Len() int           { return len(h.list) }
func (h *idlers) Less(i, j int) bool { return h.worth(i) < h.worth(j) }
func (h *idlers) Swap(i, j int)      { h.list[i], h.list[j] = h.list[j], h.list[i] }

// Push appends a wait.
func (h *idlers) Push(x any) { h.list = append(h.list, x.(int32)) }

// Pop takes the last.
func (h *idlers) Pop() any {
	x := h.list[len(h.list)-1]
	h.list = h.list[:len(h.list)-1]
	return x
}
