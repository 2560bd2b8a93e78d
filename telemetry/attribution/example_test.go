package attribution_test

import (
	"fmt"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/attribution"
)

func Example() {
	cfg := attribution.DefaultConfig()
	cfg.CPU = 4000
	cfg.Idle = map[attribution.Zone]wattle.Watts{{Component: wattle.Package}: 20}
	a, _ := attribution.New(cfg, func(u *attribution.Usage) (attribution.Owner, bool) {
		return attribution.Owner{Namespace: "shop", Function: u.Key[1:], CPU: 1000}, true
	})
	start := time.Unix(0, 0)
	use := func(resize, thumb time.Duration) []attribution.Usage {
		return []attribution.Usage{{ID: 1, Key: "/resize", CPU: resize}, {ID: 2, Key: "/thumb", CPU: thumb}}
	}
	a.Step(attribution.Input{At: start, Usage: use(0, 0), UsageRead: true})
	a.Step(attribution.Input{
		At: start.Add(time.Second), Usage: use(600*time.Millisecond, 200*time.Millisecond), UsageRead: true,
		Energy: []wattle.Sample{{Component: wattle.Package, Device: "package-0", From: start, To: start.Add(time.Second), Energy: 100_000_000}},
	})
	for _, acc := range a.AppendAccounts(nil) {
		c := acc.Charges[wattle.Package]
		fmt.Println(acc.Function, c.Active.Joules(), c.Idle.Joules())
	}
	fmt.Println("unallocated", a.Unallocated()[wattle.Package].Idle.Joules())
	// Output:
	// resize 60J 5J
	// thumb 20J 5J
	// unallocated 10J
}
