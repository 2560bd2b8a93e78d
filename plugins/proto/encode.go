package proto

import (
	"time"

	"github.com/wattle-project/wattle/plugins/proto/meterpb"
)

// EncodeCapabilities makes the message of c.
func EncodeCapabilities(c Capabilities) *meterpb.CapabilitiesResponse {
	return &meterpb.CapabilitiesResponse{Name: c.Name, Version: c.Version, Uses: c.Uses, EveryNanos: int64(c.Every)}
}

// EncodeZones makes the messages of zones.
func EncodeZones(zones []Zone) []*meterpb.Zone {
	out := make([]*meterpb.Zone, len(zones))
	for i, z := range zones {
		out[i] = &meterpb.Zone{
			Key: z.Key, Component: z.Component.String(), Parent: z.Parent, Socket: int32(z.Socket),
			RangeMicrojoules: z.Range, BoundWatts: float64(z.Bound), Overlap: z.Overlap,
		}
	}
	return out
}

// EncodeReadings makes the messages of readings; ages are counted up to now.
func EncodeReadings(readings []Reading, now time.Time) []*meterpb.Reading {
	out := make([]*meterpb.Reading, len(readings))
	for i, r := range readings {
		m := &meterpb.Reading{Zone: uint32(r.Zone), StampNanos: r.At.UnixNano(), AgeNanos: int64(max(now.Sub(r.At), 0))}
		switch {
		case r.Err != nil:
			m.Value = &meterpb.Reading_Error{Error: r.Err.Error()}
		case r.HasEnergy:
			m.Value = &meterpb.Reading_Microjoules{Microjoules: r.Energy}
		case r.HasPower:
			m.Value = &meterpb.Reading_Watts{Watts: float64(r.Power)}
		default:
			m.Value = &meterpb.Reading_Error{Error: "the plugin read neither energy nor power"}
		}
		out[i] = m
	}
	return out
}

// EncodeUses makes the messages of uses.
func EncodeUses(uses []Use) []*meterpb.Use {
	out := make([]*meterpb.Use, len(uses))
	for i, u := range uses {
		out[i] = &meterpb.Use{
			Zone: u.Zone, Instance: u.Instance, Pid: int64(u.PID),
			Namespace: u.Namespace, Pod: u.Pod, Container: u.Container, Share: u.Share, Basis: u.Basis,
			Slices: int32(u.Slices), OfSlices: int32(u.OfSlices),
		}
	}
	return out
}

// EncodeGauges makes the messages of gauges.
func EncodeGauges(gauges []Gauge) []*meterpb.Gauge {
	out := make([]*meterpb.Gauge, len(gauges))
	for i, g := range gauges {
		out[i] = &meterpb.Gauge{Zone: g.Zone, Name: g.Name, Ratio: g.Ratio}
	}
	return out
}
