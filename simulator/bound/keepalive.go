package bound

import (
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/lifecycle"
)

// Gap is the time between two uses of one function, and what serving the later
// one may cost.
type Gap struct {
	// Length is from the end of the earlier use to the later; 0 uses before
	// means that there was none.
	Length time.Duration
	// Before and After are the instances that the two uses needed.
	Before, After int32
	// Hold are the options at the beginning of the gap: idle copies are charged
	// at that intensity. Run are those at its end, where runs are charged.
	Hold, Run []lifecycle.Option
	// Ahead is, per option, the least that having a copy started by the end of
	// the gap can cost, waiting included; nil means StartGrams of Run.
	Ahead []wattle.GramsCO2e
}

// Space is an action space of keep-alive decisions. Each instance of a use runs
// cold on any option; or warm on an option where a copy waited since the use
// before; or, with Prewarm, warm on a copy that was started ahead.
type Space struct {
	// Rate is what a second of service time is worth.
	Rate wattle.GramsPerSecond
	// Longest is the longest that a copy may wait; 0 means no limit.
	Longest time.Duration
	// Retain lets copies wait through uses that do not need them. Without it at
	// most as many wait as the use before needed.
	Retain bool
	// Prewarm lets any number of copies be started ahead.
	Prewarm bool
}

// String names the space as reports print it.
func (s Space) String() string {
	name := "keep-alive of the copies last used"
	if s.Retain {
		name = "keep-alive of any copy at hand"
	}
	if s.Prewarm {
		name += ", pre-warm of any number"
	}
	if s.Longest > 0 {
		name += ", waits of at most " + s.Longest.String()
	}
	return name
}

// Choice is the cheapest way to serve one use.
type Choice struct {
	// Cold, Kept and Ahead count the instances served each way.
	Cold, Kept, Ahead int32
	// Cost is the minimum in grams, and Grams and Seconds its parts.
	Cost, Grams wattle.GramsCO2e
	Seconds     time.Duration
}

// Chain minimises carbon + Rate·seconds over a Space along the uses of one
// function, exactly. The j-th copy serves the uses of at least j instances, so
// each such level is a chain of gaps of its own; the gaps of a level do not
// share copies and are independent.
type Chain struct {
	space  Space
	levels []waiting
}

// waiting is what the copy of one level has cost at least since its last use.
type waiting struct {
	grams wattle.GramsCO2e
	time  time.Duration
}

// NewChain starts before the first use of a function.
func (s Space) NewChain() *Chain { return &Chain{space: s} }

// way is one way to serve one instance.
type way struct {
	cost, grams wattle.GramsCO2e
	seconds     time.Duration
}

func (w *way) offer(cost, grams wattle.GramsCO2e, d time.Duration) bool {
	if cost >= w.cost {
		return false
	}
	*w = way{cost, grams, d}
	return true
}

// Use is the cheapest way to serve the next use, which ends gap g.
func (c *Chain) Use(g *Gap) Choice {
	fresh, ahead := c.space.fresh(g)
	var ch Choice
	for j := range g.After {
		w := fresh
		switch {
		case c.kept(g, j, &w):
			ch.Kept++
		case ahead:
			ch.Ahead++
		default:
			ch.Cold++
		}
		ch.Grams += w.grams
		ch.Seconds += w.seconds
	}
	ch.Cost = ch.Grams + c.space.Rate.For(ch.Seconds)
	c.wait(g)
	return ch
}

// kept offers w the copy of level j that waited, and reports whether it is
// cheaper.
func (c *Chain) kept(g *Gap, j int32, w *way) bool {
	if int(j) >= len(c.levels) || !c.space.Retain && j >= g.Before {
		return false
	}
	l := &c.levels[j]
	if c.space.Longest > 0 && l.time+g.Length > c.space.Longest {
		return false
	}
	better := false
	for o := range g.Run {
		r, held := &g.Run[o], l.grams+g.Hold[o].Hold.For(g.Length)
		better = w.offer(r.WarmCost(c.space.Rate)+held, r.WarmGrams+held, r.Warm) || better
	}
	return better
}

// wait renews the levels that were used and lets the others wait on, each on
// the option that is cheapest during g.
func (c *Chain) wait(g *Gap) {
	for len(c.levels) < int(g.After) {
		c.levels = append(c.levels, waiting{})
	}
	least := g.Hold[0].Hold
	for _, o := range g.Hold[1:] {
		least = min(least, o.Hold)
	}
	for j := range c.levels {
		if j < int(g.After) {
			c.levels[j] = waiting{}
			continue
		}
		c.levels[j].grams += least.For(g.Length)
		c.levels[j].time += g.Length
	}
}

// fresh is the cheapest way that needs no copy from before, and whether that
// copy is started ahead.
func (s Space) fresh(g *Gap) (w way, ahead bool) {
	cold := &g.Run[lifecycle.Cheapest(g.Run, s.Rate)]
	w = way{cold.ColdCost(s.Rate), cold.ColdGrams, cold.Cold}
	if !s.Prewarm {
		return w, false
	}
	for o := range g.Run {
		r := &g.Run[o]
		start := r.StartGrams
		if g.Ahead != nil {
			start = min(start, g.Ahead[o])
		}
		ahead = w.offer(r.WarmCost(s.Rate)+start, r.WarmGrams+start, r.Warm) || ahead
	}
	return w, ahead
}

// Saving is what the best copy of level j that waits over g saves over serving
// it afresh: 0 if nothing.
func (c *Chain) Saving(g *Gap, j int32) wattle.GramsCO2e {
	w, _ := c.space.fresh(g)
	fresh := w.cost
	if !c.kept(g, j, &w) {
		return 0
	}
	return fresh - w.cost
}
