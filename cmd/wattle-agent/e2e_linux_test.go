//go:build e2e

package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/wattle-project/wattle/telemetry/disaggregate/profile"
	"github.com/wattle-project/wattle/telemetry/fake"
)

// powercap is a fake tree that a goroutine drives with known power, and that a
// test can break while it runs.
type powercap struct {
	t    *testing.T
	tree *fake.Tree

	mu    sync.Mutex
	zones map[string]*driven
}

// driven is one register: it grows by watts µJ each µs.
type driven struct {
	zone   fake.TreeZone
	watts  float64
	spent  float64  // µJ, the truth since the start
	raw    float64  // µJ in the register
	secret *os.File // the register of a zone that root alone can read
	frozen bool
	hidden bool // unreadable or unplugged: nothing is written
	at     time.Time
}

func newPowercap(t *testing.T, zones map[string]float64, tree ...fake.TreeZone) *powercap {
	t.Helper()
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for dir := root; dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
		_ = os.Chmod(dir, 0o755) // an agent of another user walks through
	}
	ft, err := fake.NewTree(root, tree...)
	if err != nil {
		t.Fatal(err)
	}
	p := &powercap{t: t, tree: ft, zones: map[string]*driven{}}
	for _, z := range tree {
		p.zones[z.ID] = &driven{zone: z, watts: zones[z.ID], raw: float64(z.Energy), at: time.Now()}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			p.advance()
			time.Sleep(5 * time.Millisecond)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return p
}

// advance writes every register as of now.
func (p *powercap) advance() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, z := range p.zones {
		now := time.Now()
		e := z.watts * float64(now.Sub(z.at).Microseconds())
		z.at = now
		z.spent += e
		z.raw = math.Mod(z.raw+e, float64(z.zone.Range)+1)
		switch {
		case z.frozen || z.hidden:
		case z.secret != nil:
			_, _ = z.secret.WriteAt(fmt.Appendf(nil, "%d\n", uint64(z.raw)), 0)
		default:
			_ = p.tree.Set(id, uint64(z.raw))
		}
	}
}

// with changes a zone between two writes.
func (p *powercap) with(id string, change func(*driven)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p.zones[id])
}

// secret makes a register readable by root alone, as the kernel does.
func (p *powercap) secret(id string) {
	p.t.Helper()
	path := filepath.Join(p.tree.Root(), "class/powercap", id, "energy_uj")
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = f.Close() })
	p.with(id, func(z *driven) {
		z.secret = f
		if err := os.Chmod(path, 0o400); err != nil {
			p.t.Error(err)
		}
	})
}

// truth is the energy that a zone has spent since the start, in J.
func (p *powercap) truth(id string) float64 {
	p.advance()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.zones[id].spent / 1e6
}

const interval = 100 * time.Millisecond

func twoSockets() []fake.TreeZone {
	return []fake.TreeZone{
		{ID: "intel-rapl:0", Name: "package-0", Energy: 5e6, Range: fake.PackageRange, MaxPower: 200e6},
		{ID: "intel-rapl:0:0", Name: "core", Energy: 1e6, Range: fake.PackageRange},
		{ID: "intel-rapl:0:1", Name: "dram", Energy: 9e6, Range: 30e6, MaxPower: 12e6}, // wraps every 2.5 s
		{ID: "intel-rapl:1", Name: "package-1", Energy: 7e6, Range: fake.PackageRange, MaxPower: 200e6},
		{ID: "intel-rapl-mmio:0", Name: "package-0", Energy: 5e6, Range: fake.PackageRange},
	}
}

func startOn(t *testing.T, p *powercap, prefix []string, args ...string) *process {
	return startAgent(t, prefix, append([]string{"--sys", p.tree.Root(), "--interval", interval.String()}, args...)...)
}

