package lifecycle

import (
	"time"

	"github.com/wattle-project/wattle"
)

// Foreseen minimises the expected cost of each copy. Copies are ordered: copy j
// is needed by the uses of at least j instances, and each such level has a
// course of its own, from which a forecaster tells its chance of use step by
// step ahead. So the number of copies is a newsvendor decision per copy: the
// j-th is held until the chance that level j returns, times what a warm start
// saves, no longer pays for the waiting.
//
// A series holds 3.2 kB per level in use, and at most maxLevels levels.
type Foreseen struct {
	rate   wattle.GramsPerSecond
	step   time.Duration
	series []recalls
	mix    *forecaster
	offers [maxOptions]offer
	ahead  int // steps ahead that can pay at all
	// chances of the lowest level and of the one that is looked at, by steps
	// ahead; the first known and own of them are filled.
	any, level [Bins]float64
	known, own int
}

const lesson = 14 // steps after a use that are learned from at least

// recalls is what is known of a series.
type recalls struct {
	last   time.Duration // end of the last use
	levels []recall
}

// above is the past of the level over j.
func (c *recalls) above(j int) uint64 {
	if j+1 < len(c.levels) {
		return c.levels[j+1].past
	}
	return 0
}

// offer is what holding one copy on an option takes and saves, in grams.
type offer struct {
	option       int32
	saving, hold float64 // of a warm start over the cheapest cold one; per step
}

func newForeseen(c Config) *Foreseen {
	return &Foreseen{rate: c.Rate, step: c.Step, mix: newForecaster()}
}

// ColdOption is the option whose cold run costs least.
func (e *Foreseen) ColdOption(c *Case) int32 { return Cheapest(c.Options, e.rate) }

// Decide holds each copy for as long as that is expected to pay.
func (e *Foreseen) Decide(c *Case, dst []Span) []Span {
	e.series = grow(e.series, c.Series)
	s := &e.series[c.Series]
	offers := e.price(c)
	e.learn(s, c)
	if c.LearnOnly {
		return dst
	}
	first := len(dst)
	held := int(min(max(c.Held, c.Invocations), int32(len(s.levels))))
	e.known = 0
	for j := range held {
		e.own = 0
		option, steps := e.keep(s, j, offers, c.Held == 0)
		if steps == 0 {
			break
		}
		dst = extend(dst, first, Span{option, 1, c.Now, c.Now + time.Duration(steps)*e.step})
	}
	return dst
}

// price lists the options that save anything.
func (e *Foreseen) price(c *Case) []offer {
	cold := c.Options[Cheapest(c.Options, e.rate)].ColdCost(e.rate)
	n := 0
	e.ahead = 0
	for i := range min(len(c.Options), maxOptions) {
		o := &c.Options[i]
		x := offer{int32(i), float64(cold - o.WarmCost(e.rate)), max(float64(o.Hold.For(e.step)), 1e-18)}
		if x.saving > 0 {
			e.offers[n], n = x, n+1
			e.ahead = max(e.ahead, int(min(x.saving/x.hold, Bins-2))+2)
		}
	}
	return e.offers[:n]
}

// learn tells every level the steps since the last use and this one. Steps that
// lie too far from a use to matter are not learned from.
func (e *Foreseen) learn(s *recalls, c *Case) {
	gap := int(min(max((c.Arrived-s.last+e.step-1)/e.step, 1), 64))
	if len(s.levels) == 0 {
		gap = 1
	}
	for len(s.levels) < int(min(c.Invocations, maxLevels)) {
		s.levels = append(s.levels, recall{})
	}
	told := min(gap, max(e.ahead, lesson))
	for range min(gap-1, told) {
		e.tell(s, 0)
	}
	if gap <= told {
		e.tell(s, c.Invocations)
	} else {
		for j := range s.levels {
			s.levels[j].pass(gap - 1 - told)
		}
		e.pass(s, c.Invocations)
	}
	s.last = c.Now
}

// tell learns one step in which n instances were needed, pass only notes it.
func (e *Foreseen) tell(s *recalls, n int32) {
	any := s.levels[0].past
	for j := range s.levels {
		e.mix.learn(&s.levels[j], any, s.above(j), int32(j) < n)
	}
	e.pass(s, n)
}

func (e *Foreseen) pass(s *recalls, n int32) {
	for j := range s.levels {
		if int32(j) < n {
			s.levels[j].use()
		} else {
			s.levels[j].pass(1)
		}
	}
}

// keep returns the option and the steps from now for which the copy of level j
// is best held, 0 steps if it is best let go. Where copies are dropped that a
// use did not need, the next use of any level ends the holding.
func (e *Foreseen) keep(s *recalls, j int, offers []offer, dropped bool) (option int32, steps int) {
	best := 0.0
	for i := range offers {
		o := &offers[i]
		value, surviving := 0.0, 1.0
		for g := range e.ahead {
			h := e.chance(s, j, g)
			value += float64(surviving * (float64(h*o.saving) - o.hold))
			if dropped && j > 0 {
				h = e.lowest(s, g)
			}
			surviving -= float64(surviving * h)
			if value > best {
				best, option, steps = value, o.option, g+1
			}
			if value+float64(surviving*o.saving) < best || value+float64(surviving*(o.saving-o.hold)) < 0 {
				break
			}
		}
	}
	return option, steps
}

// chance is that of level j being in use in the step after g more without use.
func (e *Foreseen) chance(s *recalls, j, g int) float64 {
	if j == 0 {
		return e.lowest(s, g)
	}
	if g == e.own {
		e.level[g] = float64(e.mix.estimate(&s.levels[j], s.levels[0].past, s.above(j), g)) / 65536
		e.own++
	}
	return e.level[g]
}

// lowest is the chance of the lowest level, which is that of any use.
func (e *Foreseen) lowest(s *recalls, g int) float64 {
	if g == e.known {
		l := &s.levels[0]
		e.any[g] = float64(e.mix.estimate(l, l.past, s.above(0), g)) / 65536
		e.known++
	}
	return e.any[g]
}
