package lifecycle

import (
	"time"

	"github.com/wattle-project/wattle"
)

// Option is what one place (a server, a target) costs a series at the present
// intensity.
type Option struct {
	// Cold and Warm are the service times of a cold and of a warm run.
	Cold, Warm time.Duration
	// ColdGrams and WarmGrams are the emissions of such a run.
	ColdGrams, WarmGrams wattle.GramsCO2e
	// StartGrams is what starting one copy ahead of demand emits. A driver that
	// does not charge for it leaves it 0.
	StartGrams wattle.GramsCO2e
	// Hold is what one idle copy emits per second.
	Hold wattle.GramsPerSecond
}

// ColdCost is the cost in grams of a cold run when a second is worth rate.
func (o *Option) ColdCost(rate wattle.GramsPerSecond) wattle.GramsCO2e {
	return o.ColdGrams + rate.For(o.Cold)
}

// WarmCost is the cost in grams of a warm run when a second is worth rate.
func (o *Option) WarmCost(rate wattle.GramsPerSecond) wattle.GramsCO2e {
	return o.WarmGrams + rate.For(o.Warm)
}

// Case is one use of a series that has just ended, and what the next may cost.
// The driver owns it and may reuse it; a policy keeps no reference.
type Case struct {
	// Series is the dense index of the history to use.
	Series int32
	// Arrived and Now are the beginning and end of the use, since the start of
	// the run. The gap between two uses lasts from Now to the next Arrived, which is
	// never before it: uses of a series do not overlap.
	Arrived, Now time.Duration
	// Invocations is how many instances the use needed at once (≥ 1).
	Invocations int32
	// Held is how many copies are at hand now, those that just ran and those that
	// waited unused (≥ Invocations). A driver whose
	// rules let no copy wait through a use that did not need it leaves it 0.
	Held int32
	// Memory is what one copy holds.
	Memory wattle.Bytes
	// Intensity is that of the grid of the first option.
	Intensity wattle.GramsPerKWh
	// Options are the places, at the present intensity; never empty.
	Options []Option
	// Worst are the same places at the highest intensity that is expected. Only
	// EcoLife's objective, which is normalised, reads them.
	Worst []Option
	// LearnOnly says that the answer will not be used: a policy that learns takes
	// note of the use, and may return no span.
	LearnOnly bool
	// Bounds are the policy author's bounds; a zero bound is no bound.
	Bounds wattle.LifecycleBounds
}

// Span holds Copies copies on Option from From until Until, both ends included:
// a use that arrives at Until finds them warm. From later than the Now of the
// case means that they are started ahead of demand.
type Span struct {
	Option, Copies int32
	From, Until    time.Duration
}

// Keeper decides, when a use of a series ends, which copies wait for the next.
type Keeper interface {
	// Decide learns from c and appends the spans to hold until the next use, when
	// they end or are called off. Of the spans that begin at c.Now, the first
	// c.Held copies are at hand; any more, and all that begin later, are started
	// ahead of demand, which only policies that say so do.
	Decide(c *Case, dst []Span) []Span
}

// Chooser is implemented by keepers with an opinion on where cold runs go.
type Chooser interface {
	// ColdOption returns the index of the option on which a cold run is cheapest.
	ColdOption(c *Case) int32
}

// Cheapest returns the option with the least cost of a cold run at rate; ties
// go to the first.
func Cheapest(options []Option, rate wattle.GramsPerSecond) int32 {
	best := 0
	for i := 1; i < len(options); i++ {
		if options[i].ColdCost(rate) < options[best].ColdCost(rate) {
			best = i
		}
	}
	return int32(best)
}

// grow returns s with index i present, new elements zero.
func grow[T any](s []T, i int32) []T {
	for int(i) >= len(s) {
		var zero T
		s = append(s, zero)
	}
	return s
}
