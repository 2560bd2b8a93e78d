package flow

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle/simulator/flow/oracle"
)

// program states the interruptible problem for another solver.
func (p *Deferral) program() *oracle.Program {
	var lp oracle.Program
	m, n := len(p.Carbon), p.slots()
	column := make([][]int, m*n)
	for i := range p.Jobs {
		j := &p.Jobs[i]
		var mine []int
		for t := j.Release; t < j.Deadline; t++ {
			var slot []int
			for c := range m {
				if j.may(c) {
					k := len(lp.Cost)
					lp.Cost = append(lp.Cost, j.Weight*p.Carbon[c][t])
					slot, column[c*n+t] = append(slot, k), append(column[c*n+t], k)
				}
			}
			mine = append(mine, slot...)
			lp.Row(ones(slot), false, 1)
		}
		lp.Row(ones(mine), true, float64(j.Length))
	}
	for k, at := range column {
		lp.Row(ones(at), false, float64(p.Capacity[k/n][k%n]))
	}
	return &lp
}

// keeps says what a schedule does that it must not.
func (p *Deferral) keeps(s *Schedule, contiguous bool) error {
	used := prices(p)
	for i, uses := range s.Uses {
		j := &p.Jobs[i]
		if len(uses) != j.Length {
			return fmt.Errorf("job %d has %d of %d slots", i, len(uses), j.Length)
		}
		for k, u := range uses {
			if u.Slot < j.Release || u.Slot >= j.Deadline || !j.may(u.Cluster) || k > 0 && u.Slot <= uses[k-1].Slot {
				return fmt.Errorf("job %d runs at %v", i, uses)
			}
			if contiguous && k > 0 && (u.Slot != uses[k-1].Slot+1 || u.Cluster != uses[0].Cluster) {
				return fmt.Errorf("job %d is interrupted: %v", i, uses)
			}
			if used[u.Cluster][u.Slot]++; used[u.Cluster][u.Slot] > float64(p.Capacity[u.Cluster][u.Slot]) {
				return fmt.Errorf("cluster %d is over capacity in slot %d", u.Cluster, u.Slot)
			}
		}
	}
	if v := p.cost(s.Uses); !oracle.Near(v, s.Value) || s.Value < s.Bound-1e-6*math.Abs(s.Bound) {
		return fmt.Errorf("cost %g, value %g, bound %g", v, s.Value, s.Bound)
	}
	return nil
}

func drawDeferral(t *rapid.T, jobs, clusters, slots int) *Deferral {
	m, n := rapid.IntRange(1, clusters).Draw(t, "clusters"), rapid.IntRange(1, slots).Draw(t, "slots")
	p := &Deferral{}
	for range m {
		var carbon []float64
		var capacity []int64
		for range n {
			carbon = append(carbon, float64(rapid.IntRange(1, 60).Draw(t, "carbon"))*10)
			capacity = append(capacity, int64(rapid.IntRange(0, 3).Draw(t, "capacity")))
		}
		p.Carbon, p.Capacity = append(p.Carbon, carbon), append(p.Capacity, capacity)
	}
	for range rapid.IntRange(1, jobs).Draw(t, "jobs") {
		r := rapid.IntRange(0, n-1).Draw(t, "release")
		d := rapid.IntRange(r+1, n).Draw(t, "deadline")
		j := Job{Release: r, Deadline: d, Length: rapid.IntRange(1, min(3, d-r)).Draw(t, "length"), Weight: rapid.Float64Range(0.1, 3).Draw(t, "weight")}
		if rapid.IntRange(0, 3).Draw(t, "bound") == 0 {
			j.Clusters = make([]bool, m)
			j.Clusters[rapid.IntRange(0, m-1).Draw(t, "home")] = true
		}
		p.Jobs = append(p.Jobs, j)
	}
	return p
}

func TestInterruptibleIsOptimal(t *testing.T) {
	solved, compared := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		p := drawDeferral(t, 5, 2, 5)
		s, err := p.Interruptible()
		if err != nil {
			if !errors.Is(err, ErrInfeasible) {
				t.Fatal(err)
			}
			if v, ok := p.program().Simplex(1e-11); ok {
				t.Fatalf("%v, the simplex finds %g", err, v)
			}
			return
		}
		solved++
		if err := p.keeps(s, false); err != nil || !oracle.Near(s.Value, s.Bound) {
			t.Fatalf("value %g, bound %g: %v", s.Value, s.Bound, err)
		}
		if v, ok := p.program().Simplex(1e-11); ok {
			if compared++; !oracle.Near(v, s.Value) {
				t.Fatalf("value %g, the simplex finds %g", s.Value, v)
			}
		}
	})
	if !testing.Short() && (solved < 20 || compared < 5) {
		t.Errorf("%d solved, %d compared: too few to say anything", solved, compared)
	}
}

