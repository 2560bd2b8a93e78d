package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"golang.org/x/sys/unix"
)

// burnEnv makes the test binary a process that uses that much processor time.
const burnEnv = "WATTLE_TEST_BURN"

// burnFor uses processor time until the process has used d.
func burnFor(d time.Duration) {
	x := 1.0
	for {
		var r syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
		if time.Duration(r.Utime.Nano()+r.Stime.Nano()) >= d {
			break
		}
		for range 20000 {
			x = x*1.0000001 + 1e-9
		}
	}
	_ = strconv.FormatFloat(x, 'g', -1, 64)
}

// built compiles the agent once for all tests of this process.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "wattle-agent-test")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "wattle-agent")
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// process is a running agent.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	url  string
	mu   sync.Mutex
	log  bytes.Buffer
	done chan struct{}
}

// startAgent builds and starts the agent on a port of its own, as command prefix
// says (for example setpriv), and waits until it is ready.
func startAgent(t testing.TB, prefix []string, args ...string) *process {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	argv := append(append(append([]string{}, prefix...), path, "--listen", "127.0.0.1:0"), args...)
	p := &process{t: t, cmd: exec.Command(argv[0], argv[1:]...), done: make(chan struct{})}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			<-p.done
			_ = p.cmd.Wait()
		}
		if t.Failed() {
			t.Log(p.logged())
		}
	})
	address := make(chan string, 1)
	go p.follow(stderr, address)
	select {
	case p.url = <-address:
	case <-time.After(20 * time.Second):
		t.Fatalf("the agent tells no address: %s", p.logged())
	}
	p.wait("it is ready", func() bool { return p.status("/readyz") == http.StatusOK })
	return p
}

func (p *process) follow(r io.Reader, address chan<- string) {
	defer close(p.done)
	serves := regexp.MustCompile(`serves (http://[^/]+)/metrics`)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if m := serves.FindStringSubmatch(lines.Text()); m != nil {
			address <- m[1]
		}
		p.mu.Lock()
		p.log.WriteString(lines.Text() + "\n")
		p.mu.Unlock()
	}
	select {
	case address <- "":
	default:
	}
}

func (p *process) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// wait asks until cond holds, for at most 20 s.
func (p *process) wait(what string, cond func() bool) {
	p.t.Helper()
	p.waitFor(20*time.Second, what, cond)
}

// waitFor asks until cond holds.
func (p *process) waitFor(most time.Duration, what string, cond func() bool) {
	p.t.Helper()
	for begin := time.Now(); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Since(begin) > most {
			p.t.Fatalf("still not: %s\n%s", what, p.logged())
		}
	}
}

func (p *process) status(path string) int {
	r, err := http.Get(p.url + path)
	if err != nil {
		return 0
	}
	defer r.Body.Close()
	_, _ = io.Copy(io.Discard, r.Body)
	return r.StatusCode
}

// body scrapes and returns the text.
func (p *process) body() []byte {
	p.t.Helper()
	req, err := http.NewRequest(http.MethodGet, p.url+"/metrics", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/plain;version=0.0.4")
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		p.t.Fatalf("scrape: %s %v", r.Status, err)
	}
	return b
}

// metrics is a parsed scrape.
type metrics map[string]*dto.MetricFamily

func (p *process) scrape() metrics {
	p.t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	m, err := parser.TextToMetricFamilies(bytes.NewReader(p.body()))
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

// stop ends the agent by SIGTERM and checks that it goes well.
func (p *process) stop() {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.done
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("stop: %v\n%s", err, p.logged())
	}
}

// cpu is the processor time of the agent with its threads (clock_gettime(2) on
// the clock of a process).
func (p *process) cpu() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^p.cmd.Process.Pid<<3|2), &ts); err != nil {
		p.t.Fatal(err)
	}
	return time.Duration(ts.Nano())
}

// memory reads a line of /proc/PID/status in KiB.
func (p *process) memory(line string) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for l := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(l, line+":"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}

// cgroupV2 makes a directory in a writable cgroup v2 hierarchy, or skips.
func cgroupV2(t testing.TB) (root, group string) {
	t.Helper()
	for _, r := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if _, err := os.Stat(filepath.Join(r, "cgroup.controllers")); err == nil {
			root = r
		}
	}
	if root == "" {
		t.Skip("no cgroup v2 hierarchy")
	}
	group = fmt.Sprintf("wattle-agent-%d-%s", os.Getpid(), strings.NewReplacer("/", "_", "#", "_", ":", "_").Replace(t.Name()))
	if err := os.Mkdir(filepath.Join(root, group), 0o755); err != nil {
		t.Skipf("cgroup v2 at %s is not writable: %v", root, err)
	}
	t.Cleanup(func() { removeGroup(t, filepath.Join(root, group)) })
	return root, group
}

func removeGroup(t testing.TB, dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			removeGroup(t, filepath.Join(dir, e.Name()))
		}
	}
	var err error
	for range 500 { // a process that just ended leaves within milliseconds
		if err = syscall.Rmdir(dir); err == nil || errors.Is(err, syscall.ENOENT) {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Errorf("cgroup %s stays: %v", dir, err)
}

func mkdir(t testing.TB, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}
