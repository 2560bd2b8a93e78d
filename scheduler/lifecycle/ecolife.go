package lifecycle

import (
	"math/bits"
	"time"
)

// EcoLife is the policy of Jiang et al., "EcoLife: Carbon-Aware Serverless
// Function Scheduling for Sustainable Computing" (SC'24): per use it chooses
// the option l and k of 0…30 whole minutes that minimise
//
//	F(l, k) = (1−λ)·KA_l(k)/KAmax + λ·[pc·cold_l + pw·warm_l]/STmax
//	        + (1−λ)·[pc·Ccold_l + pw·Cwarm_l]/Cmax,  λ = ½
//
// where pw is the share of the gaps of the last 20 minutes that are at most k,
// ½ if there is none, and pc = 1 − pw. The search is exact, or, for the record,
// the published particle swarm.
type EcoLife struct {
	swarm  bool
	seed   uint64
	series []ecoSeries
	swarms []swarm
}

const (
	ecoLambda  = 0.5
	ecoMinutes = 30 // longest keep-alive
	ecoRecall  = 20 // minutes of history
	ecoTypical = 7 * time.Minute
)

// ecoSeries remembers which of the last minutes were active: bit i stands for
// minute last − i.
type ecoSeries struct {
	recent uint32
	last   int64
}

// Decide keeps all copies on the option and for the minutes that minimise F.
func (e *EcoLife) Decide(c *Case, dst []Span) []Span {
	e.series = grow(e.series, c.Series)
	s := &e.series[c.Series]
	now := int64(c.Arrived / time.Minute)
	history := s.shift(now)
	s.recent |= 1
	if c.LearnOnly {
		return dst
	}
	var f ecoObjective
	f.gaps(history)
	f.set(c)
	option, minutes := 0, 0
	if e.swarm {
		e.swarms = grow(e.swarms, c.Series)
		option, minutes = e.swarms[c.Series].step(&f, c, e.seed)
	} else {
		option, minutes = f.search(len(c.Options))
	}
	if minutes == 0 {
		return dst
	}
	return append(dst, Span{int32(option), c.Invocations, c.Now, c.Now + time.Duration(minutes)*time.Minute})
}

// ColdOption weighs normalised seconds and grams at the present intensity.
func (e *EcoLife) ColdOption(c *Case) int32 {
	var slow time.Duration
	dirty := c.Options[0].ColdGrams
	for _, o := range c.Options {
		slow, dirty = max(slow, o.Cold), max(dirty, o.ColdGrams)
	}
	cost := func(o *Option) float64 {
		return ecoLambda*o.Cold.Seconds()/slow.Seconds() + (1-ecoLambda)*float64(o.ColdGrams/dirty)
	}
	best := 0
	for i := range c.Options {
		if cost(&c.Options[i]) < cost(&c.Options[best]) {
			best = i
		}
	}
	return int32(best)
}

// shift moves the window to now and returns the activity of the minutes before.
func (s *ecoSeries) shift(now int64) uint32 {
	if d := now - s.last; d > ecoRecall {
		s.recent = 0
	} else {
		s.recent = s.recent << d & (1<<(ecoRecall+1) - 1)
	}
	s.last = now
	return s.recent
}

// ecoObjective is F for one use.
type ecoObjective struct {
	count   int                 // gaps in the last minutes
	within  [ecoMinutes + 1]int // gaps of at most k minutes
	a, b, h [ecoOptions]float64 // F = b + pc·(a−b) + h·k
}

// ecoOptions bounds the options that EcoLife looks at.
const ecoOptions = 8

// gaps counts the gaps between the active minutes of history, newest at bit 0.
func (f *ecoObjective) gaps(history uint32) {
	for history != 0 {
		history >>= bits.TrailingZeros32(history)
		next := bits.TrailingZeros32(history &^ 1)
		if next == 32 {
			break
		}
		f.within[next]++
		f.count++
		history &^= 1
	}
	for k := 1; k <= ecoMinutes; k++ {
		f.within[k] += f.within[k-1]
	}
}

func (f *ecoObjective) set(c *Case) {
	slow, dirty, hold := c.Worst[0].Cold, c.Worst[0].ColdGrams, c.Worst[0].Hold
	for _, o := range c.Worst {
		slow, dirty, hold = max(slow, o.Cold), max(dirty, o.ColdGrams), max(hold, o.Hold)
	}
	worst := hold.For(ecoTypical)
	for i, o := range c.Options[:min(len(c.Options), ecoOptions)] {
		f.a[i] = ecoLambda*(o.Cold.Seconds()/slow.Seconds()) + (1-ecoLambda)*float64(o.ColdGrams/dirty)
		f.b[i] = ecoLambda*(o.Warm.Seconds()/slow.Seconds()) + (1-ecoLambda)*float64(o.WarmGrams/dirty)
		f.h[i] = (1 - ecoLambda) * float64(o.Hold.For(time.Minute)/worst)
	}
}

func (f *ecoObjective) at(l, k int) float64 {
	warm := 0.5
	if f.count > 0 {
		warm = float64(f.within[k]) / float64(f.count)
	}
	return (1-warm)*f.a[l] + warm*f.b[l] + f.h[l]*float64(k)
}

func (f *ecoObjective) value(p position) float64 { return f.at(int(p.l), int(p.k)) }

func (f *ecoObjective) search(options int) (option, minutes int) {
	best := f.at(0, 0)
	for l := range min(options, ecoOptions) {
		for k := range ecoMinutes + 1 {
			if v := f.at(l, k); v < best {
				best, option, minutes = v, l, k
			}
		}
	}
	return option, minutes
}
