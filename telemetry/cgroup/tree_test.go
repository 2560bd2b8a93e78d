package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fakeTree is a directory that looks like a cgroup file system.
type fakeTree struct {
	t    testing.TB
	root string
}

func newFake(t testing.TB) fakeTree {
	f := fakeTree{t, t.TempDir()}
	f.write("cgroup.controllers", "cpu memory\n")
	f.cpu("", 0)
	return f
}

func (f fakeTree) write(path, text string) {
	f.t.Helper()
	p := filepath.Join(f.root, path)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

func (f fakeTree) cpu(path string, d time.Duration) {
	f.write(filepath.Join(path, "cpu.stat"), fmt.Sprintf("usage_usec %d\nuser_usec 0\nsystem_usec 0\n", d.Microseconds()))
}

func (f fakeTree) memory(path string, n int) {
	f.write(filepath.Join(path, "memory.current"), fmt.Sprintf("%d\n", n))
}

func (f fakeTree) remove(path string) {
	f.t.Helper()
	if err := os.RemoveAll(filepath.Join(f.root, path)); err != nil {
		f.t.Fatal(err)
	}
}

func (f fakeTree) tree(patterns ...string) *Tree {
	f.t.Helper()
	cfg := DefaultConfig()
	cfg.Root, cfg.Patterns, cfg.MemoryEvery = f.root, patterns, 0
	tr, err := New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = tr.Close() })
	return tr
}

// read returns the usages by key; a remainder's key gets a "+" in front.
func read(t testing.TB, tr *Tree, at int) map[string]Usage {
	t.Helper()
	us, err := tr.Read(time.Unix(int64(at), 0), nil)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]Usage{}
	for _, u := range us {
		k := u.Key
		if u.Remainder {
			k = "+" + k
		}
		if _, dup := m[k]; dup {
			k += "#2"
		}
		m[k] = u
	}
	return m
}

const ms = time.Millisecond

