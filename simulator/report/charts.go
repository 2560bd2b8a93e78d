package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// charts is what the page's scripts draw from: the series and the points of a
// document, rounded to six significant digits.
type charts struct {
	Start    int64          `json:"start"` // Unix s
	SlotS    float64        `json:"slot_s"`
	Slots    int            `json:"slots"`
	Profile  string         `json:"profile"`
	Clusters []clusterChart `json:"clusters"`
	Policies []policyChart  `json:"policies"`
	Bounds   []boundChart   `json:"bounds,omitempty"`
}

type clusterChart struct {
	Name      string    `json:"name"`
	Zone      string    `json:"zone"`
	Intensity []float64 `json:"intensity"`
}

type policyChart struct {
	Name    string    `json:"name"`
	Kind    string    `json:"kind"`
	Carbon  []float64 `json:"carbon,omitempty"`
	Lo      []float64 `json:"lo,omitempty"`
	Hi      []float64 `json:"hi,omitempty"`
	SumLo   []float64 `json:"sum_lo,omitempty"`
	SumHi   []float64 `json:"sum_hi,omitempty"`
	Load    [][]int64 `json:"load,omitempty"`
	Latency float64   `json:"latency"`
	Grams   float64   `json:"grams"`
	// Least is what the narrowest bound that the policy is held against leaves it,
	// in grams, and LeastName that bound; LeastJ and LeastJName are those of energy.
	Least      float64 `json:"least,omitempty"`
	LeastName  string  `json:"least_name,omitempty"`
	LeastJ     float64 `json:"least_j,omitempty"`
	LeastJName string  `json:"least_j_name,omitempty"`
	// LatencyEnds, GramsEnds and JoulesEnds are 95 % intervals.
	LatencyEnds []float64 `json:"latency_ends,omitempty"`
	GramsEnds   []float64 `json:"grams_ends,omitempty"`
	JoulesEnds  []float64 `json:"joules_ends,omitempty"`
	// Energy and Parts are execution, start-up, keep-alive, idle share,
	// network, unallocated, and for carbon also embodied.
	Energy []float64 `json:"energy"`
	Parts  []float64 `json:"parts"`
}

type boundChart struct {
	Name   string  `json:"name"`
	Grams  float64 `json:"grams"`
	Joules float64 `json:"joules,omitempty"`
	// Covers are the policies that are held against the bound, and Of names them
	// in few words.
	Covers []int        `json:"covers"`
	Of     string       `json:"of"`
	Carbon []float64    `json:"carbon,omitempty"`
	Front  []pointChart `json:"front,omitempty"`
}

type pointChart struct {
	Latency float64 `json:"latency"`
	Grams   float64 `json:"grams"`
	Label   string  `json:"label,omitempty"`
}

func chartsOf(d *Document) charts {
	c := charts{Start: d.Run.Start.Unix(), SlotS: d.Run.SlotS, Slots: d.Slots(), Profile: d.Run.Accounting.profile()}
	for i := range d.Clusters {
		at := &d.Clusters[i]
		c.Clusters = append(c.Clusters, clusterChart{at.Name, at.Zone, short(at.IntensityGPerKWh...)})
	}
	for i := range d.Policies {
		c.Policies = append(c.Policies, chartOf(&d.Policies[i]))
	}
	for i := range d.Bounds {
		c.Bounds = append(c.Bounds, d.boundChart(&d.Bounds[i]))
	}
	return c
}

func chartOf(p *PolicyResult) policyChart {
	e, g := &p.Energy, &p.Carbon
	c := policyChart{
		Name: p.Name, Kind: p.Kind,
		Carbon: short(p.Series.CarbonG...), Lo: short(p.Series.CarbonLoG...), Hi: short(p.Series.CarbonHiG...),
		SumLo: short(p.Series.CarbonSumLoG...), SumHi: short(p.Series.CarbonSumHiG...),
		Load:    p.Series.Invocations,
		Latency: p.Latency.MeanS, Grams: g.OperationalG,
		Energy: short(e.ExecutionJ, e.StartupJ, e.KeepAliveJ, e.IdleJ, e.NetworkJ, e.UnallocatedJ),
		Parts:  short(g.ExecutionG, g.StartupG, g.KeepAliveG, g.IdleG, g.NetworkG, g.UnallocatedG, g.EmbodiedG),
	}
	if r, ok := p.regret("carbon"); ok {
		c.Least, c.LeastName = short(g.OperationalG / (1 + r.Share))[0], r.Bound
	}
	if r, ok := p.regret("energy"); ok {
		c.LeastJ, c.LeastJName = short(e.AttributedJ() / (1 + r.Share))[0], r.Bound
	}
	if v := p.Intervals; v != nil {
		c.LatencyEnds, c.GramsEnds = endsOf(v.LatencyMeanS), endsOf(v.CarbonG)
		c.JoulesEnds = endsOf(v.EnergyJ)
	}
	return c
}

func endsOf(v *Interval) []float64 {
	if v == nil {
		return nil
	}
	return short(v.Lo, v.Hi)
}

func (d *Document) boundChart(b *Bound) boundChart {
	out := boundChart{Name: b.Name, Grams: b.CarbonG, Joules: b.EnergyJ, Carbon: short(b.CarbonSlotsG...), Covers: d.covers(b.Name)}
	out.Of = d.who(out.Covers)
	for _, f := range b.Front {
		out.Front = append(out.Front, pointChart{f.LatencyMeanS, f.CarbonG, f.Label})
	}
	return out
}

