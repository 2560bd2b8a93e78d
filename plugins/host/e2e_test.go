//go:build unix

package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/wattle-project/wattle/plugins/proto"
	"github.com/wattle-project/wattle/plugins/proto/meterpb"
)

var built string // the folder of binaries, once made

// binaries compiles the example and the stranger, once for all tests.
var binaries = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "plugins")
	if err != nil {
		return "", err
	}
	built = dir
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", dir+"/",
		"github.com/wattle-project/wattle/plugins/sdk/example", "github.com/wattle-project/wattle/plugins/host/testdata/stranger")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("%w\n%s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

// build returns a compiled command and its checksum.
func build(t testing.TB, name string) (path, sum string) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: builds and starts processes")
	}
	dir, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, name)
	if sum, err = Sum(path); err != nil {
		t.Fatal(err)
	}
	return path, sum
}

// run starts a host and returns a function that waits for a status.
func run(t testing.TB, c Config) (*Meter, func(what string, is func(Status) bool) Status) {
	t.Helper()
	dir, err := os.MkdirTemp("", "w") // t.TempDir() is too long for a socket on some systems
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	changes := make(chan Status, 100)
	c.Notify, c.SocketDir = func(s Status) { changes <- s }, dir
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = m.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("socket folders left behind: %v", left)
		}
	})
	return m, func(what string, is func(Status) bool) Status {
		t.Helper()
		late := time.After(30 * time.Second)
		for {
			select {
			case s := <-changes:
				if is(s) {
					return s
				}
			case <-late:
				t.Fatalf("waited 30 s for %s; status %+v", what, m.Status())
			}
		}
	}
}

func serving(s Status) bool { return s.State == Serving }

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func TestRealPluginIsReadKilledAndRestarted(t *testing.T) {
	path, sum := build(t, "example")
	c := DefaultConfig(path)
	c.Checksum, c.Restart.Base, c.Probe = sum, time.Millisecond, 20*time.Millisecond
	m, wait := run(t, c)
	first := wait("the first process", serving)
	a := mustRead(t, m)
	if m.Name() != "example" || len(m.Zones()) != 1 || m.Zones()[0].Key != "board-0" || m.Zones()[0].Bound != 200 {
		t.Fatalf("name %q, zones %+v", m.Name(), m.Zones())
	}
	b := mustRead(t, m)
	checkHundredWatts(t, a, b)
	if u := m.Uses(); len(u) != 1 || u[0].PID != 1 || u[0].Share != 1 {
		t.Errorf("uses %+v", u)
	}
	if g := m.Gauges(); len(g) != 1 || g[0].Ratio != 0.5 {
		t.Errorf("gauges %+v", g)
	}

	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second := wait("a second process", serving)
	if second.PID == first.PID || second.Starts != 2 || second.Failures != 1 {
		t.Errorf("second process %+v after %+v", second, first)
	}
	checkHundredWatts(t, mustRead(t, m), mustRead(t, m))

	if err := syscall.Kill(second.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	// The signal may find the process in the middle of an answer: it is read on, as
	// it is in use.
	for s := m.Status(); ctx.Err() == nil && serving(s) && s.PID == second.PID; s = m.Status() {
		if rs, err := m.Read(ctx, nil); err != nil || len(rs) != 1 {
			t.Errorf("hanging process: %+v, %v; want the last reading", rs, err)
		}
	}
	wait("a third process after a hang", func(s Status) bool { return serving(s) && s.Starts == 3 })
	if !gone(second.PID) {
		t.Errorf("the hanging process %d lives", second.PID)
	}
}

func mustRead(t *testing.T, m *Meter) proto.Reading {
	t.Helper()
	rs, err := m.Read(t.Context(), nil)
	if err != nil || len(rs) != 1 || rs[0].Err != nil || !rs[0].HasEnergy {
		t.Fatalf("Read = %+v, %v", rs, err)
	}
	return rs[0]
}

// checkHundredWatts allows for the time of a call, by which readings are dated late.
func checkHundredWatts(t *testing.T, a, b proto.Reading) {
	t.Helper()
	joules, seconds := float64(b.Energy-a.Energy)/1e6, b.At.Sub(a.At).Seconds()
	if b.Energy <= a.Energy || joules-100*seconds > 10 || joules-100*seconds < -10 {
		t.Errorf("%g J in %g s, want 100 W", joules, seconds)
	}
}

func TestNoProcessIsLeftWhenRunEnds(t *testing.T) {
	path, sum := build(t, "example")
	c := DefaultConfig(path)
	c.Checksum = sum
	var pid int
	t.Run("run", func(t *testing.T) {
		_, wait := run(t, c)
		pid = wait("the process", serving).PID
	})
	if !gone(pid) {
		t.Errorf("process %d lives", pid)
	}
}

func TestWrongChecksumIsRefused(t *testing.T) {
	path, sum := build(t, "example")
	c := DefaultConfig(path)
	c.Checksum = strings.Map(func(r rune) rune {
		if r == '0' {
			return '1'
		}
		return '0'
	}, sum)
	c.Restart.Base = time.Millisecond
	m, wait := run(t, c)
	s := wait("two refusals", func(s Status) bool { return s.Failures == 2 })
	if s.Starts != 0 || !strings.Contains(s.LastError.Error(), "sha256sum") {
		t.Errorf("status %+v", s)
	}
	if _, err := m.Read(t.Context(), nil); !errors.Is(err, ErrNotServing) {
		t.Errorf("Read = %v", err)
	}
}

func TestWrongHandshakesAreRefused(t *testing.T) {
	path, sum := build(t, "stranger")
	for how, want := range map[string]string{
		"version": "rebuild the plugin",
		"cookie":  "",
		"silent":  "timeout",
		"babble":  "Unrecognized remote plugin message",
		// Past the handshake nobody but the host ends the process.
		"nameless": "plugin names itself",
	} {
		t.Run(how, func(t *testing.T) {
			var log bytes.Buffer
			c := DefaultConfig(path)
			c.Args, c.Checksum, c.StartTimeout, c.Restart.Base = []string{how}, sum, 500*time.Millisecond, time.Hour
			if how != "silent" {
				c.StartTimeout = 10 * time.Second
			}
			c.Restart.Max, c.Restart.OpenFor = time.Hour, time.Hour
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			_, wait := run(t, c)
			s := wait("a refusal", func(s Status) bool { return s.Failures == 1 })
			if s.Starts != 0 || !strings.Contains(s.LastError.Error(), want) {
				t.Errorf("status %+v", s)
			}
			if left := processesOf(path); len(left) != 0 {
				t.Errorf("processes %v live after the refusal", left)
			}
		})
	}
}

// processesOf lists the processes that run the binary at path, where /proc tells.
func processesOf(path string) (pids []string) {
	exes, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, exe := range exes {
		if to, err := os.Readlink(exe); err == nil && to == path {
			pids = append(pids, filepath.Base(filepath.Dir(exe)))
		}
	}
	return pids
}

// A temporary folder in which the path of a socket would be cut off is named
// before anything is started, not found out by a connection that fails.
func TestLongTemporaryFolderIsNamed(t *testing.T) {
	deep := filepath.Join("/tmp", strings.Repeat("x", 88))
	t.Setenv("TMPDIR", deep)
	c := DefaultConfig("/bin/true")
	c.Unverified = true
	if s, err := launch(t.Context(), c); err == nil || s != nil || !strings.Contains(err.Error(), deep) || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("launch = %v, %v; want the folder named and what to set", s, err)
	}
	c.SocketDir = "/tmp"
	if dir, err := c.socketDir(); err != nil || !strings.HasPrefix(dir, "/tmp/wattle-") {
		t.Errorf("socket folder %q, %v", dir, err)
	} else {
		_ = os.Remove(dir)
	}
}

