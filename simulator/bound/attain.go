package bound

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/wattle-project/wattle"
)

// answer is what one function's instances take with what they run: low at least, and as
// planned. Its berths are those that the plan uses.
type answer struct {
	low    float64
	plan   *roster
	berths []int
}

const (
	// climbWork bounds arrivals × berths × steps of all climbs of a bound, climbSize
	// the memory of one.
	climbWork = 150_000_000
	climbSize = 1_000_000
	// proven is the share of all that may be left between bound and plans of functions
	// whose bounds are not climbed.
	proven = 2e-4
	// stint is the steps of a climb between plans.
	stint = 25
)

// attain raises the first point of b to the bound in which every instance stays where it
// is, and sets the gap to plans for all functions, where there can be such: not where room
// is priced, nor where work waits or shares instances.
func (m *model) attain(ctx context.Context, b *PlacementBound) error {
	if !m.plannable(b) {
		return nil
	}
	answers, err := m.answers(ctx, b)
	if err != nil {
		return err
	}
	low, high := m.sum(answers)
	b.raise(low)
	b.Repaired, b.Gap = true, max(high/float64(b.Points[0].Grams)-1, 0)
	b.Method += "; the least carbon by the worth of instances that stay in place, the gap being to a plan of such"
	return nil
}

// plannable reports whether plans can be made for the first point of b.
func (m *model) plannable(b *PlacementBound) bool {
	return m.prices == nil && m.courses != nil && !m.mixed && len(b.Points) > 0 && b.Points[0].Rate == 0
}

// raise puts a bound in the place of the first point if it is higher, spread alike.
func (b *PlacementBound) raise(grams float64) {
	if p := &b.Points[0]; float64(p.Grams) < grams {
		p.Grams = wattle.GramsCO2e(grams)
		b.level()
	}
}

// sum is the least of all functions, and what their plans take.
func (m *model) sum(answers []answer) (low, high float64) {
	for i := range answers {
		if a := &answers[i]; a.plan != nil {
			low, high = low+a.low, high+a.plan.grams
		}
	}
	return low, high
}

// answers bounds and plans every function by itself: first by a sweep, then, where that
// leaves most between bound and plan for the work it is, by climbs.
func (m *model) answers(ctx context.Context, b *PlacementBound) ([]answer, error) {
	out := make([]answer, len(m.fns))
	var all []int
	for i, f := range m.fns {
		if f != nil && len(f.ways) > 0 {
			all = append(all, i)
		}
	}
	if err := each(ctx, all, func(i int) { out[i] = m.answer(i, b) }); err != nil {
		return nil, err
	}
	if b.rule.fixed {
		return out, nil // for which stocks are near enough, and climbs begin too low
	}
	w := m.worst(out)
	err := each(ctx, w, func(i int) { m.improve(&out[i], i, b.rule) })
	return out, err
}

// each calls f for every index, several at a time.
func each(ctx context.Context, list []int, f func(i int)) error {
	var next atomic.Int64
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for n := next.Add(1) - 1; n < int64(len(list)) && ctx.Err() == nil; n = next.Add(1) - 1 {
				f(list[n])
			}
		})
	}
	group.Wait()
	return ctx.Err()
}

// steps is how many a climb of a size has.
func steps(size int) int { return min(max(20_000_000/size, 30), 100) }

// answer sweeps for function i.
func (m *model) answer(i int, b *PlacementBound) (a answer) {
	s := newSweep(m, m.fns[i], &m.courses[i], b.rule, m.berths(m.store.Functions()[i]))
	a.low, a.plan = max(s.back(nil), b.each[i]), s.plan(nil)
	a.berths = a.plan.used()
	a.plan.sweep = nil // which is large
	return a
}

