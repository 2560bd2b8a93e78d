package report

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// intervalSection shows 95 % intervals over seeds.
func intervalSection(d *Document) (section, bool) {
	type kind struct {
		name string
		dim  dimension
		of   func(*Intervals) *Interval
	}
	kinds := []kind{
		{"carbon", grams, func(v *Intervals) *Interval { return v.CarbonG }},
		{"mean latency", seconds, func(v *Intervals) *Interval { return v.LatencyMeanS }},
		{"p95 latency", seconds, func(v *Intervals) *Interval { return v.LatencyP95S }},
		{"energy", joules, func(v *Intervals) *Interval { return v.EnergyJ }},
		{"cost", dollars, func(v *Intervals) *Interval { return v.CostUSD }},
		{"cold", share, func(v *Intervals) *Interval { return v.ColdShare }},
		{"regret", change, func(v *Intervals) *Interval { return v.RegretShare }},
	}
	s := section{Title: "Confidence", Columns: []column{{Name: "policy", Text: true}},
		Note: "95 % intervals over paired seeds: every policy sees the same arrivals in a seed. low … high."}
	var with []*PolicyResult
	for i := range d.Policies {
		if p := &d.Policies[i]; p.Intervals != nil {
			with = append(with, p)
			s.Rows = append(s.Rows, []cell{{Text: p.Name}})
		}
	}
	for _, k := range kinds {
		s.interval(with, k.name, k.dim, k.of)
	}
	return s, len(s.Columns) > 1
}

// interval appends one column of "low … high", if any policy has it.
func (s *section) interval(ps []*PolicyResult, name string, dim dimension, of func(*Intervals) *Interval) {
	var ends []float64
	for _, p := range ps {
		if v := of(p.Intervals); v != nil {
			ends = append(ends, v.Lo, v.Hi)
		}
	}
	if len(ends) == 0 {
		return
	}
	sc := scaleFor(dim, ends...)
	if dim != share && dim != change {
		sc.decimals = min(4, sc.decimals+1) // intervals are narrow beside their means
	}
	cells := make([]string, len(ps))
	for i, p := range ps {
		cells[i] = "–"
		if v := of(p.Intervals); v != nil {
			cells[i] = sc.text(v.Lo) + " … " + sc.text(v.Hi)
		}
	}
	s.text(name, sc.unit, cells)
}

// boundSection lists the bounds with what their solvers could choose.
func boundSection(d *Document) (section, bool) {
	if len(d.Bounds) == 0 {
		return section{}, false
	}
	var g, j, t, u []float64
	for i := range d.Bounds {
		b := &d.Bounds[i]
		g, j, t, u = append(g, b.CarbonG), append(j, b.EnergyJ), append(t, b.LatencyMeanS), append(u, b.CostUSD)
	}
	gs, js, ts, us := scaleFor(grams, g...), scaleFor(joules, j...), scaleFor(seconds, t...), scaleFor(dollars, u...)
	s := section{
		Title: "Bounds",
		Note: "The least that any policy with this action space can reach, for each figure by itself; the gap is how much of the carbon is unproven where it is " +
			"to a plan that was found (the duality gap); to the best policy it is how far that is from the bound, and no duality gap. " +
			"A bound holds for the policies named: those of this run that stayed in its action space.",
		Columns: []column{
			{Name: "bound", Text: true},
			{Name: "carbon", Unit: gs.unit},
			{Name: "energy", Unit: js.unit},
			{Name: "mean lat.", Unit: ts.unit},
			{Name: "cost", Unit: us.unit},
			{Name: "gap", Unit: "%"},
			{Name: "to", Text: true},
			{Name: "action space", Text: true},
		},
	}
	for i := range d.Bounds {
		b := &d.Bounds[i]
		s.Rows = append(s.Rows, []cell{
			{Text: b.Name}, {Text: gs.text(b.CarbonG)}, known(js, b.EnergyJ), known(ts, b.LatencyMeanS), known(us, b.CostUSD),
			b.gap(), b.to(), {Text: d.held(b.Name) + ": " + b.space()},
		})
	}
	return s, true
}

// gap is the distance to what is feasible, in per cent, or that there is none.
func (b *Bound) gap() cell {
	switch {
	case b.GapTo == "plan" && b.DualityGap < 5e-7:
		return cell{Text: "exact"}
	case b.GapTo == "policy" && b.Unreached:
		return cell{Text: "–", Quiet: true}
	}
	return cell{Text: scaleFor(share).text(b.DualityGap)}
}

