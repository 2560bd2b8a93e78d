package bound

import (
	"cmp"
	"math"
	"slices"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
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

// survey lists the targets that fit fn. It may be called by several at once.
func (m *model) survey(fn *wattle.Function) (out []site) {
	m.surveys.Lock()
	defer m.surveys.Unlock()
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
	*sweep
	banned []bool // arrivals that take over no instance
	steps  []step
	ends   []int64 // of each arrival's run
	heirs  []bool  // whether another takes over its instance
	grams  float64
	free   [][]use // by berth: idle instances, newest on top
	busy   [][]use // by berth: the others, the next to end last
}

// use is the end of an arrival's run.
type use struct {
	at      int64
	arrival int32
}

// plan serves all arrivals in turn, each in the way that takes least with the worth of the
// instance that it leaves: what an instance waited for is counted where it serves again.
func (s *sweep) plan(banned []bool) *roster {
	n := len(s.course.at)
	p := &roster{sweep: s, banned: banned, free: make([][]use, len(s.berths)), busy: make([][]use, len(s.berths))}
	p.steps, p.ends, p.heirs = make([]step, 0, n), make([]int64, 0, n), make([]bool, n)
	for i := range n {
		p.place(i)
	}
	for i := range p.steps {
		p.grams += p.spent(i)
	}
	return p
}

// place serves arrival i: by the instance of a berth that was used last, or by a new one,
// started on arrival or ahead, for which the idle ones of its berth go.
func (p *roster) place(i int) {
	at, least := p.course.at[i], math.Inf(1)
	x := step{from: -1}
	try := func(h int, w how, cost float64) {
		if cost < least {
			least, x.site, x.how = cost, int32(h), w
		}
	}
	for h := range p.berths {
		b, warm := &p.berths[h], p.take(h, i)
		for k := len(p.busy[h]) - 1; k >= 0 && p.busy[h][k].at <= at; k-- {
			p.free[h], p.busy[h] = append(p.free[h], p.busy[h][k]), p.busy[h][:k]
		}
		if u := p.idle(h, i); u != nil {
			try(h, kept, warm+b.own.until(p.m, at)-b.own.until(p.m, u.at)+p.gone(h, u.at))
			if p.rule.fixed {
				continue // it is there, and would serve
			}
		}
		try(h, cold, p.sweep.start(h, i))
		if at >= b.time && !p.rule.still {
			try(h, ahead, warm+b.begin(p.m, at-b.time))
		}
	}
	h, ready, last := int(x.site), at, len(p.free[x.site])-1
	if x.how == kept {
		x.from, p.free[h] = p.free[h][last].arrival, p.free[h][:last]
		p.heirs[x.from] = true
	} else {
		p.free[h] = p.free[h][:0]
	}
	if x.how == cold {
		ready += p.berths[h].time
	}
	end := p.end(h, i, ready)
	p.steps, p.ends = append(p.steps, x), append(p.ends, end)
	k, _ := slices.BinarySearchFunc(p.busy[h], end, func(u use, end int64) int { return cmp.Or(cmp.Compare(end, u.at), -1) })
	p.busy[h] = slices.Insert(p.busy[h], k, use{end, int32(i)})
}

// idle is the instance of berth h that arrival i may take over.
func (p *roster) idle(h, i int) *use {
	n := len(p.free[h])
	if n == 0 || p.rule.alone || p.banned != nil && p.banned[i] {
		return nil
	}
	u := &p.free[h][n-1]
	if p.rule.fixed && p.course.at[i]-u.at > int64(p.rule.keep) {
		return nil
	}
	return u
}

// spent is the grams of arrival i, with its instance until another takes it over or it
// is gone.
func (p *roster) spent(i int) (grams float64) {
	x, at := &p.steps[i], p.course.at[i]
	h, ready := int(x.site), at
	b := &p.berths[h]
	switch x.how {
	case kept:
		grams = b.own.until(p.m, at) - b.own.until(p.m, p.ends[x.from])
	case ahead:
		grams = b.begin(p.m, at-b.time)
	case cold:
		grams, ready = b.begin(p.m, at), at+b.time
	}
	if grams += p.run(h, i, ready, p.ends[i]); !p.heirs[i] {
		grams -= p.gone(h, p.ends[i])
	}
	return grams
}

// join adds the uses of a plan. A wait is worth a start for each use alike.
func (w *crowd) join(p *roster, c *course, fn int32) {
	for i, x := range p.steps {
		s := stay{at: c.at[i], end: p.ends[i], fn: fn, arrival: int32(i)}
		if x.how == kept {
			s.since, s.gain, s.found = p.ends[x.from], 1, true
		}
		w.stays = append(w.stays, s)
	}
}
