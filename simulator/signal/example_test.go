package signal_test

import (
	"fmt"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator/signal"
)

// What a scheduler sees of California while the feed is dead for six hours.
func Example() {
	profile, err := signal.BuiltIn("US-CAL-CISO", wattle.Lifecycle)
	if err != nil {
		fmt.Println(err)
		return
	}
	from := time.Date(2022, 6, 1, 0, 0, 0, 0, time.UTC)
	actual := profile.Actual(from, 10*24*time.Hour)
	dead := from.Add(9 * 24 * time.Hour)

	view := signal.DefaultView()
	view.Faults = []signal.Fault{{Kind: signal.Dead, From: dead, To: dead.Add(6 * time.Hour)}}
	seen, err := signal.NewObserved(actual, view)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, at := range []time.Time{dead.Add(-time.Hour), dead.Add(3 * time.Hour)} {
		truth, _ := actual.At(at)
		s := seen.At(at)
		fmt.Printf("%s: %.0f g/kWh, %s, %s old; in truth %.0f\n", at.Format("15:04"), float64(s.Intensity), s.Quality, at.Sub(s.FetchedAt), float64(truth))
	}
	// Output:
	// 23:00: 185 g/kWh, measured, 0s old; in truth 185
	// 03:00: 285 g/kWh, forecast, 9h0m0s old; in truth 285
}
