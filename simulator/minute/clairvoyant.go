package minute

import (
	"fmt"
	"iter"
	"time"

	"github.com/wattle-project/wattle/simulator/bound"
)

// Bound replays every trace with the future known, at the least cost within
// the action space.
func (r *Replay) Bound(traces iter.Seq2[Trace, error], space bound.Space) (Result, error) {
	var sum Result
	err := r.gaps(traces, func(g *bound.Gap) {
		c := space.Best(g)
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

// gaps calls visit for every active minute of the window and the gap before it.
func (r *Replay) gaps(traces iter.Seq2[Trace, error], visit func(*bound.Gap)) error {
	for t, err := range traces {
		if err != nil {
			return err
		}
		p, ok := r.prices[t.Class]
		if !ok {
			return fmt.Errorf("trace %s: no profile of class %q", t.Name, t.Class)
		}
		last, before := r.cfg.Start, uint8(0)
		for m := r.cfg.Start; m < min(r.cfg.Start+r.cfg.Minutes, len(t.Counts)); m++ {
			n := t.Counts[m]
			if n == 0 {
				continue
			}
			visit(&bound.Gap{
				Length: time.Duration(m-last) * time.Minute,
				Before: int32(before), After: int32(n),
				Hold: p.hours[last/60], Run: p.hours[m/60],
			})
			last, before = m, n
		}
	}
	return nil
}
