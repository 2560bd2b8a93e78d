package wattle

import (
	"fmt"
	"time"
)

// SignalKind tells an average from a marginal intensity. The two are never
// compared or summed.
type SignalKind uint8

// Kinds of carbon signal.
const (
	Average SignalKind = iota
	Marginal
)

func signalKindNames() []string { return []string{"average", "marginal"} }

// String returns "average" or "marginal".
func (k SignalKind) String() string { return nameOf(signalKindNames(), int(k)) }

// UnmarshalText reads a name printed by String.
func (k *SignalKind) UnmarshalText(b []byte) error {
	i, err := indexOf("signal kind", signalKindNames(), string(b))
	*k = SignalKind(i)
	return err
}

// SignalScope tells life-cycle emission factors from direct (stack) ones.
type SignalScope uint8

// Scopes of a carbon signal.
const (
	Lifecycle SignalScope = iota
	Direct
)

func signalScopeNames() []string { return []string{"lifecycle", "direct"} }

// String returns "lifecycle" or "direct".
func (s SignalScope) String() string { return nameOf(signalScopeNames(), int(s)) }

// UnmarshalText reads a name printed by String.
func (s *SignalScope) UnmarshalText(b []byte) error {
	i, err := indexOf("signal scope", signalScopeNames(), string(b))
	*s = SignalScope(i)
	return err
}

// Quality orders how much a signal can be trusted: lower is better.
type Quality uint8

// Qualities of a signal, best first.
const (
	Measured  Quality = iota // live, from meters
	Estimated                // live, modelled by the provider
	Forecast                 // made earlier for now
	LastGood                 // the last good value, at most two periods old
	Historic                 // mean of the same hour of the last 7 days
	Static                   // a yearly figure
	Prior                    // nothing is known: a flagged assumption
)

func qualityNames() []string {
	return []string{"measured", "estimated", "forecast", "last-good", "historic", "static", "prior"}
}

// String returns the name used in labels and policies.
func (q Quality) String() string { return nameOf(qualityNames(), int(q)) }

// UnmarshalText reads a name printed by String.
func (q *Quality) UnmarshalText(b []byte) error {
	i, err := indexOf("signal quality", qualityNames(), string(b))
	*q = Quality(i)
	return err
}

// Signal is one value of a grid's carbon intensity with all that is needed to
// judge it. It holds from From up to, not including, To.
type Signal struct {
	Zone      ZoneID
	Intensity GramsPerKWh
	Kind      SignalKind
	Scope     SignalScope
	Quality   Quality
	From, To  time.Time
	FetchedAt time.Time
	Provider  string
}

// Validate says why s cannot be used: an intensity outside (0, MaxIntensity],
// no zone, or an empty interval.
func (s Signal) Validate() error {
	switch {
	case s.Zone == "":
		return fmt.Errorf("signal from %s has no zone", s.Provider)
	case !s.Intensity.Valid():
		return fmt.Errorf("zone %s: intensity %g g/kWh from %s is not in (0, %g]", s.Zone, float64(s.Intensity), s.Provider, float64(MaxIntensity))
	case !s.To.After(s.From):
		return fmt.Errorf("zone %s: signal from %s ends at %s, not after its start %s", s.Zone, s.Provider, s.To.Format(time.RFC3339), s.From.Format(time.RFC3339))
	}
	return nil
}

// Comparable reports whether two signals may stand in one comparison or sum.
func (s Signal) Comparable(o Signal) bool { return s.Kind == o.Kind && s.Scope == o.Scope }

// UnknownIntensity is the world mean that stands in for a zone without any
// signal (475 g/kWh, IEA 2019 as quoted by Cloud Carbon Footprint). A signal
// made from it has Quality Prior, carries a penalty and never wins by it.
const UnknownIntensity GramsPerKWh = 475
