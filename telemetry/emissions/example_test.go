package emissions_test

import (
	"fmt"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/emissions"
)

// A machine draws 100 W for two hours while the grid goes from 50 to 150 g/kWh.
func Example() {
	start := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	m, err := emissions.New(start, emissions.DefaultConfig())
	if err != nil {
		panic(err)
	}
	grid := func(at time.Time) wattle.Signal {
		hour := at.Truncate(time.Hour)
		i := wattle.GramsPerKWh(50)
		if at.Sub(start) >= time.Hour {
			i = 150
		}
		return wattle.Signal{Zone: "FR", Intensity: i, From: hour, To: hour.Add(time.Hour)}
	}
	m.Step(start.Add(2*time.Hour), wattle.Watts(100).For(2*time.Hour).Micro(), nil, grid)
	fmt.Println(m.AppendTotals(nil)[0].Grams)
	// Output: 20g
}
