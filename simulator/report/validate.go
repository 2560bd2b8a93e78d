package report

import (
	"errors"
	"fmt"
	"math"
)

// ErrDocument is what every complaint about a document wraps.
var ErrDocument = errors.New("unusable report document")

// Slots is the number of slots that cover the window.
func (d *Document) Slots() int {
	if d.Run.SlotS <= 0 || d.Run.WindowS <= 0 {
		return 0
	}
	return int(math.Ceil(d.Run.WindowS / d.Run.SlotS))
}

// Baseline is the index of the policy that differences refer to.
func (d *Document) Baseline() int {
	for i := range d.Policies {
		if d.Policies[i].Name == d.Run.Baseline {
			return i
		}
	}
	return 0
}

// Validate says which part of d cannot be rendered: a wrong schema, a figure
// without accounting profile, a series of the wrong length, a number that is
// not finite, or energy parts that do not add up to what was metered.
func (d *Document) Validate() error {
	checks := []func() error{d.checkRun, d.checkClusters, d.checkPolicies, d.checkBounds, d.checkPairs, d.checkSamples}
	for _, check := range checks {
		if err := check(); err != nil {
			return fmt.Errorf("%w: %w", ErrDocument, err)
		}
	}
	return nil
}

// maxSlots keeps a mistyped slot length from asking for gigabytes of page.
const maxSlots = 100_000

func (d *Document) checkRun() error {
	switch r := &d.Run; {
	case d.Schema != Schema:
		return fmt.Errorf("schema is %q, this version reads %q", d.Schema, Schema)
	case r.Experiment == "":
		return errors.New("run.experiment is empty: name the experiment")
	case r.Accounting.Profile == "":
		return errors.New("run.accounting.profile is empty: no figure is shown without it")
	case !positive(r.WindowS) || !positive(r.SlotS):
		return fmt.Errorf("run.window_s %g and run.slot_s %g must be above 0", r.WindowS, r.SlotS)
	case r.WindowS/r.SlotS > maxSlots:
		return fmt.Errorf("run.window_s %g ÷ run.slot_s %g makes over %d slots: use longer slots", r.WindowS, r.SlotS, maxSlots)
	case len(d.Policies) == 0:
		return errors.New("policies is empty: nothing to report")
	}
	return nil
}

func (d *Document) checkClusters() error {
	for i := range d.Clusters {
		c := &d.Clusters[i]
		if c.Name == "" {
			return fmt.Errorf("clusters[%d] has no name", i)
		}
		if err := slots("cluster "+c.Name+": intensity_g_per_kwh", c.IntensityGPerKWh, d.Slots(), false); err != nil {
			return err
		}
	}
	return nil
}

func (d *Document) checkPolicies() error {
	seen := map[string]bool{}
	for i := range d.Policies {
		p := &d.Policies[i]
		if p.Name == "" || seen[p.Name] {
			return fmt.Errorf("policies[%d]: name %q is empty or used twice", i, p.Name)
		}
		seen[p.Name] = true
		if err := d.checkPolicy(p); err != nil {
			return fmt.Errorf("policy %s: %w", p.Name, err)
		}
	}
	if b := d.Run.Baseline; b != "" && !seen[b] {
		return fmt.Errorf("run.baseline %q is not among the policies", b)
	}
	return nil
}

func (d *Document) checkPolicy(p *PolicyResult) error {
	for _, f := range figures() {
		if v := f.value(p); !finite(v) {
			return fmt.Errorf("%s is %g, not a number that can be shown", f.key, v)
		}
	}
	e := p.Energy
	sum := e.ExecutionJ + e.StartupJ + e.KeepAliveJ + e.IdleJ + e.UnallocatedJ
	if e.MeteredJ != 0 && math.Abs(sum-e.MeteredJ) > 1e-6*math.Max(1, math.Abs(e.MeteredJ)) {
		return fmt.Errorf("energy parts without network sum to %g J, metered_j is %g", sum, e.MeteredJ)
	}
	if err := d.checkSeries(&p.Series); err != nil {
		return err
	}
	return d.checkRegrets(p.Regrets)
}

