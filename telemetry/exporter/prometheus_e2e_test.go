//go:build e2e

package exporter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wattle-project/wattle/telemetry/exporter"
)

// TestPrometheusScrapes lets a real Prometheus scrape the exporter, with native
// histograms and with the rules that are shipped, and asks it what it stored.
func TestPrometheusScrapes(t *testing.T) {
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("prometheus is not installed (Debian: package prometheus)")
	}
	e := start(t, exporter.DefaultConfig())
	s := whole()
	var protobuf atomic.Int64
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Accept"), "application/vnd.google.protobuf") {
			protobuf.Add(1)
		}
		s.At = time.Now()
		for i := range s.Zones {
			s.Zones[i].Total += 100_000_000 // 100 J between two scrapes
		}
		e.Publish(s)
		e.ServeHTTP(w, r)
	}))
	defer agent.Close()
	base := startPrometheus(t, binary, agent.Listener.Addr().String())
	want := map[string]float64{
		`up`: 1,
		`count(wattle_node_energy_joules_total{component="package"}) > 1`:                         2,
		`wattle_function_energy_joules_total{function="resize",share="active"}`:                   1.234567,
		`wattle_grid_carbon_intensity_grams_per_kilowatt_hour{kind="average",quality="measured"}`: 52,
		`wattle_feed_fallback_step{zone="FR",kind="marginal"}`:                                    5,
		`count(process_resident_memory_bytes > 1e6)`:                                              1,
		`histogram_quantile(0.5, wattle_invocation_energy_joules{namespace="shop"}) > bool 0.4`:   1,
		`histogram_quantile(0.5, wattle_invocation_energy_joules{namespace="shop"}) < bool 0.6`:   1,
		`count(instance_component:wattle_node_power_watts:rate5m{component="package"} > 0)`:       1,
		`count(instance:wattle_energy_missing:ratio)`:                                             1,
	}
	deadline := time.Now().Add(40 * time.Second)
	for query, value := range want {
		for {
			have, err := ask(base, query)
			if err == nil && have == value {
				break
			}
			if time.Now().After(deadline) {
				t.Errorf("%s is %v (%v), want %v", query, have, err, value)
				break
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
	if protobuf.Load() == 0 {
		t.Error("Prometheus never asked for protobuf")
	}
}

// startPrometheus runs it on the loopback until the test ends and returns its URL.
func startPrometheus(t *testing.T, binary, target string) string {
	t.Helper()
	dir := t.TempDir()
	rules, err := filepath.Abs("../../deploy/prometheus")
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: ["%s/*.yaml"]
scrape_configs:
  - job_name: wattle-agent
    static_configs: [{targets: ["%s"]}]
`, rules, target)
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	ctx, stop := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, binary, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--enable-feature=native-histograms")
	var log strings.Builder
	c.Stderr = &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = c.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	return "http://" + address
}

// ask returns the value of a query that has one.
func ask(base, query string) (float64, error) {
	r, err := http.Get(base + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Body.Close() }()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, err
	}
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return 0, err
	}
	if len(answer.Data.Result) != 1 {
		return 0, fmt.Errorf("%d results: %.300s", len(answer.Data.Result), b)
	}
	var v float64
	_, err = fmt.Sscan(fmt.Sprint(answer.Data.Result[0].Value[1]), &v)
	return v, err
}
