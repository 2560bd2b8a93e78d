package lifecycle

import (
	"time"

	"github.com/wattle-project/wattle"
)

// Expected minimises the expected cost of each copy over what it has seen of
// the gaps between uses. Copies are ordered: copy j is needed by the uses of at
// least j instances, and each such level has gap histograms of its own. So the
// number of copies is a newsvendor decision per copy: the j-th is held until the
// chance that level j returns, times what a warm start saves, no longer pays for
// the waiting. With prewarm a copy may also be started ahead, and the plan is
// the exact optimum of a dynamic programme over the steps ahead.
//
// A series holds about 500 B per level in use, and at most maxLevels levels.
type Expected struct {
	rate    wattle.GramsPerSecond
	step    time.Duration
	prewarm bool
	series  [][]level
	plan    plan
}

const (
	maxLevels  = 16
	maxOptions = 8 // options beyond are not looked at
	contexts   = 3 // of the near histograms: instances beyond the level, 0, 1, ≥ 2
)

// level is the history of the uses of at least j instances.
type level struct {
	last    time.Duration // end of the last use
	context uint8
	wide    histogram
	near    [contexts]histogram
}

func newExpected(c Config, prewarm bool) *Expected {
	return &Expected{rate: c.Rate, step: c.Step, prewarm: prewarm}
}

// ColdOption is the option whose cold run costs least.
func (e *Expected) ColdOption(c *Case) int32 { return Cheapest(c.Options, e.rate) }

// Decide holds each copy for as long as that is expected to pay.
func (e *Expected) Decide(c *Case, dst []Span) []Span {
	e.series = grow(e.series, c.Series)
	levels := &e.series[c.Series]
	e.learn(levels, c)
	if c.LearnOnly {
		return dst
	}
	e.plan.price(c, e.rate, e.step, e.prewarm && !c.Bounds.NoPrewarm)
	held, first := max(c.Held, c.Invocations), len(dst)
	for j := range *levels {
		l := &(*levels)[j]
		m := mix(&l.near[l.context], &l.wide)
		if e.prewarm {
			dst = e.plan.start(&m, e.elapsed(c.Now-l.last), int32(j) < held, c.Now, dst)
			continue
		}
		if int32(j) >= held {
			break
		}
		option, steps := e.plan.keep(&m, e.elapsed(c.Now-l.last))
		if steps == 0 {
			break
		}
		dst = extend(dst, first, Span{int32(option), 1, c.Now, c.Now + time.Duration(steps)*e.step})
	}
	return dst
}

// extend appends s, or counts it in with the last span if they are alike.
func extend(dst []Span, first int, s Span) []Span {
	if n := len(dst); n > first {
		if p := &dst[n-1]; p.Option == s.Option && p.From == s.From && p.Until == s.Until {
			p.Copies++
			return dst
		}
	}
	return append(dst, s)
}

// elapsed is the number of whole steps in d, at most Bins.
func (e *Expected) elapsed(d time.Duration) int { return int(min(d/e.step, Bins)) }

// learn counts the gap of every level that the use reached.
func (e *Expected) learn(levels *[]level, c *Case) {
	n := int(min(c.Invocations, maxLevels))
	for j := range n {
		if j == len(*levels) {
			*levels = append(*levels, level{})
		} else {
			(*levels)[j].count(int(min((c.Arrived-(*levels)[j].last+e.step-1)/e.step, Bins+1)))
		}
		l := &(*levels)[j]
		l.last, l.context = c.Now, uint8(min(n-j-1, contexts-1))
	}
}

// count notes a gap of so many steps, rounded up.
func (l *level) count(steps int) {
	bin := max(steps, 1)
	if bin > Bins {
		bin = 0
	}
	l.wide.add(bin)
	l.near[l.context].add(bin)
}
