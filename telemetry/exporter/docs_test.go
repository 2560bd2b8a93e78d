package exporter_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/wattle-project/wattle/telemetry/exporter"
)

//go:generate go test . -run TestMetricsPageIsFresh -update

var update = flag.Bool("update", false, "write the page of metrics")

const metricsPage = "../../docs/metrics.md"

// TestMetricsPageIsFresh holds docs/metrics.md to the catalogue.
func TestMetricsPageIsFresh(t *testing.T) {
	want := renderMetrics()
	if *update {
		if err := os.WriteFile(metricsPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(metricsPage); err != nil || string(have) != want {
		t.Errorf("docs/metrics.md is not what the code says: run \"make docs\" (%v)", err)
	}
}

const metricsIntro = `# Metrics of the agent

Generated from the code by ` + "`make docs`" + `.

The agent serves these at ` + "`/metrics`" + ` as text, OpenMetrics or protobuf, whichever the scraper prefers, with gzip if it
takes that; also ` + "`process_*` and `go_*`" + ` of the agent itself. Native histograms come by protobuf only: set
` + "`scrape_native_histograms: true`" + ` (Prometheus 3.8 and later; ` + "`--enable-feature=native-histograms`" + ` before).

- Counters start at 0 with the agent and never fall while it runs. A function that is gone keeps its total.
- Energy is counted in whole microjoules: functions + unattributed + waiting = node, exactly.
- A label without a value is absent. There are no labels for pods, containers or processes.
- A gauge that is not known is absent rather than 0: an unknown intensity never reads as clean.
- Rows of functions appear with their first joule; all other counters start at 0.

`

// renderMetrics writes the page.
func renderMetrics() string {
	var b strings.Builder
	b.WriteString(metricsIntro + "| metric | type | unit | labels | stability |\n|---|---|---|---|---|\n")
	for _, f := range exporter.Catalogue() {
		unit := strings.ReplaceAll(f.Unit, "_", " ")
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s | %s | %s |\n", f.Name, f.Name, f.Type, unit, strings.Join(f.Labels, ", "), f.Stability)
	}
	for _, f := range exporter.Catalogue() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", f.Name, f.Help)
	}
	b.WriteString("\n## Labels\n\n| label | meaning | values |\n|---|---|---|\n")
	for _, l := range exporter.Labels() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", l.Name, l.Help, strings.Join(l.Values, ", "))
	}
	return b.String()
}