// covers lists the policies that stayed in the action space of a bound: those that
// have a regret against it.
func (d *Document) covers(bound string) []int {
	out := []int{}
	for i := range d.Policies {
		if slices.ContainsFunc(d.Policies[i].Regrets, func(r Regret) bool { return r.Bound == bound }) {
			out = append(out, i)
		}
	}
	return out
}

// who names policies in few words.
func (d *Document) who(policies []int) string {
	switch n := len(policies); n {
	case 0:
		return "none here"
	case len(d.Policies):
		return "all"
	case 1:
		return d.Policies[policies[0]].Name
	default:
		return fmt.Sprintf("%d of %d", n, len(d.Policies))
	}
}

// short rounds to six significant digits, more than a chart can show.
func short(v ...float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i], _ = strconv.ParseFloat(strconv.FormatFloat(x, 'g', 6, 64), 64) // reads what was just printed
	}
	return out
}

// overTime is the table beneath the chart of carbon over time.
func overTime(d *Document) section {
	s := section{Title: "Carbon over time", Columns: []column{{Name: "from (UTC)", Text: true}}}
	var all []float64
	var with []*PolicyResult
	for i := range d.Policies {
		if p := &d.Policies[i]; len(p.Series.CarbonG) > 0 {
			with, all = append(with, p), append(all, p.Series.CarbonG...)
		}
	}
	if len(with) == 0 {
		return s
	}
	sc := scaleFor(grams, all...)
	for _, p := range with {
		s.Columns = append(s.Columns, column{Name: p.Name, Unit: sc.unit})
	}
	bounds := slotted(d)
	for _, b := range bounds {
		s.Columns = append(s.Columns, column{Name: "bound of " + d.who(d.covers(b.Name)) + ": " + b.Name, Unit: sc.unit})
	}
	per := (d.Slots() + tableRows - 1) / tableRows
	for t := 0; t < d.Slots(); t += per {
		to := min(t+per, d.Slots())
		row := []cell{{Text: slotStart(d, t).Format("2006-01-02 15:04")}}
		for _, p := range with {
			row = append(row, cell{Text: sc.text(total(p.Series.CarbonG[t:to]))})
		}
		for _, b := range bounds {
			row = append(row, cell{Text: sc.text(total(b.CarbonSlotsG[t:to]))})
		}
		s.Rows = append(s.Rows, row)
	}
	return s
}

// slotted lists the bounds that are spread over the slots.
func slotted(d *Document) (out []*Bound) {
	for i := range d.Bounds {
		if len(d.Bounds[i].CarbonSlotsG) > 0 {
			out = append(out, &d.Bounds[i])
		}
	}
	return out
}

// tableRows is the most rows of the table beneath a chart; slots of longer runs
// are summed.
const tableRows = 400

func total(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum
}

func slotStart(d *Document, t int) time.Time {
	return d.Run.Start.UTC().Add(time.Duration(math.Round(float64(t) * d.Run.SlotS * 1e9)))
}

// load is the table beneath the map of where the load went: the share of each
// cluster, the intensity that a policy's invocations met on average, and the least
// that they could have met.
func load(d *Document) section {
	s := section{Title: "Where the load went", Columns: []column{{Name: "policy", Text: true}}}
	for i := range d.Clusters {
		s.Columns = append(s.Columns, column{Name: d.Clusters[i].Name, Unit: "% of invocations"})
	}
	s.Columns = append(s.Columns, column{Name: "intensity met", Unit: "g/kWh"}, column{Name: "bound", Unit: "g/kWh"})
	for i := range d.Policies {
		p := &d.Policies[i]
		if len(p.Series.Invocations) == 0 {
			continue
		}
		row := []cell{{Text: p.Name}}
		byCluster, total, met := loadOf(d, p)
		for _, n := range byCluster {
			row = append(row, cell{Text: scaleFor(share).text(n / math.Max(total, 1))})
		}
		s.Rows = append(s.Rows, append(row, cell{Text: rounded(met / math.Max(total, 1))}, cell{Text: rounded(cleanest(d, p) / math.Max(total, 1))}))
	}
	return s
}

func rounded(v float64) string { return strconv.FormatFloat(v, 'f', 0, 64) }

// cleanest is the intensity that p's invocations would have met, summed, had all
// of each slot's started at the cleanest grid of that slot: no placement of the
// same invocations in the same slots meets less.
func cleanest(d *Document, p *PolicyResult) (met float64) {
	for t := range d.Slots() {
		least, n := math.Inf(1), int64(0)
		for c := range d.Clusters {
			least, n = math.Min(least, d.Clusters[c].IntensityGPerKWh[t]), n+p.Series.Invocations[c][t]
		}
		met += float64(float64(n) * least)
	}
	return met
}

func loadOf(d *Document, p *PolicyResult) (byCluster []float64, total, met float64) {
	byCluster = make([]float64, len(d.Clusters))
	for c := range d.Clusters {
		for t, n := range p.Series.Invocations[c] {
			byCluster[c] += float64(n)
			met += float64(float64(n) * d.Clusters[c].IntensityGPerKWh[t])
		}
		total += byCluster[c]
	}
	return byCluster, total, met
}