func (d *Document) checkSeries(s *Series) error {
	n := d.Slots()
	err := errors.Join(
		slots("series.carbon_g", s.CarbonG, n, true),
		slots("series.energy_j", s.EnergyJ, n, true),
		slots("series.carbon_lo_g", s.CarbonLoG, n, true),
		slots("series.carbon_hi_g", s.CarbonHiG, n, true),
		slots("series.carbon_sum_lo_g", s.CarbonSumLoG, n, true),
		slots("series.carbon_sum_hi_g", s.CarbonSumHiG, n, true),
		table("series.cluster_carbon_g", s.ClusterCarbonG, len(d.Clusters), n),
		table("series.cluster_energy_j", s.ClusterEnergyJ, len(d.Clusters), n),
		table("series.invocations", s.Invocations, len(d.Clusters), n),
	)
	if err == nil && (len(s.CarbonLoG) != len(s.CarbonHiG) || len(s.CarbonSumLoG) != len(s.CarbonSumHiG)) {
		return errors.New("series.carbon_lo_g and carbon_hi_g, and their sums, must both be there or both be absent")
	}
	return err
}

func (d *Document) checkRegrets(rs []Regret) error {
	for _, r := range rs {
		if !finite(r.Share) || !d.hasBound(r.Bound) {
			return fmt.Errorf("regret %g against %q: want a finite share of a bound in bounds", r.Share, r.Bound)
		}
	}
	return nil
}

func (d *Document) hasBound(name string) bool {
	for i := range d.Bounds {
		if d.Bounds[i].Name == name {
			return true
		}
	}
	return false
}

func (d *Document) checkBounds() error {
	for i := range d.Bounds {
		b := &d.Bounds[i]
		if b.Name == "" || b.ActionSpace == "" {
			return fmt.Errorf("bounds[%d] (%q) needs a name and an action space", i, b.Name)
		}
		if !finite(b.CarbonG) || !finite(b.EnergyJ) || !finite(b.LatencyMeanS) || !finite(b.CostUSD) || !finite(b.DualityGap) || b.PriceGap != nil && !finite(*b.PriceGap) {
			return fmt.Errorf("bound %s holds a number that is not finite", b.Name)
		}
		if err := slots("bound "+b.Name+": carbon_slots_g", b.CarbonSlotsG, d.Slots(), true); err != nil {
			return err
		}
		for _, f := range b.Front {
			if !finite(f.CarbonG) || !finite(f.LatencyMeanS) {
				return fmt.Errorf("bound %s: front point %q is not finite", b.Name, f.Label)
			}
		}
	}
	return nil
}

func (d *Document) checkPairs() error {
	for _, p := range d.Pairs {
		if !(p.BelowShare >= 0 && p.BelowShare <= 1) || p.Sets < 1 {
			return fmt.Errorf("pair %s, %s: below_share %g must be in [0, 1] over at least one set", p.A, p.B, p.BelowShare)
		}
		if v := p.Difference; v != nil && !(v.Lo <= v.Mean && v.Mean <= v.Hi) {
			return fmt.Errorf("pair %s, %s: difference %g … %g … %g must ascend", p.A, p.B, v.Lo, v.Mean, v.Hi)
		}
	}
	return nil
}

func (d *Document) checkSamples() error {
	for i := range d.Samples {
		s := &d.Samples[i]
		for j, r := range s.Rows {
			if len(r.Cells) != len(s.Columns) {
				return fmt.Errorf("samples[%d].rows[%d] has %d cells for %d columns", i, j, len(r.Cells), len(s.Columns))
			}
		}
	}
	return nil
}

// slots checks the length of a series; optional ones may be absent.
func slots(what string, v []float64, n int, optional bool) error {
	if len(v) == 0 && optional {
		return nil
	}
	if len(v) != n {
		return fmt.Errorf("%s has %d values for %d slots", what, len(v), n)
	}
	for i, x := range v {
		if !finite(x) {
			return fmt.Errorf("%s[%d] is %g, not a number that can be shown", what, i, x)
		}
	}
	return nil
}

// table checks a [cluster][slot] series; it may be absent.
func table[T int64 | float64](what string, v [][]T, clusters, n int) error {
	if len(v) == 0 {
		return nil
	}
	if len(v) != clusters {
		return fmt.Errorf("%s has %d rows for %d clusters", what, len(v), clusters)
	}
	for i, row := range v {
		if len(row) != n {
			return fmt.Errorf("%s[%d] has %d values for %d slots", what, i, len(row), n)
		}
		for _, x := range row {
			if !finite(float64(x)) {
				return fmt.Errorf("%s[%d] holds a number that is not finite", what, i)
			}
		}
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func positive(v float64) bool { return finite(v) && v > 0 }
