package experiment

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/wattle-project/wattle/internal/version"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/simulator"
	"github.com/wattle-project/wattle/simulator/report"
)

// Document turns outcomes and bounds into a report; bounds may be nil.
func (e *Experiment) Document(outcomes []Outcome, bounds *Least) *report.Document {
	d := &report.Document{Schema: report.Schema, Run: e.header(outcomes), Notes: e.grids.notes}
	fleet := e.fleets[e.own()]
	for i := range fleet.Clusters {
		c := &fleet.Clusters[i]
		rc := report.Cluster{Name: string(c.ID), Zone: string(c.Zone), PUE: c.PUE, Signal: cmp.Or(e.File.Signals.Source, "profiles")}
		for p := range c.Pools {
			if p > 0 {
				rc.Summary += ", "
			}
			rc.Summary += fmt.Sprintf("%d × %s", c.Pools[p].Nodes, c.Pools[p].Hardware)
			if m := &c.Pools[p].Machine; m.Accelerators > 0 {
				rc.Summary += fmt.Sprintf(" with %d × %s", m.Accelerators, m.Accelerator.Product)
			}
		}
		for _, v := range e.grids.actual[i] {
			rc.IntensityGPerKWh = append(rc.IntensityGPerKWh, float64(v))
		}
		d.Clusters = append(d.Clusters, rc)
	}
	own := e.own()
	for p := range e.File.Policies {
		var mine []Outcome
		for _, o := range outcomes {
			if o.Policy == p && o.Set == own {
				mine = append(mine, o)
			}
		}
		d.Policies = append(d.Policies, e.policy(p, mine))
	}
	e.addBounds(d, bounds, outcomes)
	d.Pairs = e.pairs(outcomes)
	d.Samples = e.samples(outcomes)
	return d
}

func (e *Experiment) header(outcomes []Outcome) report.Run {
	f := e.File
	fleet := e.fleets[e.own()]
	run := report.Run{
		Experiment: cmp.Or(f.Name, f.path), Description: f.Description, Seeds: e.Seeds, Start: e.Start,
		WindowS: e.Horizon.Seconds(), SlotS: e.Slot.Seconds(),
		Trace: report.Trace{Name: "generated", Functions: int64(len(e.Traces[0].Functions())), Invocations: outcomes[0].Result.Invocations + outcomes[0].Result.Rejected},
		Fleet: report.Fleet{Clusters: int64(len(fleet.Clusters))},
		Accounting: report.Accounting{
			Profile: cmp.Or(f.Accounting.Profile, "standard"), Signal: "average", Scope: f.Signals.Scope.V.String(),
			Coefficients: f.Accounting.Coefficients.V.String(),
			Description:  "dynamic energy, idle power by reserved share, start-up and keep-alive charged alike; location-based",
			HorizonRule:  "reservations and energy are clipped at the end of the window",
		},
		Versions: report.Versions{Wattle: version.String(), Go: runtime.Version(), Rego: "OPA " + version.Dependency("github.com/open-policy-agent/opa")},
	}
	if t := f.Workload.Trace; t != nil {
		run.Trace.Name, run.Trace.Source = t.Format.V.String(), t.Path
	}
	for _, p := range fleet.Pools {
		run.Fleet.Nodes += int64(p.Nodes)
		run.Fleet.VCPUs += p.Capacity.CPU.VCPU()
		run.Fleet.MemoryGiB += p.Capacity.Memory.GiB()
		run.Fleet.Accelerators += int64(p.Nodes * p.Machine.Accelerators)
	}
	run.ResultHash = Hash(outcomes)
	return run
}

