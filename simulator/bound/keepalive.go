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
}

// Space is an action space of keep-alive decisions. Each instance of a use runs
// cold on any option; or, for at most as many as the earlier use needed and if
// the gap is not longer than Longest, warm on an option where a copy waited
// since then; or, with Prewarm, warm on a copy that was started just in time.
type Space struct {
	// Rate is what a second of service time is worth.
	Rate wattle.GramsPerSecond
	// Longest is the longest gap that a copy may wait; 0 means no limit.
	Longest time.Duration
	// Prewarm lets any number of copies be started ahead, at StartGrams each and
	// without waiting.
	Prewarm bool
}

// Choice is the cheapest way to serve one use.
type Choice struct {
	// Cold, Kept and Ahead count the instances served each way.
	Cold, Kept, Ahead int32
	// Cost is the minimum in grams, and Grams and Seconds its parts.
	Cost, Grams wattle.GramsCO2e
	Seconds     time.Duration
}

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

// Best minimises carbon + Rate·seconds over the space, exactly: copies are not
// shared across gaps, so the gaps are independent, and so are the instances.
func (s Space) Best(g *Gap) Choice {
	fresh, ahead := s.fresh(g)
	kept, waits := fresh, false
	if s.Longest == 0 || g.Length <= s.Longest {
		for o := range g.Run {
			held := g.Hold[o].Hold.For(g.Length)
			r := &g.Run[o]
			waits = kept.offer(r.WarmCost(s.Rate)+held, r.WarmGrams+held, r.Warm) || waits
		}
	}
	var c Choice
	if waits {
		c.Kept = min(g.Before, g.After)
	}
	if ahead {
		c.Ahead = g.After - c.Kept
	} else {
		c.Cold = g.After - c.Kept
	}
	c.add(kept, c.Kept)
	c.add(fresh, g.After-c.Kept)
	c.Cost = c.Grams + s.Rate.For(c.Seconds)
	return c
}

// fresh is the cheapest way that needs no copy from before, and whether that
// copy is started ahead.
func (s Space) fresh(g *Gap) (w way, ahead bool) {
	cold := &g.Run[lifecycle.Cheapest(g.Run, s.Rate)]
	w = way{cold.ColdCost(s.Rate), cold.ColdGrams, cold.Cold}
	for o := range g.Run {
		r := &g.Run[o]
		if s.Prewarm && w.offer(r.WarmCost(s.Rate)+r.StartGrams, r.WarmGrams+r.StartGrams, r.Warm) {
			ahead = true
		}
	}
	return w, ahead
}

func (c *Choice) add(w way, n int32) {
	c.Grams += w.grams.Times(float64(n))
	c.Seconds += w.seconds * time.Duration(n)
}
