package invocations_test

import (
	"fmt"
	"strings"

	"github.com/wattle-project/wattle/telemetry/invocations"
)

func ExampleParse() {
	text := "gateway_function_invocation_total{function_name=\"figlet.openfaas-fn\"} 4\n" +
		"gateway_functions_seconds_sum{function_name=\"figlet.openfaas-fn\"} 1.5\n"
	totals, _ := invocations.Parse(strings.NewReader(text), invocations.DefaultMappings())
	fmt.Println(totals[invocations.Key{Namespace: "openfaas-fn", Function: "figlet"}])
	// Output: {4 1.5 0 0 4}
}
