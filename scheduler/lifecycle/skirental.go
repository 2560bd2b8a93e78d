package lifecycle

import (
	"time"

	"github.com/wattle-project/wattle"
)

// SkiRental keeps a copy until waiting has cost as much as a cold start would
// save: never more than twice the cost of knowing the future (Karlin et al.,
// "Competitive snoopy caching", Algorithmica 1988). It needs no history.
type SkiRental struct{ rate wattle.GramsPerSecond }

// skiLongest bounds the wait where holding is almost free.
const skiLongest = 24 * time.Hour

// Decide keeps all copies on the option whose saving lasts longest.
func (s *SkiRental) Decide(c *Case, dst []Span) []Span {
	cold := c.Options[Cheapest(c.Options, s.rate)].ColdCost(s.rate)
	best, option := time.Duration(0), 0
	for i := range c.Options {
		o := &c.Options[i]
		if d := breakEven(cold-o.WarmCost(s.rate), o.Hold); d > best {
			best, option = d, i
		}
	}
	if best == 0 {
		return dst
	}
	return append(dst, Span{int32(option), c.Invocations, c.Now, c.Now + best})
}

// ColdOption is the option whose cold run costs least.
func (s *SkiRental) ColdOption(c *Case) int32 { return Cheapest(c.Options, s.rate) }

// breakEven is the time at which holding has cost the saving.
func breakEven(saving wattle.GramsCO2e, hold wattle.GramsPerSecond) time.Duration {
	if saving <= 0 {
		return 0
	}
	if seconds := float64(saving) / float64(hold); seconds < skiLongest.Seconds() {
		return time.Duration(seconds * float64(time.Second))
	}
	return skiLongest
}