func TestRemainderIsParentMinusChildren(t *testing.T) {
	f := newFake(t)
	f.cpu("", 100*ms)
	f.cpu("fn.slice", 90*ms)
	f.cpu("fn.slice/fn-a", 50*ms)
	f.cpu("fn.slice/fn-b", 30*ms)
	f.cpu("other.slice", 5*ms)
	tr := f.tree(`/fn-(?P<function>[^/]+)$`)
	first := read(t, tr, 0)
	for k, u := range first {
		if u.CPU != 0 {
			t.Errorf("%s starts at %s, want 0: time before the first look is not ours", k, u.CPU)
		}
	}
	f.cpu("fn.slice/fn-a", 70*ms)
	f.cpu("fn.slice/fn-b", 40*ms)
	f.cpu("fn.slice", 125*ms) // 35 ms more, of which 30 ms in children
	f.cpu("", 142*ms)         // 42 ms more, of which 35 ms in the slice
	got := read(t, tr, 1)
	want := map[string]time.Duration{"/fn.slice/fn-a": 20 * ms, "/fn.slice/fn-b": 10 * ms, "+/fn.slice": 5 * ms, "+/": 7 * ms}
	for k, w := range want {
		if got[k].CPU != w {
			t.Errorf("%s used %s, want %s", k, got[k].CPU, w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("reported %d cgroups, want %d: other.slice holds no function and is part of the root's remainder", len(got), len(want))
	}
	if got["/fn.slice/fn-a"].Function != "a" {
		t.Errorf("function %q, want a", got["/fn.slice/fn-a"].Function)
	}
}

func TestNewCgroupIsChargedFromItsBirth(t *testing.T) {
	f := newFake(t)
	f.cpu("s", 0)
	tr := f.tree(`/fn-(.+)$`)
	read(t, tr, 0)
	f.cpu("s/fn-a", 40*ms)
	f.cpu("s", 40*ms)
	f.cpu("", 40*ms)
	got := read(t, tr, 1)
	if c := got["/s/fn-a"].CPU; c != 40*ms {
		t.Errorf("new cgroup charged %s, want all 40ms", c)
	}
	sum := time.Duration(0)
	for _, u := range got {
		sum += u.CPU
	}
	if sum != 40*ms {
		t.Errorf("sum over all is %s, want 40ms: nothing may count twice", sum)
	}
}

func TestRemovedCgroupReportsOnceMoreAndTheRestStaysInTheSlice(t *testing.T) {
	f := newFake(t)
	f.cpu("s", 0)
	f.cpu("s/fn-a", 0)
	tr := f.tree(`/fn-(.+)$`)
	id := read(t, tr, 0)["/s/fn-a"].ID
	f.cpu("s/fn-a", 30*ms)
	f.cpu("s", 40*ms) // 10 ms by processes of the slice itself
	f.cpu("", 40*ms)
	read(t, tr, 1)
	f.remove("s/fn-a")
	f.cpu("s", 45*ms) // 5 ms more, before the removal or by the slice itself
	f.cpu("", 45*ms)
	got := read(t, tr, 2)
	u, ok := got["/s/fn-a"]
	if !ok || !u.Gone || u.CPU != 30*ms || u.ID != id {
		t.Errorf("last report %+v, want gone with 30ms", u)
	}
	if c := got["+/s"].CPU; c != 15*ms {
		t.Errorf("remainder of slice %s, want 15ms", c)
	}
	f.cpu("s/fn-a", 7*ms) // the same name again
	f.cpu("s", 52*ms)
	got = read(t, tr, 3)
	if u := got["/s/fn-a"]; u.ID == id || u.CPU != 7*ms || u.Gone {
		t.Errorf("cgroup of the same name %+v, want a new ID with 7ms", u)
	}
	if c := got["+/s"].CPU; c != 15*ms {
		t.Errorf("remainder moved to %s", c)
	}
}

// TestLastWorkOfRemovedChildrenFindsItsOwner: in a slice that has no work of its
// own, what children used between their last read and their removal is theirs.
func TestLastWorkOfRemovedChildrenFindsItsOwner(t *testing.T) {
	for _, c := range []struct {
		name    string
		removed []string
		want    time.Duration // total of a
		slice   time.Duration
	}{
		{"one function", []string{"a1", "a2"}, 75 * ms, 0},
		{"two functions", []string{"a1", "b1"}, 60 * ms, 15 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t)
			f.cpu("s", 0)
			tr := f.tree(`/fn-([a-z])[0-9]$`)
			read(t, tr, 0)
			for _, n := range []string{"a1", "a2", "b1"} {
				f.cpu("s/fn-"+n, 30*ms)
			}
			f.cpu("s", 90*ms)
			f.cpu("", 90*ms)
			read(t, tr, 1)
			for _, n := range c.removed {
				f.remove("s/fn-" + n)
			}
			f.cpu("s", 105*ms)
			f.cpu("", 105*ms)
			a := time.Duration(0)
			got := read(t, tr, 2)
			for _, u := range got {
				if u.Function == "a" {
					a += u.CPU
				}
			}
			if a != c.want || got["+/s"].CPU != c.slice || got["+/"].CPU != 0 {
				t.Errorf("a %s, slice %s, root %s; want %s, %s, 0", a, got["+/s"].CPU, got["+/"].CPU, c.want, c.slice)
			}
		})
	}
}

func TestRecreatedBetweenReadsIsAnotherCgroup(t *testing.T) {
	f := newFake(t)
	f.cpu("s/fn-a", 0)
	tr := f.tree(`/fn-(.+)$`)
	read(t, tr, 0)
	f.cpu("s/fn-a", 30*ms)
	read(t, tr, 1)
	if err := os.Rename(filepath.Join(f.root, "s/fn-a"), filepath.Join(f.root, "s/old")); err != nil {
		t.Fatal(err)
	}
	f.cpu("s/fn-a", 4*ms)
	got := read(t, tr, 2)
	var gone, live Usage
	for _, u := range got {
		if u.Function == "a" && u.Gone {
			gone = u
		} else if u.Function == "a" {
			live = u
		}
	}
	if gone.CPU != 30*ms || live.CPU != 4*ms || gone.ID == live.ID {
		t.Errorf("gone %+v, live %+v", gone, live)
	}
}

