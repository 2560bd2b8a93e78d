//go:build e2e

package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wattle-project/wattle/plugins/host"
)

// scripted compiles the meter process and returns its path and SHA-256.
func scripted(t *testing.T) (path, sum string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "scripted")
	cmd := exec.Command("go", "build", "-o", path, "./testdata/scripted")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	sum, err := host.Sum(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, sum
}

// cardRegister is a counter of µJ in a file.
type cardRegister struct {
	t    *testing.T
	path string
	now  uint64
}

// spend adds whole joules, all at once for whoever reads.
func (r *cardRegister) spend(joules uint64) {
	r.t.Helper()
	r.now += joules * 1e6
	next := r.path + ".next"
	if err := os.WriteFile(next, []byte(strconv.FormatUint(r.now, 10)), 0o644); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(next, r.path); err != nil {
		r.t.Fatal(err)
	}
}

// children lists the living processes that a process has started.
func (p *process) children() []int {
	p.t.Helper()
	var pids []int
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.cmd.Process.Pid))
	for _, f := range files {
		text, _ := os.ReadFile(f)
		for word := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func startWithPlugin(t *testing.T, path, sum, register string) *process {
	t.Helper()
	tree := newPowercap(t, map[string]float64{"intel-rapl:0": 80}, twoSockets()[0])
	return startConfigured(t, tree, t.TempDir(), fmt.Sprintf(`
meters:
  skip: [nvml, hwmon, ipmi, model, dcgm-exporter]
  plugins: [{name: scripted, path: %s, checksum: %s, args: [%s]}]
kubernetes: {enabled: "off"}
`, path, sum, register))
}

// TestAgentReadsAMeterProcess kills the process of a meter while its register
// goes on: the agent says that it is down, starts it again, and then has
// counted each joule once.
func TestAgentReadsAMeterProcess(t *testing.T) {
	path, sum := scripted(t)
	card := &cardRegister{t: t, path: filepath.Join(t.TempDir(), "register"), now: 5e6}
	card.spend(0)
	a := startWithPlugin(t, path, sum, card.path)
	up := func() bool { return a.scrape().sum("wattle_collector_up", "collector=scripted") == 1 }
	counted := func() float64 {
		return a.scrape().sum("wattle_node_energy_joules_total", "component=other", "source=scripted")
	}
	reaches := func(want float64) {
		t.Helper()
		a.wait(fmt.Sprintf("%g J are counted", want), func() bool { return math.Abs(counted()-want) < 1e-6 })
	}
	a.wait("the process serves", up)
	card.spend(100)
	reaches(100)

	away := path + ".away"
	if err := os.Rename(path, away); err != nil {
		t.Fatal(err)
	}
	first := a.children()
	if len(first) != 1 {
		t.Fatalf("processes of the agent: %v", first)
	}
	if err := unix.Kill(first[0], unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	a.wait("the process is missed", func() bool { return hasZero(a.scrape(), "wattle_collector_up", "collector=scripted") })
	card.spend(50)
	a.wait("the failed start is told", func() bool { return strings.Contains(a.logged(), "no such file") })
	if got := counted(); got != 100 {
		t.Errorf("%g J are counted while nobody reads, want 100", got)
	}
	if got := a.status("/readyz"); got != 200 {
		t.Errorf("one meter less makes the agent answer %d", got)
	}
	if err := os.Rename(away, path); err != nil {
		t.Fatal(err)
	}
	a.wait("the process serves again", up)
	reaches(150)

	second := a.children()
	if len(second) != 1 || second[0] == first[0] {
		t.Fatalf("processes of the agent: %v, before %v", second, first)
	}
	if err := unix.Kill(second[0], unix.SIGSTOP); err != nil { // it hangs
		t.Fatal(err)
	}
	card.spend(25)
	a.wait("the hanging process is replaced", func() bool { p := a.children(); return len(p) == 1 && p[0] != second[0] })
	reaches(175)
	checkSums(t, a.scrape())
	promtool(t, a.body())
	third := a.children()
	a.stop()
	for _, pid := range third {
		if err := unix.Kill(pid, 0); err == nil {
			t.Errorf("process %d outlives the agent", pid)
		}
	}
}

// TestOnceReadsAMeterProcess: the table has the watts of a process, which is
// gone with it, and says why one does not serve.
func TestOnceReadsAMeterProcess(t *testing.T) {
	path, sum := scripted(t)
	card := &cardRegister{t: t, path: filepath.Join(t.TempDir(), "register"), now: 5e6}
	card.spend(0)
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "agent.yaml")
	table := func(sum string, code int) string {
		t.Helper()
		text := fmt.Sprintf("interval: 1s\nmeters:\n  skip: [rapl, nvml, hwmon, ipmi, model, dcgm-exporter]\n"+
			"  plugins: [{name: scripted, path: %s, checksum: %s, args: [%s]}]\nkubernetes: {enabled: \"off\"}\n", path, sum, card.path)
		if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program, "--once", "--config", config, "--cgroup-root", t.TempDir())
		spending, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for {
				select {
				case <-spending:
					return
				case <-time.After(20 * time.Millisecond):
					card.spend(1)
				}
			}
		}()
		out, err := cmd.CombinedOutput()
		close(spending)
		<-done
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
			t.Fatalf("%v, want exit %d: %s", err, code, out)
		}
		if left, _ := filepath.Glob("/proc/[0-9]*/exe"); runs(left, path) {
			t.Error("the process outlives --once")
		}
		return string(out)
	}
	out := table(sum, 0)
	watts := regexp.MustCompile(`(?m)^card-0 +scripted +other +([0-9.]+) `).FindStringSubmatch(out)
	if watts == nil {
		t.Fatalf("the process is not in the table:\n%s", out)
	}
	if w, err := strconv.ParseFloat(watts[1], 64); err != nil || w < 10 || w > 50 {
		t.Errorf("%s W, want nearly 50:\n%s", watts[1], out)
	}
	if out := table(strings.Repeat("ab", 32), 1); !regexp.MustCompile(`(?m)^scripted +skipped .*checksums did not match`).MatchString(out) {
		t.Errorf("a strange binary is not explained:\n%s", out)
	}
}

// runs tells whether any of the links of processes is to path.
func runs(links []string, path string) bool {
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil && to == path {
			return true
		}
	}
	return false
}

// TestAgentRefusesAStrangeMeterProcess: a binary that is not the configured one
// is not run, and the log says what to compare.
func TestAgentRefusesAStrangeMeterProcess(t *testing.T) {
	path, sum := scripted(t)
	marker := filepath.Join(t.TempDir(), "ran")
	if err := os.WriteFile(path, []byte("#!/bin/sh\ntouch "+marker+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	a := startWithPlugin(t, path, sum, marker)
	a.wait("the refusal is told", func() bool {
		return strings.Contains(a.logged(), "sha256sum") && hasZero(a.scrape(), "wattle_collector_up", "collector=scripted")
	})
	if _, err := os.Stat(marker); err == nil {
		t.Error("the strange binary was run")
	}
	a.wait("the other meters are read", func() bool { return a.scrape().sum("wattle_node_energy_joules_total", "component=package") > 0 })
	a.stop()
}
