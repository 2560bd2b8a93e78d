package minute

import (
	"fmt"
	"iter"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator/bound"
)

// Bound replays every trace with the future known, at the least cost within
// the action space. With space.Retain it bounds replays with Config.Retain,
// else those without.
func (r *Replay) Bound(traces iter.Seq2[Trace, error], space bound.Space) (Result, error) {
	var sum Result
	var chain *bound.Chain
	err := r.gaps(traces, func(g *gap) {
		if g.Before == 0 {
			chain = space.NewChain()
		}
		c := chain.Use(&g.Gap)
		sum.Minutes++
		sum.Invocations += int64(g.After)
		sum.Cold += int64(c.Cold)
		if c.Cold == g.After {
			sum.ColdMinutes++
		}
		sum.Run += c.Grams
		sum.Seconds += c.Seconds
	})
	return sum, err
}

// Holds lists the copies that could wait when at most as many are held as the
// last use needed, with what each saves; memory in GB, steps are minutes of the
// window. The Result is what serving every use without them takes.
func (r *Replay) Holds(traces iter.Seq2[Trace, error], space bound.Space) ([]bound.Hold, Result, error) {
	space.Retain = false
	var holds []bound.Hold
	var chain *bound.Chain
	err := r.gaps(traces, func(g *gap) {
		if g.Before == 0 {
			chain = space.NewChain()
		}
		for j := range min(g.Before, g.After) {
			if v := chain.Saving(&g.Gap, j); v > 0 {
				holds = append(holds, bound.Hold{From: int32(g.from), To: int32(g.to), Memory: g.memory, Value: float64(v)})
			}
		}
		chain.Use(&g.Gap)
	})
	if err != nil {
		return nil, Result{}, err
	}
	space.Longest = 1 // nothing can wait
	base, err := r.Bound(traces, space)
	return holds, base, err
}

// gap is a bound.Gap with its place in the window.
type gap struct {
	bound.Gap
	from, to int
	memory   float64
}

// gaps calls visit for every active minute of the window and the gap before it.
func (r *Replay) gaps(traces iter.Seq2[Trace, error], visit func(*gap)) error {
	for t, err := range traces {
		if err != nil {
			return err
		}
		p, ok := r.prices[t.Class]
		if !ok {
			return fmt.Errorf("trace %s: no profile of class %q", t.Name, t.Class)
		}
		start, last, before := r.cfg.Start, r.cfg.Start, uint8(0)
		ahead := make([]wattle.GramsCO2e, len(p.worst))
		for m := start; m < min(start+r.cfg.Minutes, len(t.Counts)); m++ {
			n := t.Counts[m]
			if n == 0 {
				continue
			}
			p.ahead(m, start, ahead)
			visit(&gap{from: last - start, to: m - start, memory: p.memory.GB(), Gap: bound.Gap{
				Length: time.Duration(m-last) * time.Minute,
				Before: int32(before), After: int32(n),
				Hold: p.hours[last/60], Run: p.hours[m/60], Ahead: ahead,
			}})
			last, before = m, n
		}
	}
	return nil
}

// ahead fills the least grams of having a copy started by minute m: now, or at
// the end of an earlier hour with a cleaner grid and held since.
func (p *priced) ahead(m, start int, out []wattle.GramsCO2e) {
	for o := range out {
		out[o] = p.hours[m/60][o].StartGrams
		for h := m/60 - 1; h >= start/60; h-- {
			held := p.hours[h][o].Hold.For(time.Duration(m-(h*60+59)) * time.Minute)
			out[o] = min(out[o], held+p.hours[h][o].StartGrams)
			if held > out[o] {
				break
			}
		}
	}
}