func TestOneBadCgroupDoesNotBlindTheRest(t *testing.T) {
	for name, spoil := range map[string]func(f fakeTree){
		"garbage":  func(f fakeTree) { f.write("s/fn-bad/cpu.stat", "usage_usec banana\n") },
		"empty":    func(f fakeTree) { f.write("s/fn-bad/cpu.stat", "") },
		"no file":  func(f fakeTree) { f.write("s/fn-bad/other", "") },
		"negative": func(f fakeTree) { f.write("s/fn-bad/cpu.stat", "usage_usec -7\n") },
		"folder":   func(f fakeTree) { f.write("s/fn-bad/cpu.stat/x", "") },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.cpu("s/fn-good", 0)
			f.cpu("s", 0)
			spoil(f)
			tr := f.tree(`/fn-(.+)$`)
			read(t, tr, 0)
			f.cpu("s/fn-good", 9*ms)
			got := read(t, tr, 1)
			if u := got["/s/fn-good"]; u.CPU != 9*ms || u.Err != nil {
				t.Errorf("good cgroup %+v", u)
			}
			if got["/s/fn-bad"].Err == nil {
				t.Error("bad cgroup has no error")
			}
		})
	}
}

// TestASliceWithoutCounterKeepsItsChildren: the slice fails, they do not.
func TestASliceWithoutCounterKeepsItsChildren(t *testing.T) {
	f := newFake(t)
	f.cpu("s/fn-a", 0)
	tr := f.tree(`/fn-(.+)$`)
	read(t, tr, 0)
	f.cpu("s/fn-a", 9*ms)
	f.cpu("", 11*ms)
	for at := 1; at < 4; at++ {
		got := read(t, tr, at)
		if c := got["+/"].CPU; c != 2*ms {
			t.Errorf("remainder of the root %s, want 2ms: the child must not count twice", c)
		}
		if u := got["/s/fn-a"]; u.CPU != 9*ms || u.Gone || u.Err != nil {
			t.Errorf("child %+v", u)
		}
		if got["+/s"].Err == nil {
			t.Error("the slice has no error")
		}
	}
}

func TestNothingReadableIsAnError(t *testing.T) {
	f := newFake(t)
	f.remove("cpu.stat")
	f.write("s/fn-a/cpu.stat", "x")
	f.write("s/cpu.stat", "x")
	if _, err := f.tree(`/fn-(.+)$`).Read(time.Unix(0, 0), nil); err == nil {
		t.Errorf("err = %v", err)
	}
	cfg := DefaultConfig()
	cfg.Root = t.TempDir()
	tr, _ := New(cfg)
	if _, err := tr.Read(time.Unix(0, 0), nil); !errors.Is(err, ErrNone) {
		t.Errorf("err = %v, want ErrNone", err)
	}
}

func TestHierarchies(t *testing.T) {
	hybrid := func(f fakeTree) {
		f.remove("cgroup.controllers")
		f.write("unified/cgroup.controllers", "")
		f.cpu("unified", 0)
		f.cpu("unified/fn-a", 0)
		f.write("cpuacct/cpuacct.usage", "0\n")
		f.write("memory/fn-a/memory.usage_in_bytes", "4096\n")
	}
	legacy := func(f fakeTree) {
		f.remove("cgroup.controllers")
		f.write("cpu,cpuacct/cpuacct.usage", "0\n")
		f.write("cpu,cpuacct/fn-a/cpuacct.usage", "0\n")
		f.write("memory/fn-a/memory.usage_in_bytes", "4096\n")
	}
	for _, c := range []struct {
		name  string
		build func(f fakeTree)
		file  string
		text  string
		want  Mode
	}{
		{"v2", func(f fakeTree) { f.cpu("fn-a", 0); f.memory("fn-a", 4096) }, "fn-a/cpu.stat", "usage_usec 5000\n", Unified},
		{"hybrid", hybrid, "unified/fn-a/cpu.stat", "usage_usec 5000\n", Hybrid},
		{"v1", legacy, "cpu,cpuacct/fn-a/cpuacct.usage", "5000000\n", Legacy},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t)
			c.build(f)
			tr := f.tree(`^/fn-(.+)$`)
			read(t, tr, 0)
			f.write(c.file, c.text)
			u := read(t, tr, 1)["/fn-a"]
			if u.CPU != 5*ms || !u.HasMemory || u.Memory != 4096 {
				t.Errorf("usage %+v, want 5ms and 4096 bytes", u)
			}
			if s := tr.Stats(); s.Mode != c.want || s.Cgroups != 1 || s.Slices != 1 {
				t.Errorf("stats %+v, want mode %s", s, c.want)
			}
		})
	}
}

