package bound

import (
	"fmt"
	"math"
	"slices"
)

// Hold is one copy that may wait: it fills Memory during the steps [From, To)
// and saves Value, in grams, if it does.
type Hold struct {
	From, To      int32
	Memory, Value float64
}

// CapConfig bounds the search of Capped.
type CapConfig struct {
	// Iterations of price ascent at most.
	Iterations int
	// Gap ends the search when the two bounds are this close, relative to the
	// upper one.
	Gap float64
}

// DefaultCapConfig stops at a tenth of a per cent.
func DefaultCapConfig() CapConfig { return CapConfig{Iterations: 400, Gap: 1e-3} }

// CappedBound is the result of Capped, in grams saved.
type CappedBound struct {
	// Upper is what no choice of holds within the capacity exceeds: the
	// Lagrangian dual at Prices. Lower is what Chosen, which fits, saves.
	Upper, Lower float64
	Prices       []float64 // per unit of memory and step
	Chosen       []bool
}

// Gap is the duality gap relative to the upper bound.
func (b *CappedBound) Gap() float64 {
	if b.Upper <= 0 {
		return 0
	}
	return (b.Upper - b.Lower) / b.Upper
}

// Capped chooses among holds when all that wait at one time must fit into
// capacity. The capacity of each step has a price; at given prices a hold pays
// if it saves more than the memory it fills costs, and what all such holds save
// plus the value of the capacity is an upper bound (Lagrangian relaxation).
// Prices rise where memory is short by Polyak's subgradient steps; a feasible
// choice is repaired from them greedily.
func Capped(holds []Hold, capacity float64, steps int, cfg CapConfig) (*CappedBound, error) {
	return CappedSteps(holds, slices.Repeat([]float64{capacity}, steps), cfg)
}

// CappedSteps is Capped with a capacity of its own for each step.
func CappedSteps(holds []Hold, capacity []float64, cfg CapConfig) (*CappedBound, error) {
	steps := len(capacity)
	for i := range holds {
		h := &holds[i]
		if h.From < 0 || h.To < h.From || int(h.To) > steps || !(h.Memory >= 0) || math.IsNaN(h.Value) {
			return nil, fmt.Errorf("hold %d of steps [%d, %d) with memory %g: want steps in [0, %d) and memory of 0 or more", i, h.From, h.To, h.Memory, steps)
		}
	}
	for s, c := range capacity {
		if !(c >= 0) {
			return nil, fmt.Errorf("capacity %g of step %d: want 0 or more", c, s)
		}
	}
	a := newAscent(holds, capacity)
	a.run(cfg)
	return &a.best, nil
}

// ascent is the state of the search for prices.
type ascent struct {
	holds    []Hold
	capacity []float64
	prices   []float64
	sums     []float64 // prefix sums of prices
	excess   []float64 // subgradient: memory beyond the capacity, by step
	before   []float64 // direction of the last step
	order    []int32
	reduced  []float64
	used     []float64
	best     CappedBound
}

func newAscent(holds []Hold, capacity []float64) *ascent {
	steps := len(capacity)
	a := &ascent{
		holds: holds, capacity: capacity,
		prices: make([]float64, steps), sums: make([]float64, steps+1), excess: make([]float64, steps+1),
		before: make([]float64, steps), order: make([]int32, len(holds)), reduced: make([]float64, len(holds)),
		used: make([]float64, steps),
	}
	a.best = CappedBound{Upper: math.Inf(1), Lower: math.Inf(-1), Prices: make([]float64, steps), Chosen: make([]bool, len(holds))}
	return a
}

