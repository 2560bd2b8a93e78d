package flow

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Search bounds the price search of Contiguous.
type Search struct {
	// Iterations of price ascent at most.
	Iterations int
	// Gap ends the search when value and bound are this close, relative.
	Gap float64
}

// DefaultSearch stops at a tenth of a per cent.
func DefaultSearch() Search { return Search{Iterations: 3000, Gap: 1e-3} }

// Validate says which setting is unusable.
func (s *Search) Validate() error {
	if s.Iterations < 1 || !(s.Gap >= 0) {
		return fmt.Errorf("search of %d iterations to a gap of %g: want 1 or more, 0 or more", s.Iterations, s.Gap)
	}
	return nil
}

// Contiguous returns a cheap schedule of jobs that run without a break in one
// cluster, and a lower bound. Where the best windows of all jobs fit, it is exact
// and the gap 0. Otherwise the capacities are priced (Lagrangian relaxation;
// Held, Wolfe and Crowder, Mathematical Programming 6, 1974): at any prices the
// best windows bound the cost, prices rise where too much runs, and a feasible
// schedule is repaired from them. ErrInfeasible says that a job has no window at
// all; a Value of +Inf that no schedule was found.
func (p *Deferral) Contiguous(cfg Search) (*Schedule, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	w := newWindows(p)
	best := &Schedule{Value: math.Inf(1), Bound: math.Inf(-1)}
	scale, stale := 1.0, 0
	for range cfg.Iterations {
		bound, at := w.relaxed()
		if at >= 0 {
			return nil, fmt.Errorf("deferral: job %d has no window: %w", at, ErrInfeasible)
		}
		if stale++; bound > best.Bound {
			best.Bound, best.Prices, stale = bound, clone(w.prices), 0
		}
		if w.excess() == 0 {
			w.adopt(best)
		} else if stale%5 == 0 {
			w.repair(best)
		}
		if best.Gap() <= cfg.Gap || !w.raise(best.Value, bound, scale) {
			break
		}
		if stale >= 15 {
			scale, stale = scale/2, 1
		}
	}
	return best, nil
}

func clone(x [][]float64) [][]float64 {
	out := make([][]float64, len(x))
	for c := range x {
		out[c] = slices.Clone(x[c])
	}
	return out
}

// window is the start of a job; cluster −1: none.
type window struct {
	cluster, start int
	cost           float64
}

// windows is the state of Contiguous.
type windows struct {
	*Deferral
	prices [][]float64
	// carbon and rent are running sums over slots, by cluster.
	carbon, rents [][]float64
	room          [][]int64 // left by what chosen takes
	chosen        []window
	orders        [][]int // in which repairs place jobs
}

func newWindows(p *Deferral) *windows {
	n := p.slots()
	w := &windows{Deferral: p, prices: prices(p), chosen: make([]window, len(p.Jobs))}
	for c := range p.Carbon {
		w.carbon, w.rents = append(w.carbon, make([]float64, n+1)), append(w.rents, make([]float64, n+1))
		for t, v := range p.Carbon[c] {
			w.carbon[c][t+1] = w.carbon[c][t] + v
		}
		w.room = append(w.room, slices.Clone(p.Capacity[c]))
	}
	tight, heavy := make([]int, len(p.Jobs)), make([]int, len(p.Jobs))
	for i := range p.Jobs {
		tight[i], heavy[i] = i, i
	}
	slack := func(i int) int { return p.Jobs[i].Deadline - p.Jobs[i].Release - p.Jobs[i].Length }
	energy := func(i int) float64 { return p.Jobs[i].Weight * float64(p.Jobs[i].Length) }
	slices.SortStableFunc(tight, func(a, b int) int { return cmp.Compare(slack(a), slack(b)) })
	slices.SortStableFunc(heavy, func(a, b int) int { return cmp.Compare(energy(b), energy(a)) })
	w.orders = [][]int{tight, heavy}
	return w
}

// cheapest finds the window of job i of least cost at weights of carbon and rent
// in which every slot has room.
func (w *windows) cheapest(i int, room [][]int64, rent float64) window {
	j := &w.Jobs[i]
	best := window{-1, 0, math.Inf(1)}
	for c := range w.Carbon {
		if !j.may(c) {
			continue
		}
		open := 0 // slots with room up to t
		for t := j.Release; t < j.Deadline; t++ {
			if open++; room[c][t] <= 0 {
				open = 0
			}
			if open < j.Length {
				continue
			}
			s := t + 1 - j.Length
			cost := float64(j.Weight*(w.carbon[c][t+1]-w.carbon[c][s])) + float64(rent*(w.rents[c][t+1]-w.rents[c][s]))
			if cost < best.cost {
				best = window{c, s, cost}
			}
		}
	}
	return best
}

