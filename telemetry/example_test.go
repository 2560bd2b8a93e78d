package telemetry_test

import (
	"fmt"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
)

func ExampleCounter() {
	zone := telemetry.Zone{Key: "package-0", Range: 262_143_328_850, Bound: 400}
	c := telemetry.NewCounter(zone, telemetry.DefaultCounterConfig())
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, register := range []uint64{262_100_000_000, 40_000_000, 140_000_000, 3_000} {
		step := c.Add(telemetry.Reading{At: at, Energy: register, HasEnergy: true})
		fmt.Println(step.Event, step.Energy, step.Unknown)
		at = at.Add(time.Second)
	}
	fmt.Println("total", c.Total())
	// Output:
	// baseline 0J false
	// wrap 83.3J false
	// advance 100J false
	// reset 0J true
	// total 183J
}

func ExampleCover() {
	views := []telemetry.View{
		{Meter: "rapl", Zone: telemetry.Zone{Key: "psys", Component: wattle.Platform, Socket: -1}},
		{Meter: "rapl", Zone: telemetry.Zone{Key: "package-0", Component: wattle.Package}},
		{Meter: "rapl", Zone: telemetry.Zone{Key: "package-0/core", Component: wattle.Core, Parent: "package-0"}},
		{Meter: "rapl", Zone: telemetry.Zone{Key: "package-0/dram", Component: wattle.DRAM}},
	}
	for _, v := range telemetry.Cover(views) {
		fmt.Printf("%s %t %q\n", v.Zone.Key, !v.Zone.Overlap, v.Reason)
	}
	// Output:
	// psys false "contains rapl/package-0, which is preferred"
	// package-0 true ""
	// package-0/core false "rapl/package-0 contains it"
	// package-0/dram true ""
}
