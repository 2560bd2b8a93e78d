package bound

import (
	"math"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator/trace"
)

// berth is one site of a function, and what holding an instance there takes.
type berth struct {
	site
	own *function // until and early of this site alone
}

// berths are the sites of a function.
func (m *model) berths(fn *wattle.Function) (out []berth) {
	for _, s := range m.survey(fn) {
		own, start := &function{start: time.Duration(s.time)}, []hosting{s.hosting}
		m.host(own, start)
		m.group(own, start)
		own.eves(m)
		out = append(out, berth{s, own})
	}
	return out
}

// sweep is a dual of the flow of one function's instances along time, each of which
// stays at its berth. It gives each arrival a value, and an instance at each berth a
// level: its worth less what holding it took since the beginning, which never rises.
// Where no arrival has more value than any way to serve it takes, with the worth of the
// instance that it takes and less that of the one which it leaves, the values sum to a
// lower bound.
type sweep struct {
	m      *model
	f      *function
	course *course
	rule   rule
	berths []berth
	level  [][]float64 // by berth and arrival: after the arrival before, up to this one
	value  []float64   // by arrival
	warm   []float64   // by berth: take of the arrival at hand
}

func newSweep(m *model, f *function, c *course, r rule, berths []berth) *sweep {
	s := &sweep{m: m, f: f, course: c, rule: r, berths: berths, value: make([]float64, len(c.at)), warm: make([]float64, len(berths))}
	for range s.berths {
		s.level = append(s.level, make([]float64, len(c.at)+1))
	}
	return s
}

// next is the first arrival after i that is not before t.
func (s *sweep) next(i int, t int64) int {
	at, from, step := s.course.at, i+1, 1
	for from+step < len(at) && at[from+step-1] < t {
		from, step = from+step, 2*step
	}
	n, _ := slices.BinarySearch(at[from:min(from+step, len(at))], t)
	return from + n
}

// end is when a run for arrival i at berth h ends that begins at ready.
func (s *sweep) end(h, i int, ready int64) int64 {
	return ready + trace.Lasts(time.Duration(s.berths[h].exec), s.course.scale[i])
}

// gone is what an instance at berth h is worth that leaves at t: what the rule takes.
func (s *sweep) gone(h int, t int64) float64 { return -s.rule.leaving(s.berths[h].own, s.m, t) }

// worth is what an instance at berth h is worth that ends its use for arrival i at t.
func (s *sweep) worth(h, i int, t int64) float64 {
	gone := s.gone(h, t)
	if s.rule.alone {
		return gone
	}
	return max(gone, s.level[h][s.next(i, t)]+s.berths[h].own.until(s.m, t))
}

// run is what a run of arrival i at berth h takes over [ready, end).
func (s *sweep) run(h, i int, ready, end int64) float64 {
	b := &s.berths[h]
	return s.m.spend(b.cluster, float64(b.joules*s.course.scale[i]), b.hold, ready, end) + b.net(s.m, s.f, s.course.at[i])
}

// net is the grams of moving the data of an invocation that arrives at t.
func (b *berth) net(m *model, f *function, t int64) float64 {
	k := m.slotOf(t)
	return float64(f.netJoules * float64((m.cfg.Grid[b.cluster][k]+m.cfg.Grid[b.far][k])/2) * perKWh)
}

// begin is what a start at t takes.
func (b *berth) begin(m *model, t int64) float64 {
	return m.spend(b.cluster, b.start, b.hold, t, t+b.time)
}

// take is what arrival i takes on an instance that is there at berth h, less what that
// is worth after it.
func (s *sweep) take(h, i int) float64 {
	at := s.course.at[i]
	end := s.end(h, i, at)
	return s.run(h, i, at, end) - s.worth(h, i, end)
}

// start is what arrival i takes on an instance started on arrival, less what that is
// worth after it.
func (s *sweep) start(h, i int) float64 {
	b, at := &s.berths[h], s.course.at[i]
	end := s.end(h, i, at+b.time)
	return b.begin(s.m, at) + s.run(h, i, at+b.time, end) - s.worth(h, i, end)
}

// back sweeps back in time and returns the sum of the values. An arrival has the value
// of the cheapest new instance for it, though none above its limit, if there are such;
// and an instance is worth what it saves the arrival after it that gains most. Without
// limits that is the least exactly if no two instances are ever idle at once.
func (s *sweep) back(limits []float64) (sum float64) {
	n := len(s.course.at)
	for h := range s.berths {
		s.level[h][n] = math.Inf(-1)
	}
	for i := n - 1; i >= 0; i-- {
		at, value := s.course.at[i], math.Inf(1)
		if limits != nil {
			value = limits[i]
		}
		for h := range s.berths {
			s.warm[h] = s.take(h, i)
			if value = min(value, s.start(h, i)); !s.rule.still {
				value = min(value, s.warm[h]+s.berths[h].own.early(s.m, at))
			}
		}
		s.value[i] = value
		sum += value
		for h := range s.berths {
			s.level[h][i] = max(s.level[h][i+1], value-s.warm[h]-s.berths[h].own.until(s.m, at))
		}
	}
	return sum
}