// exhaustive is the least cost of contiguous schedules by trying all.
func (p *Deferral) exhaustive(i int, room [][]int64) float64 {
	if i == len(p.Jobs) {
		return 0
	}
	j, best := &p.Jobs[i], math.Inf(1)
	for c := range p.Carbon {
		for s := j.Release; j.may(c) && s+j.Length <= j.Deadline; s++ {
			cost, fits := 0.0, true
			for t := s; t < s+j.Length; t++ {
				cost, fits = cost+j.Weight*p.Carbon[c][t], fits && room[c][t] > 0
			}
			if !fits {
				continue
			}
			for t := s; t < s+j.Length; t++ {
				room[c][t]--
			}
			best = min(best, cost+p.exhaustive(i+1, room))
			for t := s; t < s+j.Length; t++ {
				room[c][t]++
			}
		}
	}
	return best
}

func (p *Deferral) rooms() [][]int64 {
	var out [][]int64
	for _, c := range p.Capacity {
		out = append(out, slices.Clone(c))
	}
	return out
}

func TestContiguousBracketsTheOptimum(t *testing.T) {
	exact, found, all := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		p := drawDeferral(t, 5, 2, 6)
		best := p.exhaustive(0, p.rooms())
		s, err := p.Contiguous(DefaultSearch())
		if errors.Is(err, ErrInfeasible) {
			if !math.IsInf(best, 1) {
				t.Fatalf("%v, but %g is possible", err, best)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if s.Bound > best+1e-6 {
			t.Fatalf("bound %g above the optimum %g", s.Bound, best)
		}
		if !math.IsInf(s.Value, 1) {
			if err := p.keeps(s, true); err != nil || s.Value < best-1e-6 {
				t.Fatalf("value %g, optimum %g: %v", s.Value, best, err)
			}
		}
		if d := p.DualContiguous(s.Prices); !oracle.Near(d, s.Bound) {
			t.Fatalf("bound %g, its prices say %g", s.Bound, d)
		}
		if !math.IsInf(best, 1) {
			all++
			if !math.IsInf(s.Value, 1) {
				found++
			}
			if oracle.Near(s.Value, best) {
				exact++
			}
		}
	})
	t.Logf("%d feasible, %d found, %d optimal", all, found, exact)
	if !testing.Short() && (all < 20 || found < all*9/10 || exact < all*8/10) {
		t.Errorf("of %d feasible cases %d were solved, %d to the optimum", all, found, exact)
	}
}

// Whatever the prices, no schedule that keeps the rules is below their dual.
func TestNoScheduleIsBelowTheDual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawDeferral(t, 5, 2, 6)
		x := prices(p)
		for c := range x {
			for k := range x[c] {
				x[c][k] = rapid.Float64Range(0, 300).Draw(t, "price")
			}
		}
		best := p.exhaustive(0, p.rooms())
		a, b := p.DualInterruptible(x), p.DualContiguous(x)
		if best < a-1e-6 || best < b-1e-6 || a > b+1e-6 {
			t.Fatalf("the best schedule costs %g, bounds %g and %g", best, a, b)
		}
	})
}

// grid is jobs that want the same clean hours of days.
func grid(jobs, clusters, slots int, tight float64, seed uint64) *Deferral {
	r := rand.New(rand.NewPCG(seed, 2))
	p := &Deferral{}
	total := 0
	for range jobs {
		s := r.IntN(slots * 2 / 3)
		j := Job{Release: s, Length: 1 + r.IntN(6), Weight: 0.2 + r.Float64()}
		j.Deadline = min(slots, s+j.Length+r.IntN(24))
		total += j.Length
		p.Jobs = append(p.Jobs, j)
	}
	for range clusters {
		base, carbon, capacity := 100+400*r.Float64(), make([]float64, slots), make([]int64, slots)
		for t := range slots {
			carbon[t] = base * (1 + 0.4*math.Sin(float64(t)/24*2*math.Pi) + 0.05*r.Float64())
			capacity[t] = int64(math.Ceil(tight * float64(total) / float64(clusters*slots)))
		}
		p.Carbon, p.Capacity = append(p.Carbon, carbon), append(p.Capacity, capacity)
	}
	return p
}

