package minute

import (
	"iter"
	"math"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/lifecycle"
	"github.com/wattle-project/wattle/simulator/bound"
)

// Front is the least carbon at any mean service time, by the tangents of a
// bound at some worths of a second. More rates only raise it.
type Front struct {
	rates  []wattle.GramsPerSecond
	points []Result
}

// Front bounds the traces at every rate.
func (r *Replay) Front(traces iter.Seq2[Trace, error], space bound.Space, rates ...wattle.GramsPerSecond) (*Front, error) {
	f := &Front{rates: rates}
	for _, space.Rate = range rates {
		p, err := r.Bound(traces, space)
		if err != nil {
			return nil, err
		}
		f.points = append(f.points, p)
	}
	return f, nil
}

// Regret is the share by which the carbon of x lies above the front at its own
// mean service time.
func (f *Front) Regret(x *Result) float64 {
	least := 0.0
	for i, p := range f.points {
		least = max(least, p.MeanGrams()+float64(float64(f.rates[i])*(p.MeanSeconds()-x.MeanSeconds())))
	}
	return x.MeanGrams()/least - 1
}

// Match runs the policy at the least worth of a second, found to 2 %, at which
// the mean service time is at most seconds; it returns no invocations if none of
// 0.0005 to 0.05 g/s is.
func (r *Replay) Match(traces iter.Seq2[Trace, error], policy string, seconds float64) (x Result, err error) {
	c := lifecycle.DefaultConfig()
	low, high := math.Log(5e-4), math.Log(5e-2)
	for range 8 {
		middle := (low + high) / 2
		c.Rate = wattle.GramsPerSecond(math.Exp(middle))
		k, err := lifecycle.New(policy, c)
		if err != nil {
			return x, err
		}
		y, err := r.Run(traces, k)
		if err != nil {
			return x, err
		}
		if y.MeanSeconds() > seconds {
			low = middle
		} else {
			x, high = y, middle
		}
	}
	return x, nil
}
