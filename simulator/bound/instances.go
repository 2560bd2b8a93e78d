package bound

import (
	"time"

	"github.com/wattle-project/wattle/simulator/trace"
)

// uses is the stack of instances of one function that have ended their last
// request, the newest on top. Times are the earliest ends.
type uses struct {
	running []int64 // a binary heap
	idle    []int64 // ascending
}

// rule says what becomes of an instance after a use.
type rule struct {
	// fixed keeps it for keep after its last use; otherwise hindsight decides.
	fixed bool
	keep  time.Duration
	// still starts instances on arrival only.
	still bool
	// alone lets every instance serve once, as where none is kept.
	alone bool
}

// leaving is the least grams of an instance that ended a use at t and serves no
// other: what the rule holds it for.
func (r rule) leaving(f *function, m *model, t int64) float64 {
	if !r.fixed {
		return 0
	}
	return f.until(m, t+int64(r.keep)) - f.until(m, t)
}

// take serves one arrival and returns the least grams of its instance: either
// one waited since an earlier use, or the earlier one was left to the rule and
// this one is fresh.
//
// An instance is charged the least hold from each arrival that it serves to the
// next, or to the end of its last use, whatever it does in between; here is the
// part after the earliest end of the use. Which end to match with which arrival:
// with U the least hold up to a time, a match costs U(arrival) − U(end), apart they
// cost leaving(end) + fresh(arrival), and a match gains the difference where it is
// positive. U + leaving and U − fresh never fall in time, so that newest first gains
// most (the Monge property), and so does matching whenever an instance is there.
func (u *uses) take(f *function, a *trace.Arrival, m *model, r rule) float64 {
	p := u.pair(f, a, m, r)
	if p.found {
		return min(p.together, p.apart)
	}
	return p.apart
}

// match is an earlier use whose instance may serve an arrival, if any is found: its
// end, and the least grams if it does so and if it does not.
type match struct {
	since           int64
	together, apart float64
	found           bool
}

// pair matches an arrival, whose use joins the stack.
func (u *uses) pair(f *function, a *trace.Arrival, m *model, r rule) match {
	for len(u.running) > 0 && u.running[0] <= a.At {
		u.idle = append(u.idle, u.pop())
	}
	p := match{apart: f.fresh(m, a.At)}
	if n := len(u.idle); n > 0 {
		p.since, p.found = u.idle[n-1], true
		u.idle = u.idle[:n-1]
		p.together, p.apart = f.until(m, a.At)-f.until(m, p.since), p.apart+r.leaving(f, m, p.since)
	}
	u.push(a.At + trace.Lasts(f.fast, a.Scale))
	return p
}

// rest is the least grams of the instances that serve nobody any more.
func (u *uses) rest(f *function, m *model, r rule) (sum float64) {
	for _, list := range [][]int64{u.idle, u.running} {
		for _, end := range list {
			sum += r.leaving(f, m, end)
		}
	}
	return sum
}

func (u *uses) push(v int64) {
	h := append(u.running, v)
	i := len(h) - 1
	for i > 0 && v < h[(i-1)/2] {
		h[i] = h[(i-1)/2]
		i = (i - 1) / 2
	}
	h[i] = v
	u.running = h
}

func (u *uses) pop() int64 {
	h := u.running
	top, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	i := 0
	for {
		c := 2*i + 1
		if c >= len(h) {
			break
		}
		if c+1 < len(h) && h[c+1] < h[c] {
			c++
		}
		if h[c] >= last {
			break
		}
		h[i] = h[c]
		i = c
	}
	if len(h) > 0 {
		h[i] = last
	}
	u.running = h
	return top
}
