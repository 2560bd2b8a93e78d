package policies_test

import (
	"fmt"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/policies"
)

// A policy forbids what it may not have and leaves physics to the scheduler.
func Example() {
	engine, err := policies.Compile("eu", map[string]string{"eu.rego": `package wattle.placement

deny contains {
	"code": "residency",
	"msg": sprintf("%s is not in the EU", [input.candidate.zone]),
	"criterion": "candidate.jurisdiction",
	"limit": "EU",
	"actual": input.candidate.jurisdiction,
} if {
	input.candidate.jurisdiction != "EU"
}

limits := {"p95_over_home_permille": 1100}
`}, policies.DefaultConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	attrs := []wattle.Attributes{{Zone: "FR", Jurisdiction: "EU"}, {Zone: "US-CAL-CISO", Jurisdiction: "US"}}
	var columns wattle.Columns
	columns.Reset(2)
	columns.Target[1] = 1
	var verdicts wattle.Verdicts
	verdicts.Reset(2)
	function, params := &wattle.Function{ID: "resize"}, &wattle.Params{}
	engine.Judge(function, params, attrs, &columns, &verdicts)
	fmt.Println(len(verdicts.Denied[0]), verdicts.Denied[1][0].Msg)
	fmt.Println(engine.Intent(function, params).Limits.P95OverHome)
	fmt.Println(engine.Reads()["deny"])
	// Output:
	// 0 US-CAL-CISO is not in the EU
	// 1100
	// [input.candidate.zone input.candidate.jurisdiction]
}
