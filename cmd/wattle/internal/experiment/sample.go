package experiment

import (
	"fmt"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator/report"
)

// samples renders the explained decisions of every policy.
func (e *Experiment) samples(outcomes []Outcome) []report.Sample {
	var out []report.Sample
	for _, o := range outcomes {
		if o.Seed != 0 || o.Set != e.own() {
			continue
		}
		for i := range o.Result.Explained {
			out = append(out, Sample(e.File.Policies[o.Policy].Title(), &o.Result.Explained[i]))
		}
	}
	return out
}

// Sample renders one explained decision: every candidate with its columns in
// their units, what refused it, and what the choice rests on.
func Sample(policy string, x *wattle.Explanation) report.Sample {
	d := &x.Decision
	s := report.Sample{
		Sequence: d.Sequence, Policy: policy, Function: string(d.Function.ID), At: x.Now.UTC(), Facts: facts(x),
		Columns: []report.SampleColumn{
			{Name: "target"}, {Name: "state"}, {Name: "start", Unit: "+"}, {Name: "mean", Unit: "ms"}, {Name: "p95", Unit: "ms"},
			{Name: "energy", Unit: "J"}, {Name: "carbon", Unit: "mg"}, {Name: "embodied", Unit: "mg"}, {Name: "cost", Unit: "µUSD"},
			{Name: "signal"}, {Name: "G", Unit: "mg"},
		},
	}
	s.Outcome = "no feasible place: " + strings.Join(d.Reasons.Names(), ", ")
	for i := range x.Rows {
		r := &x.Rows[i]
		if r.Refused.Has(wattle.ReasonAccelerator) {
			continue // another kind of machine altogether
		}
		s.Rows = append(s.Rows, report.SampleRow{Cells: cells(x, i), Chosen: r.Chosen, Refused: refusal(r, x.Columns.Sandbox[i])})
		if r.Chosen {
			reason := fmt.Sprintf("has the least G of %d feasible candidates", feasible(x))
			if x.Chooser != "" {
				reason = fmt.Sprintf("was chosen by %s among %d feasible candidates", x.Chooser, feasible(x))
			}
			s.Outcome = fmt.Sprintf("%s on %s %s", d.Sandbox, r.Attributes.Target, reason)
		}
	}
	return s
}

func feasible(x *wattle.Explanation) (n int) {
	for i := range x.Rows {
		if x.Rows[i].Refused == 0 {
			n++
		}
	}
	return n
}

func cells(x *wattle.Explanation, i int) []string {
	c, ms := x.Columns, func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/1e6) }
	mg := func(g wattle.GramsCO2e) string { return fmt.Sprintf("%.4g", float64(g)*1e3) }
	return []string{
		string(x.Rows[i].Attributes.Target), c.Sandbox[i].String(), c.Delay[i].String(), ms(c.Mean[i]), ms(c.P95[i]),
		fmt.Sprintf("%.4g", float64(c.Energy[i])), mg(c.Carbon[i]), mg(c.Embodied[i]), fmt.Sprintf("%.4g", float64(c.Cost[i])*1e6),
		c.Quality[i].String(), mg(x.Rows[i].G),
	}
}

func refusal(r *wattle.ExplainedRow, box wattle.Sandbox) string {
	var out []string
	for _, d := range r.Denials {
		out = append(out, d.Code+": "+d.Msg)
	}
	for _, n := range r.Refused.Names() {
		if n == "policy" && len(r.Denials) > 0 {
			continue
		}
		if n == "capacity" && r.Available {
			continue
		}
		if n == "capacity" && box == wattle.Warm {
			n = "no idle instance"
		}
		out = append(out, n)
	}
	return strings.Join(out, "; ")
}

func facts(x *wattle.Explanation) []report.Fact {
	o, l, d := &x.Intent.Objective, &x.Intent.Limits, &x.Decision
	f := []report.Fact{
		{Label: "objective", Value: fmt.Sprintf("%g × carbon + %s × latency + %s × cost", o.Carbon, o.Seconds, o.Dollars)},
		{Label: "intensity", Value: o.Signal.String()},
		{Label: "policy", Value: d.Policy},
		{Label: "revision", Value: fmt.Sprint(d.Revision)},
	}
	if x.Caller == "" {
		f = append(f, report.Fact{Label: "caller", Value: "unknown to the fleet: every place is taken to be as far as the farthest"})
	}
	if x.Serves > 1 && x.Chooser == "" {
		f = append(f, report.Fact{Label: "start", Value: fmt.Sprintf("counts 1/%.3g in G: a fresh instance is expected to serve that many requests", x.Serves)})
	}
	if t := limits(l); t != "" {
		f = append(f, report.Fact{Label: "limits", Value: t})
	}
	return f
}

func limits(l *wattle.Limits) string {
	var out []string
	add := func(ok bool, format string, a ...any) {
		if ok {
			out = append(out, fmt.Sprintf(format, a...))
		}
	}
	add(l.Mean > 0, "mean ≤ %s", l.Mean)
	add(l.P95 > 0, "p95 ≤ %s", l.P95)
	add(l.P95OverHome > 0, "p95 ≤ %g %% of home", float64(l.P95OverHome)/10)
	add(l.Cost > 0, "cost ≤ %s", l.Cost)
	add(l.CostOverCheapest > 0, "cost ≤ %g %% of the cheapest", float64(l.CostOverCheapest)/10)
	add(l.Carbon > 0, "carbon ≤ %s", l.Carbon)
	add(l.StartWithin > 0, "start within %s", l.StartWithin)
	add(l.MinIsolation > 0, "isolation ≥ %s", l.MinIsolation)
	return strings.Join(out, ", ")
}