// TestAgentCountsWhatWasSpent drives a two-socket machine with known power
// through everything that registers do, and compares the scraped totals with
// the truth: at most one sample is lost, nothing is invented, nothing falls.
func TestAgentCountsWhatWasSpent(t *testing.T) {
	watts := map[string]float64{"intel-rapl:0": 80, "intel-rapl:0:0": 50, "intel-rapl:0:1": 12, "intel-rapl:1": 60, "intel-rapl-mmio:0": 80}
	tree := newPowercap(t, watts, twoSockets()...)
	a := startOn(t, tree, nil, "--cgroup-root", t.TempDir())
	truth := func(id string) float64 { return tree.truth(id) }

	// The agent began a moment after the registers: what counts is growth.
	type mark struct{ truth, got float64 }
	take := func(id, component, socket string) mark {
		before := truth(id)
		got := a.scrape().sum("wattle_node_energy_joules_total", "component="+component, "socket="+socket, "source=rapl")
		return mark{(before + truth(id)) / 2, got}
	}
	grown := func(id, component, socket string, from mark, lost float64) {
		t.Helper()
		to := take(id, component, socket)
		want, got := to.truth-from.truth, to.got-from.got
		slack := watts[id] * (2*interval.Seconds() + 0.25) // age of the sample and the scrape at both ends
		if got > want+slack || got < want-slack-lost {
			t.Errorf("%s grew by %.2f J, the truth is %.2f J (slack %.2f, may lose %.2f)", id, got, want, slack, lost)
		}
	}
	package0 := take("intel-rapl:0", "package", "0")
	package1 := take("intel-rapl:1", "package", "1")
	dram := take("intel-rapl:0:1", "dram", "0")
	time.Sleep(2 * time.Second)
	grown("intel-rapl:0", "package", "0", package0, 0)
	grown("intel-rapl:0:1", "dram", "0", dram, 0) // across wraps

	a.wait("a wrap of DRAM is seen", func() bool { return a.scrape().sum("wattle_energy_register_wraps_total", "zone=package-0/dram") > 0 })
	grown("intel-rapl:0:1", "dram", "0", dram, 0)
	m := a.scrape()
	if got := m.sum("wattle_node_energy_joules_total", "component=core"); got != 0 {
		t.Errorf("core is counted beside its package: %g J", got)
	}
	if got := m.sum("wattle_zone_energy_joules_total", "zone=package-0/core"); got <= 0 {
		t.Error("core is not exported as a zone")
	}

	// Reset: the register of package 0 falls to 0.
	tree.with("intel-rapl:0", func(z *driven) { z.raw = 0 })
	a.wait("the reset is seen", func() bool { return a.scrape().sum("wattle_energy_register_resets_total", "zone=package-0") == 1 })
	grown("intel-rapl:0", "package", "0", package0, 80*2*interval.Seconds())

	// Stuck: the register of package 1 stands still and then shows all at once.
	tree.with("intel-rapl:1", func(z *driven) { z.frozen = true })
	time.Sleep(time.Second)
	tree.with("intel-rapl:1", func(z *driven) { z.frozen = false })
	time.Sleep(3 * interval)
	grown("intel-rapl:1", "package", "1", package1, 0)

	// Unreadable: garbage for a while, then all of it is accounted for.
	tree.with("intel-rapl:1", func(z *driven) {
		z.hidden = true
		_ = tree.tree.SetText("intel-rapl:1", "garbage\n")
	})
	a.wait("the miss is seen", func() bool { return a.scrape().sum("wattle_samples_missed_total", "zone=package-1") > 0 })
	other := take("intel-rapl:0", "package", "0")
	time.Sleep(5 * interval)
	grown("intel-rapl:0", "package", "0", other, 0) // the other zone goes on
	tree.with("intel-rapl:1", func(z *driven) { z.hidden = false })
	time.Sleep(3 * interval)
	grown("intel-rapl:1", "package", "1", package1, 0)

	// Hot-unplug: package 1 is gone, its total stays, and it comes back.
	tree.with("intel-rapl:1", func(z *driven) {
		z.hidden = true
		_ = tree.tree.Remove("intel-rapl:1")
	})
	time.Sleep(5 * interval)
	gone := take("intel-rapl:1", "package", "1")
	if gone.got < package1.got {
		t.Errorf("the total of an unplugged zone fell from %.2f to %.2f J", package1.got, gone.got)
	}
	tree.with("intel-rapl:1", func(z *driven) {
		again := z.zone
		again.Energy = uint64(z.raw)
		if err := tree.tree.Add(again); err != nil {
			t.Error(err)
		}
		z.hidden = false
	})
	a.wait("the zone is back", func() bool {
		return a.scrape().sum("wattle_node_energy_joules_total", "component=package", "socket=1") > gone.got+1
	})
	grown("intel-rapl:0", "package", "0", package0, 80*2*interval.Seconds())
	checkSums(t, a.scrape())
	promtool(t, a.body())
	a.stop()
}

// checkSums: functions + unattributed + waiting = node, to the microjoule.
func checkSums(t *testing.T, m metrics) {
	t.Helper()
	for _, c := range []string{"package", "dram", "gpu", "platform", "other"} {
		node := m.sum("wattle_node_energy_joules_total", "component="+c)
		parts := m.sum("wattle_function_energy_joules_total", "component="+c) +
			m.sum("wattle_unattributed_energy_joules_total", "component="+c) + m.sum("wattle_waiting_energy_joules", "component="+c)
		if math.Abs(node-parts) > 5e-7 {
			t.Errorf("%s: node %.6f J, parts %.6f J", c, node, parts)
		}
	}
}