// The socket of a running plugin answers its host alone, and the process has the
// environment that was configured and nothing of the agent's.
func TestRunningPluginIsClosedToOthers(t *testing.T) {
	path, sum := build(t, "example")
	t.Setenv("WATTLE_SECRET", "hunter2")
	c := DefaultConfig(path)
	c.Checksum, c.Env = sum, []string{"LD_LIBRARY_PATH=/usr/lib/dcgm"}
	m, wait := run(t, c)
	pid := wait("the process", serving).PID
	if env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); err == nil {
		if bytes.Contains(env, []byte("hunter2")) || bytes.Contains(env, []byte("PATH=/usr/bin")) || !bytes.Contains(env, []byte("LD_LIBRARY_PATH=/usr/lib/dcgm")) {
			t.Errorf("environment of the process: %q", env)
		}
	}
	sockets, err := filepath.Glob(filepath.Join(m.cfg.SocketDir, "wattle-*", "plugin*"))
	if err != nil || len(sockets) != 1 {
		t.Fatalf("sockets %q, %v", sockets, err)
	}
	conn, err := grpc.NewClient("unix:"+sockets[0], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if caps, err := meterpb.NewMeterClient(conn).Capabilities(ctx, &meterpb.CapabilitiesRequest{}); err == nil {
		t.Errorf("a caller without certificate is told %v", caps)
	}
	if _, err := m.Read(t.Context(), nil); err != nil {
		t.Errorf("the host itself: %v", err)
	}
}

func TestPluginSeesOnlyItsEnvironment(t *testing.T) {
	t.Setenv("WATTLE_SECRET", "hunter2")
	c := DefaultConfig("/bin/plugin")
	c.Env = []string{"LD_LIBRARY_PATH=/usr/lib/dcgm"}
	config := clientConfig(c, "/tmp/x")
	if !config.SkipHostEnv || !config.AutoMTLS {
		t.Error("the plugin would inherit the environment or talk in the clear")
	}
	if env := strings.Join(config.Cmd.Env, " "); strings.Contains(env, "hunter2") || !strings.Contains(env, "LD_LIBRARY_PATH=/usr/lib/dcgm") {
		t.Errorf("environment %q", env)
	}
	c.Checksum = strings.Repeat("ab", 32)
	if a, b := clientConfig(c, "/tmp/x"), clientConfig(c, "/tmp/x"); a.SecureConfig.Hash == b.SecureConfig.Hash {
		t.Error("two starts share a hash, which is not reset")
	}
}

func BenchmarkRead(b *testing.B) {
	path, sum := build(b, "example")
	c := DefaultConfig(path)
	c.Checksum = sum
	m, wait := run(b, c)
	wait("the process", serving)
	var rs []proto.Reading
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if rs, err = m.Read(b.Context(), rs[:0]); err != nil {
			b.Fatal(err)
		}
	}
}
