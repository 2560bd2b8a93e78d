package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
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
	f.cpu("fn.slice/fn-b", 43*ms)
	f.cpu("fn.slice", 126*ms) // the children are ahead of it for once
	if c := read(t, tr, 2)["+/fn.slice"].CPU; c != 5*ms {
		t.Errorf("remainder %s, want the 5ms of before: it never goes back", c)
	}
	f.cpu("fn.slice", 129*ms)
	if c := read(t, tr, 3)["+/fn.slice"].CPU; c != 6*ms {
		t.Errorf("remainder %s, want 6ms", c)
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
	systemdOnly := func(f fakeTree) { // hybrid, with the containers in v1
		f.remove("cgroup.controllers")
		f.write("unified/cgroup.controllers", "")
		f.cpu("unified/init.scope", 0)
		f.write("cpu,cpuacct/cpuacct.usage", "0\n")
		f.write("cpu,cpuacct/fn-a/cpuacct.usage", "0\n")
		f.write("cpu,cpuacct/x/y", "")
		f.write("memory/fn-a/memory.usage_in_bytes", "4096\n")
	}
	for _, c := range []struct {
		name  string
		build func(f fakeTree)
		file  string
		text  string
		want  Mode
	}{
		{"hybrid that systemd alone uses", systemdOnly, "cpu,cpuacct/fn-a/cpuacct.usage", "5000000\n", Legacy},
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

func TestCounterThatWentBackStartsAgain(t *testing.T) {
	f := newFake(t)
	f.cpu("s/fn-a", 0)
	tr := f.tree(`/fn-(.+)$`)
	for i, c := range []struct{ shows, want time.Duration }{{0, 0}, {30 * ms, 30 * ms}, {10 * ms, 30 * ms}, {15 * ms, 35 * ms}} {
		f.cpu("s/fn-a", c.shows)
		if got := read(t, tr, i)["/s/fn-a"].CPU; got != c.want {
			t.Errorf("%s is shown and %s charged, want %s", c.shows, got, c.want)
		}
	}
}

// notified makes tr one whose Run is active, but no news comes.
func notified(t *testing.T, tr *Tree) {
	tr.watching = true
	t.Cleanup(func() { tr.watching = false })
}

// TestRescan: what no notification told of is found within a minute, at once when
// the kernel says that it dropped some, and when the clock goes back.
func TestRescan(t *testing.T) {
	f := newFake(t)
	f.cpu("s/fn-a", 0)
	tr := f.tree(`/fn-(.+)$`)
	read(t, tr, 100)
	notified(t, tr)
	finds := func(name string, at int, want bool) {
		t.Helper()
		if _, ok := read(t, tr, at)["/s/fn-"+name]; ok != want {
			t.Errorf("fn-%s at %d s: found %v, want %v", name, at, ok, want)
		}
	}
	f.cpu("s/fn-b", 0)
	finds("b", 159, false)
	finds("b", 160, true)
	f.cpu("s/fn-c", 0)
	finds("c", 161, false)
	finds("c", 150, true) // a clock that was set back must not put it off for long
	f.cpu("s/fn-d", 0)
	finds("d", 151, false)
	tr.overflow(errors.New("overflow"))
	finds("d", 152, true)
}

// TestNewSliceIsSearchedAtOnce: the watch is set after the slice was made, when
// its first children may be there already; their work counts in full.
func TestNewSliceIsSearchedAtOnce(t *testing.T) {
	f := newFake(t)
	f.cpu("s/fn-a", 0)
	tr := f.tree(`/fn-(.+)$`)
	read(t, tr, 0)
	notified(t, tr)
	f.cpu("new/fn-b", 0)
	f.cpu("s/fn-c", 0)
	for _, dir := range []string{"new", "s/fn-c"} {
		tr.handle(fsnotify.Event{Name: filepath.Join(f.root, dir), Op: fsnotify.Create})
	}
	f.cpu("new/fn-b", 5*ms)
	f.cpu("s/fn-c", 7*ms)
	f.remove("new")
	f.remove("s/fn-c") // before anybody reads them again
	for _, dir := range []string{"new/fn-b", "s/fn-c"} {
		tr.handle(fsnotify.Event{Name: filepath.Join(f.root, dir), Op: fsnotify.Remove})
	}
	got := read(t, tr, 1)
	for key, want := range map[string]time.Duration{"/new/fn-b": 5 * ms, "/s/fn-c": 7 * ms} {
		if u := got[key]; !u.Gone || u.CPU != want {
			t.Errorf("%s: %+v, want gone with %s", key, u, want)
		}
	}
}

// TestChildrenBeforeTheWatch: a slice is empty when it is looked at and has a
// child when the watch on it begins.
func TestChildrenBeforeTheWatch(t *testing.T) {
	f := newFake(t)
	f.cpu("s/fn-a", 0)
	tr := f.tree(`/fn-(.+)$`)
	read(t, tr, 0)
	notified(t, tr)
	tr.onNode = func(n *node) {
		if n.key == "/new" {
			f.cpu("new/fn-b", 0)
		}
	}
	f.cpu("new", 0)
	tr.handle(fsnotify.Event{Name: filepath.Join(f.root, "new"), Op: fsnotify.Create})
	if _, ok := read(t, tr, 1)["/new/fn-b"]; !ok {
		t.Error("the child is left to the walk in a minute")
	}
}

// TestRemovalOfANamesakeIsNotBelieved: the news of a removal may come when a
// cgroup of the same name is there.
func TestRemovalOfANamesakeIsNotBelieved(t *testing.T) {
	f := newFake(t)
	f.cpu("s/fn-a", 0)
	tr := f.tree(`/fn-(.+)$`)
	id := read(t, tr, 0)["/s/fn-a"].ID
	notified(t, tr)
	remove := fsnotify.Event{Name: filepath.Join(f.root, "s/fn-a"), Op: fsnotify.Remove}
	tr.handle(remove) // of an earlier one
	if u := read(t, tr, 1)["/s/fn-a"]; u.ID != id || u.Gone {
		t.Errorf("%+v, want the cgroup that is there", u)
	}
	if err := os.Rename(filepath.Join(f.root, "s/fn-a"), filepath.Join(f.root, "old")); err != nil {
		t.Fatal(err)
	}
	f.cpu("s/fn-a", 3*ms)
	tr.handle(remove)
	if got := read(t, tr, 2); !got["/s/fn-a"].Gone || got["/s/fn-a"].ID != id {
		t.Errorf("%+v, want the last report of the first one", got["/s/fn-a"])
	}
	if u := read(t, tr, 62)["/s/fn-a"]; u.ID == id || u.Gone || u.CPU != 3*ms {
		t.Errorf("%+v, want the second one with all its time", u)
	}
}

// TestOneReportPerRead: a cgroup that turns out to be gone after it was reported
// makes its last report with the next Read.
func TestOneReportPerRead(t *testing.T) {
	f := newFake(t)
	f.cpu("s/fn-a", 0) // s itself has no counter
	tr := f.tree(`/fn-(.+)$`)
	read(t, tr, 0)
	notified(t, tr)
	f.cpu("s/fn-a", 4*ms)
	f.remove("s")
	for at, want := range []string{1: "4ms", 2: "4ms gone", 3: ""} {
		if at == 0 {
			continue
		}
		us, err := tr.Read(time.Unix(int64(at), 0), nil)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, u := range us {
			if u.Function == "a" && u.Gone {
				got += u.CPU.String() + " gone"
			} else if u.Function == "a" {
				got += u.CPU.String()
			}
		}
		if got != want {
			t.Errorf("read %d reports %q, want %q", at, got, want)
		}
	}
}

// TestLastWorkOfARemovedPodFindsIt: a pod goes with all its containers, perhaps as
// the last of its slice, and what they used after their last read shows in the
// slice above only.
func TestLastWorkOfARemovedPodFindsIt(t *testing.T) {
	const slice = "kubepods/pod00000000000000000000000000000001"
	for removed, want := range map[string]time.Duration{slice: 25 * ms, "kubepods": 28 * ms} {
		f := newFake(t)
		for _, dir := range []string{"", "kubepods", slice, slice + "/" + hex64} {
			f.cpu(dir, 0)
		}
		tr := f.tree()
		read(t, tr, 0)
		f.cpu(slice+"/"+hex64, 10*ms)
		f.cpu(slice, 10*ms)
		f.cpu("kubepods", 10*ms)
		f.cpu("", 10*ms)
		read(t, tr, 1)
		f.remove(removed)
		if removed == slice {
			f.cpu("kubepods", 25*ms)
		}
		f.cpu("", 28*ms)
		got := read(t, tr, 2)
		if u := got["/"+slice+"/"+hex64]; !u.Gone || u.CPU != want {
			t.Errorf("%s is removed: container %+v, want gone with %s", removed, u, want)
		}
		if pod, all, root := got["+/"+slice].CPU, got["+/kubepods"].CPU, got["+/"].CPU; pod != 0 || all != 0 || root != 28*ms-want {
			t.Errorf("%s is removed: remainders of the pod %s, of all pods %s and of the root %s, want 0s, 0s and %s", removed, pod, all, root, 28*ms-want)
		}
	}
}

// TestAFailedReadMakesNoSliceBusy: what a slice could not be read for is not
// taken for work of its own, so that last work of its children still finds them.
func TestAFailedReadMakesNoSliceBusy(t *testing.T) {
	f := newFake(t)
	f.cpu("s", 0)
	tr := f.tree(`/fn-([a-z])[0-9]$`)
	read(t, tr, 0)
	f.cpu("s/fn-a1", 30*ms)
	f.cpu("s/fn-a2", 30*ms)
	f.cpu("s", 60*ms)
	read(t, tr, 1)
	f.write("s/cpu.stat", "no number\n")
	f.remove("s/fn-a1")
	read(t, tr, 2)
	f.cpu("s", 70*ms) // 10 ms of a1 that nobody can tell by now
	if c := read(t, tr, 3)["+/s"].CPU; c != 10*ms {
		t.Errorf("remainder %s, want 10ms", c)
	}
	f.remove("s/fn-a2")
	f.cpu("s", 75*ms)
	got := read(t, tr, 4)
	if a, s := got["/s/fn-a2"].CPU, got["+/s"].CPU; a != 35*ms || s != 10*ms {
		t.Errorf("a2 %s and slice %s, want 35ms and 10ms", a, s)
	}
}

func TestMemoryIsReadNowAndThen(t *testing.T) {
	f := newFake(t)
	f.cpu("s/fn-a", 0)
	f.memory("s/fn-a", 4096)
	tr := f.tree(`/fn-(.+)$`)
	tr.cfg.MemoryEvery = 5 * time.Second
	read(t, tr, 0)
	f.memory("s/fn-a", 8192)
	if m := read(t, tr, 4)["/s/fn-a"].Memory; m != 4096 {
		t.Errorf("%d bytes after 4 s, want those of the last look", m)
	}
	if m := read(t, tr, 5)["/s/fn-a"].Memory; m != 8192 {
		t.Errorf("%d bytes after 5 s, want 8192", m)
	}
}

func TestWalkEndsAtMaxDepth(t *testing.T) {
	f := newFake(t)
	f.cpu("a/b/fn-c", 0)
	f.cpu("a/b/x/fn-d", 0)
	tr := f.tree(`/fn-(.+)$`)
	tr.cfg.MaxDepth = 3
	got := read(t, tr, 0)
	if _, deep := got["/a/b/x/fn-d"]; deep || got["/a/b/fn-c"].Function != "c" {
		t.Errorf("%+v, want fn-c alone", got)
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
