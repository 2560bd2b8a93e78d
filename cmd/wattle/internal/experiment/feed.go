package experiment

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
	"github.com/wattle-project/wattle/simulator/signal"
)

// feed is what the scheduler sees of the grids, one view per cluster. A view of
// marginal intensities is nil where none are known.
type feed struct{ views, marginal []*signal.Observed }

// newFeed gives every cluster a fresh view; views cache and are not shared
// between runs. The errors of a provider's forecast are drawn from seed.
func (e *Experiment) newFeed(forecast string, seed uint64) (*feed, error) {
	f := &feed{marginal: make([]*signal.Observed, len(e.grids.series))}
	for _, a := range e.grids.series {
		o, err := e.observe(a, forecast, seed)
		if err != nil {
			return nil, err
		}
		f.views = append(f.views, o)
	}
	for i, a := range e.grids.marginal {
		if a.Len() == 0 {
			continue
		}
		var err error
		if f.marginal[i], err = e.observe(a, forecast, seed); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// forecast is what a contender knows of later slots.
func (e *Experiment) forecast(p *Policy) string {
	return cmp.Or(p.Forecast, e.File.Signals.Forecast, "persistence")
}

// observe is a fresh view of a series.
func (e *Experiment) observe(a signal.Actual, forecast string, seed uint64) (*signal.Observed, error) {
	v, err := e.view(a.Zone, forecast, seed)
	if err != nil {
		return nil, fmt.Errorf("%s: signals: %w", e.File.path, err)
	}
	o, err := signal.NewObserved(a, v)
	if err != nil {
		return nil, fmt.Errorf("%s: signals: zone %s: %w", e.File.path, a.Zone, err)
	}
	return o, nil
}

// view says how a zone's intensity becomes known.
func (e *Experiment) view(zone wattle.ZoneID, forecast string, seed uint64) (signal.View, error) {
	s := &e.File.Signals
	v := signal.DefaultView()
	v.Delay, v.Err.Seed = s.Delay.V, seed
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
	return observed(f.views[cluster], now)
}

// Marginal is Observe for marginal intensities; zero where none are known.
func (f *feed) Marginal(cluster int, now time.Time) state.ZoneSignal {
	if f.marginal[cluster] == nil {
		return state.ZoneSignal{}
	}
	return observed(f.marginal[cluster], now)
}

func observed(o *signal.Observed, now time.Time) state.ZoneSignal {
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
