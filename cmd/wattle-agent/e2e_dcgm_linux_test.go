//go:build e2e

package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/wattle-project/wattle/plugins/host"
)

// dcgmPlugin compiles plugins/dcgm against the stand-in of NVIDIA's bindings.
func dcgmPlugin(t *testing.T) (path, sum string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "wattle-dcgm")
	cmd := exec.Command("go", "build", "-modfile=go.standin.mod", "-ldflags=-s -w", "-o", path, ".")
	cmd.Dir, cmd.Env = "../../plugins/dcgm", append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	sum, err := host.Sum(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, sum
}

// TestAgentReadsDCGM runs the DCGM plugin under the agent. Its node has an A100
// of 300 W in instances of 1, 2 and 4 slices, whose activity × slices is 0.8,
// 0.8 and 0.4, an L40S of 100 W that counts joules, and a P100 of 40 W that has
// no counter; what none of them knows is a blank of DCGM. The kubelet gave the
// instances of 1 and 2 slices to functions.
func TestAgentReadsDCGM(t *testing.T) {
	base, _, _ := podCgroups(t)
	k := newFakeKubelet(t)
	k.hello, k.resize = "MIG-GPU-a100/3/0", "MIG-GPU-a100/4/0"
	path, sum := dcgmPlugin(t)
	begin := time.Now()
	a := startConfigured(t, newPowercap(t, map[string]float64{"intel-rapl:0": 80}, twoSockets()[0]), base, fmt.Sprintf(`
meters:
  skip: [nvml, hwmon, ipmi, model, dcgm-exporter]
  plugins: [{name: dcgm, path: %s, checksum: %s, args: [-proc, "", -every, 100ms]}]
kubernetes: {enabled: "on", kubelet: %s, resources_socket: %s}
attribution: {idle: {gpu: 14W}}
`, path, sum, k.url, k.socket))
	gpu := func(m metrics, labels ...string) float64 {
		return m.sum("wattle_function_energy_joules_total", append(labels, "component=gpu")...)
	}
	a.wait("the smallest instance has paid idle energy for 3 s", func() bool { return gpu(a.scrape(), "function=hello", "share=idle") > 6 })
	m, most := a.scrape(), time.Since(begin).Seconds()
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 0.02*want {
			t.Errorf("%s: %g J, want %g ± 2 %%", what, got, want)
		}
	}
	idle := gpu(m, "function=hello", "share=idle") // 1/7 of 14 W
	near("idle energy of 2 of 7 slices", gpu(m, "function=resize", "share=idle"), 2*idle)
	near("active energy of the small instance", gpu(m, "function=hello", "share=active"), idle/2*(300-14)*0.4)
	near("active energy of the other", gpu(m, "function=resize", "share=active"), idle/2*(300-14)*0.4)
	counted := m.sum("wattle_node_energy_joules_total", "component=gpu", "source=dcgm")
	integrated := m.sum("wattle_node_energy_joules_total", "component=gpu", "source=integrated")
	if counted < 400*idle/2 || counted > 400*most || integrated < 40*idle/2*0.8 || integrated > 40*most {
		t.Errorf("%g J are counted and %g J integrated in %g to %g s at 400 and 40 W", counted, integrated, idle/2, most)
	}
	checkSums(t, m)
	promtool(t, a.body())
	children := a.children()
	a.stop()
	if len(children) != 1 || runs([]string{fmt.Sprintf("/proc/%d/exe", children[0])}, path) {
		t.Errorf("processes %v, or one outlives the agent", children)
	}
}
