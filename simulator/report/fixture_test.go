package report

import (
	"fmt"
	"math"
	"reflect"
	"time"
)

// site is a cluster of the fixture: mean and swing of its grid in g/kWh and
// the hour (UTC) at which the grid is cleanest.
type site struct {
	name, zone, summary string
	mean, swing, clean  float64
	rtt                 float64 // s
}

func sites() []site {
	return []site{
		{"california", "US-CAL-CISO", "8 nodes, Ice Lake, 4× A100", 245, 110, 20, .152},
		{"ireland", "IE", "8 nodes, Sapphire Rapids", 310, 60, 3, .024},
		{"paris", "FR", "8 nodes, EPYC Milan", 48, 14, 13, .012},
		{"stockholm", "SE-SE3", "6 nodes, EPYC Genoa, 4× L4", 24, 5, 4, .031},
		{"sydney", "AU-NSW", "8 nodes, Ice Lake", 540, 230, 2, .281},
		{"texas", "US-TEX-ERCO", "10 nodes, Sapphire Rapids, 8× H100", 380, 90, 19, .118},
	}
}

// candidate is a policy of the fixture: how strongly it follows clean grids
// and how much it minds distance.
type candidate struct {
	name, kind, lifecycle  string
	green, near, kept, run float64
}

func candidates() []candidate {
	return []candidate{
		{"home-only", "go", "fixed 10m", 0, 33, 1, 1},
		{"round-robin", "go", "fixed 10m", 0, 0, 1.12, 1.02},
		{"least-latency", "rego", "fixed 10m", 0, 18, 1, .99},
		{"balanced", "rego", "fixed 10m", .7, 6, .98, 1},
		{"within-10-percent", "rego", "expected cost", .9, 4, .62, 1},
		{"least-carbon", "rego", "expected cost", 1.6, 0, .66, 1.03},
	}
}

// minimal is a document without any optional part over the given slots.
func minimal(slots int) *Document {
	d := &Document{
		Schema: Schema,
		Run: Run{
			Experiment: "follow-the-sun",
			Seeds:      []uint64{1},
			Start:      time.Date(2023, 6, 1, 0, 0, 0, 0, time.UTC),
			WindowS:    3600 * float64(slots),
			SlotS:      3600,
			Trace:      Trace{Name: "synthetic diurnal", Functions: 300, Invocations: 1_204_417},
			Fleet:      Fleet{Clusters: 6, Nodes: 48, VCPUs: 3072, MemoryGiB: 12288, Accelerators: 20},
			Accounting: Accounting{
				Profile: "standard", Signal: "average", Scope: "lifecycle", Coefficients: "central",
				HorizonRule: "clipped at the end of the window",
			},
			Baseline:   "home-only",
			Versions:   Versions{Wattle: "v0.1.0", Go: "go1.26.8", Rego: "opa 1.22.2"},
			ConfigHash: "sha256:4f1c9a3be07d", ResultHash: "9e1b77c0f2d4a853",
		},
	}
	for _, s := range sites() {
		c := Cluster{Name: s.name, Zone: s.zone, PUE: 1.135, Summary: s.summary, Signal: "built-in profile, historic"}
		for t := range slots {
			c.IntensityGPerKWh = append(c.IntensityGPerKWh, s.at(t))
		}
		d.Clusters = append(d.Clusters, c)
	}
	for _, c := range candidates() {
		d.Policies = append(d.Policies, c.play(slots))
	}
	settled(reflect.ValueOf(d).Elem())
	return d
}

