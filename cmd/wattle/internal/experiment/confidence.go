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

// pairs says how firm the order of any two policies is, the one with less carbon
// under the experiment's own set first: in how many coefficient sets, by the mean
// over seeds, it stays below the other, and the interval of their difference over
// seeds, in each of which both saw the same arrivals.
func (e *Experiment) pairs(outcomes []Outcome) []report.Pair {
	carbon := map[Assignment][][]float64{} // [policy][seed]
	for _, o := range outcomes {
		of := carbon[o.Set]
		if of == nil {
			of = make([][]float64, len(e.File.Policies))
			for i := range of {
				of[i] = make([]float64, len(e.Seeds))
			}
			carbon[o.Set] = of
		}
		of[o.Policy][o.Seed] = float64(o.Result.Carbon.Operational())
	}
	if len(carbon) < 2 && len(e.Seeds) < 2 {
		return nil
	}
	var out []report.Pair
	for a := range e.File.Policies {
		for b := a + 1; b < len(e.File.Policies); b++ {
			low, high := a, b
			if own := carbon[e.own()]; total(own[b]) < total(own[a]) {
				low, high = b, a
			}
			p := comparison(carbon, e.own(), low, high)
			p.A, p.B = e.File.Policies[low].Title(), e.File.Policies[high].Title()
			out = append(out, p)
		}
	}
	return out
}

// comparison is how firmly policy low lies below policy high.
func comparison(carbon map[Assignment][][]float64, own Assignment, low, high int) report.Pair {
	below := 0
	for _, of := range carbon {
		if total(of[low]) < total(of[high]) {
			below++
		}
	}
	p := report.Pair{Figure: "carbon", BelowShare: float64(below) / float64(len(carbon)), Sets: len(carbon)}
	if seeds := len(carbon[own][low]); seeds > 1 {
		d := make([]float64, seeds)
		for i := range d {
			d[i] = carbon[own][high][i] - carbon[own][low][i]
		}
		p.Difference = interval(d)
	}
	return p
}

func total(v []float64) (sum float64) {
	for _, x := range v {
		sum += x
	}
	return sum
}

// bands are the 95 % intervals over seeds of the carbon of each slot, and of its
// sum up to the end of each; nil with fewer than two seeds.
func bands(runs []Outcome) (lo, hi, sumLo, sumHi []float64) {
	if len(runs) < 2 {
		return nil, nil, nil, nil
	}
	sums := make([]float64, len(runs))
	for k := range runs[0].Result.Series[0] {
		v := make([]float64, len(runs))
		for i, r := range runs {
			for c := range r.Result.Series {
				v[i] += float64(r.Result.Series[c][k].Carbon.Operational())
			}
			sums[i] += v[i]
		}
		x, s := interval(v), interval(sums)
		lo, hi = append(lo, x.Lo), append(hi, x.Hi)
		sumLo, sumHi = append(sumLo, s.Lo), append(sumHi, s.Hi)
	}
	return lo, hi, sumLo, sumHi
}
