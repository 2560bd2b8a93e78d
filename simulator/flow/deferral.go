package flow

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Deferral puts deferrable jobs on the slots of clusters at the least cost. A job
// takes one unit of capacity in each slot in which it runs.
type Deferral struct {
	Jobs []Job
	// Capacity is units and Carbon what a slot costs a job of weight 1, 0 or more
	// and finite, both per cluster and slot.
	Capacity [][]int64
	Carbon   [][]float64
}

// Job runs for Length of the slots [Release, Deadline).
type Job struct {
	Release, Deadline, Length int
	// Weight is its energy per slot: cost is Weight·Carbon.
	Weight float64
	// Clusters says where it may run; nil: anywhere.
	Clusters []bool
}

func (j *Job) may(cluster int) bool { return j.Clusters == nil || j.Clusters[cluster] }

// Use is one slot of one cluster.
type Use struct{ Cluster, Slot int }

// Schedule is an answer with its certificate.
type Schedule struct {
	// Value is the cost of Uses, +Inf where no schedule was found; Bound is the dual
	// value of Prices, below which no schedule is.
	Value, Bound float64
	// Uses has the slots of each job in order of time.
	Uses [][]Use
	// Prices is per unit of capacity, by cluster and slot, 0 or more.
	Prices [][]float64
}

// Gap is Value − Bound relative to the larger magnitude of both.
func (s *Schedule) Gap() float64 {
	if math.IsInf(s.Value, 1) {
		return 1
	}
	return gap(s.Value, s.Bound)
}

// slots is the length of the horizon.
func (p *Deferral) slots() int {
	if len(p.Carbon) == 0 {
		return 0
	}
	return len(p.Carbon[0])
}

// Validate says which figure is unusable.
func (p *Deferral) Validate() error {
	n := p.slots()
	if len(p.Capacity) != len(p.Carbon) {
		return fmt.Errorf("deferral: capacities of %d clusters, carbon of %d", len(p.Capacity), len(p.Carbon))
	}
	for c := range p.Carbon {
		if len(p.Carbon[c]) != n || len(p.Capacity[c]) != n {
			return fmt.Errorf("deferral: cluster %d: %d capacities, %d carbons, want %d", c, len(p.Capacity[c]), len(p.Carbon[c]), n)
		}
		for s, v := range p.Carbon[c] {
			if !(v >= 0) || math.IsInf(v, 1) || p.Capacity[c][s] < 0 {
				return fmt.Errorf("deferral: cluster %d, slot %d: carbon %g, capacity %d: want finite ones of 0 or more", c, s, v, p.Capacity[c][s])
			}
		}
	}
	for i := range p.Jobs {
		j := &p.Jobs[i]
		switch {
		case j.Release < 0 || j.Deadline > n || j.Length < 1 || j.Release > j.Deadline:
			return fmt.Errorf("deferral: job %d: %d slots in [%d, %d): want 1 or more in a window in [0, %d)", i, j.Length, j.Release, j.Deadline, n)
		case !(j.Weight >= 0) || math.IsInf(j.Weight, 1):
			return fmt.Errorf("deferral: job %d: weight %g: want a finite one of 0 or more", i, j.Weight)
		case j.Clusters != nil && len(j.Clusters) != len(p.Carbon):
			return fmt.Errorf("deferral: job %d: %d clusters, want %d", i, len(j.Clusters), len(p.Carbon))
		}
	}
	return nil
}

