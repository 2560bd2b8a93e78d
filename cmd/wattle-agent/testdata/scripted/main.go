// Command scripted is a meter process whose register is a file of µJ, which
// outlives it as a driver's counter does.
package main

import (
	"context"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/plugins/sdk"
)

func main() { sdk.Serve(register(os.Args[1])) }

// register is the path of the file.
type register string

// Capabilities implements sdk.Meter.
func (register) Capabilities() sdk.Capabilities {
	return sdk.Capabilities{Name: "scripted", Version: "1"}
}

// Zones implements sdk.Meter.
func (register) Zones() []sdk.Zone {
	return []sdk.Zone{{Key: "card-0", Component: wattle.OtherComponent, Socket: -1}}
}

// Read implements sdk.Meter.
func (r register) Read(_ context.Context, dst []sdk.Reading) ([]sdk.Reading, error) {
	text, err := os.ReadFile(string(r))
	if err != nil {
		return dst, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return append(dst, sdk.Reading{At: time.Now(), Energy: n, HasEnergy: true, Err: err}), nil
}

// Uses implements sdk.Meter.
func (register) Uses() []sdk.Use { return nil }

// Gauges implements sdk.Meter.
func (register) Gauges() []sdk.Gauge { return nil }