func TestContainersAndPods(t *testing.T) {
	f := newFake(t)
	pod := "kubepods/burstable/pod2f2b0b5e-8f6e-4c1d-9a57-0a1b2c3d4e5f"
	f.cpu(pod+"/"+hex64, 0)
	f.cpu(pod+"/"+hex64+"/init.scope", 0) // inside the container: not ours to split
	f.cpu(pod, 0)
	f.memory(pod, 5000)
	f.memory(pod+"/"+hex64, 3000)
	outer := "docker/" + strings.Repeat("ab", 32)
	f.cpu(outer+"/kubelet/x", 0) // a kind node: charge what is inside
	f.cpu(outer+"/kubepods/pod"+strings.Repeat("0", 32)+"/"+strings.Repeat("cd", 32), 0)
	got := read(t, f.tree(), 0)
	if u := got["/"+pod+"/"+hex64]; u.Container != hex64 || u.PodUID == "" || u.Remainder {
		t.Errorf("container %+v", u)
	}
	if u := got["+/"+pod]; u.PodUID == "" || u.Memory != 2000 {
		t.Errorf("pod remainder %+v, want 2000 bytes beyond the container", u)
	}
	if _, ok := got["/"+outer]; ok {
		t.Error("the container that runs a kubelet is charged as a whole")
	}
	if u, ok := got["/"+outer+"/kubepods/pod"+strings.Repeat("0", 32)+"/"+strings.Repeat("cd", 32)]; !ok || u.Container == "" {
		t.Errorf("container in a nested kubelet: %+v", u)
	}
}

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config){
		"root":    func(c *Config) { c.Root = "" },
		"mode":    func(c *Config) { c.Mode = "v3" },
		"rescan":  func(c *Config) { c.Rescan = 0 },
		"depth":   func(c *Config) { c.MaxDepth = 0 },
		"nothing": func(c *Config) { c.Containers = false },
		"log":     func(c *Config) { c.Log = nil },
		"pattern": func(c *Config) { c.Patterns = []string{"("} },
	} {
		c := DefaultConfig()
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestReadDoesNotAllocate(t *testing.T) {
	f := newFake(t)
	for i := range 20 {
		f.cpu(fmt.Sprintf("s/fn-%d", i), 0)
		f.memory(fmt.Sprintf("s/fn-%d", i), 1)
	}
	f.cpu("s", 0)
	tr := f.tree(`/fn-(.+)$`)
	us, err := tr.Read(time.Unix(0, 0), nil)
	if err != nil {
		t.Fatal(err)
	}
	tr.watching = true // no walk: that is what a running Run makes of it
	defer func() { tr.watching = false }()
	now := time.Unix(1, 0)
	if n := testing.AllocsPerRun(100, func() { us, err = tr.Read(now, us[:0]) }); n != 0 || len(us) != 22 || err != nil {
		t.Errorf("%g allocations per read of %d cgroups (%v), want 0 of 22", n, len(us), err)
	}
}

func BenchmarkReadFake1000(b *testing.B) {
	f := newFake(b)
	for i := range 1000 {
		f.cpu(fmt.Sprintf("s/fn-%d", i), 0)
	}
	f.cpu("s", 0)
	tr := f.tree(`/fn-(.+)$`)
	us, _ := tr.Read(time.Unix(0, 0), nil)
	tr.watching = true
	defer func() { tr.watching = false }()
	b.ReportAllocs()
	for b.Loop() {
		us, _ = tr.Read(time.Unix(1, 0), us[:0])
	}
}