// Interruptible returns a schedule of least cost of jobs that may pause and move
// between slots, or ErrInfeasible. It is the cheapest flow from every job over
// its slots, at most one unit each, to the clusters in that slot.
func (p *Deferral) Interruptible() (*Schedule, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	x, err := p.expand()
	if err != nil {
		return nil, err
	}
	for i := range p.Jobs {
		if need := int64(p.Jobs[i].Length); x.Send(i, x.sink, need) < need {
			return nil, fmt.Errorf("deferral: job %d: %w", i, ErrInfeasible)
		}
	}
	s := &Schedule{Uses: make([][]Use, len(p.Jobs)), Prices: prices(p)}
	for _, u := range x.uses {
		if x.Flow(u.arc) > 0 {
			s.Uses[u.job] = append(s.Uses[u.job], u.Use)
		}
	}
	n := p.slots()
	for c := range s.Prices {
		for t := range s.Prices[c] {
			s.Prices[c][t] = max(0, x.potential[x.sink]-x.potential[len(p.Jobs)+c*n+t])
		}
	}
	s.Value, s.Bound = p.cost(s.Uses), p.DualInterruptible(s.Prices)
	return s, nil
}

// expanded is the time-expanded network: the jobs, the slots of the clusters, the
// sink, and a node for every job and slot.
type expanded struct {
	*Network
	sink int
	uses []jobUse
}

type jobUse struct {
	Use
	job, arc int
}

func (p *Deferral) expand() (*expanded, error) {
	jobs, n, m := len(p.Jobs), p.slots(), len(p.Carbon)
	sink, nodes := jobs+m*n, jobs+m*n+1
	for i := range p.Jobs {
		nodes += p.Jobs[i].Deadline - p.Jobs[i].Release
	}
	x := &expanded{Network: NewNetwork(nodes), sink: sink}
	var failed error
	add := func(from, to int, capacity int64, cost float64) int {
		arc, err := x.Arc(from, to, capacity, cost)
		failed = cmp.Or(failed, err)
		return arc
	}
	for c := range m {
		for t := range n {
			add(jobs+c*n+t, sink, p.Capacity[c][t], 0)
		}
	}
	node := sink
	for i := range p.Jobs {
		j := &p.Jobs[i]
		for t := j.Release; t < j.Deadline; t++ {
			node++
			add(i, node, 1, 0)
			for c := range m {
				if j.may(c) && p.Capacity[c][t] > 0 {
					arc := add(node, jobs+c*n+t, 1, j.Weight*p.Carbon[c][t])
					x.uses = append(x.uses, jobUse{Use{c, t}, i, arc})
				}
			}
		}
	}
	return x, failed
}

func prices(p *Deferral) [][]float64 {
	out := make([][]float64, len(p.Carbon))
	for c := range out {
		out[c] = make([]float64, p.slots())
	}
	return out
}

// cost is Σ weight·carbon.
func (p *Deferral) cost(uses [][]Use) float64 {
	sum := 0.0
	for i, list := range uses {
		for _, u := range list {
			sum += float64(p.Jobs[i].Weight * p.Carbon[u.Cluster][u.Slot])
		}
	}
	return sum
}

// DualInterruptible is the least cost of any schedule of interruptible jobs as
// far as prices of 0 or more per unit of capacity tell: a lower bound for every
// such prices (weak duality); +Inf where a job does not fit in its window.
func (p *Deferral) DualInterruptible(prices [][]float64) float64 {
	sum := 0.0
	var least []float64
	for i := range p.Jobs {
		j := &p.Jobs[i]
		least = least[:0]
		for t := j.Release; t < j.Deadline; t++ {
			v := math.Inf(1)
			for c := range p.Carbon {
				if j.may(c) && p.Capacity[c][t] > 0 {
					v = min(v, float64(j.Weight*p.Carbon[c][t])+prices[c][t])
				}
			}
			least = append(least, v)
		}
		if len(least) < j.Length {
			return math.Inf(1)
		}
		slices.Sort(least)
		for _, v := range least[:j.Length] {
			sum += v
		}
	}
	return sum - p.rent(prices)
}

// rent is Σ capacity·price.
func (p *Deferral) rent(prices [][]float64) float64 {
	sum := 0.0
	for c := range prices {
		for t, v := range prices[c] {
			if v != 0 {
				sum += float64(float64(p.Capacity[c][t]) * v)
			}
		}
	}
	return sum
}
