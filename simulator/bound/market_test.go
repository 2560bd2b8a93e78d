package bound

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle/simulator/flow/oracle"
	"github.com/wattle-project/wattle/simulator/trace"
)

// statement is the placement of all work as a linear program, written from the
// work and the grids and not from the network: a column per batch, pool and slot,
// and one per batch for what fits nowhere, at ten times its dearest place. Costs
// are in parts of the highest and work in parts of all of it, so that solvers see
// figures near 1.
type statement struct {
	cost    []float64
	batch   []int // row of each column
	room    []int // pool·slots + slot of each column, −1 for what fits nowhere
	work    []float64
	rooms   []float64
	highest float64 // grams per pool·second
	total   float64 // pool·seconds
}

func stated(m *model, x *market) *statement {
	s := &statement{}
	for i := range x.batches {
		b := &x.batches[i]
		dearest := 0.0
		for p := range x.ratio {
			for k := b.slot; k <= b.last; k++ {
				if g := b.grams[p] * float64(m.cfg.Grid[m.cfg.Fleet.Pools[p].Cluster][k]); !math.IsInf(g, 1) {
					s.cost, s.batch, s.room = append(s.cost, g), append(s.batch, i), append(s.room, p*m.slots+k)
					dearest = max(dearest, g)
				}
			}
		}
		s.cost, s.batch, s.room = append(s.cost, 10*dearest), append(s.batch, i), append(s.room, -1)
		s.work = append(s.work, math.Floor(b.work/x.unit)*x.unit)
		s.total, s.highest = s.total+s.work[i], max(s.highest, 10*dearest)
	}
	for _, r := range x.ratio {
		for k := range m.slots {
			s.rooms = append(s.rooms, math.Floor(m.room(k)/r/x.unit)*x.unit)
		}
	}
	for j := range s.cost {
		s.cost[j] /= s.highest
	}
	for i := range s.work {
		s.work[i] /= s.total
	}
	for j := range s.rooms {
		s.rooms[j] /= s.total
	}
	return s
}

// dual is what the prices of m, as runs use them, prove: each batch at its
// cheapest place with the price of its room, less what all room is worth.
func (s *statement) dual(m *model, x *market) float64 {
	best := make([]float64, len(s.work))
	for i := range best {
		best[i] = math.Inf(1)
	}
	price := func(room int) float64 {
		if room < 0 {
			return 0
		}
		p := room / m.slots
		return m.prices[p][room%m.slots] * x.ratio[p] / s.highest
	}
	for j, i := range s.batch {
		best[i] = min(best[i], s.cost[j]+price(s.room[j]))
	}
	sum := 0.0
	for i, v := range best {
		sum += v * s.work[i]
	}
	for j, v := range s.rooms {
		sum -= v * price(j)
	}
	return sum
}

// program is the statement for other solvers.
func (s *statement) program() *oracle.Program {
	p := &oracle.Program{Cost: s.cost}
	works, rooms := matrix(len(s.work), len(s.cost)), matrix(len(s.rooms), len(s.cost))
	for j, i := range s.batch {
		works[i][j] = 1
		if r := s.room[j]; r >= 0 {
			rooms[r][j] = 1
		}
	}
	for i, v := range s.work {
		p.Row(works[i], true, v)
	}
	for r, v := range s.rooms {
		p.Row(rooms[r], false, v)
	}
	return p
}

func matrix(rows, columns int) [][]float64 {
	m := make([][]float64, rows)
	for i := range m {
		m[i] = make([]float64, columns)
	}
	return m
}

// drawMarket is the model of a random run as Placement makes it, before prices,
// with work so long that room is often short; false where it is free or there is none.
func drawMarket(t *rapid.T) (*model, bool) {
	c := drawConfig(t)
	long := rapid.SampledFrom([]time.Duration{time.Minute, 10 * time.Minute, time.Hour}).Draw(t, "long")
	for i := range c.Functions {
		c.Functions[i].Profile.Exec += long
		c.Functions[i].Residency = rapid.SampledFrom([][]string{nil, nil, {"EU"}}).Draw(t, "residency")
	}
	m, err := newModel(c, Options{Defers: rapid.Bool().Draw(t, "defers")})
	if err != nil {
		t.Fatal(err)
	}
	err = arrivals(context.Background(), c, func(a *trace.Arrival) {
		if f := m.function(a.Function); len(f.ways) > 0 {
			m.observe(f, a, m.at(a))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	empty := !slices.ContainsFunc(m.demands, func(d demand) bool { return d.scale != nil })
	return m, !empty && (m.congested() || m.waits())
}

// verdict is what our own network says of a market, and the statement of it for
// other solvers.
func verdict(t *rapid.T, m *model) (*statement, *market) {
	x, err := m.market()
	if err != nil {
		t.Fatal(err)
	}
	x.settle()
	if err := x.Check(1e-9 * x.most); err != nil {
		t.Fatal(err)
	}
	if err := m.appraise(); err != nil {
		t.Fatal(err)
	}
	return stated(m, x), x
}

// agree checks the flow's cost and the dual at the prices against an optimum.
func (s *statement) agree(t *rapid.T, m *model, x *market, tool string, want float64) {
	near := func(v float64) bool { return math.Abs(v-want) <= 1e-6*math.Abs(want) }
	if v := x.Cost() * x.unit / s.total / s.highest; !near(v) {
		t.Fatalf("the flow costs %.9g, %s finds %.9g", v, tool, want)
	}
	if v := s.dual(m, x); !near(v) {
		t.Fatalf("the prices prove %.9g, %s finds %.9g", v, tool, want)
	}
}

// The prices of room that bounds use are those of an optimum which other solvers
// find too.
func TestPricesAgreeWithTheSimplex(t *testing.T) {
	compared, dear := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		m, tight := drawMarket(t)
		if !tight {
			return
		}
		s, x := verdict(t, m)
		if len(s.cost) > 150 {
			return
		}
		if v, ok := s.program().Simplex(1e-12); ok {
			compared++
			dear += priced(m)
			s.agree(t, m, x, "the simplex", v)
		}
	})
	if !testing.Short() && (compared < 10 || dear < 5) {
		t.Errorf("%d compared, of which %d with a price: too few to say anything", compared, dear)
	}
}

// priced is 1 where any room has a price.
func priced(m *model) int {
	for _, row := range m.prices {
		for _, v := range row {
			if v > 0 {
				return 1
			}
		}
	}
	return 0
}

func TestPricesAgreeWithGLPK(t *testing.T) {
	tool, dir, compared, dear := oracle.GLPK(t), t.TempDir(), 0, 0
	rapid.Check(t, func(r *rapid.T) {
		m, tight := drawMarket(r)
		if !tight {
			return
		}
		s, x := verdict(r, m)
		compared++
		dear += priced(m)
		v, ok := s.program().Glpsol(t, tool, dir)
		if !ok {
			r.Fatal("glpsol finds no optimum")
		}
		s.agree(r, m, x, "glpsol", v)
	})
	if !testing.Short() && dear < 5 {
		t.Errorf("%d compared, of which %d with a price: too few to say anything", compared, dear)
	}
}
