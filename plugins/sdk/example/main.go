// Command example is a complete plugin: a meter of one zone that draws exactly
// 100 W since the process started, and tells that process 1 used all of it.
package main

import (
	"context"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/plugins/sdk"
)

func main() { sdk.Serve(&steady{started: time.Now()}) }

// steady is a register that grows by 100 J a second.
type steady struct{ started time.Time }

// Capabilities implements sdk.Meter.
func (s *steady) Capabilities() sdk.Capabilities {
	return sdk.Capabilities{Name: "example", Version: "1", Uses: true}
}

// Zones implements sdk.Meter.
func (s *steady) Zones() []sdk.Zone {
	return []sdk.Zone{{Key: "board-0", Component: wattle.OtherComponent, Socket: -1, Bound: 200}}
}

// Read implements sdk.Meter.
func (s *steady) Read(_ context.Context, dst []sdk.Reading) ([]sdk.Reading, error) {
	now := time.Now()
	spent := wattle.Watts(100).For(now.Sub(s.started)).Micro()
	return append(dst, sdk.Reading{At: now, Energy: uint64(spent), HasEnergy: true}), nil
}

// Uses implements sdk.Meter.
func (s *steady) Uses() []sdk.Use {
	return []sdk.Use{{Zone: "board-0", PID: 1, Share: 1, Basis: "process"}}
}

// Gauges implements sdk.Meter.
func (s *steady) Gauges() []sdk.Gauge {
	return []sdk.Gauge{{Zone: "board-0", Name: "utilisation", Ratio: 0.5}}
}
