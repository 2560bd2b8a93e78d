package disaggregate

import (
	"fmt"
	"time"

	"github.com/wattle-project/wattle"
)

// Share says how energy that no function causes alone is divided.
type Share uint8

// Ways to share.
const (
	ShareNone   Share = iota // not at all
	ShareEqual               // idle: equally among active functions; control plane: equally among invocations
	ShareByBusy              // by busy seconds
)

func shareNames() []string { return []string{"none", "equal", "busy"} }

// String returns the name used in configuration.
func (s Share) String() string {
	if int(s) < len(shareNames()) {
		return shareNames()[s]
	}
	return fmt.Sprintf("invalid(%d)", uint8(s))
}

// UnmarshalText reads a name printed by String.
func (s *Share) UnmarshalText(b []byte) error {
	for i, n := range shareNames() {
		if n == string(b) {
			*s = Share(i)
			return nil
		}
	}
	return fmt.Errorf("disaggregate: share %q: want one of %q", b, shareNames())
}

// Config of a Filter.
type Config struct {
	// Idle says who gets the idle energy. Default ShareEqual, as FaasMeter does.
	Idle Share
	// ControlPlane says who gets the energy of the control plane. Default
	// ShareEqual: the same for each invocation.
	ControlPlane Share
	// Noise is the first guess of the meter's relative error per step (one
	// standard deviation); it is corrected from the data. Default 0.05.
	Noise float64
	// PriorSpread is the standard deviation of a power that nothing is known
	// of, as a multiple of the mean power per busy second. Default 2: weak.
	PriorSpread float64
	// Drift is the relative change of a power that is expected within an hour.
	// More follows changes faster and widens intervals. Default 0.1.
	Drift float64
	// Memory is the time constant of the mean duration, counts, control plane
	// and idle energy that are shared. Default 10 min.
	Memory time.Duration
	// MaxColumns bounds the unknowns, and with them the work of an update; when
	// it is reached the function that was quiet longest is forgotten. Default 512.
	MaxColumns int
}

// DefaultConfig returns the defaults named in Config.
func DefaultConfig() Config {
	return Config{
		Idle: ShareEqual, ControlPlane: ShareEqual, Noise: 0.05, PriorSpread: 2,
		Drift: 0.1, Memory: 10 * time.Minute, MaxColumns: 512,
	}
}

// Validate says what cannot work.
func (c Config) Validate() error {
	switch {
	case c.Idle > ShareByBusy || c.ControlPlane > ShareByBusy:
		return fmt.Errorf("disaggregate: shares %s and %s: want one of %q", c.Idle, c.ControlPlane, shareNames())
	case !(c.Noise > 0 && c.Noise < 1):
		return fmt.Errorf("disaggregate: noise %g: want a fraction above 0 and under 1", c.Noise)
	case !(c.PriorSpread > 0 && c.PriorSpread <= 100):
		return fmt.Errorf("disaggregate: prior spread %g: want above 0 and at most 100", c.PriorSpread)
	case !(c.Drift >= 0 && c.Drift <= 10):
		return fmt.Errorf("disaggregate: drift %g per hour: want 0 to 10", c.Drift)
	case c.Memory <= 0:
		return fmt.Errorf("disaggregate: memory %s: want a positive duration", c.Memory)
	case c.MaxColumns < 2:
		return fmt.Errorf("disaggregate: %d columns: want at least 2", c.MaxColumns)
	}
	return nil
}

// Run is what one function did in a step. Busy seconds of an invocation that
// spans several steps are split by overlap.
type Run struct {
	Function wattle.FunctionID
	// Warm and Cold are the invocations that ended, by how they began; a cold
	// one includes its start-up.
	Warm, Cold float64
	// Untold are among Warm: the platform does not tell how they began, so that
	// there may be cold ones among them.
	Untold float64
	// WarmBusy and ColdBusy are the seconds in which they ran, summed over
	// concurrent ones.
	WarmBusy, ColdBusy float64
}

// Step is one interval of the machine.
type Step struct {
	From, To time.Time
	// Dynamic is the metered energy less Idle.
	Dynamic wattle.Joules
	// Idle is what the machine would have used at rest.
	Idle wattle.Joules
	// Unknown marks a step whose energy could not be told. Counts are used.
	Unknown bool
	// ControlPlane is the processor time of the platform itself in seconds.
	ControlPlane float64
	// Runs has at most one entry per function.
	Runs []Run
}
