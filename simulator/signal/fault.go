package signal

import (
	"fmt"
	"math"
	"time"
)

// FaultKind names what is wrong with a feed.
type FaultKind uint8

// Faults of a feed, each seen in the wild.
const (
	// Dead: the feed does not answer.
	Dead FaultKind = iota
	// Zeros: it answers 0 (WattTime did for ten hours in April 2026).
	Zeros
	// Nulls: it answers without a value.
	Nulls
	// Spike: values are multiplied by Factor, plausible or not.
	Spike
	// Stale: it repeats the value from the start of the fault, stamped with its
	// true time, so that its age shows.
	Stale
	// Frozen: it repeats that value stamped as new, which nobody can tell.
	Frozen
	// Delayed: values come later by Delay.
	Delayed
	// Quota: it refuses to answer, as the allowance of requests or the token is
	// spent (HTTP 429 or 401). To a scheduler that is a dead feed.
	Quota
)

func faultNames() []string {
	return []string{"dead", "zeros", "nulls", "spike", "stale", "frozen", "delayed", "quota"}
}

// String returns the name used in experiment files.
func (k FaultKind) String() string {
	if names := faultNames(); int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("invalid(%d)", uint8(k))
}

// UnmarshalText reads a name printed by String.
func (k *FaultKind) UnmarshalText(b []byte) error {
	for i, n := range faultNames() {
		if n == string(b) {
			*k = FaultKind(i)
			return nil
		}
	}
	return fmt.Errorf("signal fault %q: want one of %q", b, faultNames())
}

// Fault spoils what is read of a feed from From up to, not including, To.
type Fault struct {
	Kind     FaultKind
	From, To time.Time
	Factor   float64       // of Spike
	Delay    time.Duration // of Delayed
}

// Validate says which field of f is unusable.
func (f *Fault) Validate() error {
	switch {
	case int(f.Kind) >= len(faultNames()):
		return fmt.Errorf("signal fault %s: want one of %q", f.Kind, faultNames())
	case !f.To.After(f.From):
		return fmt.Errorf("signal fault %s: ends at %s, not after its start %s", f.Kind, f.To.Format(time.RFC3339), f.From.Format(time.RFC3339))
	case f.Kind == Spike && !(f.Factor > 0 && f.Factor <= 1e6):
		return fmt.Errorf("signal fault spike: factor %g: want a number above 0", f.Factor)
	case f.Kind == Delayed && f.Delay <= 0:
		return fmt.Errorf("signal fault delayed: delay %s: want more than 0", f.Delay)
	}
	return nil
}

func (f *Fault) active(ns int64) bool { return ns >= f.From.UnixNano() && ns < f.To.UnixNano() }

// mute reports whether there is no answer at ns.
func (f *Fault) mute(ns int64) bool { return (f.Kind == Dead || f.Kind == Quota) && f.active(ns) }

func (f *Fault) delay(ns int64) int64 {
	if f.Kind == Delayed && f.active(ns) {
		return int64(f.Delay)
	}
	return 0
}

// spoil changes the value that is read at ns.
func (f *Fault) spoil(v float64, ns int64) float64 {
	switch {
	case !f.active(ns):
		return v
	case f.Kind == Zeros:
		return 0
	case f.Kind == Nulls:
		return math.NaN()
	case f.Kind == Spike:
		return float64(v * f.Factor)
	}
	return v
}
