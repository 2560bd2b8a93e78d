package bound

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/wattle-project/wattle/simulator/trace"
)

// course is the arrivals of one function, in time.
type course struct {
	at    []int64
	scale []float64
}

// gather adds an arrival to the course of its function, where instances serve one
// request at a time, on arrival: the others have no stock.
func (m *model) gather(a *trace.Arrival) {
	f := m.fns[a.Function]
	if len(f.ways) == 0 {
		return
	}
	if m.mixed = m.mixed || f.shared || f.slack > 0; m.courses == nil || f.shared || f.slack > 0 {
		return
	}
	if m.many++; m.many > maxStays {
		m.courses = nil
		return
	}
	x := &m.courses[a.Function]
	x.at, x.scale = append(x.at, a.At), append(x.scale, a.Scale)
}

// stock is the idle instances of one function over time, at the place that is the
// cheapest at any time: the least that they take is a flow along time.
//
// An arrival either takes an instance from the stock, which returns at the earliest
// end of its use, or starts one on arrival, which joins at the earliest end after
// the start. Instances join at any time for what a start ahead takes, wait for the
// least hold, and leave as the rule says. The dual of this flow is a worth of an
// instance in the stock at each time, which never exceeds what a new one takes and
// never grows faster than holding costs: then each arrival takes at least the lesser
// of the two ways at these worths, whatever they are. They are chosen so that the
// sum is the least exactly where nobody starts on arrival: from instances matched
// newest first, which is optimal (see uses), by complementary slackness.
type stock struct {
	m      *model
	f      *function
	course *course
	rule   rule
	nodes  []node
	// level is the worth less the hold since the beginning, after each node; it never
	// rises.
	level     []float64
	ends      []int64
	use, back []float64 // level at each arrival and at its end
	cap       []float64 // and the highest that it can be, after each node
	open      []int32   // nodes of ends whose instances are idle
	near      []int     // where after looked last, by hosts
	costs     []share
}

// share is what one arrival's instance takes at least, beside the hold from its
// arrival to its earliest end: there before, or started on arrival, with the seconds
// that this takes at least.
type share struct{ there, cold, seconds float64 }

// node is an arrival or an end of one, by index.
type node struct {
	at      int64
	arrival int32
	end     bool
	matched bool // to an end before it, or an arrival after it
}

// settle returns what each arrival's instance takes at least. The slice is the
// stock's own.
func (s *stock) settle(f *function, c *course) []share {
	s.f, s.course, s.costs = f, c, s.costs[:0]
	s.order()
	s.match()
	s.value()
	s.near = slices.Repeat([]int{0}, len(f.hosts))
	for i, at := range c.at {
		s.costs = append(s.costs, s.share(i, at))
	}
	return s.costs
}

// order lists arrivals and ends in time: at one time ends come first, but that of a
// use which takes no time just after its arrival.
func (s *stock) order() {
	n := len(s.course.at)
	s.nodes, s.ends = s.nodes[:0], s.ends[:0]
	for i, at := range s.course.at {
		end := at + trace.Lasts(s.f.fast, s.course.scale[i])
		s.ends = append(s.ends, end)
		s.nodes = append(s.nodes, node{at: at, arrival: int32(i)}, node{at: end, arrival: int32(i), end: true})
	}
	late := func(x *node) int {
		if x.end && s.course.at[x.arrival] < x.at {
			return 0
		}
		return 1 + int(x.arrival)
	}
	slices.SortStableFunc(s.nodes, func(a, b node) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(late(&a), late(&b)))
	})
	s.use, s.back = slices.Grow(s.use[:0], n)[:n], slices.Grow(s.back[:0], n)[:n]
}

// leave is what an instance takes that ends its last use at t.
func (s *stock) leave(t int64) float64 { return s.rule.leaving(s.f, s.m, t) }

// match pairs ends with arrivals, newest first, where waiting takes less than
// leaving and starting anew.
func (s *stock) match() {
	s.open = s.open[:0]
	for j := range s.nodes {
		x := &s.nodes[j]
		if x.end {
			s.open = append(s.open, int32(j))
			continue
		}
		n := len(s.open)
		if n == 0 {
			continue
		}
		e := &s.nodes[s.open[n-1]]
		if s.f.until(s.m, x.at)-s.f.until(s.m, e.at) <= s.f.early(s.m, x.at)+s.leave(e.at) {
			e.matched, x.matched = true, true
			s.open = s.open[:n-1]
		}
	}
}

// value sets the lowest levels that suit the matching: what an instance is worth for
// those who come after, by newcomers and by instances that wait, up to what a new one
// takes.
func (s *stock) value() {
	n := len(s.nodes)
	if s.rule.alone {
		s.level = append(s.level[:0], slices.Repeat([]float64{math.Inf(-1)}, n)...)
		for i, t := range s.course.at {
			s.use[i], s.back[i] = s.f.early(s.m, t)-s.f.until(s.m, t), math.Inf(-1)
		}
		return
	}
	s.level, s.cap = slices.Grow(s.level[:0], n)[:n], slices.Grow(s.cap[:0], n)[:n]
	cap := math.Inf(1)
	for j := range s.nodes {
		t := s.nodes[j].at
		cap = min(cap, s.f.early(s.m, t)-s.f.until(s.m, t))
		s.cap[j] = cap
	}
	level := math.Inf(-1)
	for j := n - 1; j >= 0; j-- {
		switch x := &s.nodes[j]; {
		case !x.end && !x.matched:
			level = max(level, s.cap[j])
		case x.end && x.matched:
			level = max(level, -s.leave(x.at)-s.f.until(s.m, x.at))
		}
		s.level[j] = level
	}
	waiting := 0
	for j := range s.nodes {
		if waiting > 0 { // an instance waits from the node before to this one
			s.level[j] = s.level[j-1]
		}
		x := &s.nodes[j]
		switch {
		case x.matched && x.end:
			waiting++
		case x.matched:
			waiting--
		}
		if s.level[j] = min(s.level[j], s.cap[j]); x.end {
			s.back[x.arrival] = s.level[j]
		} else {
			s.use[x.arrival] = s.level[j]
		}
	}
}

// share is the share of arrival i.
func (s *stock) share(i int, at int64) (x share) {
	end := s.ends[i]
	from, to := s.f.until(s.m, at), s.f.until(s.m, end)
	x.there, x.cold, x.seconds = s.use[i]+from-max(s.back[i]+to, -s.leave(end)), math.Inf(1), math.Inf(1)
	for h := range s.f.hosts {
		g := &s.f.hosts[h]
		ready := at + g.time
		last := ready + end - at
		till := s.f.until(s.m, last)
		cost := s.m.least(g, at, ready) + till - s.f.until(s.m, ready) - (to - from)
		x.cold = min(x.cold, cost-max(s.after(h, last)+till, -s.leave(last)))
		x.seconds = min(x.seconds, time.Duration(g.time).Seconds())
	}
	return x
}

// after is the lowest level that there can be at t: that of the next node. It looks
// for it near the last one that group h asked for.
func (s *stock) after(h int, t int64) float64 {
	j := s.near[h]
	for j < len(s.nodes) && s.nodes[j].at < t {
		j++
	}
	for j > 0 && s.nodes[j-1].at >= t {
		j--
	}
	if s.near[h] = j; j == len(s.nodes) {
		return math.Inf(-1)
	}
	return s.level[j]
}
