package report

import (
	"encoding/csv"
	"fmt"
	"io"
)

// CSV writes one row per policy under a header whose names end in the base
// unit. The columns of regret and of 95 % intervals are there only when some
// policy has them; an empty field means "not computed".
func CSV(w io.Writer, d *Document) error {
	if err := d.Validate(); err != nil {
		return err
	}
	columns := append(labels(d), numbers()...)
	columns = append(columns, optionals(d)...)
	out := csv.NewWriter(w)
	head := make([]string, len(columns))
	for i, c := range columns {
		head[i] = c.key
	}
	rows := [][]string{head}
	for i := range d.Policies {
		row := make([]string, len(columns))
		for j, c := range columns {
			row[j] = c.text(&d.Policies[i])
		}
		rows = append(rows, row)
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("write report as CSV: %w", err)
	}
	return nil
}

// field is one CSV column.
type field struct {
	key  string
	text func(*PolicyResult) string
}

func labels(d *Document) []field {
	constant := func(v string) func(*PolicyResult) string { return func(*PolicyResult) string { return v } }
	return []field{
		{"experiment", constant(d.Run.Experiment)},
		{"accounting_profile", constant(d.Run.Accounting.Profile)},
		{"policy", func(p *PolicyResult) string { return p.Name }},
		{"kind", func(p *PolicyResult) string { return p.Kind }},
		{"lifecycle", func(p *PolicyResult) string { return p.Lifecycle }},
		{"digest", func(p *PolicyResult) string { return p.Digest }},
	}
}

func numbers() []field {
	var out []field
	for _, f := range figures() {
		out = append(out, field{f.key, func(p *PolicyResult) string { return plain(f.value(p)) }})
	}
	return out
}

func optionals(d *Document) []field {
	all := []field{{"carbon_regret_share", func(p *PolicyResult) string {
		if r, ok := p.regret("carbon"); ok {
			return plain(r.Share)
		}
		return ""
	}}}
	all = append(all, ends("carbon_operational", "_g", func(v *Intervals) *Interval { return v.CarbonG })...)
	all = append(all, ends("latency_mean", "_s", func(v *Intervals) *Interval { return v.LatencyMeanS })...)
	all = append(all, ends("latency_p95", "_s", func(v *Intervals) *Interval { return v.LatencyP95S })...)
	all = append(all, ends("energy_attributed", "_j", func(v *Intervals) *Interval { return v.EnergyJ })...)
	all = append(all, ends("cost", "_usd", func(v *Intervals) *Interval { return v.CostUSD })...)
	all = append(all, ends("cold", "_share", func(v *Intervals) *Interval { return v.ColdShare })...)
	var out []field
	for _, f := range all {
		if filled(d, f) {
			out = append(out, f)
		}
	}
	return out
}

// ends makes the two columns of one interval.
func ends(key, unit string, of func(*Intervals) *Interval) []field {
	end := func(pick func(*Interval) float64) func(*PolicyResult) string {
		return func(p *PolicyResult) string {
			if p.Intervals == nil || of(p.Intervals) == nil {
				return ""
			}
			return plain(pick(of(p.Intervals)))
		}
	}
	return []field{
		{key + "_lo95" + unit, end(func(v *Interval) float64 { return v.Lo })},
		{key + "_hi95" + unit, end(func(v *Interval) float64 { return v.Hi })},
	}
}

func filled(d *Document, f field) bool {
	for i := range d.Policies {
		if f.text(&d.Policies[i]) != "" {
			return true
		}
	}
	return false
}