// run aims below the best upper bound by a margin that halves whenever ten
// steps brought nothing (the level rule), so that it converges to the least
// upper bound although the best feasible choice may stay below that.
func (a *ascent) run(cfg CapConfig) {
	margin, wide, stale := math.Inf(1), 1.0, 0
	for i := range max(cfg.Iterations, 1) {
		upper := a.dual()
		if upper < a.best.Upper {
			a.best.Upper, stale = upper, 0
			copy(a.best.Prices, a.prices)
		} else if stale++; stale >= 10 {
			margin, stale = margin/2, 0
			if gap := a.best.Upper - a.best.Lower; margin < 1e-5*gap {
				// The margin collapsed, perhaps before the least upper bound was
				// found: aim low again, each time less so.
				wide /= 2
				margin = wide * gap
			}
			a.restart()
		}
		if i%20 == 0 {
			a.repair()
			margin = min(margin, a.best.Upper-a.best.Lower)
		}
		if a.best.Gap() <= cfg.Gap {
			break
		}
		a.move(upper - a.best.Upper + margin)
	}
	a.restart()
	a.repair()
}

// restart goes back to the best prices.
func (a *ascent) restart() {
	copy(a.prices, a.best.Prices)
	clear(a.before)
	a.dual()
}

// dual is the upper bound at the prices; it leaves the subgradient in excess
// and what each hold saves beyond its memory's price in reduced.
func (a *ascent) dual() float64 {
	total := 0.0
	for s, p := range a.prices {
		a.sums[s+1] = a.sums[s] + p
		total += a.capacity[s] * p
	}
	clear(a.excess)
	for i := range a.holds {
		h := &a.holds[i]
		r := h.Value - h.Memory*(a.sums[h.To]-a.sums[h.From])
		a.reduced[i] = r
		if r > 0 {
			total += r
			a.excess[h.From] += h.Memory
			a.excess[h.To] -= h.Memory
		}
	}
	fill := 0.0
	for s := range a.prices {
		fill += a.excess[s]
		a.excess[s] = fill - a.capacity[s]
	}
	return total
}

// move raises prices where memory is short and lowers them elsewhere, by a
// Polyak step for the distance to the target, along a direction that remembers
// the last (Camerini, Fratta and Maffioli, 1975).
func (a *ascent) move(distance float64) {
	norm, dot, old := 0.0, 0.0, 0.0
	for s := range a.prices {
		if a.prices[s] == 0 && a.excess[s] < 0 {
			a.excess[s] = 0
		}
		dot += a.excess[s] * a.before[s]
		old += a.before[s] * a.before[s]
	}
	memory := 0.0
	if dot < 0 && old > 0 {
		memory = -0.5 * dot / old
	}
	for s := range a.prices {
		a.before[s] = a.excess[s] + memory*a.before[s]
		norm += a.before[s] * a.before[s]
	}
	if norm == 0 {
		return
	}
	step := distance / norm
	for s := range a.prices {
		a.prices[s] = max(0, a.prices[s]+step*a.before[s])
	}
}

// repair builds a choice that fits: holds in the order of what they save over
// the price of their memory, as long as there is room.
func (a *ascent) repair() {
	for i := range a.order {
		a.order[i] = int32(i)
	}
	worth := func(i int32) float64 {
		h := &a.holds[i] // value less reduced is the price of its memory
		return h.Value / max(h.Value-a.reduced[i], 1e-12*h.Value)
	}
	slices.SortFunc(a.order, func(x, y int32) int {
		if dx, dy := worth(x), worth(y); dx != dy {
			if dx > dy {
				return -1
			}
			return 1
		}
		return int(x - y)
	})
	clear(a.used)
	value, chosen := 0.0, make([]bool, len(a.holds))
	for _, i := range a.order {
		if h := &a.holds[i]; h.Value > 0 && a.fits(h) {
			value += h.Value
			chosen[i] = true
		}
	}
	if value > a.best.Lower {
		a.best.Lower, a.best.Chosen = value, chosen
	}
}

// fits takes the memory of h if there is room in every step.
func (a *ascent) fits(h *Hold) bool {
	for s := h.From; s < h.To; s++ {
		if a.used[s]+h.Memory > a.capacity[s] {
			return false
		}
	}
	for s := h.From; s < h.To; s++ {
		a.used[s] += h.Memory
	}
	return true
}