// Hash identifies the integer outcome of all jobs together.
func Hash(outcomes []Outcome) string {
	h := sha256.New()
	for _, o := range outcomes {
		fmt.Fprintf(h, "%d %d %v %s\n", o.Policy, o.Seed, o.Set, o.Result.Hash)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// policy averages a contender's outcomes over seeds.
func (e *Experiment) policy(p int, runs []Outcome) report.PolicyResult {
	pol := &e.File.Policies[p]
	out := report.PolicyResult{
		Name: pol.Title(), Kind: "rego", Digest: runs[0].Digest,
		Lifecycle: cmp.Or(pol.KeepAlive, e.File.Instances.KeepAlive, "fixed"),
	}
	if e.deferrable() {
		out.Deferral = deferral(pol, &e.File.Instances)
		if out.Deferral != "run-now" {
			out.Deferral += ", " + e.forecast(pol) + " forecast"
		}
	}
	if pol.Baseline != "" {
		out.Kind = "go"
	}
	n := float64(len(runs))
	for _, r := range runs {
		add(&out, r.Result, 1/n)
		out.Speed.Decisions += r.Result.Decisions
		out.Speed.RegoEvaluations += int64(r.Rego.Evaluations)
		out.Speed.WallS += r.Wall.Seconds()
	}
	for _, v := range []*int64{&out.Invocations, &out.Completed, &out.Rejected, &out.Queued, &out.ColdStarts, &out.SLOMisses, &out.Moves, &out.Deferrable, &out.DeadlineMisses} {
		*v = int64(float64(*v)/n + 0.5)
	}
	out.ColdShare = float64(out.ColdStarts) / float64(max(out.Completed, 1))
	if out.Speed.WallS > 0 {
		out.Speed.DecisionsPerSec = float64(out.Speed.Decisions) / out.Speed.WallS
		out.Speed.InvocationsPerS = out.Speed.DecisionsPerSec
	}
	out.Series = series(runs)
	out.Horizon = horizon(&out, runs)
	out.Intervals = intervals(runs)
	return out
}

// horizon says what the instances alive at the end would change.
func horizon(out *report.PolicyResult, runs []Outcome) *report.Horizon {
	h := &report.Horizon{
		CarbonWithG: out.Carbon.OperationalG, CarbonWithoutG: out.Carbon.OperationalG,
		EnergyWithJ: out.Energy.AttributedJ(), EnergyWithoutJ: out.Energy.AttributedJ(),
	}
	w := 1 / float64(len(runs))
	for _, r := range runs {
		h.Instances += r.Result.IdleAtEnd + r.Result.BusyAtEnd
		h.CarbonWithG += w * float64(r.Result.TailCarbon)
		h.EnergyWithJ += w * float64(r.Result.TailEnergy)
	}
	h.Instances = int64(float64(h.Instances)*w + 0.5)
	return h
}

// add accumulates w times a result.
func add(out *report.PolicyResult, r *simulator.Result, w float64) {
	out.Invocations += r.Invocations + r.Rejected + r.Waiting
	out.Completed += r.Invocations
	out.Rejected += r.Rejected
	out.Queued += r.Queued
	out.ColdStarts += r.Cold
	out.SLOMisses += r.Misses
	out.Moves += r.Moves
	out.Deferrable += r.Deferrable
	out.DeadlineMisses += r.Late
	out.DelayMeanS += w * (r.Delay / time.Duration(max(r.Deferrable, 1))).Seconds()
	q := func(p float64) float64 { return w * r.Latency.Quantile(p).Seconds() }
	out.Latency.MeanS += w * r.Latency.Mean().Seconds()
	out.Latency.P50S += q(0.5)
	out.Latency.P95S += q(0.95)
	out.Latency.P99S += q(0.99)
	j, en := &out.Energy, &r.Energy
	j.ExecutionJ += w * float64(en.Exec.Joules())
	j.StartupJ += w * float64(en.Startup.Joules())
	j.KeepAliveJ += w * float64(en.KeepAlive.Joules())
	j.IdleJ += w * float64(en.IdleShare.Joules())
	j.NetworkJ += w * float64(en.Network.Joules())
	j.UnallocatedJ += w * float64(en.Unallocated.Joules())
	j.MeteredJ += w * float64(en.Metered.Joules())
	g, ca := &out.Carbon, &r.Carbon
	g.ExecutionG += w * float64(ca.Exec)
	g.StartupG += w * float64(ca.Startup)
	g.KeepAliveG += w * float64(ca.KeepAlive)
	g.IdleG += w * float64(ca.IdleShare)
	g.NetworkG += w * float64(ca.Network)
	g.OperationalG += w * float64(ca.Operational())
	g.UnallocatedG += w * float64(ca.Unallocated)
	g.EmbodiedG += w * float64(ca.Embodied)
	out.CostUSD += w * float64(r.Cost)
	out.SCIGPerInvocation += w * float64(r.SCI)
}

// series averages the time series over seeds.
func series(runs []Outcome) report.Series {
	first := runs[0].Result.Series
	slots := len(first[0])
	s := report.Series{CarbonG: make([]float64, slots), EnergyJ: make([]float64, slots)}
	w := 1 / float64(len(runs))
	for c := range first {
		carbon, energy, n := make([]float64, slots), make([]float64, slots), make([]int64, slots)
		for k := range slots {
			total := int64(0)
			for _, r := range runs {
				pt := &r.Result.Series[c][k]
				carbon[k] += w * float64(pt.Carbon.Operational())
				energy[k] += w * float64(pt.Energy.Attributed().Joules())
				total += pt.Invocations
			}
			n[k] = int64(w*float64(total) + 0.5)
			s.CarbonG[k] += carbon[k]
			s.EnergyJ[k] += energy[k]
		}
		s.Invocations = append(s.Invocations, n)
		s.ClusterCarbonG, s.ClusterEnergyJ = append(s.ClusterCarbonG, carbon), append(s.ClusterEnergyJ, energy)
	}
	s.CarbonLoG, s.CarbonHiG, s.CarbonSumLoG, s.CarbonSumHiG = bands(runs)
	return s
}

// PrintCoefficients writes every default with unit, spread and source.
func PrintCoefficients(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%-22s %-12s %10s %10s %10s  %s\n", "coefficient", "unit", "low", "central", "high", "source")
	for _, c := range power.DefaultCoefficients().List() {
		if err == nil {
			_, err = fmt.Fprintf(w, "%-22s %-12s %10.4g %10.4g %10.4g  %s\n", c.Name, c.Unit, c.Low, c.Central, c.High, c.Source)
		}
	}
	return err
}