// relaxed chooses the best window of each job at the prices, whatever the
// capacities, and returns the bound; or the first job that has none.
func (w *windows) relaxed() (bound float64, without int) {
	for c := range w.prices {
		for t, v := range w.prices[c] {
			w.rents[c][t+1] = w.rents[c][t] + v
		}
	}
	for i := range w.Jobs {
		if w.chosen[i] = w.cheapest(i, w.Capacity, 1); w.chosen[i].cluster < 0 {
			return 0, i
		}
		bound += w.chosen[i].cost
	}
	return bound - w.rent(w.prices), -1
}

// excess counts the units over capacity and leaves room as chosen leaves it.
func (w *windows) excess() (over int64) {
	for c := range w.room {
		copy(w.room[c], w.Capacity[c])
	}
	for i := range w.chosen {
		w.take(i, 1)
	}
	for c := range w.room {
		for _, r := range w.room[c] {
			over += max(-r, 0)
		}
	}
	return over
}

func (w *windows) take(i int, units int64) {
	x := w.chosen[i]
	for t := x.start; t < x.start+w.Jobs[i].Length; t++ {
		w.room[x.cluster][t] -= units
	}
}

// raise moves the prices along the excess by a share of Polyak's step from bound
// to target and reports whether anything moved.
func (w *windows) raise(target, bound, scale float64) bool {
	if math.IsInf(target, 1) {
		target = bound + float64(0.1*math.Abs(bound)) + 1
	}
	w.excess()
	norm := 0.0
	for c := range w.room {
		for t, r := range w.room[c] {
			if r < 0 || w.prices[c][t] > 0 {
				norm += float64(float64(r) * float64(r))
			}
		}
	}
	if norm == 0 {
		return false
	}
	step := scale * max(target-bound, 0) / norm
	for c := range w.room {
		for t, r := range w.room[c] {
			w.prices[c][t] = max(0, w.prices[c][t]-float64(step*float64(r)))
		}
	}
	return true
}

// repair places the jobs in each order where there is room, dear slots last, and
// keeps the best schedule.
func (w *windows) repair(best *Schedule) {
	relaxed := slices.Clone(w.chosen)
	for _, order := range w.orders {
		if w.place(order, relaxed) {
			w.improve(order)
			w.adopt(best)
		}
		copy(w.chosen, relaxed)
	}
}

// place gives every job its relaxed window if there is room, the cheapest other
// one at the prices otherwise.
func (w *windows) place(order []int, relaxed []window) bool {
	for c := range w.room {
		copy(w.room[c], w.Capacity[c])
	}
	for _, i := range order {
		w.chosen[i] = relaxed[i]
		if !w.fits(i) {
			if w.chosen[i] = w.cheapest(i, w.room, 1); w.chosen[i].cluster < 0 {
				return false
			}
		}
		w.take(i, 1)
	}
	return true
}

func (w *windows) fits(i int) bool {
	x := w.chosen[i]
	for _, r := range w.room[x.cluster][x.start : x.start+w.Jobs[i].Length] {
		if r <= 0 {
			return false
		}
	}
	return true
}

// improve moves jobs one by one to windows of less carbon until none is left, at
// most four times around.
func (w *windows) improve(order []int) {
	for range 4 {
		moved := false
		for _, i := range order {
			w.take(i, -1)
			was := w.chosen[i]
			if x := w.cheapest(i, w.room, 0); x != was {
				j := &w.Jobs[i]
				before := float64(j.Weight * (w.carbon[was.cluster][was.start+j.Length] - w.carbon[was.cluster][was.start]))
				if x.cost < before-1e-12*math.Abs(before) {
					w.chosen[i], moved = x, true
				}
			}
			w.take(i, 1)
		}
		if !moved {
			return
		}
	}
}

// adopt keeps the chosen windows, which fit, if they are the best so far.
func (w *windows) adopt(best *Schedule) {
	uses := make([][]Use, len(w.Jobs))
	for i, x := range w.chosen {
		for t := range w.Jobs[i].Length {
			uses[i] = append(uses[i], Use{x.cluster, x.start + t})
		}
	}
	if v := w.cost(uses); v < best.Value {
		best.Value, best.Uses = v, uses
	}
}

// DualContiguous is what DualInterruptible is, for jobs that run without a break
// in one cluster.
func (p *Deferral) DualContiguous(prices [][]float64) float64 {
	w := newWindows(p)
	w.prices = prices
	bound, without := w.relaxed()
	if without >= 0 {
		return math.Inf(1)
	}
	return bound
}
