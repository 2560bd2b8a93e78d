package report

import (
	"fmt"
	"io"
	"time"

	"github.com/parquet-go/parquet-go"
)

// HourRow is one row of the Parquet form: one policy, one slot, one cluster,
// ordered so. Columns named slot_ belong to the whole policy in that slot and
// repeat in the row of each cluster: do not sum them over clusters.
type HourRow struct {
	Experiment        string    `parquet:"experiment,dict"`
	AccountingProfile string    `parquet:"accounting_profile,dict"`
	Policy            string    `parquet:"policy,dict"`
	Slot              int32     `parquet:"slot"`
	Start             time.Time `parquet:"start,timestamp(millisecond)"`
	SlotS             float64   `parquet:"slot_s"`
	Cluster           string    `parquet:"cluster,dict"`
	Zone              string    `parquet:"zone,dict"`
	IntensityGPerKWh  float64   `parquet:"intensity_g_per_kwh"`
	// Invocations started in this cluster and slot; null if not recorded.
	Invocations *int64 `parquet:"invocations,optional"`
	// CarbonG and EnergyJ are this cluster's; null if not recorded.
	CarbonG *float64 `parquet:"carbon_g,optional"`
	EnergyJ *float64 `parquet:"energy_j,optional"`
	// SlotCarbonG and SlotEnergyJ are the policy's over all clusters.
	SlotCarbonG *float64 `parquet:"slot_carbon_g,optional"`
	SlotEnergyJ *float64 `parquet:"slot_energy_j,optional"`
}

// Parquet writes the time series as rows of [HourRow], compressed with zstd.
func Parquet(w io.Writer, d *Document) error {
	if err := d.Validate(); err != nil {
		return err
	}
	out := parquet.NewGenericWriter[HourRow](w, parquet.Compression(&parquet.Zstd),
		parquet.CreatedBy("wattle", d.Run.Versions.Wattle, ""))
	for i := range d.Policies {
		if _, err := out.Write(hours(d, &d.Policies[i])); err != nil {
			return fmt.Errorf("write report as Parquet: policy %s: %w", d.Policies[i].Name, err)
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("write report as Parquet: %w", err)
	}
	return nil
}

// hours lays out the series of one policy.
func hours(d *Document, p *PolicyResult) []HourRow {
	var rows []HourRow
	slot := time.Duration(d.Run.SlotS * float64(time.Second))
	for t := range d.Slots() {
		for c := range d.Clusters {
			at := &d.Clusters[c]
			rows = append(rows, HourRow{
				Experiment:        d.Run.Experiment,
				AccountingProfile: d.Run.Accounting.Profile,
				Policy:            p.Name,
				Slot:              int32(t),
				Start:             d.Run.Start.Add(time.Duration(t) * slot).UTC(),
				SlotS:             d.Run.SlotS,
				Cluster:           at.Name,
				Zone:              at.Zone,
				IntensityGPerKWh:  at.IntensityGPerKWh[t],
				Invocations:       inTable(p.Series.Invocations, c, t),
				CarbonG:           inTable(p.Series.ClusterCarbonG, c, t),
				EnergyJ:           inTable(p.Series.ClusterEnergyJ, c, t),
				SlotCarbonG:       inSeries(p.Series.CarbonG, t),
				SlotEnergyJ:       inSeries(p.Series.EnergyJ, t),
			})
		}
	}
	return rows
}

func inTable[T any](v [][]T, c, t int) *T {
	if len(v) == 0 {
		return nil
	}
	return inSeries(v[c], t)
}

func inSeries[T any](v []T, t int) *T {
	if len(v) == 0 {
		return nil
	}
	return &v[t]
}