func TestDeferralAgreesWithGLPK(t *testing.T) {
	tool, dir := oracle.GLPK(t), t.TempDir()
	for seed := range uint64(4) {
		p := grid(12, 2, 24, 2.5, seed)
		s, err := p.Interruptible()
		v, ok := p.program().Glpsol(t, tool, dir)
		if (err == nil) != ok {
			t.Fatalf("seed %d: %v, glpsol %v", seed, err, ok)
		}
		if err == nil && !oracle.Near(v, s.Value) {
			t.Errorf("seed %d: %.9f, glpsol %.9f", seed, s.Value, v)
		}
	}
}

func TestContiguousGap(t *testing.T) {
	loose, err := grid(100, 3, 96, 60, 1).Contiguous(DefaultSearch())
	if err != nil || loose.Gap() > 1e-12 {
		t.Errorf("with room for all: gap %g (%v)", loose.Gap(), err)
	}
	for seed := range uint64(3) {
		p := grid(300, 3, 96, 2, seed)
		s, err := p.Contiguous(DefaultSearch())
		if err != nil {
			t.Fatal(err)
		}
		if err := p.keeps(s, true); err != nil {
			t.Error(err)
		}
		t.Logf("seed %d: value %.1f, bound %.1f, gap %.3f %%", seed, s.Value, s.Bound, 100*s.Gap())
		if s.Gap() > 0.005 {
			t.Errorf("seed %d: gap %.4f", seed, s.Gap())
		}
	}
}

func TestDeferralRejectsNonsense(t *testing.T) {
	one := func(j Job) Deferral {
		return Deferral{Jobs: []Job{j}, Capacity: [][]int64{{1, 1}}, Carbon: [][]float64{{1, 2}}}
	}
	for name, p := range map[string]Deferral{
		"late":     one(Job{Deadline: 3, Length: 1}),
		"empty":    one(Job{Deadline: 2}),
		"weight":   one(Job{Deadline: 2, Length: 1, Weight: math.NaN()}),
		"clusters": one(Job{Deadline: 2, Length: 1, Clusters: []bool{true, true}}),
		"shape":    {Capacity: [][]int64{{1}}, Carbon: [][]float64{{1, 2}}},
		"carbon":   {Capacity: [][]int64{{1}}, Carbon: [][]float64{{-1}}},
	} {
		if _, err := p.Interruptible(); err == nil || errors.Is(err, ErrInfeasible) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := p.Contiguous(DefaultSearch()); err == nil || errors.Is(err, ErrInfeasible) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := one(Job{Deadline: 2, Length: 3, Weight: 1})
	if _, err := p.Interruptible(); !errors.Is(err, ErrInfeasible) {
		t.Error(err)
	}
	if _, err := p.Contiguous(DefaultSearch()); !errors.Is(err, ErrInfeasible) {
		t.Error(err)
	}
}

func ExampleDeferral() {
	p := Deferral{
		Jobs:     []Job{{Deadline: 4, Length: 2, Weight: 1}, {Deadline: 4, Length: 2, Weight: 2}},
		Capacity: [][]int64{{1, 1, 1, 1}},
		Carbon:   [][]float64{{400, 100, 300, 150}},
	}
	s, _ := p.Interruptible()
	fmt.Println(s.Uses, s.Value, s.Bound)
	s, _ = p.Contiguous(DefaultSearch())
	fmt.Println(s.Uses, s.Value, s.Gap() < 0.001)
	// Output:
	// [[{0 0} {0 2}] [{0 1} {0 3}]] 1200 1200
	// [[{0 0} {0 1}] [{0 2} {0 3}]] 1400 true
}

func BenchmarkInterruptible(b *testing.B) {
	for _, s := range [][3]int{{100, 3, 72}, {1000, 3, 168}} {
		p := grid(s[0], s[1], s[2], 2, 1)
		b.Run(fmt.Sprintf("%dx%dx%d", s[0], s[1], s[2]), func(b *testing.B) {
			for b.Loop() {
				if _, err := p.Interruptible(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkContiguous(b *testing.B) {
	for _, s := range [][3]int{{100, 3, 72}, {1000, 3, 168}} {
		p := grid(s[0], s[1], s[2], 2, 1)
		b.Run(fmt.Sprintf("%dx%dx%d", s[0], s[1], s[2]), func(b *testing.B) {
			var gap float64
			for b.Loop() {
				x, err := p.Contiguous(DefaultSearch())
				if err != nil {
					b.Fatal(err)
				}
				gap = x.Gap()
			}
			b.ReportMetric(100*gap, "%gap")
		})
	}
}
