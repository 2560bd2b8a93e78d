package report

import (
	"math"
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
	Bound    *boundChart    `json:"bound,omitempty"`
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
	Load    [][]int64 `json:"load,omitempty"`
	Latency float64   `json:"latency"`
	Grams   float64   `json:"grams"`
	// LatencyEnds and GramsEnds are 95 % intervals.
	LatencyEnds []float64 `json:"latency_ends,omitempty"`
	GramsEnds   []float64 `json:"grams_ends,omitempty"`
	// Energy and Parts are execution, start-up, keep-alive, idle share,
	// network, unallocated, and for carbon also embodied.
	Energy []float64 `json:"energy"`
	Parts  []float64 `json:"parts"`
}

type boundChart struct {
	Name   string       `json:"name"`
	Space  string       `json:"space"`
	Grams  float64      `json:"grams"`
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
	if len(d.Bounds) > 0 {
		c.Bound = boundOf(&d.Bounds[0])
	}
	return c
}

func chartOf(p *PolicyResult) policyChart {
	e, g := &p.Energy, &p.Carbon
	c := policyChart{
		Name: p.Name, Kind: p.Kind,
		Carbon: short(p.Series.CarbonG...), Lo: short(p.Series.CarbonLoG...), Hi: short(p.Series.CarbonHiG...),
		Load:    p.Series.Invocations,
		Latency: p.Latency.MeanS, Grams: g.OperationalG,
		Energy: short(e.ExecutionJ, e.StartupJ, e.KeepAliveJ, e.IdleJ, e.NetworkJ, e.UnallocatedJ),
		Parts:  short(g.ExecutionG, g.StartupG, g.KeepAliveG, g.IdleG, g.NetworkG, g.UnallocatedG, g.EmbodiedG),
	}
	if v := p.Intervals; v != nil {
		c.LatencyEnds, c.GramsEnds = endsOf(v.LatencyMeanS), endsOf(v.CarbonG)
	}
	return c
}

func endsOf(v *Interval) []float64 {
	if v == nil {
		return nil
	}
	return short(v.Lo, v.Hi)
}

func boundOf(b *Bound) *boundChart {
	out := &boundChart{Name: b.Name, Space: b.ActionSpace, Grams: b.CarbonG, Carbon: short(b.CarbonSlotsG...)}
	for _, f := range b.Front {
		out.Front = append(out.Front, pointChart{f.LatencyMeanS, f.CarbonG, f.Label})
	}
	return out
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
	bound := len(d.Bounds) > 0 && len(d.Bounds[0].CarbonSlotsG) > 0
	if bound {
		s.Columns = append(s.Columns, column{Name: "bound", Unit: sc.unit})
	}
	per := (d.Slots() + tableRows - 1) / tableRows
	for t := 0; t < d.Slots(); t += per {
		to := min(t+per, d.Slots())
		row := []cell{{Text: slotStart(d, t).Format("2006-01-02 15:04")}}
		for _, p := range with {
			row = append(row, cell{Text: sc.text(total(p.Series.CarbonG[t:to]))})
		}
		if bound {
			row = append(row, cell{Text: sc.text(total(d.Bounds[0].CarbonSlotsG[t:to]))})
		}
		s.Rows = append(s.Rows, row)
	}
	return s
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
// cluster, and the intensity that a policy's invocations met on average.
func load(d *Document) section {
	s := section{Title: "Where the load went", Columns: []column{{Name: "policy", Text: true}}}
	for i := range d.Clusters {
		s.Columns = append(s.Columns, column{Name: d.Clusters[i].Name, Unit: "% of invocations"})
	}
	s.Columns = append(s.Columns, column{Name: "intensity met", Unit: "g/kWh"})
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
		s.Rows = append(s.Rows, append(row, cell{Text: strconv.FormatFloat(met/math.Max(total, 1), 'f', 0, 64)}))
	}
	return s
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
