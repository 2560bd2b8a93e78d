package model_test

import (
	"fmt"

	"github.com/wattle-project/wattle/telemetry/model"
)

func ExampleCurve() {
	for _, load := range []float64{0, 0.1, 0.5, 1} {
		fmt.Printf("%.2f ", model.Curve(load))
	}
	// Output:
	// 0.12 0.32 0.75 1.02
}
