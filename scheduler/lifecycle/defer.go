package lifecycle

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
)

// Work is one piece of deferrable work of constant power.
type Work struct {
	// Release is when it may start, Deadline when it must have ended. Where less
	// than Length lies between them every policy runs it at once.
	Release, Deadline time.Time
	// Length is how long it runs; 0 is allowed.
	Length time.Duration
	// Waited is how long it waited before Release: a maximum delay counts it.
	Waited time.Duration
	// Interruptible work may run in several stretches.
	Interruptible bool
}

// latest is the last start of an uninterrupted run.
func (w *Work) latest() time.Time {
	if s := w.Deadline.Add(-w.Length); s.After(w.Release) {
		return s
	}
	return w.Release
}

// Stretch is a time in which work runs: from Start to before End.
type Stretch struct{ Start, End time.Time }

// Deferral decides when deferrable work runs. It keeps buffers and is not safe
// for concurrent use.
type Deferral interface {
	// Plan appends the stretches in which w runs, in order and apart from each other,
	// Length in sum. Both arguments are only read.
	Plan(spans []Stretch, w *Work, o *Outlook) []Stretch
}

// DeferralConfig holds the settings of all deferral policies.
type DeferralConfig struct {
	// Threshold is the intensity down to which threshold holds work back.
	Threshold wattle.GramsPerKWh
	// MaxDelay is the longest time that threshold holds work back. Without it a
	// grid that is never below the threshold would hold it for ever.
	MaxDelay time.Duration
}

// DefaultDeferralConfig holds work while the grid is dirtier than 200 g/kWh, at
// most 24 h, the defaults of compute-gardener.
func DefaultDeferralConfig() DeferralConfig {
	return DeferralConfig{Threshold: 200, MaxDelay: 24 * time.Hour}
}

// Validate says which setting is unusable.
func (c *DeferralConfig) Validate() error {
	switch {
	case !c.Threshold.Valid():
		return fmt.Errorf("deferral threshold %g g/kWh: want more than 0 and at most %s", float64(c.Threshold), wattle.MaxIntensity)
	case c.MaxDelay < 0:
		return fmt.Errorf("deferral maximum delay %s: want 0 or more", c.MaxDelay)
	}
	return nil
}

// DeferralPolicy describes one policy of the registry.
type DeferralPolicy struct {
	// Doc says in a line what the policy does and which settings it reads.
	Doc string
	// Again says that it is asked again whenever a slot begins while work waits.
	// The others fix the start of uninterrupted work once.
	Again bool
	// Pauses says that it cuts interruptible work into stretches, each of which is
	// planned when the one before has ended.
	Pauses bool
	make   func(DeferralConfig) Deferral
}

// Deferrals returns the deferral policies by name.
func Deferrals() map[string]DeferralPolicy {
	return map[string]DeferralPolicy{
		"run-now": {Doc: "run at release", make: func(DeferralConfig) Deferral { return runNow{} }},
		"threshold": {Doc: "hold while the intensity is above Threshold, at most MaxDelay (compute-gardener)", Again: true,
			make: func(c DeferralConfig) Deferral { return &threshold{c} }},
		"lowest-window": {Doc: "the uninterrupted window of least carbon (Let's Wait Awhile)",
			make: func(DeferralConfig) Deferral { return &lowestWindow{} }},
		"cheapest-slots": {Doc: "the slots of least carbon; lowest-window where work is not interruptible (Let's Wait Awhile)", Pauses: true,
			make: func(DeferralConfig) Deferral { return &cheapestSlots{} }},
		"carbon-time": {Doc: "the start that saves most carbon per hour until completion (GAIA)",
			make: func(DeferralConfig) Deferral { return &carbonTime{} }},
	}
}

// DeferralNames lists the deferral policies in order.
func DeferralNames() []string { return slices.Sorted(maps.Keys(Deferrals())) }

// NewDeferral makes the named deferral policy.
func NewDeferral(name string, cfg DeferralConfig) (Deferral, error) {
	p, ok := Deferrals()[name]
	if !ok {
		return nil, fmt.Errorf("deferral policy %q: want one of %s", name, strings.Join(DeferralNames(), ", "))
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return p.make(cfg), nil
}
