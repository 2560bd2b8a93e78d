package minute

import (
	"fmt"
	"iter"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/lifecycle"
)

// Published is one of the comparison figures that EcoLife prints. They look
// ahead from each active minute to the next and charge the run there, warm, at
// the present intensity, for as many invocations as both minutes have. Where
// the two differ they drop or double execution carbon: they are reproduced for
// the record and are no bounds.
type Published uint8

// The published comparison figures.
const (
	CO2Opt         Published = iota // least carbon
	Oracle                          // least carbon and service time, normalised at the mean intensity, half each
	ServiceTimeOpt                  // always warm on the second server
)

// String returns the published name.
func (p Published) String() string {
	return [...]string{"CO2-Opt", "Oracle", "Service-Time-Opt"}[p]
}

const (
	publishedMinutes = 30              // longest look-ahead
	publishedTypical = 7 * time.Minute // keep-alive of the normalisation
)

// Published computes one of the published comparison figures.
func (r *Replay) Published(traces iter.Seq2[Trace, error], which Published) (Result, error) {
	var sum Result
	for t, err := range traces {
		if err != nil {
			return sum, err
		}
		p, ok := r.prices[t.Class]
		if !ok || len(p.worst) < 2 {
			return sum, fmt.Errorf("trace %s: class %q: want a profile on two servers", t.Name, t.Class)
		}
		end := min(r.cfg.Start+r.cfg.Minutes, len(t.Counts))
		for m := r.cfg.Start; m < end; m++ {
			if n := t.Counts[m]; n > 0 {
				sum.Minutes++
				sum.Invocations += int64(n)
				p.published(which, t.Counts[:end], m, &sum)
			}
		}
	}
	return sum, nil
}

// published adds what minute m costs.
func (p *priced) published(which Published, counts []uint8, m int, sum *Result) {
	options := p.hours[m/60]
	n := float64(counts[m])
	gap, longest := 1, len(counts)
	if which != ServiceTimeOpt {
		longest = min(longest, m+publishedMinutes+1)
	}
	for m+gap < longest && counts[m+gap] == 0 {
		gap++
	}
	held := time.Duration(gap) * time.Minute
	if m+gap >= longest {
		gap = 0
	}
	if which == ServiceTimeOpt {
		o := &options[1]
		sum.Run += o.WarmGrams.Times(n)
		sum.Seconds += o.Warm * time.Duration(counts[m])
		if gap > 0 {
			sum.Hold += o.Hold.For(held).Times(n)
		}
		return
	}
	run, hold, seconds := p.best(which, options, held, gap > 0)
	if hold == 0 {
		gap = 0
		sum.Cold += int64(counts[m])
	}
	next := float64(counts[m+gap])
	sum.Run += run.Times(min(n, next))
	sum.Hold += hold.Times(next)
	sum.Seconds += seconds * time.Duration(counts[m])
}

// best is the cheapest of cold now and, if the gap is short enough, kept over it.
func (p *priced) best(which Published, options []lifecycle.Option, held time.Duration, near bool) (run, hold wattle.GramsCO2e, seconds time.Duration) {
	score := func(run, hold wattle.GramsCO2e, d time.Duration) float64 { return float64(run + hold) }
	if which == Oracle {
		slow, dirty, idle := p.mean[0].Cold, p.mean[0].ColdGrams, p.mean[0].Hold
		for _, o := range p.mean {
			slow, dirty, idle = max(slow, o.Cold), max(dirty, o.ColdGrams), max(idle, o.Hold)
		}
		score = func(run, hold wattle.GramsCO2e, d time.Duration) float64 {
			return float64(run/dirty) + float64(hold/idle.For(publishedTypical)) + d.Seconds()/slow.Seconds()
		}
	}
	least := -1.0
	offer := func(r, h wattle.GramsCO2e, d time.Duration) {
		if v := score(r, h, d); least < 0 || v < least {
			least, run, hold, seconds = v, r, h, d
		}
	}
	for i := range options {
		offer(options[i].ColdGrams, 0, options[i].Cold)
	}
	for i := range options {
		if near {
			offer(options[i].WarmGrams, options[i].Hold.For(held), options[i].Warm)
		}
	}
	return run, hold, seconds
}

// ColdMinutes counts the active minutes of whole traces that are cold when
// every use is kept for each of the numbers of minutes: the first, and those
// whose previous active minute lies longer ago.
func ColdMinutes(traces iter.Seq2[Trace, error], keep []int) (cold []int64, active, invocations int64, err error) {
	cold = make([]int64, len(keep))
	for t, err := range traces {
		if err != nil {
			return nil, 0, 0, err
		}
		last := -1
		for m, n := range t.Counts {
			if n == 0 {
				continue
			}
			active++
			invocations += int64(n)
			for i, k := range keep {
				if last < 0 || m-last > k {
					cold[i]++
				}
			}
			last = m
		}
	}
	return cold, active, invocations, nil
}
