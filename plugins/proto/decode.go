package proto

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/plugins/proto/meterpb"
)

// Limits on what a plugin may send.
const (
	MaxZones = 4096
	MaxUses  = 65536
	maxText  = 512
	// maxSlices is far above the 7 that a board is cut into today.
	maxSlices = 1024
	maxAge    = 24 * time.Hour
)

// DecodeCapabilities checks and converts a message.
func DecodeCapabilities(m *meterpb.CapabilitiesResponse) (Capabilities, error) {
	c := Capabilities{Name: m.GetName(), Version: m.GetVersion(), Uses: m.GetUses(), Every: time.Duration(m.GetEveryNanos())}
	if c.Name == "" || len(c.Name) > maxText || len(c.Version) > maxText || c.Every < 0 {
		return Capabilities{}, fmt.Errorf("plugin names itself %.40q every %s: want a short name and no negative interval", c.Name, c.Every)
	}
	return c, nil
}

// DecodeZones checks and converts messages: keys are unique and not empty,
// parents exist, bounds are finite. A component that this version does not know
// becomes wattle.OtherComponent.
func DecodeZones(ms []*meterpb.Zone) ([]Zone, error) {
	if len(ms) > MaxZones {
		return nil, fmt.Errorf("plugin has %d zones: want at most %d", len(ms), MaxZones)
	}
	keys := make(map[string]bool, len(ms))
	for i, m := range ms {
		key := m.GetKey()
		if key == "" || len(key) > maxText || keys[key] {
			return nil, fmt.Errorf("plugin zone %d has key %.40q: want unique and short ones", i, key)
		}
		keys[key] = true
	}
	zones := make([]Zone, len(ms))
	for i, m := range ms {
		if p := m.GetParent(); p != "" && (!keys[p] || p == m.GetKey()) {
			return nil, fmt.Errorf("plugin zone %q has parent %.40q, which is no other zone", m.GetKey(), p)
		}
		bound := m.GetBoundWatts()
		if !(bound >= 0) || math.IsInf(bound, 0) {
			return nil, fmt.Errorf("plugin zone %q has bound %g W: want a finite one", m.GetKey(), bound)
		}
		zones[i] = Zone{
			Key: m.GetKey(), Component: component(m.GetComponent()), Parent: m.GetParent(), Socket: int(m.GetSocket()),
			Range: m.GetRangeMicrojoules(), Bound: wattle.Watts(bound), Overlap: m.GetOverlap(),
		}
	}
	return zones, nil
}

func component(name string) wattle.Component {
	var c wattle.Component
	if c.UnmarshalText([]byte(name)) != nil {
		return wattle.OtherComponent
	}
	return c
}

// Stamped is a decoded reading with the plugin's name of the observation.
type Stamped struct {
	Reading
	Stamp int64
}

// DecodeReadings checks messages against the number of zones and appends them
// to dst. At is received less the age that the plugin states. A value that
// cannot be is an error of its zone; a zone that does not exist or comes twice
// is one of the plugin.
func DecodeReadings(dst []Stamped, ms []*meterpb.Reading, zones int, received time.Time) ([]Stamped, error) {
	seen := make([]bool, zones)
	for _, m := range ms {
		i := int(m.GetZone())
		if i < 0 || i >= zones || seen[i] {
			return nil, fmt.Errorf("plugin sent a reading of zone %d of %d that does not exist or came before", i, zones)
		}
		seen[i] = true
		r := Reading{Zone: i, At: received.Add(-min(max(time.Duration(m.GetAgeNanos()), 0), maxAge))}
		switch v := m.GetValue().(type) {
		case *meterpb.Reading_Microjoules:
			r.Energy, r.HasEnergy = v.Microjoules, true
		case *meterpb.Reading_Watts:
			r.Power, r.HasPower = wattle.Watts(v.Watts), true
			if !(v.Watts >= 0) || math.IsInf(v.Watts, 0) {
				r = Reading{Zone: i, At: r.At, Err: fmt.Errorf("plugin sent %g W", v.Watts)}
			}
		case *meterpb.Reading_Error:
			r.Err = errors.New(clip(v.Error))
		default:
			r.Err = errors.New("plugin sent neither energy nor power")
		}
		dst = append(dst, Stamped{Reading: r, Stamp: m.GetStampNanos()})
	}
	return dst, nil
}

// DecodeUses converts messages and drops those without a zone or with a share
// outside [0, 1]. Slices that cannot be are unknown.
func DecodeUses(dst []Use, ms []*meterpb.Use) []Use {
	for _, m := range ms[:min(len(ms), MaxUses)] {
		if s := m.GetShare(); m.GetZone() == "" || !(s >= 0 && s <= 1) {
			continue
		}
		u := Use{
			Zone: m.GetZone(), Instance: m.GetInstance(), PID: int(m.GetPid()),
			Namespace: clip(m.GetNamespace()), Pod: clip(m.GetPod()), Container: clip(m.GetContainer()),
			Share: m.GetShare(), Basis: clip(m.GetBasis()),
		}
		if n, of := m.GetSlices(), m.GetOfSlices(); n > 0 && n <= of && of <= maxSlices {
			u.Slices, u.OfSlices = int(n), int(of)
		}
		dst = append(dst, u)
	}
	return dst
}

// DecodeGauges converts messages and drops those without a zone or name and
// those outside [0, 1].
func DecodeGauges(dst []Gauge, ms []*meterpb.Gauge) []Gauge {
	for _, m := range ms[:min(len(ms), MaxUses)] {
		if r := m.GetRatio(); m.GetZone() != "" && m.GetName() != "" && r >= 0 && r <= 1 {
			dst = append(dst, Gauge{Zone: m.GetZone(), Name: clip(m.GetName()), Ratio: r})
		}
	}
	return dst
}

func clip(s string) string { return s[:min(len(s), maxText)] }
