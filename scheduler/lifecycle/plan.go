package lifecycle

import (
	"time"

	"github.com/wattle-project/wattle"
)

// plan finds the best times to hold a copy. Costs are in grams.
type plan struct {
	prewarm bool
	step    time.Duration
	options int
	saving  [maxOptions]float64 // of a warm start over the cheapest cold one
	hold    [maxOptions]float64 // per step
	begin   [maxOptions]float64 // of starting ahead
	patient [maxOptions]int     // steps after which holding has cost the saving
	// choices of the dynamic programme, by step: the option to start (−1: none),
	// and a bit for each option that stays held.
	starts [Bins + 1]int8
	stays  [Bins + 1]uint8
	chance [Bins + 1]float64
}

func (p *plan) price(c *Case, rate wattle.GramsPerSecond, step time.Duration, prewarm bool) {
	p.prewarm, p.step = prewarm, step
	p.options = min(len(c.Options), maxOptions)
	cold := c.Options[Cheapest(c.Options, rate)].ColdCost(rate)
	for i := range p.options {
		o := &c.Options[i]
		p.saving[i] = float64(cold - o.WarmCost(rate))
		p.hold[i] = float64(o.Hold.For(step))
		p.begin[i] = float64(o.StartGrams)
		p.patient[i] = 0
		if p.saving[i] > 0 {
			p.patient[i] = int(min(p.saving[i]/max(p.hold[i], 1e-18), Bins)) + 1
		}
	}
}

// keep returns the option and the steps from now for which a copy at hand is
// best held, 0 steps if it is best let go. The level's last use ended elapsed
// steps ago. A bin is worth holding for only if it lies within the patience of
// the best stop before it, so the search ends early.
func (p *plan) keep(m *mixture, elapsed int) (option, steps int) {
	left := 1.0
	for g := 1; g <= elapsed; g++ {
		left -= m.at(g)
	}
	best := 0.0
	for o := range p.options {
		value, surviving, stop := 0.0, left, elapsed
		top := 0.0
		for g := elapsed + 1; g <= min(Bins, stop+p.patient[o]); g++ {
			chance := m.at(g)
			value += chance*p.saving[o] - p.hold[o]*surviving
			surviving -= chance
			if value > top {
				top, stop = value, g
			}
		}
		if top > best {
			best, option, steps = top, o, stop-elapsed
		}
	}
	return option, steps
}

// negligible is the chance below which later steps are not planned for.
const negligible = 0.002

// start appends the spans of one copy, which is at hand or not, that maximise
// the expected saving less holding and starting: exact backward induction over
// the steps ahead with the states "none held" and "held on option o".
func (p *plan) start(m *mixture, elapsed int, atHand bool, now time.Duration, dst []Span) []Span {
	last, left := p.chances(m, elapsed)
	if last == elapsed {
		return dst
	}
	off, on := p.induce(elapsed, last, left)
	state := -1
	for o := range p.options {
		cost := p.begin[o]
		if atHand {
			cost = p.hold[o]
		} else if !p.prewarm {
			continue
		}
		if v := on[o] - cost; v > off {
			off, state = v, o
		}
	}
	return p.walk(elapsed, last, state, atHand, now, dst)
}

// chances fills the distribution of the remaining gap up to the last step that
// matters, scaled to 1 at elapsed, and returns that step and what is left after.
func (p *plan) chances(m *mixture, elapsed int) (last int, left float64) {
	left = 1
	for g := 1; g <= elapsed; g++ {
		left -= m.at(g)
	}
	if left < negligible {
		return elapsed, 0
	}
	scale, rest := 1/left, 1.0
	for last = elapsed; last < Bins && rest > negligible; last++ {
		p.chance[last+1] = m.at(last+1) * scale
		rest -= p.chance[last+1]
	}
	return last, rest
}

// induce returns the values at the first step of holding none and of holding
// option o, per unit of chance that the gap has lasted so far.
func (p *plan) induce(elapsed, last int, left float64) (off float64, on [maxOptions]float64) {
	for g := last; g > elapsed; g-- {
		best, starts, stays := off, int8(-1), uint8(0)
		for o := range p.options {
			stay := on[o] - left*p.hold[o]
			start := on[o] - left*p.begin[o]
			on[o] = off
			if g < last && stay > off {
				on[o], stays = stay, stays|1<<o
			}
			if g < last && p.prewarm && start > best {
				best, starts = start, int8(o)
			}
			on[o] += p.chance[g] * p.saving[o]
		}
		off = best
		p.starts[g], p.stays[g] = starts, stays
		left += p.chance[g]
	}
	return off, on
}

// walk turns the choices into spans.
func (p *plan) walk(elapsed, last, state int, atHand bool, now time.Duration, dst []Span) []Span {
	from := elapsed + 1
	if atHand {
		from = elapsed
	}
	at := func(g int) time.Duration { return now + time.Duration(g-elapsed)*p.step }
	for g := elapsed + 1; g <= last; g++ {
		if state < 0 {
			state, from = int(p.starts[g]), g+1
			continue
		}
		if p.stays[g]&(1<<state) == 0 {
			dst = append(dst, Span{int32(state), 1, at(from), at(g)})
			state = -1
		}
	}
	return dst
}
