//go:build linux

package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// burnEnv makes the test binary a process that uses that much processor time.
const burnEnv = "WATTLE_TEST_BURN"

func TestMain(m *testing.M) {
	if s := os.Getenv(burnEnv); s != "" {
		d, _ := time.ParseDuration(s)
		burn(d)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func burn(d time.Duration) {
	x := 1.0
	for cpuOfSelf() < d {
		for range 20000 {
			x = x*1.0000001 + 1e-9
		}
	}
	_ = strconv.FormatFloat(x, 'g', -1, 64)
}

func cpuOfSelf() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// kernelRoot makes a cgroup v2 directory for one test, or skips.
func kernelRoot(t testing.TB) (root, group string) {
	root = ""
	for _, r := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if exists(filepath.Join(r, "cgroup.controllers")) {
			root = r
		}
	}
	if root == "" {
		t.Skip("no cgroup v2 hierarchy at /sys/fs/cgroup or /sys/fs/cgroup/unified")
	}
	group = fmt.Sprintf("wattle-test-%d-%s", os.Getpid(), strings.ReplaceAll(t.Name(), "/", "_"))
	if err := os.Mkdir(filepath.Join(root, group), 0o755); err != nil {
		t.Skipf("cgroup v2 at %s is not writable: %v", root, err)
	}
	t.Cleanup(func() { removeGroup(t, filepath.Join(root, group)) })
	return root, group
}

func removeGroup(t testing.TB, dir string) {
	for _, name := range directories(dir) {
		removeGroup(t, filepath.Join(dir, name))
	}
	var err error
	for range 200 { // a process that just ended leaves within milliseconds
		if err = syscall.Rmdir(dir); err == nil || errors.Is(err, syscall.ENOENT) {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("cgroup %s stays: %v", dir, err)
}

// burner is a process of this test binary born inside a cgroup.
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

// finish waits and returns the processor time that the kernel counted.
func finish(t testing.TB, cmd *exec.Cmd) time.Duration {
	t.Helper()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

func kernelTree(t testing.TB, root string, pattern string) *Tree {
	cfg := DefaultConfig()
	cfg.Root, cfg.Mode, cfg.Patterns = root, Unified, []string{pattern}
	tr, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tr.Close() })
	return tr
}

// listen runs tr.Run until the test ends and returns once it is subscribed.
func listen(t testing.TB, tr *Tree) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- tr.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for !tr.Stats().Watching {
		time.Sleep(time.Millisecond)
	}
}

// ledger splits the energy of a meter by processor time, one interval at a
// time, as the attribution does.
type ledger struct {
	last   map[uint64]time.Duration
	joules map[string]float64
}

// tick charges the interval since the last tick, in which the test's cgroups
// drew 10 W per busy core.
func (l *ledger) tick(t testing.TB, us []Usage, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range us {
		if u.Function != "" {
			l.joules[u.Function] += 10 * (u.CPU - l.last[u.ID]).Seconds()
		}
		l.last[u.ID] = u.CPU
	}
}

// TestShortLivedWorkIsChargedInFull runs 50 ms processes beside a steady one on
// the real cgroup v2 hierarchy, once all in one cgroup as a function's server
// forks them and once each in a cgroup of its own that is removed at once, and
// compares joules per CPU-second with the kernel's own count of the processes.
func TestShortLivedWorkIsChargedInFull(t *testing.T) {
	for _, own := range []bool{false, true} {
		t.Run(map[bool]string{false: "one cgroup", true: "a cgroup each"}[own], func(t *testing.T) {
			root, group := kernelRoot(t)
			base := filepath.Join(root, group)
			tr := kernelTree(t, root, "^/"+group+`/fn-([a-z]+)[0-9]*$`)
			steadyDir, shortDir := filepath.Join(base, "fn-steady"), filepath.Join(base, "fn-short")
			mkdir(t, steadyDir)
			mkdir(t, shortDir)
			l := &ledger{last: map[uint64]time.Duration{}, joules: map[string]float64{}}
			us, err := tr.Read(time.Now(), nil)
			l.tick(t, us, err)
			listen(t, tr)

			steady := burner(t, steadyDir, 1200*ms)
			var short time.Duration
			for i := range 24 {
				dir := shortDir
				if own {
					dir = fmt.Sprintf("%s%d", shortDir, i)
					mkdir(t, dir)
				}
				short += finish(t, burner(t, dir, 50*ms))
				if own {
					time.Sleep(2 * ms) // container runtimes take longer to clean up
					removeGroup(t, dir)
				}
				if i%5 == 4 { // about 300 ms
					us, err = tr.Read(time.Now(), us[:0])
					l.tick(t, us, err)
				}
			}
			long := finish(t, steady)
			time.Sleep(20 * ms) // let the last notification arrive
			us, err = tr.Read(time.Now(), us[:0])
			l.tick(t, us, err)

			ratio := (l.joules["short"] / short.Seconds()) / (l.joules["steady"] / long.Seconds())
			t.Logf("50 ms processes: %.2f J for %.3f CPU-s; steady: %.2f J for %.3f CPU-s; ratio %.4f, last reads %d",
				l.joules["short"], short.Seconds(), l.joules["steady"], long.Seconds(), ratio, tr.Stats().LastReads)
			if ratio < 0.98 || ratio > 1.02 {
				t.Errorf("ratio of joules per CPU-second %.4f, want 0.98 to 1.02", ratio)
			}
		})
	}
}

func mkdir(t testing.TB, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

// TestEmptiedCgroupIsReadAtOnce: two functions work and vanish between two Reads,
// so that only the read at the moment of emptying can tell their work apart.
func TestEmptiedCgroupIsReadAtOnce(t *testing.T) {
	root, group := kernelRoot(t)
	tr := kernelTree(t, root, "^/"+group+`/fn-([a-z]+)$`)
	mkdir(t, filepath.Join(root, group, "fn-keep"))
	if _, err := tr.Read(time.Now(), nil); err != nil {
		t.Fatal(err)
	}
	listen(t, tr)
	used := map[string]time.Duration{}
	for name, d := range map[string]time.Duration{"short": 40 * ms, "long": 120 * ms} {
		dir := filepath.Join(root, group, "fn-"+name)
		mkdir(t, dir)
		used[name] = finish(t, burner(t, dir, d))
		for wait := 0; wait < 2000 && tr.lastOf("/"+group+"/fn-"+name) < used[name]*9/10; wait++ {
			time.Sleep(time.Millisecond)
		}
		removeGroup(t, dir)
	}
	us, err := tr.Read(time.Now(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range us {
		if want := used[u.Function]; want > 0 && (u.CPU < want*95/100 || u.CPU > want*105/100) {
			t.Errorf("%s is charged %s, used %s", u.Function, u.CPU, want)
		}
		delete(used, u.Function)
	}
	if len(used) > 0 {
		t.Errorf("not reported: %v", used)
	}
}

// lastOf is the last raw counter of a cgroup, without reading it.
func (t *Tree) lastOf(key string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.find(t.path(key)); n != nil {
		return n.last
	}
	return 0
}

// TestRemovedUnreadStaysInTheSlice: without notifications the work of a cgroup
// that came and went between two reads is in its slice, not lost.
func TestRemovedUnreadStaysInTheSlice(t *testing.T) {
	root, group := kernelRoot(t)
	base := filepath.Join(root, group)
	mkdir(t, filepath.Join(base, "fn-keep"))
	tr := kernelTree(t, root, "^/"+group+`/fn-([a-z]+)$`)
	read(t, tr, 0)
	mkdir(t, filepath.Join(base, "fn-brief"))
	used := finish(t, burner(t, filepath.Join(base, "fn-brief"), 60*ms))
	removeGroup(t, filepath.Join(base, "fn-brief"))
	got := read(t, tr, 1)["+/"+group].CPU
	if r := got.Seconds() / used.Seconds(); r < 0.97 || r > 1.03 {
		t.Errorf("remainder of the slice %s, want the %s that the removed cgroup used", got, used)
	}
}

// TestRemovedPodKeepsItsLastWork: what a container used since its last read is in
// the slice above its pod when both are gone, and still is the container's.
func TestRemovedPodKeepsItsLastWork(t *testing.T) {
	root, group := kernelRoot(t)
	pod := filepath.Join(root, group, "pod")
	mkdir(t, pod)
	mkdir(t, filepath.Join(pod, "fn-a"))
	tr := kernelTree(t, root, "^/"+group+`/pod/fn-([a-z]+)$`)
	read(t, tr, 0)
	used := finish(t, burner(t, filepath.Join(pod, "fn-a"), 60*ms))
	removeGroup(t, pod)
	got := read(t, tr, 1)
	a := got["/"+group+"/pod/fn-a"]
	if r := a.CPU.Seconds() / used.Seconds(); !a.Gone || r < 0.97 || r > 1.03 {
		t.Errorf("the container is charged %s, used %s", a.CPU, used)
	}
}

// TestRunFindsWhatCameBefore: a cgroup that was made between the last walk and the
// start of notifications is not left to the walk in a minute.
func TestRunFindsWhatCameBefore(t *testing.T) {
	root, group := kernelRoot(t)
	tr := kernelTree(t, root, "^/"+group+`/fn-([a-z]+)$`)
	mkdir(t, filepath.Join(root, group, "fn-first"))
	at := time.Now()
	if _, err := tr.Read(at, nil); err != nil {
		t.Fatal(err)
	}
	mkdir(t, filepath.Join(root, group, "fn-between"))
	listen(t, tr)
	us, err := tr.Read(at.Add(time.Second), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(us, func(u Usage) bool { return u.Function == "between" }) {
		t.Errorf("the cgroup from before is not reported: %+v", us)
	}
}

// TestRemovalIsSeenByTheRead: the kernel refuses to read a removed cgroup, which
// is its last report then, whatever became of the news.
func TestRemovalIsSeenByTheRead(t *testing.T) {
	root, group := kernelRoot(t)
	tr := kernelTree(t, root, "^/"+group+`/fn-([a-z]+)$`)
	mkdir(t, filepath.Join(root, group, "fn-keep"))
	mkdir(t, filepath.Join(root, group, "fn-a"))
	at := time.Now()
	if _, err := tr.Read(at, nil); err != nil {
		t.Fatal(err)
	}
	notified(t, tr)
	removeGroup(t, filepath.Join(root, group, "fn-a"))
	for i, want := range []string{"gone", ""} {
		us, err := tr.Read(at.Add(time.Duration(i+1)*time.Second), nil)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, u := range us {
			if u.Function == "a" && u.Gone && u.Err == nil {
				got += "gone"
			} else if u.Function == "a" {
				got += "there"
			}
		}
		if got != want {
			t.Errorf("read %d: reported as %q, want %q", i+1, got, want)
		}
	}
	if s := tr.Stats(); s.Unreadable != 0 || s.Cgroups != 1 {
		t.Errorf("%+v, want one cgroup and none that fails", s)
	}
}

// TestRemovedCgroupsAreNotWatchedForEver: their number is bounded by the kernel.
func TestRemovedCgroupsAreNotWatchedForEver(t *testing.T) {
	root, group := kernelRoot(t)
	tr := kernelTree(t, root, "^/"+group+`/fn-([a-z0-9]+)$`)
	mkdir(t, filepath.Join(root, group, "fn-keep"))
	if _, err := tr.Read(time.Now(), nil); err != nil {
		t.Fatal(err)
	}
	listen(t, tr)
	before := watches(t)
	for i := range 20 {
		dir := filepath.Join(root, group, fmt.Sprintf("fn-%d", i))
		mkdir(t, dir)
		await(t, func() bool { return tr.knows(dir) })
		removeGroup(t, dir)
		await(t, func() bool { return !tr.knows(dir) })
	}
	if n := watches(t); n > before {
		t.Errorf("%d watches, %d before twenty cgroups came and went", n, before)
	}
}

// await waits until the notifications have made it so.
func await(t *testing.T, so func() bool) {
	t.Helper()
	for begin := time.Now(); !so(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > 20*time.Second {
			t.Fatal("no notification came")
		}
	}
}

func (t *Tree) knows(dir string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.find(dir) != nil
}

// watches counts what this process is notified of.
func watches(t *testing.T) int {
	t.Helper()
	infos, err := filepath.Glob("/proc/self/fdinfo/*")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range infos {
		text, _ := os.ReadFile(name) // the descriptor of the listing is gone
		n += strings.Count(string(text), "inotify wd:")
	}
	return n
}

func BenchmarkReadKernel(b *testing.B) {
	for _, n := range []int{200, 1000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			root, group := kernelRoot(b)
			for i := range n {
				mkdir(b, filepath.Join(root, group, fmt.Sprintf("fn-%d", i)))
			}
			tr := kernelTree(b, root, "^/"+group+`/fn-([0-9]+)$`)
			us, err := tr.Read(time.Unix(0, 0), nil)
			if err != nil {
				b.Fatal(err)
			}
			listen(b, tr)
			if len(us) != n+2 {
				b.Fatalf("%d cgroups are read, want %d", len(us), n+2)
			}
			before := cpuOfSelf()
			b.ReportAllocs()
			for b.Loop() {
				us, _ = tr.Read(time.Unix(1, 0), us[:0])
			}
			b.ReportMetric(float64((cpuOfSelf()-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}
