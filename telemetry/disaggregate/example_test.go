package disaggregate_test

import (
	"fmt"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/disaggregate"
)

func Example() {
	f, _ := disaggregate.New(disaggregate.DefaultConfig())
	for n := range 100 {
		from := time.Unix(int64(n), 0)
		a, b := float64(n%3), float64(n%5) // invocations of half a second each
		_ = f.Update(&disaggregate.Step{
			From: from, To: from.Add(time.Second),
			Dynamic: wattle.Joules(4*a + 1*b), // 8 W and 2 W per busy second
			Runs: []disaggregate.Run{
				{Function: "a", Warm: a, WarmBusy: a / 2},
				{Function: "b", Warm: b, WarmBusy: b / 2},
			},
		})
	}
	for _, e := range f.AppendEstimates(nil) {
		fmt.Printf("%s %.2f W, %.2f J per invocation\n", e.Function, e.Power.Value, e.Active.Value)
	}
	// Output:
	// a 8.00 W, 4.00 J per invocation
	// b 2.00 W, 1.00 J per invocation
}
