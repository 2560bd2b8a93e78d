package main

import (
	"context"
	"time"

	"github.com/wattle-project/wattle/plugins/sdk"
	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/gpu"
)

// meter is a gpu.Meter as an sdk.Meter.
type meter struct {
	meter    *gpu.Meter
	every    time.Duration
	readings []telemetry.Reading
}

func newMeter(c config) (*meter, error) {
	m, err := gpu.NewMeter("dcgm", &source{cfg: c}, gpu.DefaultConfig())
	return &meter{meter: m, every: c.every}, err
}

// Capabilities implements sdk.Meter.
func (m *meter) Capabilities() sdk.Capabilities {
	return sdk.Capabilities{Name: m.meter.Name(), Version: "1", Uses: true, Every: m.every}
}

// Zones implements sdk.Meter.
func (m *meter) Zones() []sdk.Zone {
	zones := make([]sdk.Zone, len(m.meter.Zones()))
	for i, z := range m.meter.Zones() {
		zones[i] = sdk.Zone(z)
	}
	return zones
}

// Read implements sdk.Meter.
func (m *meter) Read(ctx context.Context, dst []sdk.Reading) ([]sdk.Reading, error) {
	var err error
	m.readings, err = m.meter.Read(ctx, m.readings[:0])
	if err != nil {
		return dst, err
	}
	for _, r := range m.readings {
		dst = append(dst, sdk.Reading(r))
	}
	return dst, nil
}

// Uses implements sdk.Meter.
func (m *meter) Uses() []sdk.Use {
	uses := make([]sdk.Use, len(m.meter.Uses()))
	for i, u := range m.meter.Uses() {
		uses[i] = sdk.Use{Zone: u.Board, Instance: u.Instance, PID: u.PID, Share: u.Share, Basis: u.Basis.String(), Slices: u.Slices, OfSlices: u.OfSlices}
	}
	return uses
}

// Gauges implements sdk.Meter.
func (m *meter) Gauges() []sdk.Gauge {
	gauges := make([]sdk.Gauge, 0, 8)
	for _, g := range m.meter.Gauges() {
		gauges = append(gauges, sdk.Gauge(g))
	}
	return gauges
}
