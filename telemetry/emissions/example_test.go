package emissions_test

import (
	"fmt"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/emissions"
)

// grid goes from 50 to 150 g/kWh after an hour.
type grid struct{ start time.Time }

// Walk tells both hours.
func (g grid) Walk(_, _ time.Time, note func(wattle.Signal)) {
	for h, i := range []wattle.GramsPerKWh{50, 150} {
		from := g.start.Add(time.Duration(h) * time.Hour)
		note(wattle.Signal{Zone: "FR", Intensity: i, From: from, To: from.Add(time.Hour)})
	}
}

// A machine draws 100 W for two hours, read once at their end.
func Example() {
	start := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	end := start.Add(2 * time.Hour)
	b := emissions.New(grid{start}, 1)
	b.Add([]wattle.Sample{{From: start, To: end, Energy: wattle.Watts(100).For(2 * time.Hour).Micro()}}, end)
	fmt.Println(b.Totals()[0].Grams)
	// Output: 20g
}
