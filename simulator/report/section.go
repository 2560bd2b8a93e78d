package report

import "strings"

// section is one table of the report, already in human units. The terminal
// and the page show the same sections.
type section struct {
	Title string
	// Note says what the figures are, below the title.
	Note    string
	Columns []column
	Rows    [][]cell
}

// column heads a column. Text columns are aligned to the left.
type column struct {
	Name, Unit string
	Text       bool
}

// cell is one rendered value; Best marks the least of a column of which less
// is better, Quiet a value that stands for "nothing".
type cell struct {
	Text        string
	Best, Quiet bool
}

// sections lists the tables that d has figures for.
func sections(d *Document) []section {
	out := []section{
		policySection(d, "Service", serviceNote(d), service()),
		outcomeSection(d),
		policySection(d, "Energy", "Before PUE. Metered = execution + start-up + keep-alive + idle share + unallocated; network is modelled apart.", energy()),
		policySection(d, "Carbon", "Energy × PUE × grid intensity at the time; operational is the sum of the parts before it.", carbonParts()),
		policySection(d, "Deciding", "How much work the decisions were.", deciding()),
	}
	for _, optional := range []func(*Document) (section, bool){intervalSection, boundSection, pairSection, horizonSection} {
		if s, ok := optional(d); ok {
			out = append(out, s)
		}
	}
	return out
}

func serviceNote(d *Document) string {
	note := "Latency is what the caller waits: network, queue, start-up and execution."
	for i := range d.Policies {
		if d.Policies[i].Deferrable > 0 {
			return note + " Delay is the mean wait of deferrable work within its slack, which is no latency; late is what waited longer."
		}
	}
	return note
}

// policySection shows fs for every policy. Figures of one dimension share a
// unit; columns in which every policy has 0 are dropped.
func policySection(d *Document, title, note string, fs []figure) section {
	s := section{Title: title, Note: note, Columns: []column{{Name: "policy", Text: true}}}
	for i := range d.Policies {
		s.Rows = append(s.Rows, []cell{{Text: d.Policies[i].Name}})
	}
	scales := groupScales(d, fs)
	for _, f := range fs {
		if v := valuesOf(d, f); nonzero(v) {
			s.add(f, scales[f.key], v)
		}
	}
	return s
}

// groupScales gives the figures of one dimension a common unit. Counts and the
// SCI, which is per invocation, stand alone.
func groupScales(d *Document, fs []figure) map[string]scale {
	byDim := map[dimension][]float64{}
	for _, f := range fs {
		byDim[f.dim] = append(byDim[f.dim], valuesOf(d, f)...)
	}
	out := map[string]scale{}
	for _, f := range fs {
		out[f.key] = scaleFor(f.dim, byDim[f.dim]...)
	}
	return out
}

func valuesOf(d *Document, f figure) []float64 {
	out := make([]float64, len(d.Policies))
	for i := range d.Policies {
		out[i] = f.value(&d.Policies[i])
	}
	return out
}

func nonzero(v []float64) bool {
	for _, x := range v {
		if x != 0 {
			return true
		}
	}
	return false
}

// add appends a column of numbers.
func (s *section) add(f figure, sc scale, v []float64) {
	s.Columns = append(s.Columns, column{Name: f.name, Unit: sc.unit})
	low, several := least(v)
	for i, x := range v {
		s.Rows[i] = append(s.Rows[i], cell{Text: sc.text(x), Best: f.less && several && x == low, Quiet: x == 0})
	}
}

// least returns the smallest of v and whether the values differ.
func least(v []float64) (low float64, differ bool) {
	low = v[0]
	for _, x := range v {
		differ = differ || x != v[0]
		low = min(low, x)
	}
	return low, differ
}

// text appends a column of words.
func (s *section) text(name, unit string, v []string) {
	s.Columns = append(s.Columns, column{Name: name, Unit: unit})
	for i, x := range v {
		s.Rows[i] = append(s.Rows[i], cell{Text: x, Quiet: x == "–"})
	}
}

// outcomeSection is the table that most readers came for: carbon with the
// change against the baseline and the regret against the bound, and money.
func outcomeSection(d *Document) section {
	base := d.Policies[d.Baseline()]
	s := policySection(d, "Carbon and cost", "Grams are of CO₂ equivalent; change is operational carbon against "+base.Name+". SCI = (operational + embodied) ÷ invocation.", nil)
	for i, f := range outcome() {
		v := valuesOf(d, f)
		if i > 0 && !nonzero(v) {
			continue
		}
		s.add(f, scaleFor(f.dim, v...), v)
		if i == 0 {
			s.text("change", "%", changes(d, base.Carbon.OperationalG))
			s.regrets(d)
		}
	}
	return s
}

func changes(d *Document, base float64) []string {
	out := make([]string, len(d.Policies))
	for i := range d.Policies {
		switch {
		case base == 0:
			out[i] = "–"
		case i == d.Baseline():
			out[i] = "base"
		default:
			out[i] = scaleFor(change).text(d.Policies[i].Carbon.OperationalG/base - 1)
		}
	}
	return out
}

// regrets appends a column per bound in which any policy has a regret, the
// narrowest action space first.
func (s *section) regrets(d *Document) {
	title := "regret: "
	for n := range d.Bounds {
		b := d.Bounds[len(d.Bounds)-1-n].Name
		v := make([]string, len(d.Policies))
		found := false
		for i := range d.Policies {
			v[i] = "–"
			for _, r := range d.Policies[i].Regrets {
				if r.Bound == b && r.Figure == "carbon" {
					v[i], found = scaleFor(change).text(r.Share), true
				}
			}
		}
		if found {
			s.text(title+b, "%", v)
			title = ""
		}
	}
}

// regret returns the least regret of a figure: that against the narrowest bound.
func (p *PolicyResult) regret(figure string) (least Regret, found bool) {
	for _, r := range p.Regrets {
		if r.Figure == figure && (!found || r.Share < least.Share) {
			least, found = r, true
		}
	}
	return least, found
}

// profile is the short statement of accounting that stands by every figure.
func (a Accounting) profile() string {
	parts := []string{a.Profile}
	if a.Signal != "" || a.Scope != "" {
		parts = append(parts, strings.TrimSpace(a.Signal+" "+a.Scope)+" intensity")
	}
	if a.Coefficients != "" {
		parts = append(parts, a.Coefficients+" coefficients")
	}
	return strings.Join(parts, ", ")
}