// promtool lints what was scraped, where it is installed.
func promtool(t *testing.T, body []byte) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Log("promtool is not installed: not linted")
		return
	}
	cmd := exec.Command(path, "check", "metrics")
	cmd.Stdin = bytes.NewReader(body)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// TestAgentNeedsOneCapabilityOnly: registers are readable by root alone, as the
// kernel makes them, and the agent is an ordinary user with CAP_DAC_READ_SEARCH.
func TestAgentNeedsOneCapabilityOnly(t *testing.T) {
	if _, err := exec.LookPath("setpriv"); err != nil || os.Getuid() != 0 {
		t.Skip("needs root and setpriv")
	}
	tree := newPowercap(t, map[string]float64{"intel-rapl:0": 80}, twoSockets()[0])
	tree.secret("intel-rapl:0")
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	_ = os.Chmod(filepath.Dir(program), 0o755)
	user := []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}
	run := func(prefix ...string) string {
		argv := append(append([]string{}, prefix...), program, "--once", "--sys", tree.tree.Root(), "--cgroup-root", tree.tree.Root())
		out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	if out := run(user...); !strings.Contains(out, "rapl") || strings.Contains(out, "package-0  rapl") {
		t.Errorf("without the capability the register must not be read:\n%s", out)
	}
	with := append(user, "--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search", "--bounding-set=-all,+dac_read_search")
	a := startOn(t, tree, with, "--cgroup-root", t.TempDir())
	a.wait("energy is counted", func() bool { return a.scrape().sum("wattle_node_energy_joules_total", "source=rapl") > 1 })
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(status), "CapEff:\t0000000000000004") || !strings.Contains(string(status), "Uid:\t65534") {
		t.Errorf("the agent has other rights than CAP_DAC_READ_SEARCH:\n%s", status)
	}
	doctor := exec.Command(with[0], append(append([]string{}, with[1:]...), program, "doctor", "--sys", tree.tree.Root())...)
	out, err := doctor.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "user 65534 with CAP_DAC_READ_SEARCH") {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	a.stop()
}

