// Package telemetry turns what meters read into energy samples.
//
// A Meter exposes cumulative registers or momentary power for a set of zones;
// a Counter makes a monotonic microjoule count out of a register that wraps,
// resets, sticks and has gaps; a Sink receives the samples. Nothing here knows
// of the scheduler.
package telemetry

import (
	"context"
	"time"

	"github.com/wattle-project/wattle"
)

// Zone is one register of a meter.
type Zone struct {
	// Key is stable over restarts and independent of enumeration order, for
	// example "package-0", "package-0/dram" or a GPU UUID.
	Key       string
	Component wattle.Component
	// Parent is the Key of the zone whose energy includes this one, or empty.
	Parent string
	// Socket is the physical package, or -1 where that has no meaning.
	Socket int
	// Range is the value after which the register wraps to 0, in µJ; 0 means
	// that it never wraps.
	Range uint64
	// Bound is the highest plausible power, used to tell a wrap from a reset;
	// 0 lets the counter learn it.
	Bound wattle.Watts
	// Overlap marks a view on energy that another zone of the disjoint cover
	// holds already; it is exported under another name and never summed.
	Overlap bool
}

// Reading is one observation of one zone.
type Reading struct {
	Zone int       // index into Zones()
	At   time.Time // monotonic where the platform has it
	// Energy is the raw register in µJ when HasEnergy, Power the momentary
	// power when HasPower. A meter gives one of the two.
	Energy    uint64
	Power     wattle.Watts
	HasEnergy bool
	HasPower  bool
	// Err says why this zone could not be read; other zones are unaffected.
	Err error
}

// Meter reads zones. Implementations are not safe for concurrent use.
type Meter interface {
	// Name is the value of the "source" label: rapl, hwmon, redfish, ipmi,
	// nvml, dcgm, model, fake.
	Name() string
	// Zones lists the zones as of the last Read. The slice is the meter's own.
	Zones() []Zone
	// Read appends one reading per zone to dst. It returns an error only when
	// no zone at all could be read.
	Read(ctx context.Context, dst []Reading) ([]Reading, error)
}

// Sink receives finished samples. It must not keep the slice.
type Sink func([]wattle.Sample)
