package experiment

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/state"
	"github.com/wattle-project/wattle/simulator/signal"
)

// feed is what the scheduler sees of the grids, one view per cluster.
type feed struct{ views []*signal.Observed }

// newFeed gives every cluster a fresh view; views cache and are not shared
// between runs.
func (e *Experiment) newFeed(forecast string) (*feed, error) {
	f := &feed{}
	fleet := e.fleets[uniform(power.Central)]
	for i, a := range e.grids.series {
		v, err := e.view(fleet.Clusters[i].Zone, forecast)
		if err != nil {
			return nil, fmt.Errorf("%s: signals: %w", e.File.path, err)
		}
		o, err := signal.NewObserved(a, v)
		if err != nil {
			return nil, fmt.Errorf("%s: signals: zone %s: %w", e.File.path, fleet.Clusters[i].Zone, err)
		}
		f.views = append(f.views, o)
	}
	return f, nil
}

// forecast is what a contender knows of later slots.
func (e *Experiment) forecast(p *Policy) string {
	return cmp.Or(p.Forecast, e.File.Signals.Forecast, "persistence")
}

// view says how a zone's intensity becomes known.
func (e *Experiment) view(zone wattle.ZoneID, forecast string) (signal.View, error) {
	s := &e.File.Signals
	v := signal.DefaultView()
	v.Delay = s.Delay.V
	switch forecast {
	case "none":
		v.Issue = 0
	case "persistence":
		v.Method, v.Issue = signal.Persistence, time.Hour
	case "holt-winters":
		v.Method = signal.HoltWinters
	case "provider":
		v.Method = signal.Provider
	case "perfect":
		v.Method, v.Err, v.Issue = signal.Provider, signal.Err{}, time.Hour
	default:
		return v, fmt.Errorf("forecast %q is unknown, want none, persistence, holt-winters, provider or perfect", forecast)
	}
	for i := range s.Faults {
		x := &s.Faults[i]
		if len(x.Zones) > 0 && !slices.Contains(x.Zones, string(zone)) {
			continue
		}
		fault, err := e.fault(x)
		if err != nil {
			return v, fmt.Errorf("faults[%d]: %w", i, err)
		}
		v.Faults = append(v.Faults, fault)
	}
	return v, nil
}

func (e *Experiment) fault(x *Fault) (signal.Fault, error) {
	f := signal.Fault{From: e.Start.Add(x.From.V), To: e.Start.Add(x.From.V + x.For.Or(e.Horizon)), Factor: x.By, Delay: x.Delay.V}
	kind := x.Kind
	switch kind {
	case "quota": // an answer of 429 or 401 carries no value, as a dead feed
		kind = "dead"
	case "spikes":
		kind, f.Factor = "spike", cmp.Or(f.Factor, 10)
	case "delay":
		kind = "delayed"
	}
	return f, f.Kind.UnmarshalText([]byte(kind))
}

// Observe returns the signal of a cluster as known at a time, with what is
// forecast for the periods after it.
func (f *feed) Observe(cluster int, now time.Time) state.ZoneSignal {
	o := f.views[cluster]
	z := state.ZoneSignal{Current: o.At(now)}
	z.Period = z.Current.To.Sub(z.Current.From)
	ahead, ok := o.Outlook(now)
	for t := z.Current.To; ok && len(z.Ahead) < maxAhead; t = t.Add(z.Period) {
		v, known := ahead.At(t)
		if !known {
			break
		}
		z.Ahead = append(z.Ahead, v)
	}
	return z
}

// maxAhead bounds how many periods ahead decisions look.
const maxAhead = 48