// settled rounds every float to nine digits, so that golden files do not depend
// on how a processor rounds exp and cos.
func settled(v reflect.Value) {
	switch v.Kind() {
	case reflect.Float64:
		if x := v.Float(); x != 0 {
			unit := math.Pow(10, 8-math.Floor(math.Log10(math.Abs(x))))
			v.SetFloat(math.Round(x*unit) / unit)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			settled(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			settled(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && v.Type() != reflect.TypeFor[time.Time]() {
				settled(v.Field(i))
			}
		}
	}
}

func (s site) at(t int) float64 {
	wave := math.Cos(2 * math.Pi * (float64(t) - s.clean) / 24)
	second := .25 * math.Cos(4*math.Pi*(float64(t)-s.clean-2)/24)
	return round(s.mean - s.swing*(wave+second) + 6*math.Sin(float64(t*t%17)))
}

func round(v float64) float64 { return math.Round(v*1e3) / 1e3 }

// play makes up a plausible outcome.
func (c candidate) play(slots int) PolicyResult {
	p := PolicyResult{Name: c.name, Kind: c.kind, Lifecycle: c.lifecycle, Digest: fmt.Sprintf("sha256:%08x", len(c.name)*0x1f35c7)}
	p.Series.Invocations = make([][]int64, len(sites()))
	p.Series.ClusterCarbonG = make([][]float64, len(sites()))
	var seconds, dollars float64
	for t := range slots {
		demand := 50_000 * (1 + .55*math.Sin(2*math.Pi*(float64(t)-8)/24))
		energy, carbon := 0.0, 0.0
		for i, share := range c.shares(t) {
			n := int64(demand * share)
			e := float64(n) * 21 * c.run
			g := e / 3.6e6 * 1.135 * sites()[i].at(t)
			p.Series.Invocations[i] = append(p.Series.Invocations[i], n)
			p.Series.ClusterCarbonG[i] = append(p.Series.ClusterCarbonG[i], round(g))
			p.Invocations += n
			energy, carbon = energy+e, carbon+g
			seconds += float64(n) * (.31 + 2*sites()[i].rtt)
			dollars += float64(n) * 1.7e-6
		}
		p.Series.EnergyJ = append(p.Series.EnergyJ, round(energy))
		p.Series.CarbonG = append(p.Series.CarbonG, round(carbon))
		p.Energy.ExecutionJ += energy * .61
		p.Energy.StartupJ += energy * .06
		p.Energy.KeepAliveJ += energy * .21 * c.kept
		p.Energy.IdleJ += energy * .1
		p.Energy.NetworkJ += energy * .02
		p.Energy.UnallocatedJ += 2.2e6
		p.Carbon.OperationalG += carbon
	}
	p.settle(c, seconds, dollars)
	return p
}

func (p *PolicyResult) settle(c candidate, seconds, dollars float64) {
	e, g := &p.Energy, &p.Carbon
	e.MeteredJ = e.ExecutionJ + e.StartupJ + e.KeepAliveJ + e.IdleJ + e.UnallocatedJ
	perJ := g.OperationalG / e.AttributedJ()
	g.ExecutionG, g.StartupG, g.KeepAliveG = e.ExecutionJ*perJ, e.StartupJ*perJ, e.KeepAliveJ*perJ
	g.IdleG, g.NetworkG, g.UnallocatedG = e.IdleJ*perJ, e.NetworkJ*perJ, e.UnallocatedJ*perJ
	g.EmbodiedG = e.AttributedJ() * 2.3e-5
	n := float64(p.Invocations)
	p.Rejected, p.Queued = p.Invocations/9000, p.Invocations/700
	p.Completed = p.Invocations - p.Rejected
	p.ColdShare = .034 + .02*(1-c.kept)
	p.ColdStarts = int64(p.ColdShare * float64(p.Completed))
	mean := seconds / n
	p.Latency = Latency{MeanS: mean, P50S: .62 * mean, P95S: 2.4 * mean, P99S: 5.1 * mean}
	p.SLOMisses = int64(n * .012 * mean)
	p.CostUSD = dollars * (1 + .02*c.green)
	p.SCIGPerInvocation = (g.OperationalG + g.EmbodiedG) / float64(p.Completed)
	p.Moves = int64(n * .01 * c.green)
	p.Speed = Speed{Decisions: p.Invocations, DecisionsPerSec: 4.1e6, InvocationsPerS: 2.6e6, WallS: n / 2.6e6, PeakMemoryMiB: 71, PolicyCacheShare: .9997}
	if c.kind == "rego" {
		p.Speed.RegoEvaluations = 1800 + int64(100*c.green)
	}
}

// shares weighs the clusters in slot t by cleanliness and distance.
func (c candidate) shares(t int) []float64 {
	w := make([]float64, len(sites()))
	sum := 0.0
	for i, s := range sites() {
		w[i] = math.Exp(-c.green*s.at(t)/160 - c.near*s.rtt*1.5)
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

// full has every optional part.
func full(slots int) *Document {
	d := minimal(slots)
	d.Run.Description = "Six clusters on six grids, a day of diurnal traffic from Europe: which policy follows the clean hours, and what does that cost?"
	d.Run.Seeds = []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	d.Notes = []string{"AU-NSW had no measured signal for 3 h: its last good value served, with a penalty."}
	d.Bounds = []Bound{fixtureBound(d)}
	for i := range d.Policies {
		p := &d.Policies[i]
		g := p.Carbon.OperationalG
		p.Regrets = []Regret{
			{Bound: d.Bounds[0].Name, Figure: "carbon", Share: g/d.Bounds[0].CarbonG - 1},
			{Bound: d.Bounds[0].Name, Figure: "energy", Share: p.Energy.AttributedJ()/d.Bounds[0].EnergyJ - 1},
		}
		p.Intervals = &Intervals{
			Seeds:        10,
			CarbonG:      &Interval{g * .985, g, g * 1.015},
			LatencyMeanS: &Interval{p.Latency.MeanS * .99, p.Latency.MeanS, p.Latency.MeanS * 1.01},
			EnergyJ:      &Interval{p.Energy.AttributedJ() * .99, p.Energy.AttributedJ(), p.Energy.AttributedJ() * 1.01},
			CostUSD:      &Interval{p.CostUSD * .997, p.CostUSD, p.CostUSD * 1.003},
		}
		p.Horizon = &Horizon{Instances: 212, CarbonWithG: g * 1.004, CarbonWithoutG: g, EnergyWithJ: p.Energy.AttributedJ() * 1.003, EnergyWithoutJ: p.Energy.AttributedJ()}
		sum := 0.0
		for _, v := range p.Series.CarbonG {
			sum += v
			p.Series.CarbonSumLoG = append(p.Series.CarbonSumLoG, round(sum*.98))
			p.Series.CarbonSumHiG = append(p.Series.CarbonSumHiG, round(sum*1.02))
			p.Series.CarbonLoG = append(p.Series.CarbonLoG, round(v*.96))
			p.Series.CarbonHiG = append(p.Series.CarbonHiG, round(v*1.04))
		}
	}
	d.Pairs = []Pair{
		{A: "least-carbon", B: "home-only", Figure: "carbon", BelowShare: 1, Sets: 27, Difference: &Interval{5200, 5450, 5700}},
		{A: "within-10-percent", B: "balanced", Figure: "carbon", BelowShare: .963, Sets: 27, Difference: &Interval{-12, 40, 92}},
		{A: "least-latency", B: "round-robin", Figure: "carbon", BelowShare: .704, Sets: 27, Difference: &Interval{310, 420, 530}},
	}
	d.Samples = []Sample{fixtureSample()}
	settled(reflect.ValueOf(d).Elem())
	return d
}

func fixtureBound(d *Document) Bound {
	best := d.Policies[len(d.Policies)-1]
	b := Bound{
		Name:         "clairvoyant placement",
		ActionSpace:  "any feasible cluster per hour and function class, capacities kept, keep-alive fixed at 10 min",
		Method:       "min-cost flow per hour",
		CarbonG:      best.Carbon.OperationalG * .93,
		EnergyJ:      best.Energy.AttributedJ() * .9,
		LatencyMeanS: best.Latency.MeanS * .98,
		DualityGap:   .0021,
	}
	for _, v := range best.Series.CarbonG {
		b.CarbonSlotsG = append(b.CarbonSlotsG, round(v*.93))
	}
	for i := range 7 {
		x := float64(i) / 6
		b.Front = append(b.Front, FrontPoint{
			LatencyMeanS: .335 + .046*x,
			CarbonG:      b.CarbonG * (1 + .9*math.Pow(1-x, 2.2)),
			Label:        fmt.Sprintf("%.3g g/s", .1*math.Pow(1-x, 2)),
		})
	}
	return b
}

func fixtureSample() Sample {
	return Sample{
		Sequence: 48_112, Policy: "within-10-percent", Function: "thumbnails-017",
		At:      time.Date(2023, 6, 1, 11, 3, 20, 512_000_000, time.UTC),
		Outcome: "Stockholm (warm): the least G of 3 feasible candidates; Ireland, the home, would have emitted 12 times as much.",
		Facts: []Fact{
			{"rates", "G = grams + 0.002 g/s · seconds + 0 g/USD · USD"},
			{"limits", "p95 ≤ 110 % of home (1.21 s)"},
			{"policy", "sha256:00f1a2b3, snapshot revision 77121"},
		},
		Columns: []SampleColumn{{"target", ""}, {"state", ""}, {"mean", "ms"}, {"p95", "ms"}, {"energy", "J"}, {"carbon", "mg"}, {"cost", "nUSD"}, {"intensity", "g/kWh"}, {"G", "mg"}},
		Rows: []SampleRow{
			{Cells: []string{"stockholm/cpu", "warm", "402", "965", "19.8", "0.151", "1710", "24", "0.955"}, Chosen: true},
			{Cells: []string{"paris/cpu", "warm", "371", "890", "21.2", "0.301", "1690", "45", "1.043"}},
			{Cells: []string{"ireland/cpu", "warm", "377", "905", "20.4", "1.93", "1702", "300", "2.684"}},
			{Cells: []string{"texas/cpu", "cold", "2214", "4420", "88.0", "8.91", "1698", "321", "13.34"}, Refused: "latency limit: p95 4.42 s over 1.21 s"},
			{Cells: []string{"sydney/cpu", "warm", "880", "2112", "20.9", "2.31", "1822", "351", "4.07"}, Refused: "residency: AU is not in EU"},
		},
	}
}