// worst are the functions to climb for: those with most between bound and plan for the
// work that it is, until little is left or it is too much.
func (m *model) worst(answers []answer) (list []int) {
	left, high := 0.0, 0.0
	size := func(i int) int { return len(answers[i].plan.steps) * len(answers[i].berths) }
	apart := func(i int) float64 { return answers[i].plan.grams - answers[i].low }
	for i := range answers {
		if answers[i].plan == nil {
			continue
		}
		left, high = left+apart(i), high+answers[i].plan.grams
		if n := size(i); n > 0 && n <= climbSize {
			list = append(list, i)
		}
	}
	slices.SortStableFunc(list, func(i, j int) int { return -cmp.Compare(apart(i)/float64(size(i)), apart(j)/float64(size(j))) })
	work := 0
	for n, i := range list {
		if work += size(i) * steps(size(i)); left <= proven*high || work > climbWork {
			return list[:n]
		}
		left -= apart(i)
	}
	return list
}

// improve climbs for function i: the levels at the berths that its plan uses, by which it
// is planned anew; and the values there are limits of those in a sweep of all berths.
func (m *model) improve(a *answer, i int, r rule) {
	berths := m.berths(m.store.Functions()[i])
	var some []berth
	for _, h := range a.berths {
		some = append(some, berths[h])
	}
	s := newSweep(m, m.fns[i], &m.courses[i], r, some)
	c := newClimb(s)
	for left := steps(len(s.value) * len(some)); left > 0; left -= stint {
		c.up(a.plan.grams, min(left, stint))
		if p := c.planner().plan(nil); p.grams < a.plan.grams {
			for n := range p.steps {
				p.steps[n].site = int32(a.berths[p.steps[n].site])
			}
			p.sweep, a.plan = nil, p
		}
	}
	c.restore()
	c.look(0)
	a.low = max(a.low, newSweep(m, m.fns[i], &m.courses[i], r, berths).back(s.value))
}

// used lists the berths of a plan.
func (p *roster) used() (out []int) {
	seen := make([]bool, len(p.berths))
	for _, x := range p.steps {
		seen[x.site] = true
	}
	for h, in := range seen {
		if in {
			out = append(out, h)
		}
	}
	return out
}

// fit raises the first point of b to the bound in which nothing is started ahead, and sets
// the gap to plans of which what runs and waits fits into the room of w. It reports whether
// such were found: waits that do not fit are left out, one after another.
func (m *model) fit(ctx context.Context, b *PlacementBound, w *crowd) (bool, error) {
	answers, err := m.answers(ctx, b)
	if err != nil {
		return false, err
	}
	low, _ := m.sum(answers)
	b.raise(low)
	banned := make([][]bool, len(m.fns))
	for range maxRepairs {
		c := &crowd{needs: w.needs, room: w.room, horizon: w.horizon, scarcer: w.scarcer}
		for i := range answers {
			if answers[i].plan != nil {
				c.join(answers[i].plan, &m.courses[i], int32(i))
			}
		}
		over, fits := c.over()
		if !fits {
			return false, nil
		}
		if len(over) == 0 {
			_, high := m.sum(answers)
			b.Gap = max(high/float64(b.Points[0].Grams)-1, 0)
			return true, nil
		}
		var again []int
		for _, s := range over {
			if banned[s.fn] == nil {
				banned[s.fn] = make([]bool, len(m.courses[s.fn].at))
			}
			banned[s.fn][s.arrival] = true
			again = append(again, int(s.fn))
		}
		slices.Sort(again)
		err := each(ctx, slices.Compact(again), func(i int) {
			s := newSweep(m, m.fns[i], &m.courses[i], b.rule, m.berths(m.store.Functions()[i]))
			s.back(nil)
			answers[i].plan = s.plan(banned[i])
			answers[i].plan.sweep = nil
		})
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// maxRepairs is how often waits are left out before a plan is given up.
const maxRepairs = 12

// over are the waits that do not fit, and whether all that runs does.
func (w *crowd) over() (list []*stay, fits bool) {
	w.order()
	out := make([]bool, len(w.stays))
	fits = w.repair(out)
	for n, is := range out {
		if is {
			list = append(list, &w.stays[n])
		}
	}
	return list, fits
}
