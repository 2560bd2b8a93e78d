package bound

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/simulator/trace"
)

// site is a target for one function: what a run of scale 1 and a start take there.
type site struct {
	hosting
	target  int32
	far     int     // cluster at the caller's end
	exec    int64   // ns
	joules  float64 // dynamic energy of a run, times PUE
	network float64 // s
}

// survey lists the targets that fit fn.
func (m *model) survey(fn *wattle.Function) (out []site) {
	cols, refused := m.core.Candidates(m.cfg.Start, m.store.View(), fn)
	origin := scheduler.Origin(m.cfg.Fleet, fn, &fn.Params)
	at := map[int32]int{}
	for i := range refused {
		if refused[i]&^soft != 0 {
			continue
		}
		target := cols.Target[i]
		t := &m.cfg.Fleet.Targets[target]
		n, ok := at[target]
		if !ok {
			n, out = len(out), append(out, site{target: target, far: m.cfg.Fleet.FarEnd(origin, t)})
			at[target] = n
		}
		s := &out[n]
		s.cluster, s.hold = t.Cluster, float64(t.Machine.Reserved(fn.Needs))*t.PUE
		if cols.Sandbox[i] == wattle.Warm {
			s.exec, s.joules, s.network = int64(cols.Exec[i]), float64(cols.ExecEnergy[i])*t.PUE, cols.Network[i].Seconds()
		} else {
			s.time, s.start = int64(cols.Start[i]), float64(cols.StartEnergy[i])*t.PUE
		}
	}
	return out
}

// step is one arrival in a roster: where it runs, and on which instance.
type step struct {
	site int32
	how  how
	from int32 // arrival whose instance it takes over
}

// how says where an arrival finds its instance.
type how uint8

const (
	cold  how = iota // started on arrival
	ahead            // started ahead, just in time
	kept             // taken over from an earlier arrival
)

// roster is a way to serve all arrivals of one function on instances that stay where
// they are: what it takes can be reached.
type roster struct {
	m      *model
	f      *function
	rule   rule
	sites  []site
	banned []bool // arrivals that take over no instance
	steps  []step
	ends   []int64 // of each arrival's run
	grams  float64
	free   [][]use // by site: idle instances, newest on top
	busy   [][]use // by site: the others, the next to end last
}

// use is the end of an arrival's run.
type use struct {
	at      int64
	arrival int32
}

// roster is the better of two ways to serve the course of a function: with arrivals at
// the site of the least run in their slot, or all at that of the least over time.
func (m *model) roster(f *function, fn *wattle.Function, c *course, r rule) *roster {
	p := &roster{m: m, f: f, rule: r, sites: m.survey(fn)}
	home, always := p.homes()
	p.serve(c, home)
	q := &roster{m: m, f: f, rule: r, sites: p.sites}
	if q.serve(c, slices.Repeat([]int{always}, m.slots)); q.grams < p.grams {
		return q
	}
	return p
}

// homes is the site of the least run in each slot, and that over all.
func (p *roster) homes() (home []int, always int) {
	home, sums := make([]int, p.m.slots), make([]float64, len(p.sites))
	for k := range home {
		for i := range p.sites {
			g := p.running(i, k)
			sums[i] += g
			if g < p.running(home[k], k) {
				home[k] = i
			}
		}
	}
	return home, slices.Index(sums, slices.Min(sums))
}

// running is the grams of a run of scale 1 at site i in slot k.
func (p *roster) running(i, k int) float64 {
	s := &p.sites[i]
	joules := s.joules + float64(s.hold*time.Duration(s.exec).Seconds())
	return float64(joules*float64(p.m.cfg.Grid[s.cluster][k])*perKWh) + p.net(s, k)
}

// serve serves all arrivals, each at the home of its slot.
func (p *roster) serve(c *course, home []int) {
	p.free, p.busy = make([][]use, len(p.sites)), make([][]use, len(p.sites))
	p.steps, p.ends = make([]step, 0, len(c.at)), make([]int64, 0, len(c.at))
	for i, at := range c.at {
		next := int64(math.MaxInt64)
		if i+1 < len(c.at) {
			next = c.at[i+1]
		}
		p.place(home[p.m.slotOf(at)], int32(i), at, c.scale[i], next)
	}
	for n := range p.sites {
		p.drop(n)
		for _, u := range p.busy[n] {
			p.grams += p.leave(&p.sites[n], u.at)
		}
	}
}

// drop lets the idle instances of site n go.
func (p *roster) drop(n int) {
	for _, u := range p.free[n] {
		p.grams += p.leave(&p.sites[n], u.at)
	}
	p.free[n] = p.free[n][:0]
}

// net is the grams of moving an invocation's data in slot k.
func (p *roster) net(s *site, k int) float64 {
	return float64(p.f.netJoules * float64((p.m.cfg.Grid[s.cluster][k]+p.m.cfg.Grid[s.far][k])/2) * perKWh)
}

// hold is the grams of an instance at s over [from, to).
func (p *roster) hold(s *site, from, to int64) float64 {
	return float64(s.hold * (p.m.emission(s.cluster, to) - p.m.emission(s.cluster, from)) * perKWh)
}

