package experiment

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/wattle-project/wattle/simulator"
	"github.com/wattle-project/wattle/simulator/report"
)

// intervals are 95 % Student intervals over seeds, nil with fewer than two.
func intervals(runs []Outcome) *report.Intervals {
	if len(runs) < 2 {
		return nil
	}
	of := func(get func(*simulator.Result) float64) *report.Interval {
		v := make([]float64, len(runs))
		for i, r := range runs {
			v[i] = get(r.Result)
		}
		return interval(v)
	}
	return &report.Intervals{
		Seeds:        len(runs),
		CarbonG:      of(func(r *simulator.Result) float64 { return float64(r.Carbon.Operational()) }),
		LatencyMeanS: of(func(r *simulator.Result) float64 { return r.Latency.Mean().Seconds() }),
		LatencyP95S:  of(func(r *simulator.Result) float64 { return r.Latency.Quantile(0.95).Seconds() }),
		EnergyJ:      of(func(r *simulator.Result) float64 { return float64(r.Energy.Attributed().Joules()) }),
		CostUSD:      of(func(r *simulator.Result) float64 { return float64(r.Cost) }),
		ColdShare:    of(func(r *simulator.Result) float64 { return float64(r.Cold) / math.Max(float64(r.Invocations), 1) }),
	}
}

// interval is the mean of v with its 95 % confidence interval by Student's t.
func interval(v []float64) *report.Interval {
	n := float64(len(v))
	sum, square := 0.0, 0.0
	for _, x := range v {
		sum += x
	}
	m := sum / n
	for _, x := range v {
		square += float64((x - m) * (x - m))
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(0.975)
	half := t * math.Sqrt(square/(n-1)/n)
	return &report.Interval{Lo: m - half, Mean: m, Hi: m + half}
}

// pairs says in how many (set, seed) combinations the policy with less carbon
// under the experiment's own set stays below the other.
func (e *Experiment) pairs(outcomes []Outcome) []report.Pair {
	type key struct {
		set  Assignment
		seed int
	}
	carbon := map[key]map[int]float64{}
	for _, o := range outcomes {
		k := key{o.Set, o.Seed}
		if carbon[k] == nil {
			carbon[k] = map[int]float64{}
		}
		carbon[k][o.Policy] = float64(o.Result.Carbon.Operational())
	}
	if len(carbon) < 2 {
		return nil
	}
	var out []report.Pair
	own := e.own()
	for a := range e.File.Policies {
		for b := a + 1; b < len(e.File.Policies); b++ {
			low, high := a, b
			if sum := func(p int) (s float64) {
				for seed := range e.Seeds {
					s += carbon[key{own, seed}][p]
				}
				return s
			}; sum(b) < sum(a) {
				low, high = b, a
			}
			below := 0
			for _, c := range carbon {
				if c[low] < c[high] {
					below++
				}
			}
			out = append(out, report.Pair{
				A: e.File.Policies[low].Title(), B: e.File.Policies[high].Title(), Figure: "carbon",
				BelowShare: float64(below) / float64(len(carbon)), Sets: len(carbon),
			})
		}
	}
	return out
}

// bands are the 95 % intervals of carbon per slot over seeds, nil with fewer
// than two.
func bands(runs []Outcome) (lo, hi []float64) {
	if len(runs) < 2 {
		return nil, nil
	}
	for k := range runs[0].Result.Series[0] {
		v := make([]float64, len(runs))
		for i, r := range runs {
			for c := range r.Result.Series {
				v[i] += float64(r.Result.Series[c][k].Carbon.Operational())
			}
		}
		x := interval(v)
		lo, hi = append(lo, x.Lo), append(hi, x.Hi)
	}
	return lo, hi
}
