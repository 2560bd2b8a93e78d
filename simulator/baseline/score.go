package baseline

import (
	"math"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/state"
)

// greenCourier is the score of GreenCourier (Chadha et al., WoSC'23) over the
// candidates: 100 − round(100·(m − min)/(max − min)) of the grid's intensity;
// equal scores go to the first target.
type greenCourier struct{}

func (greenCourier) Name() string { return "greencourier" }

func (greenCourier) Choose(s *state.Snapshot, _ *wattle.Request, o []scheduler.Option) int {
	low, high := math.Inf(1), math.Inf(-1)
	for i := range o {
		m := intensity(s, o[i].Target)
		low, high = min(low, m), max(high, m)
	}
	best, top := 0, math.Inf(-1)
	for i := range o {
		score := 100.0
		if high > low {
			score = 100 - math.Round(100*(intensity(s, o[i].Target)-low)/(high-low))
		}
		if score > top {
			best, top = i, score
		}
	}
	return best
}

func intensity(s *state.Snapshot, target int32) float64 {
	return float64(s.Signals.Zones[s.Fleet.Targets[target].Cluster].Current.Intensity)
}

// weighted minimises a weighted sum of latency, cost and carbon, each scaled to
// [0, 1] over the candidates. Its ranking of two candidates can change when a
// third appears, which is why it is a baseline and not the default.
type weighted struct{ weights [3]float64 }

func (weighted) Name() string { return "weighted-sum" }

func (b weighted) Choose(_ *state.Snapshot, _ *wattle.Request, o []scheduler.Option) int {
	var low, high [3]float64
	for i := range o {
		for k, v := range criteria(&o[i]) {
			if i == 0 || v < low[k] {
				low[k] = v
			}
			if i == 0 || v > high[k] {
				high[k] = v
			}
		}
	}
	best, least := 0, math.Inf(1)
	for i := range o {
		sum := 0.0
		for k, v := range criteria(&o[i]) {
			if high[k] > low[k] {
				sum += float64(b.weights[k] * float64((v-low[k])/(high[k]-low[k])))
			}
		}
		if sum < least {
			best, least = i, sum
		}
	}
	return best
}

func criteria(o *scheduler.Option) [3]float64 {
	e := &o.Estimate
	return [3]float64{e.Mean.Seconds(), float64(e.Cost), float64(e.Carbon)}
}
