package exporter_test

import (
	"os/exec"
	"testing"
)

// TestPromtoolAgrees lets Prometheus' own linter judge names, units and help.
func TestPromtoolAgrees(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (Debian: package prometheus)")
	}
	e := start(t, quiet())
	e.Publish(whole())
	c := exec.Command(promtool, "check", "metrics")
	c.Stdin = scrape(t, e, asText, "").Body
	if out, err := c.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}