// leave is what the rule holds an instance for after its last use.
func (p *roster) leave(s *site, t int64) float64 {
	if !p.rule.fixed {
		return 0
	}
	return p.hold(s, t, t+int64(p.rule.keep))
}

// place serves an arrival at site n: by the instance that was used last, if waiting
// took no more than a new one, else by a new one, and the idle ones go. A new one is
// started ahead where that takes less, or where the next arrival can take it over
// sooner.
func (p *roster) place(n int, i int32, at int64, scale float64, next int64) {
	s := &p.sites[n]
	for k := len(p.busy[n]) - 1; k >= 0 && p.busy[n][k].at <= at; k-- {
		p.free[n], p.busy[n] = append(p.free[n], p.busy[n][k]), p.busy[n][:k]
	}
	joules, end := float64(s.joules*scale), at+trace.Lasts(time.Duration(s.exec), scale)
	warm := p.m.spend(s.cluster, joules, s.hold, at, end)
	x := step{site: int32(n), how: cold, from: -1}
	least := p.m.spend(s.cluster, s.start, s.hold, at, at+s.time) + p.m.spend(s.cluster, joules, s.hold, at+s.time, end+s.time)
	if at >= s.time && !p.rule.still {
		g := p.m.spend(s.cluster, s.start, s.hold, at-s.time, at) + warm
		if alike := float64(1e-9 * least); g < least-alike || g <= least+alike && next >= end && next < end+s.time {
			least, x.how = g, ahead
		}
	}
	if k := len(p.free[n]) - 1; k >= 0 && !p.rule.alone && (p.banned == nil || !p.banned[i]) {
		u := p.free[n][k]
		if g := p.hold(s, u.at, at) + warm; g <= least+p.leave(s, u.at) && (!p.rule.fixed || at-u.at <= int64(p.rule.keep)) {
			least, x.how, x.from = g, kept, u.arrival
			p.free[n] = p.free[n][:k]
		} else {
			p.drop(n)
		}
	}
	if x.how == cold {
		end += s.time
	}
	p.grams += least + p.net(s, p.m.slotOf(at))
	p.steps, p.ends = append(p.steps, x), append(p.ends, end)
	k, _ := slices.BinarySearchFunc(p.busy[n], end, func(u use, end int64) int { return cmp.Or(cmp.Compare(end, u.at), -1) })
	p.busy[n] = slices.Insert(p.busy[n], k, use{end, i})
}

// attain sets the gap of b to plans for all functions, where they can be made: not
// where room is priced, nor where work waits or shares instances.
func (m *model) attain(b *PlacementBound) {
	if m.prices != nil || m.courses == nil || m.mixed {
		return
	}
	grams := 0.0
	for i, f := range m.fns {
		if f != nil && len(f.ways) > 0 {
			grams += m.roster(f, m.store.Functions()[i], &m.courses[i], b.rule).grams
		}
	}
	b.Repaired, b.Gap = true, max(grams/float64(b.Points[0].Grams)-1, 0)
	b.Method += ", the gap being to instances that stay in place"
}

// fit sets the gap of b to plans in which nothing is started ahead and what runs and
// waits fits into the room of w, and reports whether such were found: waits that do
// not fit are left out, one after another.
func (m *model) fit(b *PlacementBound, w *crowd) bool {
	if m.prices != nil || m.courses == nil || m.mixed {
		return false
	}
	banned := make([][]bool, len(m.fns))
	for range maxRepairs {
		c := &crowd{needs: w.needs, room: w.room, horizon: w.horizon, scarcer: w.scarcer}
		grams := 0.0
		for i, f := range m.fns {
			if f == nil || len(f.ways) == 0 {
				continue
			}
			if banned[i] == nil {
				banned[i] = make([]bool, len(m.courses[i].at))
			}
			p := &roster{m: m, f: f, rule: rule{still: true}, sites: m.survey(m.store.Functions()[i]), banned: banned[i]}
			home, _ := p.homes()
			p.serve(&m.courses[i], home)
			grams += p.grams
			c.join(p, &m.courses[i], int32(i))
		}
		c.order()
		out, changed := make([]bool, len(c.stays)), false
		if !c.repair(out) {
			return false
		}
		for n, over := range out {
			if over {
				s := &c.stays[n]
				banned[s.fn][s.arrival], changed = true, true
			}
		}
		if !changed {
			b.Gap = max(grams/float64(b.Points[0].Grams)-1, 0)
			return true
		}
	}
	return false
}

// maxRepairs is how often waits are left out before a plan is given up.
const maxRepairs = 12

// join adds the uses of a plan. A wait is worth a start for each use alike.
func (w *crowd) join(p *roster, c *course, fn int32) {
	for i, x := range p.steps {
		s := stay{at: c.at[i], end: p.ends[i], fn: fn, arrival: int32(i)}
		if x.how == kept {
			s.since, s.gain = p.ends[x.from], 1
		}
		w.stays = append(w.stays, s)
	}
}