// to says what the gap is to.
func (b *Bound) to() cell {
	if b.GapTo == "" || b.GapTo == "policy" && b.Unreached {
		return cell{Text: "–", Quiet: true}
	}
	return cell{Text: b.GapTo}
}

// space is the action space in a few words, where there are such.
func (b *Bound) space() string {
	if b.Brief != "" {
		return b.Brief
	}
	return sentence(b.ActionSpace, b.Method)
}

// held names the policies that a bound holds for, all of them if few and short.
func (d *Document) held(bound string) string {
	of := d.covers(bound)
	switch {
	case len(of) == 0:
		return "no policy of this run"
	case len(of) == len(d.Policies):
		return "all policies"
	case len(of) > 4:
		return d.who(of) + " policies"
	}
	names := make([]string, len(of))
	for i, p := range of {
		names[i] = d.Policies[p].Name
	}
	if s := strings.Join(names, ", "); len(of) == 1 || utf8.RuneCountInString(s) <= 30 {
		return s
	}
	return d.who(of) + " policies"
}

// known renders a value of which 0 means "not computed".
func known(s scale, v float64) cell {
	if v == 0 {
		return cell{Text: "–", Quiet: true}
	}
	return cell{Text: s.text(v)}
}

func sentence(a, b string) string {
	if b == "" {
		return a
	}
	return a + "; " + b
}

// pairSection says which orders of policies hold over the coefficient sets.
func pairSection(d *Document) (section, bool) {
	s := section{
		Title: "Robustness",
		Note: "Share of coefficient sets in which the first stays below the second by the mean over seeds. Under 90 % no order is claimed, " +
			"nor where the 95 % interval of the difference over paired seeds holds 0.",
		Columns: []column{
			{Name: "this", Text: true},
			{Name: "below that", Text: true},
			{Name: "figure", Text: true},
			{Name: "sets"},
			{Name: "share", Unit: "%"},
			{Name: "claim", Text: true},
		},
	}
	var differences []string
	sc := differenceScale(d.Pairs)
	for _, p := range d.Pairs {
		if p.Difference != nil {
			differences = append(differences, sc.text(p.Difference.Lo)+" … "+sc.text(p.Difference.Hi))
		}
		claim := cell{Text: "robust"}
		if !p.Robust() {
			claim = cell{Text: "not robust", Quiet: true}
		}
		s.Rows = append(s.Rows, []cell{
			{Text: p.A}, {Text: p.B}, {Text: p.Figure}, {Text: strconv.Itoa(p.Sets)},
			{Text: scaleFor(share).text(p.BelowShare)}, claim,
		})
	}
	if len(differences) > 0 && len(differences) == len(d.Pairs) {
		s.text("difference", sc.unit, differences)
	}
	return s, len(s.Rows) > 0
}

func differenceScale(pairs []Pair) scale {
	var ends []float64
	for _, p := range pairs {
		if p.Difference != nil {
			ends = append(ends, p.Difference.Lo, p.Difference.Hi)
		}
	}
	return scaleFor(grams, ends...)
}

// horizonSection shows the figures with and without the instances that were
// alive when the window ended.
func horizonSection(d *Document) (section, bool) {
	var g, j []float64
	for i := range d.Policies {
		if h := d.Policies[i].Horizon; h != nil {
			g = append(g, h.CarbonWithG, h.CarbonWithoutG)
			j = append(j, h.EnergyWithJ, h.EnergyWithoutJ)
		}
	}
	gs, js := scaleFor(grams, g...), scaleFor(joules, j...)
	s := section{
		Title: "End of the window",
		Note:  "Instances alive at the end, counted to the end of their keep-alive (with) or to the end of the window (without).",
		Columns: []column{
			{Name: "policy", Text: true},
			{Name: "alive"},
			{Name: "carbon with", Unit: gs.unit},
			{Name: "without", Unit: gs.unit},
			{Name: "energy with", Unit: js.unit},
			{Name: "without", Unit: js.unit},
		},
	}
	if r := d.Run.Accounting.HorizonRule; r != "" {
		s.Note += " This run: " + r + "."
	}
	for i := range d.Policies {
		if h := d.Policies[i].Horizon; h != nil {
			s.Rows = append(s.Rows, []cell{
				{Text: d.Policies[i].Name}, {Text: group(strconv.FormatInt(h.Instances, 10))},
				{Text: gs.text(h.CarbonWithG)}, {Text: gs.text(h.CarbonWithoutG)},
				{Text: js.text(h.EnergyWithJ)}, {Text: js.text(h.EnergyWithoutJ)},
			})
		}
	}
	return s, len(s.Rows) > 0
}
