package flow

import (
	"errors"
	"fmt"
	"math"
)

// ErrInfeasible says that not everything fits and nothing may be rejected.
var ErrInfeasible = errors.New("not everything fits")

// Transport is a transportation problem: rows (jobs, or classes of equal jobs)
// are spread over columns (clusters) at the least cost.
type Transport struct {
	// Supply is the amount of each row, Capacity the room of each column.
	Supply, Capacity []int64
	// Cost is per unit, row by row: Cost[i·columns + j]. +Inf forbids.
	Cost []float64
	// Reject is what leaving out a unit of a row costs, +Inf forbids; nil: all of
	// everything must be placed.
	Reject []float64
}

// Assignment is an optimal answer with its certificate.
type Assignment struct {
	// Flow is the amount of each row in each column, laid out like Cost; Rejected
	// the rest of each row.
	Flow     []int64
	Rejected []int64
	// Value is the cost, Bound the dual value of Prices, below which no assignment
	// is. At an optimum they differ by rounding only.
	Value, Bound float64
	// Prices is what one more unit of room in each column would save, 0 or more.
	Prices []float64
}

// Gap is Value − Bound relative to the larger magnitude of both.
func (a *Assignment) Gap() float64 { return gap(a.Value, a.Bound) }

func gap(value, bound float64) float64 {
	if value <= bound {
		return 0
	}
	return (value - bound) / math.Max(math.Abs(value), math.Abs(bound))
}

// Validate says which figure is unusable.
func (p *Transport) Validate() error {
	if len(p.Cost) != len(p.Supply)*len(p.Capacity) {
		return fmt.Errorf("transport: %d costs for %d rows and %d columns", len(p.Cost), len(p.Supply), len(p.Capacity))
	}
	if p.Reject != nil && len(p.Reject) != len(p.Supply) {
		return fmt.Errorf("transport: %d rejection prices for %d rows", len(p.Reject), len(p.Supply))
	}
	if err := errors.Join(whole("supply", p.Supply), whole("capacity", p.Capacity)); err != nil {
		return err
	}
	return errors.Join(finite("cost", p.Cost), finite("rejection price", p.Reject))
}

// whole says which amount is negative.
func whole(name string, amounts []int64) error {
	for i, v := range amounts {
		if v < 0 {
			return fmt.Errorf("transport: %s %d at %d: want 0 or more", name, v, i)
		}
	}
	return nil
}

// finite says which cost is no number.
func finite(name string, costs []float64) error {
	for i, c := range costs {
		if math.IsNaN(c) || math.IsInf(c, -1) {
			return fmt.Errorf("transport: %s %g at %d: want a number or +Inf", name, c, i)
		}
	}
	return nil
}

func (p *Transport) reject(i int) float64 {
	if p.Reject == nil {
		return math.Inf(1)
	}
	return p.Reject[i]
}

// Dual is the least cost of any assignment as far as prices of 0 or more per
// unit of capacity tell: Σ supply·min(cost + price) − Σ capacity·price. It is a
// lower bound for every such prices (weak duality).
func (p *Transport) Dual(prices []float64) float64 {
	m, sum := len(p.Capacity), 0.0
	for i, a := range p.Supply {
		if a == 0 {
			continue
		}
		u := p.reject(i)
		for j, c := range p.Cost[i*m : i*m+m] {
			u = min(u, c+prices[j])
		}
		sum += float64(float64(a) * u)
	}
	for j, c := range p.Capacity {
		if prices[j] != 0 {
			sum -= float64(float64(c) * prices[j])
		}
	}
	return sum
}

// value is the cost of an assignment.
func (p *Transport) value(a *Assignment) float64 {
	sum := 0.0
	for k, f := range a.Flow {
		if f != 0 {
			sum += float64(float64(f) * p.Cost[k])
		}
	}
	for i, r := range a.Rejected {
		if r != 0 {
			sum += float64(float64(r) * p.reject(i))
		}
	}
	return sum
}

// Check verifies that a is feasible and optimal, trusting nothing but p: the
// amounts add up, no capacity is exceeded, and by complementary slackness, within
// eps of cost per unit, every unit lies where cost + price is least and only
// full columns have a price.
func (p *Transport) Check(a *Assignment, eps float64) error {
	m := len(p.Capacity)
	used := make([]int64, m)
	for i, supply := range p.Supply {
		least, rest := p.reject(i), supply-a.Rejected[i]
		for j, c := range p.Cost[i*m : i*m+m] {
			least = min(least, c+a.Prices[j])
			rest -= a.Flow[i*m+j]
			used[j] += a.Flow[i*m+j]
		}
		if rest != 0 {
			return fmt.Errorf("row %d: %d units are unaccounted for", i, rest)
		}
		for j, f := range a.Flow[i*m : i*m+m] {
			if f < 0 || f > 0 && !(p.Cost[i*m+j]+a.Prices[j] <= least+eps) {
				return fmt.Errorf("row %d: %d units in column %d, which is not its cheapest", i, f, j)
			}
		}
		if r := a.Rejected[i]; r < 0 || r > 0 && !(p.reject(i) <= least+eps) {
			return fmt.Errorf("row %d: %d units are rejected, which is not cheapest", i, r)
		}
	}
	for j, u := range used {
		if u > p.Capacity[j] || a.Prices[j] < 0 || a.Prices[j] > eps && u < p.Capacity[j] {
			return fmt.Errorf("column %d: %d of %d used at price %g", j, u, p.Capacity[j], a.Prices[j])
		}
	}
	return nil
}
