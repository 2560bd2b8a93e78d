package experiment

import (
	"fmt"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/state"
	"github.com/wattle-project/wattle/simulator/signal"
)

// grids is what the clusters' grids do, and what the scheduler sees.
type grids struct {
	actual [][]wattle.GramsPerKWh // [cluster][slot]
	series []signal.Actual
	// marginal is what is known of marginal intensities: empty where nothing is,
	// nil where no zone has any.
	marginal []signal.Actual
	local    map[wattle.ZoneID]*time.Location
	notes    []string
}

// readSignals resolves the zone of every cluster to one value per slot.
func (e *Experiment) readSignals() (*grids, error) {
	fleet := e.fleets[uniform(power.Central)]
	g := &grids{local: zones()}
	byZone := map[wattle.ZoneID]signal.Actual{}
	for i := range fleet.Clusters {
		zone := fleet.Clusters[i].Zone
		a, ok := byZone[zone]
		if !ok {
			var err error
			if a, err = e.series(zone); err != nil {
				return nil, fmt.Errorf("cluster %s: %w", fleet.Clusters[i].ID, err)
			}
			byZone[zone] = a
		}
		slots, err := e.sample(a)
		if err != nil {
			return nil, fmt.Errorf("cluster %s: %w", fleet.Clusters[i].ID, err)
		}
		g.actual, g.series = append(g.actual, slots), append(g.series, a)
	}
	var err error
	g.marginal, err = e.readMarginal(fleet)
	g.notes = append(g.notes, e.filled...)
	return g, err
}

// lead is how much history before the run the scheduler may know.
const lead = 8 * 24 * time.Hour

// series is the actual intensity of a zone, from some history before the run.
func (e *Experiment) series(zone wattle.ZoneID) (signal.Actual, error) {
	s := &e.File.Signals
	if fixed, ok := s.Fixed[string(zone)]; ok {
		return e.constant(zone, float64(fixed.V))
	}
	switch s.Source {
	case "", "profiles":
		p, err := signal.BuiltIn(zone, s.Scope.V)
		if err != nil {
			return signal.Actual{}, err
		}
		return p.Actual(e.Start.Add(-lead), e.Horizon+lead+24*time.Hour), nil
	case "files":
		a, ok, err := e.readSeries(s.Path, zone, wattle.Average)
		if err != nil || ok {
			return a, err
		}
		return signal.Actual{}, fmt.Errorf("%s has no zone %s", s.Path, zone)
	}
	return signal.Actual{}, fmt.Errorf("source %q is unknown, want profiles or files", s.Source)
}

// constant is a series of one value.
func (e *Experiment) constant(zone wattle.ZoneID, v float64) (signal.Actual, error) {
	values := make([]float64, int((e.Horizon+lead)/e.Slot)+2)
	for i := range values {
		values[i] = v
	}
	return signal.NewActual(zone, e.File.Signals.Scope.V, e.Start.Add(-lead), e.Slot, values)
}

// readSeries reads the series of a zone from files, or reports that they have none.
func (e *Experiment) readSeries(path string, zone wattle.ZoneID, kind wattle.SignalKind) (signal.Actual, bool, error) {
	list, _, err := signal.ReadFile(e.File.find(path, e.options.Data), signal.Options{Kind: kind, Scope: e.File.Signals.Scope.V, Zones: []wattle.ZoneID{zone}})
	if err != nil {
		return signal.Actual{}, false, err
	}
	for _, a := range list {
		if a.Zone == zone {
			filled, n, err := a.Fill()
			if n > 0 {
				e.filled = append(e.filled, fmt.Sprintf("zone %s: %d of %d values of its %s intensity are missing or none; each was filled from the same time of other days, else the nearest", zone, n, a.Len(), kind))
			}
			if err != nil {
				return filled, false, err
			}
			filled, err = e.shifted(filled)
			return filled, true, err
		}
	}
	return signal.Actual{}, false, nil
}

// shifted moves a series so that the year asked for falls on that of the run.
func (e *Experiment) shifted(a signal.Actual) (signal.Actual, error) {
	year := e.File.Signals.Shift
	if year == nil {
		return a, nil
	}
	values := make([]float64, a.Len())
	for i := range values {
		v, _ := a.At(a.Start().Add(time.Duration(i) * a.Period()))
		values[i] = float64(v)
	}
	by := e.Start.Sub(e.Start.AddDate(*year-e.Start.Year(), 0, 0))
	b, err := signal.NewActual(a.Zone, a.Scope, a.Start().Add(by), a.Period(), values)
	b.Kind, b.Provider = a.Kind, a.Provider
	return b, err
}

// readMarginal reads what is known of marginal intensities, one series per cluster.
func (e *Experiment) readMarginal(fleet *state.Fleet) ([]signal.Actual, error) {
	m := &e.File.Signals.Marginal
	if m.Path == "" && len(m.Fixed) == 0 {
		return nil, nil
	}
	out := make([]signal.Actual, len(fleet.Clusters))
	for i := range fleet.Clusters {
		zone, err := fleet.Clusters[i].Zone, error(nil)
		if v, ok := m.Fixed[string(zone)]; ok {
			out[i], err = e.constant(zone, float64(v.V))
			out[i].Kind = wattle.Marginal
		} else if m.Path != "" {
			out[i], _, err = e.readSeries(m.Path, zone, wattle.Marginal)
		}
		if err != nil {
			return nil, fmt.Errorf("marginal: cluster %s: %w", fleet.Clusters[i].ID, err)
		}
	}
	return out, nil
}

// sample averages a series over each slot of the run.
func (e *Experiment) sample(a signal.Actual) ([]wattle.GramsPerKWh, error) {
	n := int((e.Horizon + e.Slot - 1) / e.Slot)
	out := make([]wattle.GramsPerKWh, n)
	for k := range out {
		from := e.Start.Add(time.Duration(k) * e.Slot)
		v, share := a.Mean(from, from.Add(e.Slot))
		if share < 0.999 && k == n-1 {
			v, share = a.Mean(from, e.Start.Add(e.Horizon))
		}
		if share < 0.999 || !v.Valid() {
			return nil, fmt.Errorf("zone %s has no intensity at %s: its series covers %s to %s", a.Zone,
				from.Format(time.RFC3339), a.Start().Format(time.RFC3339), a.End().Format(time.RFC3339))
		}
		out[k] = v
	}
	return out, nil
}

// zones gives policies with business hours the local time of grid zones.
func zones() map[wattle.ZoneID]*time.Location {
	fixed := map[wattle.ZoneID]float64{
		"US-CAL-CISO": -8, "US-TEX-ERCO": -6, "US-NY-NYIS": -5, "US-FLA-FMPP": -5, "US-TEN-TVA": -6, "CA-QC": -5, "CA-ON": -5,
		"GB": 0, "IE": 0, "FR": 1, "DE": 1, "ES": 1, "PL": 1, "SE-SE3": 1, "NO-NO1": 1, "IN-WE": 5.5, "JP-TK": 9,
		"AU-NSW": 10, "AU-SA": 9.5, "BR-CS": -3, "SG": 8,
	}
	out := make(map[wattle.ZoneID]*time.Location, len(fixed))
	for z, h := range fixed {
		out[z] = time.FixedZone(string(z), int(h*3600))
	}
	return out
}
