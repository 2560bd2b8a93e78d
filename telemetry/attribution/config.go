package attribution

import (
	"fmt"
	"time"

	"github.com/wattle-project/wattle"
)

// Zone names one register of a meter: a package, a memory domain, a GPU.
type Zone struct {
	Component wattle.Component
	Device    wattle.DeviceID
}

// Config of an Attributor.
type Config struct {
	// CPU and Memory are the capacity of the node, against which reservations
	// are shares. 0 means the sum of all reservations: then no idle energy is
	// unallocated while there is any reservation.
	CPU    wattle.MilliCPU
	Memory wattle.Bytes
	// Idle fixes the power of zones at rest. A Zone without Device holds for all
	// zones of its component. A zone that is not named learns: the least mean
	// power over LearnWindow in the last one to two LearnHorizons.
	Idle map[Zone]wattle.Watts
	// LearnWindow is the averaging time of learning; a shorter one takes meter
	// noise for idle power. Default 5 s.
	LearnWindow time.Duration
	// LearnHorizon is how long a minimum holds. Default 24 h.
	LearnHorizon time.Duration
	// OwnerGrace is how long energy of a container waits for the name of its
	// owner before it is booked as system. Default 30 s.
	OwnerGrace time.Duration
	// Keep is the longest time that a removed container waits for a zone that
	// has stopped answering. Default 10 min.
	Keep time.Duration
}

// DefaultConfig returns the defaults named in Config.
func DefaultConfig() Config {
	return Config{
		LearnWindow: 5 * time.Second, LearnHorizon: 24 * time.Hour,
		OwnerGrace: 30 * time.Second, Keep: 10 * time.Minute,
	}
}

// Validate says what cannot work.
func (c Config) Validate() error {
	if c.CPU < 0 || c.Memory < 0 {
		return fmt.Errorf("attribution: capacity %s and %s must not be negative", c.CPU, c.Memory)
	}
	if c.LearnWindow <= 0 || c.LearnHorizon < c.LearnWindow {
		return fmt.Errorf("attribution: learn window %s must be positive and at most the horizon %s", c.LearnWindow, c.LearnHorizon)
	}
	if c.OwnerGrace < 0 || c.Keep < c.OwnerGrace {
		return fmt.Errorf("attribution: owner grace %s must not be negative nor over keep %s", c.OwnerGrace, c.Keep)
	}
	for z, w := range c.Idle {
		if !(w >= 0) {
			return fmt.Errorf("attribution: idle power %s of %s %s must not be negative", w, z.Component, z.Device)
		}
	}
	return nil
}

// IdleOf returns the stated idle power of a zone, if there is one.
func (c *Config) IdleOf(z Zone) (wattle.Watts, bool) {
	if w, ok := c.Idle[z]; ok {
		return w, true
	}
	w, ok := c.Idle[Zone{Component: z.Component}]
	return w, ok
}
