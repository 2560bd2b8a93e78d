package flow

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle/simulator/flow/oracle"
)

// program states p for another solver.
func (p *Transport) program() *oracle.Program {
	n, m := len(p.Supply), len(p.Capacity)
	var lp oracle.Program
	column := make([][]int, m)
	for i := range n {
		var mine []int
		for j := range m {
			if c := p.Cost[i*m+j]; !math.IsInf(c, 1) {
				mine, column[j] = append(mine, len(lp.Cost)), append(column[j], len(lp.Cost))
				lp.Cost = append(lp.Cost, c)
			}
		}
		if c := p.reject(i); !math.IsInf(c, 1) {
			mine = append(mine, len(lp.Cost))
			lp.Cost = append(lp.Cost, c)
		}
		lp.Row(ones(mine), true, float64(p.Supply[i]))
	}
	for j := range m {
		lp.Row(ones(column[j]), false, float64(p.Capacity[j]))
	}
	return &lp
}

// ones is a row with 1 at each index.
func ones(at []int) []float64 {
	var r []float64
	for _, k := range at {
		r = append(r, make([]float64, k+1-len(r))...)
		r[k] = 1
	}
	return r
}

func drawTransport(t *rapid.T, rows, columns int) *Transport {
	n, m := rapid.IntRange(1, rows).Draw(t, "rows"), rapid.IntRange(1, columns).Draw(t, "columns")
	whole, infeasible := rapid.Bool().Draw(t, "whole"), rapid.IntRange(0, 4).Draw(t, "infeasible")
	cost := func(label string) float64 {
		if whole { // many equals
			return float64(rapid.IntRange(-2, 4).Draw(t, label))
		}
		return rapid.Float64Range(-50, 100).Draw(t, label)
	}
	p := &Transport{}
	for range n {
		p.Supply = append(p.Supply, int64(rapid.IntRange(0, 6).Draw(t, "supply")))
		for range m {
			c := cost("cost")
			if rapid.IntRange(0, 9).Draw(t, "arc") < infeasible {
				c = math.Inf(1)
			}
			p.Cost = append(p.Cost, c)
		}
	}
	for range m {
		p.Capacity = append(p.Capacity, int64(rapid.IntRange(0, 12).Draw(t, "capacity")))
	}
	if rapid.Bool().Draw(t, "reject") {
		for range n {
			p.Reject = append(p.Reject, 20+cost("rejection"))
		}
	}
	return p
}

func TestTransportIsOptimal(t *testing.T) {
	solved, compared := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		p := drawTransport(t, 7, 5)
		a, err := p.Solve()
		if err != nil {
			if !errors.Is(err, ErrInfeasible) {
				t.Fatal(err)
			}
			if v, ok := p.program().Simplex(1e-11); ok {
				t.Fatalf("%v, the simplex finds %g", err, v)
			}
			return
		}
		if err := p.Check(a, 1e-9); err != nil {
			t.Fatal(err)
		}
		if !oracle.Near(a.Value, a.Bound) {
			t.Fatalf("value %g, bound %g", a.Value, a.Bound)
		}
		solved++
		if v, ok := p.program().Simplex(1e-11); ok {
			if compared++; !oracle.Near(v, a.Value) {
				t.Fatalf("value %g, the simplex finds %g", a.Value, v)
			}
		}
	})
	if !testing.Short() && (solved < 20 || compared < solved/2) {
		t.Errorf("%d solved, %d compared: too few to say anything", solved, compared)
	}
}

// Whatever the prices, no assignment that keeps the rules is below their dual.
func TestNoAssignmentIsBelowTheDual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawTransport(t, 9, 5)
		m := len(p.Capacity)
		prices := make([]float64, m)
		for j := range prices {
			prices[j] = rapid.Float64Range(0, 60).Draw(t, "price")
		}
		best := math.Inf(-1)
		if a, err := p.Solve(); err == nil {
			best = a.Bound
		}
		// Any assignment: unit by unit, somewhere with room.
		room, value := append([]int64(nil), p.Capacity...), 0.0
		for i := range p.Supply {
			for range p.Supply[i] {
				k := rapid.IntRange(0, m).Draw(t, "place")
				switch {
				case k < m && room[k] > 0 && !math.IsInf(p.Cost[i*m+k], 1):
					room[k]--
					value += p.Cost[i*m+k]
				case !math.IsInf(p.reject(i), 1):
					value += p.reject(i)
				default:
					t.Skip("this unit has no place")
				}
			}
		}
		if b := p.Dual(prices); value < b-1e-6 || value < best-1e-6 {
			t.Fatalf("an assignment costs %g, bounds %g and %g", value, b, best)
		}
	})
}

