package gpu_test

import (
	"fmt"

	"github.com/wattle-project/wattle/telemetry/gpu"
)

// An A100 divided into instances of 1, 2 and 4 slices: the small busy one uses
// as much of the board as the one of two slices that is half as busy.
func ExampleShares() {
	engine := func(v float64) gpu.Ratio { return gpu.KnownRatio(v) }
	shares, basis := gpu.Shares([]gpu.Instance{
		{Key: "1g.10gb", Slices: 1, OfSlices: 7, Graphics: engine(0.8)},
		{Key: "2g.20gb", Slices: 2, OfSlices: 7, Graphics: engine(0.4)},
		{Key: "4g.40gb", Slices: 4, OfSlices: 7, Graphics: engine(0.1)},
	})
	fmt.Printf("%.2f by %s\n", shares, basis)
	// Output: [0.40 0.40 0.20] by engine
}

// The sample that dcgm-exporter's README prints is a blank, not an energy.
func ExampleValue_Microjoules() {
	blank := gpu.Value{Field: gpu.EnergyMillijoules, Kind: gpu.Int64, Int: 9223372036854775794}
	_, ok := blank.Microjoules()
	fmt.Println(ok)
	energy, _ := gpu.Value{Field: gpu.EnergyMillijoules, Kind: gpu.Int64, Int: 1500}.Microjoules()
	fmt.Println(energy, "µJ")
	// Output:
	// false
	// 1500000 µJ
}
