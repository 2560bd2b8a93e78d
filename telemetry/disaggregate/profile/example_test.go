package profile_test

import (
	"fmt"
	"strings"

	"github.com/wattle-project/wattle/telemetry/disaggregate/profile"
)

// A file of profiles is read strictly.
func Example() {
	text := `{"wattle_profiles": 1, "node": "n1", "sources": ["rapl"], "from": "2026-03-01T08:00:00Z", "to": "2026-03-01T09:00:00Z",
		"meter_noise": 0.02, "idle_watts": 41, "functions": [{"function": "shop/resize", "warm": {"invocations": 12, "seconds": 0.3,
		"watts": {"value": 10, "low": 9, "high": 11}, "joules": {"value": 3, "low": 2.7, "high": 3.3},
		"control_plane_joules": 0, "idle_joules": 0, "steps": 12}}]}`
	d, err := profile.Read(strings.NewReader(text), "n1.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Functions[0].Function, d.Functions[0].Warm.Joules.Value, "J")
	_, err = profile.Read(strings.NewReader(strings.Replace(text, "idle_watts", "idle_wats", 1)), "n1.json")
	fmt.Println(err)
	// Output:
	// shop/resize 3 J
	// n1.json:2:24: json: unknown field "idle_wats"
}