// random is a slot of n jobs on m clusters of which some are short of room.
func random(n, m int, seed uint64) *Transport {
	r := rand.New(rand.NewPCG(seed, 1))
	p := &Transport{Supply: make([]int64, n), Capacity: make([]int64, m), Cost: make([]float64, n*m), Reject: make([]float64, n)}
	for i := range p.Supply {
		p.Supply[i], p.Reject[i] = 1, 1e4
	}
	clean := make([]float64, m)
	for j := range m {
		clean[j] = 20 + 700*r.Float64()
		p.Capacity[j] = int64(float64(n)/float64(m)*(0.4+1.4*r.Float64())) + 1
	}
	for k := range p.Cost {
		p.Cost[k] = clean[k%m] * (0.8 + 0.4*r.Float64())
		if r.IntN(20) == 0 {
			p.Cost[k] = math.Inf(1)
		}
	}
	return p
}

func TestTransportAgreesWithGLPK(t *testing.T) {
	tool, dir := oracle.GLPK(t), t.TempDir()
	for seed := range uint64(8) {
		p := random(40, 6, seed)
		for i := range p.Supply {
			p.Supply[i] = 1 + int64(i)%3
		}
		a, err := p.Solve()
		if err != nil {
			t.Fatal(err)
		}
		if v, ok := p.program().Glpsol(t, tool, dir); !ok || !oracle.Near(v, a.Value) {
			t.Errorf("seed %d: %.9f, glpsol %.9f (%v)", seed, a.Value, v, ok)
		}
	}
}

func TestLargeTransportCertifiesItself(t *testing.T) {
	p := random(3000, 12, 7)
	a, err := p.Solve()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(a, 1e-8); err != nil {
		t.Error(err)
	}
	if g := a.Gap(); g > 1e-12 {
		t.Errorf("gap %g", g)
	}
	full := 0
	for _, v := range a.Prices {
		if v > 0 {
			full++
		}
	}
	if full < 3 {
		t.Errorf("only %d columns bind: the case is too easy", full)
	}
	a.Flow[0], a.Flow[1] = a.Flow[1]+1, a.Flow[0]
	if p.Check(a, 1e-8) == nil {
		t.Error("an assignment with one unit too many passes")
	}
}

func TestTransportRejectsNonsense(t *testing.T) {
	for name, p := range map[string]Transport{
		"shape":     {Supply: []int64{1}, Capacity: []int64{1}},
		"negative":  {Supply: []int64{-1}, Capacity: []int64{1}, Cost: []float64{1}},
		"room":      {Supply: []int64{1}, Capacity: []int64{-1}, Cost: []float64{1}},
		"no number": {Supply: []int64{1}, Capacity: []int64{1}, Cost: []float64{math.NaN()}},
		"free lunch": {Supply: []int64{1}, Capacity: []int64{1}, Cost: []float64{1},
			Reject: []float64{math.Inf(-1)}},
		"rejections": {Supply: []int64{1}, Capacity: []int64{1}, Cost: []float64{1}, Reject: []float64{1, 2}},
	} {
		if _, err := p.Solve(); err == nil || errors.Is(err, ErrInfeasible) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := Transport{Supply: []int64{3}, Capacity: []int64{2}, Cost: []float64{1}}
	if _, err := p.Solve(); !errors.Is(err, ErrInfeasible) {
		t.Errorf("3 units in a room of 2: %v", err)
	}
}

func ExampleTransport() {
	p := Transport{
		Supply:   []int64{3, 2},
		Capacity: []int64{2, 9},
		Cost:     []float64{10, 40, 15, 90}, // g per job: the clean cluster has room for two
	}
	a, _ := p.Solve()
	fmt.Println(a.Flow, a.Value, a.Bound, a.Prices)
	// Output: [0 3 2 0] 150 150 [30 0]
}

func BenchmarkTransport(b *testing.B) {
	for _, s := range [][2]int{{50, 8}, {200, 8}, {1000, 8}, {1000, 20}, {10_000, 20}} {
		b.Run(fmt.Sprintf("%dx%d", s[0], s[1]), func(b *testing.B) {
			p := random(s[0], s[1], 1)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Solve(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
