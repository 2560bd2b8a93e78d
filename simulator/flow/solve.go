package flow

import (
	"fmt"
	"math"
	"slices"
)

// Solve returns an assignment of least cost, or ErrInfeasible. The same problem
// always has the same answer.
//
// Rows are placed one after the other along the shortest path to room, which may
// push earlier rows aside. The graph of those paths is contracted to the columns:
// the arc from j to k is the cheapest switch of a unit from j to k, kept in a heap
// per pair of columns. A row costs O(columns²), and O(columns·log rows) for every
// unit that is pushed.
func (p *Transport) Solve() (*Assignment, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	s := newSolver(p)
	for i := range p.Supply {
		for left := p.Supply[i]; left > 0; {
			last, d := s.path(i)
			if last < 0 {
				return nil, fmt.Errorf("transport: row %d: %d units left: %w", i, left, ErrInfeasible)
			}
			s.reprice(d)
			left -= s.push(i, last, left)
		}
	}
	return s.answer(), nil
}

// solver is the state of Solve. Rejection is one more column, the last, whose
// room does not end.
type solver struct {
	*Transport
	m            int
	cost, prices []float64
	flow, room   []int64
	// switches[j·m+k] orders rows in column j by cost of k less cost of j. Only
	// full columns need them: a path ends where there is room.
	switches []heap
	full     []bool
	// The last search: distance with prices, the column and row before, and whether
	// the distance is final.
	distance  []float64
	from, via []int32
	done      []bool
}

func newSolver(p *Transport) *solver {
	n, m := len(p.Supply), len(p.Capacity)
	s := &solver{Transport: p, m: m, cost: p.Cost, room: slices.Clone(p.Capacity)}
	if p.Reject != nil {
		s.m++
		s.room = append(s.room, math.MaxInt64)
		s.cost = make([]float64, 0, n*s.m)
		for i, r := range p.Reject {
			s.cost = append(append(s.cost, p.Cost[i*m:i*m+m]...), r)
		}
	}
	m = s.m
	s.flow, s.prices = make([]int64, n*m), make([]float64, m)
	s.switches, s.full = make([]heap, m*m), make([]bool, m)
	s.distance, s.from, s.via, s.done = make([]float64, m), make([]int32, m), make([]int32, m), make([]bool, m)
	for j := range m {
		s.full[j] = s.room[j] == 0
	}
	return s
}

func (s *solver) answer() *Assignment {
	n, m := len(s.Supply), len(s.Capacity)
	a := &Assignment{Flow: s.flow, Rejected: make([]int64, n), Prices: s.prices[:m]}
	if s.m > m {
		a.Flow = make([]int64, 0, n*m)
		for i := range n {
			a.Flow = append(a.Flow, s.flow[i*s.m:i*s.m+m]...)
			a.Rejected[i] = s.flow[i*s.m+m]
		}
	}
	a.Value, a.Bound = s.value(a), s.Dual(a.Prices)
	return a
}

// path finds the shortest path from row i to room and returns its last column
// and length, or −1 where there is none. Lengths count prices, which makes them
// the row's cost at the end, where the price is 0.
func (s *solver) path(i int) (int, float64) {
	for j := range s.m {
		s.distance[j], s.from[j], s.via[j], s.done[j] = s.cost[i*s.m+j]+s.prices[j], -1, int32(i), false
	}
	for {
		j, d := -1, math.Inf(1)
		for k, x := range s.distance {
			if !s.done[k] && x < d {
				j, d = k, x
			}
		}
		if j < 0 || s.room[j] > 0 {
			return j, d
		}
		s.done[j] = true
		for k := range s.m {
			if s.done[k] || k == j {
				continue
			}
			if e, ok := s.cheapest(j, k); ok {
				// Rounding must not make a step shorter than nothing.
				if x := d + max(e.key+s.prices[k]-s.prices[j], 0); x < s.distance[k] {
					s.distance[k], s.from[k], s.via[k] = x, int32(j), e.row
				}
			}
		}
	}
}

// cheapest is the best switch from j to k.
func (s *solver) cheapest(j, k int) (entry, bool) {
	h := &s.switches[j*s.m+k]
	for len(*h) > 0 {
		e := (*h)[0]
		if s.flow[int(e.row)*s.m+j] > 0 {
			return e, true
		}
		h.pop() // that row has left the column
	}
	return entry{}, false
}

// reprice raises the prices of the columns that the path of length d went
// through, so that it costs nothing more to go along it.
func (s *solver) reprice(d float64) {
	for j := range s.m {
		if s.done[j] {
			s.prices[j] += d - s.distance[j]
		}
	}
}

// push sends up to left units of row i along the path that ends in last.
func (s *solver) push(i, last int, left int64) int64 {
	amount := min(left, s.room[last])
	for k := last; s.from[k] >= 0; k = int(s.from[k]) {
		amount = min(amount, s.flow[int(s.via[k])*s.m+int(s.from[k])])
	}
	for k := last; k >= 0; k = int(s.from[k]) {
		r := int(s.via[k])
		if s.from[k] >= 0 {
			s.flow[r*s.m+int(s.from[k])] -= amount
		}
		if s.flow[r*s.m+k] += amount; s.flow[r*s.m+k] == amount && s.full[k] {
			s.enter(r, k)
		}
	}
	if s.room[last] -= amount; s.room[last] == 0 {
		s.fill(last)
	}
	return amount
}

// fill begins to keep the switches out of column j, which is full from now on.
func (s *solver) fill(j int) {
	s.full[j] = true
	for r := range s.Supply {
		if s.flow[r*s.m+j] > 0 {
			s.enter(r, j)
		}
	}
}

// enter adds the switches of row r, which is new in column j.
func (s *solver) enter(r, j int) {
	here := s.cost[r*s.m+j]
	for k, c := range s.cost[r*s.m : r*s.m+s.m] {
		if k != j && !math.IsInf(c, 1) {
			s.switches[j*s.m+k].push(entry{c - here, int32(r)})
		}
	}
}

// entry is a row in a heap.
type entry struct {
	key float64
	row int32
}

func (e entry) less(o entry) bool { return e.key < o.key || e.key == o.key && e.row < o.row }

// heap is a binary heap, the least entry first, equals by row.
type heap []entry

func (h *heap) push(e entry) {
	*h = append(*h, e)
	a := *h
	i := len(a) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !e.less(a[up]) {
			break
		}
		a[i], i = a[up], up
	}
	a[i] = e
}

func (h *heap) pop() entry {
	a := *h
	top, e := a[0], a[len(a)-1]
	a = a[:len(a)-1]
	*h = a
	i := 0
	for c := 1; c < len(a); c = 2*i + 1 {
		if c+1 < len(a) && a[c+1].less(a[c]) {
			c++
		}
		if !a[c].less(e) {
			break
		}
		a[i], i = a[c], c
	}
	if len(a) > 0 {
		a[i] = e
	}
	return top
}
