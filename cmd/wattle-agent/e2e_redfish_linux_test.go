//go:build e2e

package main

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// controller is a management controller of a machine that draws 300 W.
type controller struct {
	*httptest.Server
	t       *testing.T
	mood    atomic.Value  // "", "refuse", "cut" or "hang"
	cut     atomic.Int64  // answers that were cut short
	waiting chan struct{} // a request that hangs has come
	release chan struct{} // closed when it may go on
}

const machineWatts = 300

func newController(t *testing.T) *controller {
	t.Helper()
	c := &controller{t: t, waiting: make(chan struct{}, 100), release: make(chan struct{})}
	c.mood.Store("")
	c.Server = httptest.NewTLSServer(http.HandlerFunc(c.answer))
	t.Cleanup(c.Close)
	return c
}

func (c *controller) answer(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	mood := c.mood.Load()
	switch {
	case user != "reader" || password != "secret" || mood == "refuse":
		w.WriteHeader(http.StatusUnauthorized)
		return
	case mood == "hang":
		c.waiting <- struct{}{}
		select {
		case <-c.release:
		case <-r.Context().Done():
			return
		}
	}
	doc := map[string]string{
		"/redfish/v1/Chassis":         `{"Members":[{"@odata.id":"/redfish/v1/Chassis/1"}]}`,
		"/redfish/v1/Chassis/1":       `{"Id":"1","Power":{"@odata.id":"/redfish/v1/Chassis/1/Power"}}`,
		"/redfish/v1/Chassis/1/Power": fmt.Sprintf(`{"PowerControl":[{"PowerConsumedWatts":%d}]}`, machineWatts),
	}[r.URL.Path]
	if doc == "" {
		http.NotFound(w, r)
		return
	}
	if mood == "cut" {
		doc = doc[:len(doc)/2]
		c.cut.Add(1)
	}
	_, _ = io.WriteString(w, doc)
}

// files writes the password and the certificate for the agent.
func (c *controller) files() (password, certificate string) {
	dir := c.t.TempDir()
	password, certificate = filepath.Join(dir, "password"), filepath.Join(dir, "bmc.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw})
	for path, b := range map[string][]byte{password: []byte("secret\n"), certificate: text} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	return password, certificate
}

func (p *process) text(path string) string {
	r, err := http.Get(p.url + path)
	if err != nil {
		return err.Error()
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	return fmt.Sprint(r.StatusCode, " ", string(b))
}

// TestAgentMetersAMachineByItsController lives through a controller that refuses,
// cuts its answers short and hangs: totals stand, the reason is told, a round
// never waits, and afterwards it counts on without inventing energy.
func TestAgentMetersAMachineByItsController(t *testing.T) {
	bmc := newController(t)
	password, certificate := bmc.files()
	begin := time.Now()
	tree := newPowercap(t, nil)
	a := startConfigured(t, tree, t.TempDir(), fmt.Sprintf(`
meters:
  skip: [rapl, nvml, hwmon, ipmi, model, dcgm-exporter]
  redfish: {url: %s, user: reader, password_file: %s, ca_file: %s, interval: 10s}
kubernetes: {enabled: "off"}
`, bmc.URL, password, certificate))
	counted := func() float64 {
		return a.scrape().sum("wattle_node_energy_joules_total", "component=platform", "source=integrated")
	}
	down := func() bool { return hasZero(a.scrape(), "wattle_collector_up", "collector=redfish") }
	counts := func(from float64) {
		t.Helper()
		a.wait("energy of the machine is counted", func() bool { return counted() > from })
		if got, most := counted(), machineWatts*time.Since(begin).Seconds(); got > most {
			t.Errorf("%g J are counted, more than the %g J since the start", got, most)
		}
		checkSums(t, a.scrape())
	}
	rounds := func(what string) {
		t.Helper()
		at := func() float64 { return a.scrape().sum("wattle_snapshot_timestamp_seconds") }
		from := at()
		a.wait(what, func() bool { return at() > from+3*interval.Seconds() })
	}
	counts(machineWatts * 9)

	before := counted()
	bmc.mood.Store("cut")
	a.wait("an answer is cut short", func() bool { return bmc.cut.Load() > 0 })
	rounds("rounds go on with an answer that was cut short")
	if down() || counted() < before {
		t.Errorf("one answer that was cut short: down %v, %g J of %g", down(), counted(), before)
	}
	bmc.mood.Store("refuse")
	a.waitFor(time.Minute, "the controller is missed after three intervals", down)
	if got := a.text("/readyz"); !strings.HasPrefix(got, "503") || !strings.Contains(got, "user and password") {
		t.Errorf("/readyz answers %q, want what to mend", got)
	}
	if got := counted(); got < before {
		t.Errorf("the total fell from %g to %g J", before, got)
	}
	bmc.mood.Store("")
	counts(before)

	bmc.mood.Store("hang")
	select {
	case <-bmc.waiting:
	case <-time.After(20 * time.Second):
		t.Fatal("the controller is not asked")
	}
	rounds("rounds go on while the controller hangs")
	if got := a.status("/healthz"); got != http.StatusOK {
		t.Errorf("/healthz answers %d while the controller hangs", got)
	}
	bmc.mood.Store("")
	close(bmc.release)
	counts(counted())
	promtool(t, a.body())
	a.stop()
}
