package bound

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle/simulator/flow/oracle"
	"github.com/wattle-project/wattle/simulator/trace"
)

// flowProgram states the linear relaxation of a sweep's flow. By berth and arrival there
// are: a run on an instance that is there, one on an instance started on arrival, whether
// either's instance joins those that wait for the next arrival, an instance started ahead,
// and how many wait from this arrival to the next.
func flowProgram(s *sweep) *oracle.Program {
	const kinds = 6
	n, p := len(s.course.at), &oracle.Program{}
	index := func(kind, h, i int) int { return (i*len(s.berths)+h)*kinds + kind }
	all := n * len(s.berths) * kinds
	p.Cost = make([]float64, all)
	stock := map[[2]int][]float64{}
	for i := range n {
		for h := range s.berths {
			row := make([]float64, all)
			row[index(0, h, i)], row[index(5, h, i)], row[index(4, h, i)] = 1, 1, -1
			if i > 0 {
				row[index(5, h, i-1)] = -1
			}
			stock[[2]int{h, i}] = row
		}
	}
	for i, at := range s.course.at {
		once := make([]float64, all)
		for h := range s.berths {
			b := &s.berths[h]
			p.Cost[index(4, h, i)] = b.own.early(s.m, at)
			if i+1 < n {
				p.Cost[index(5, h, i)] = b.own.until(s.m, s.course.at[i+1]) - b.own.until(s.m, at)
			}
			for kind, ready := range []int64{at, at + b.time} {
				end := s.end(h, i, ready)
				run, join := index(kind, h, i), index(2+kind, h, i)
				once[run] = 1
				if p.Cost[run] = s.run(h, i, ready, end) - s.gone(h, end); kind == 1 {
					p.Cost[run] += b.begin(s.m, at)
				}
				row := make([]float64, all)
				row[join], row[run] = 1, -1
				p.Row(row, false, 0)
				if j := s.next(i, end); j < n {
					p.Cost[join] = b.own.until(s.m, s.course.at[j]) - b.own.until(s.m, end) + s.gone(h, end)
					stock[[2]int{h, j}][join] = -1
				} else {
					none := make([]float64, all)
					none[join] = 1
					p.Row(none, false, 0)
				}
			}
			if s.rule.still || i == n-1 {
				none := make([]float64, all)
				if s.rule.still {
					none[index(4, h, i)] = 1
				}
				if i == n-1 {
					none[index(5, h, i)] = 1
				}
				p.Row(none, false, 0)
			}
		}
		p.Row(once, true, 1)
	}
	for h := range s.berths {
		for i := range n {
			p.Row(stock[[2]int{h, i}], true, 0)
		}
	}
	return p
}

// The values of a sweep, and of a climb, never sum to more than the linear relaxation of
// the flow, a plan never takes less, and a climb comes near it.
func TestClimbsReachTheRelaxation(t *testing.T) {
	all, close, alone := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c := drawCourses(t)
		m, err := newModel(c, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := arrivals(context.Background(), c, func(a *trace.Arrival) { m.function(a.Function); m.gather(a) }); err != nil {
			t.Fatal(err)
		}
		r := rapid.SampledFrom([]rule{{}, {still: true}, {fixed: true, keep: time.Minute}}).Draw(t, "rule")
		m.courses[1].at = m.courses[1].at[:min(len(m.courses[1].at), 8)]
		s := newSweep(m, m.fns[1], &m.courses[1], r, m.berths(m.store.Functions()[1]))
		least, ok := flowProgram(s).Simplex(1e-12)
		if !ok {
			return
		}
		climb, plan := newClimb(s), s.plan(nil).grams
		first := climb.top
		climb.up(plan, 100)
		climb.restore()
		climb.look(0)
		low := newSweep(m, m.fns[1], &m.courses[1], r, s.berths).back(s.value)
		if slack := 1e-9 * least; first > least+slack || low > least+slack || !r.fixed && plan < least-slack {
			t.Fatalf("a sweep is worth %g, a climb %g, the relaxation %g and a plan takes %g", first, low, least, plan)
		}
		all++
		if low > least*(1-2e-3) {
			close++
		}
		if first > least*(1-2e-3) {
			alone++
		}
	})
	t.Logf("of %d relaxations %d are met within two thousandths by climbs, %d by the first sweep", all, close, alone)
	if close < all*3/4 || all < 20 {
		t.Error("few relaxations were met")
	}
}