// TestShortLivedWorkIsChargedLikeLong runs processes of 50 ms beside a steady
// one in real cgroups under a fake meter of constant power, and compares the
// joules that the agent serves for each second of processor time. A third is
// busy from before the first to after the last of them: else an interval at
// either end, in which one of the two runs alone for a part, is all its own.
func TestShortLivedWorkIsChargedLikeLong(t *testing.T) {
	root, group := cgroupV2(t)
	base := filepath.Join(root, group)
	mkdir(t, filepath.Join(base, "fn-steady"))
	mkdir(t, filepath.Join(base, "fn-short"))
	mkdir(t, filepath.Join(base, "fn-rest"))
	tree := newPowercap(t, map[string]float64{"intel-rapl:0": 100}, twoSockets()[0])
	config := filepath.Join(t.TempDir(), "agent.yaml")
	if err := os.WriteFile(config, []byte("attribution: {idle: {package: 0.001W}}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	a := startOn(t, tree, nil, "--config", config, "--cgroup-root", root, "--cgroup-pattern", `^/`+group+`/fn-(?P<function>[a-z]+)[0-9]*$`)
	time.Sleep(5 * interval)

	rest := burner(t, filepath.Join(base, "fn-rest"), 9*time.Second)
	time.Sleep(2 * interval)
	steady := burner(t, filepath.Join(base, "fn-steady"), 6*time.Second)
	done := make(chan struct{})
	go func() { defer close(done); _ = steady.Wait() }()
	short := time.Duration(0)
	for i, busy := 0, true; busy; i++ {
		dir := filepath.Join(base, fmt.Sprintf("fn-short%d", i)) // a container each
		mkdir(t, dir)
		c := burner(t, dir, 50*time.Millisecond)
		if err := c.Wait(); err != nil {
			t.Fatal(err)
		}
		short += c.ProcessState.UserTime() + c.ProcessState.SystemTime()
		time.Sleep(2 * time.Millisecond)
		removeGroup(t, dir)
		select {
		case <-done:
			busy = false
		default:
		}
	}
	long := steady.ProcessState.UserTime() + steady.ProcessState.SystemTime()
	if err := rest.Wait(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * interval)
	m := a.scrape()
	perShort := m.sum("wattle_function_energy_joules_total", "function=short") / short.Seconds()
	perLong := m.sum("wattle_function_energy_joules_total", "function=steady") / long.Seconds()
	t.Logf("short %.3f J per CPU-second over %.2f s, steady %.3f over %.2f s: ratio %.4f", perShort, short.Seconds(), perLong, long.Seconds(), perShort/perLong)
	if r := perShort / perLong; r < 0.98 || r > 1.02 {
		t.Errorf("ratio %.4f, want 0.98 to 1.02", r)
	}
	checkSums(t, m)
	a.stop()
}

// TestAgentTakesInvocations pushes counts and looks for their energy.
func TestAgentTakesInvocations(t *testing.T) {
	tree := newPowercap(t, map[string]float64{"intel-rapl:0": 80}, twoSockets()[0])
	a := startOn(t, tree, nil, "--cgroup-root", t.TempDir())
	post := func(body string) int {
		r, err := http.Post(a.url+"/v1/invocations", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		return r.StatusCode
	}
	if got := a.status("/v1/profiles"); got != http.StatusServiceUnavailable {
		t.Errorf("profiles before any invocation: %d, want 503", got)
	}
	if got := post(`{"runs":[{"function":"f","cuont":1}]}`); got != http.StatusBadRequest {
		t.Errorf("a misspelt key answers %d", got)
	}
	if got := post(`{"runs":[{"function":"f","count":-1}]}`); got != http.StatusBadRequest {
		t.Errorf("a negative count answers %d", got)
	}
	if got := post(`{"runs":[{"function":"f","count":1,"cold_seconds":1}]}`); got != http.StatusBadRequest {
		t.Errorf("start-up of an untold number of cold starts answers %d", got)
	}
	// What is pushed without a number of cold starts began in a way that is not told.
	const of = "wattle_function_invocations_total"
	a.wait("pushed invocations are counted", func() bool {
		if got := post(`{"runs":[{"namespace":"shop","function":"f","count":10,"seconds":0.8},
			{"namespace":"shop","function":"g","count":5,"seconds":0.1,"cold":0},
			{"namespace":"shop","function":"h","count":5,"seconds":0.1,"cold":2,"cold_seconds":0.1}]}`); got != http.StatusNoContent {
			t.Fatalf("push answers %d", got)
		}
		time.Sleep(200 * time.Millisecond)
		m := a.scrape()
		return m.sum(of, "function=f", "start=") > 20 && m.sum(of, "function=g", "start=warm") > 10 && m.sum(of, "function=h", "start=cold") > 4
	})
	if d, err := profiles(a.url); err != nil || len(d.Functions) != 3 || d.Functions[0].Warm.Untold < 20 || d.Functions[2].Cold == nil {
		t.Errorf("profiles: %v, %+v: want the three functions, starts of the first untold, and cold ones of the last", err, d)
	}
	m := a.scrape()
	for _, l := range [][]string{{"function=f", "start=warm"}, {"function=f", "start=cold"}, {"function=g", "start="}, {"function=g", "start=cold"}, {"function=h", "start="}} {
		if n := m.sum(of, l...); n != 0 {
			t.Errorf("%v: %g invocations, want none", l, n)
		}
	}
	a.stop()
}

// profiles asks an agent for what it has learned.
func profiles(url string) (*profile.Document, error) {
	r, err := http.Get(url + "/v1/profiles")
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	return profile.Read(r.Body, "profiles")
}

// TestAgentStaysSmall looks at what was linked: no cgo, and none of the large
// modules that an agent on every node must not carry.
func TestAgentStaysSmall(t *testing.T) {
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range info.Settings {
		if s.Key == "CGO_ENABLED" && s.Value != "0" {
			t.Error("the agent is built with cgo")
		}
	}
	for _, m := range info.Deps {
		for _, away := range []string{"github.com/open-policy-agent/", "go.etcd.io/", "k8s.io/client-go", "k8s.io/api", "github.com/aws/"} {
			if strings.HasPrefix(m.Path, away) {
				t.Errorf("%s is linked into the agent", m.Path)
			}
		}
	}
}

// burner is a process born inside a cgroup.
func burner(t testing.TB, dir string, d time.Duration) *exec.Cmd {
	t.Helper()
	fd, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), burnEnv+"="+d.String(), "GOMAXPROCS=1", "GOGC=off")
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(fd.Fd())}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// sum adds up the series of a family that have all the labels, given as
// name=value.
func (m metrics) sum(family string, labels ...string) float64 {
	sum := 0.0
	for _, x := range m[family].GetMetric() {
		if hasAll(x, labels) {
			sum += x.GetCounter().GetValue() + x.GetGauge().GetValue() + x.GetUntyped().GetValue()
		}
	}
	return sum
}

func hasAll(m *dto.Metric, labels []string) bool {
	for _, l := range labels {
		name, value, _ := strings.Cut(l, "=")
		found := value == ""
		for _, p := range m.GetLabel() {
			if p.GetName() == name {
				found = p.GetValue() == value
			}
		}
		if !found {
			return false
		}
	}
	return true
}
