package emissions

import (
	"fmt"
	"time"

	"github.com/wattle-project/wattle"
)

// Config of an Integrator.
type Config struct {
	// Kind and Scope of the intensities that are used.
	Kind  wattle.SignalKind
	Scope wattle.SignalScope
	// PUE is the energy of the whole site for each unit at the machine, at
	// least 1. Default 1: what the meter saw.
	PUE float64
	// Patience is how long energy waits for an intensity that is not a prior.
	// Default 10 min, two periods of the fastest feeds.
	Patience time.Duration
	// Embodied gives the emissions of having made what r reserves, for a time d:
	// M = TE·(TiR/EL)·(RR/ToR) of the SCI specification (Green Software
	// Foundation, SCI 1.1). nil reckons none.
	Embodied func(r wattle.Resources, d time.Duration) wattle.GramsCO2e
	// Machine is all there is to reserve.
	Machine wattle.Resources
}

// DefaultConfig returns the defaults named in Config: average, life cycle.
func DefaultConfig() Config { return Config{PUE: 1, Patience: 10 * time.Minute} }

// Validate says what cannot work.
func (c Config) Validate() error {
	switch {
	case !(c.PUE >= 1) || c.PUE > 5:
		return fmt.Errorf("emissions: a PUE of %g is not within 1 to 5", c.PUE)
	case c.Patience < 0 || c.Patience > 24*time.Hour:
		return fmt.Errorf("emissions: patience of %s is not within 0 to 24h", c.Patience)
	}
	return nil
}
