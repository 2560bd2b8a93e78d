package proto

import (
	"context"
	"time"

	"github.com/wattle-project/wattle"
)

// Zone is one register of a meter.
type Zone struct {
	// Key is stable over restarts and independent of enumeration order.
	Key       string
	Component wattle.Component
	// Parent is the Key of the zone whose energy includes this one, or empty.
	Parent string
	// Socket is the physical package, or -1 where that has no meaning.
	Socket int
	// Range is the value after which the register wraps to 0, in µJ; 0 means
	// that it never wraps.
	Range uint64
	// Bound is the highest plausible power; 0 if unknown.
	Bound wattle.Watts
	// Overlap marks a view on energy that another zone holds already.
	Overlap bool
}

// Reading is one observation of one zone.
type Reading struct {
	Zone int       // index into Zones()
	At   time.Time // when the value was current
	// Energy is the raw register in µJ when HasEnergy, Power the momentary
	// power when HasPower. A meter gives one of the two.
	Energy    uint64
	Power     wattle.Watts
	HasEnergy bool
	HasPower  bool
	// Err says why this zone could not be read; other zones are unaffected.
	Err error
}

// Use is a share of a zone's dynamic energy since the Read before. The shares
// of one zone sum to at most 1.
type Use struct {
	Zone     string // key
	Instance string // key of the part, or empty
	PID      int    // process, or 0

	Namespace, Pod, Container string

	Share float64 // in [0, 1]
	Basis string  // what the share rests on, for example "engine"
	// Slices are the compute slices of Instance, out of OfSlices of the whole
	// zone: its idle energy goes by them. 0 and 0 if unknown.
	Slices, OfSlices int
}

// Gauge is how busy a part of a device was.
type Gauge struct {
	Zone string // key of the zone or of a part of it
	// Name is "utilisation", "engine", "sm", "tensor" or "dram".
	Name  string
	Ratio float64 // in [0, 1]
}

// Capabilities says who a plugin is.
type Capabilities struct {
	Name    string // value of the label "source"
	Version string
	Uses    bool          // whether it tells who used its zones
	Every   time.Duration // new values appear no more often than this; 0 if unknown
}

// Meter is what crosses the seam. Implementations are not safe for concurrent use.
type Meter interface {
	Capabilities() Capabilities
	// Zones lists the zones as of the last Read.
	Zones() []Zone
	// Read appends one reading per zone to dst. It returns an error only when
	// no zone at all could be read.
	Read(ctx context.Context, dst []Reading) ([]Reading, error)
	// Uses lists who used the zones, as of the last Read; nil if unknown.
	Uses() []Use
	// Gauges lists how busy its zones were, as of the last Read; nil if unknown.
	Gauges() []Gauge
}
