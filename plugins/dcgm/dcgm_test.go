package main

import (
	"bytes"
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/NVIDIA/go-dcgm/pkg/dcgm"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/plugins/host"
	"github.com/wattle-project/wattle/plugins/proto"
	"github.com/wattle-project/wattle/telemetry/gpu"
)

// These tests run against internal/standin, as go.standin.mod arranges.

func boards(t *testing.T, c config) []gpu.Board {
	t.Helper()
	s := &source{cfg: c}
	bs, err := s.Boards(t.Context(), nil)
	if err != nil || len(bs) != 3 {
		t.Fatalf("%d boards, %v", len(bs), err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	return bs
}

func TestUnitsBlanksAndSlices(t *testing.T) {
	bs := boards(t, defaultConfig())
	a100, l40s, p100 := bs[0], bs[1], bs[2]
	if !a100.HasEnergy || !l40s.HasEnergy || a100.Limit != 400 {
		t.Fatalf("boards without energy: %+v, %+v", a100, l40s)
	}
	// Both counters started together: 1 MJ and 300 W in mJ, 5 kJ and 100 W in J.
	mJ, j := (float64(a100.Energy)/1e6-1e6)/300, (float64(l40s.Energy)/1e6-5000)/100
	if math.Abs(mJ-j) > 10 || j < 0 {
		t.Errorf("field 156 says %.0f s, field 1611 %.0f s", mJ, j)
	}
	if p100.HasEnergy || !p100.HasPower || p100.Power != 40 || p100.Utilisation != gpu.KnownRatio(0.6) {
		t.Errorf("board without counter %+v", p100)
	}
	if a100.Utilisation.Known || a100.Memory != wattle.GiB {
		t.Errorf("blank utilisation %+v, memory %v", a100.Utilisation, a100.Memory)
	}
	for i, want := range []gpu.Instance{
		{Key: "GPU-a100/gi-3", Slices: 1, Graphics: gpu.KnownRatio(.8)},
		{Key: "GPU-a100/gi-4", Slices: 2, Graphics: gpu.KnownRatio(.4)},
		{Key: "GPU-a100/gi-5", Slices: 4, Graphics: gpu.KnownRatio(.1)},
	} {
		got := a100.Instances[i]
		if got.Key != want.Key || got.Slices != want.Slices || got.OfSlices != 7 || got.Graphics != want.Graphics {
			t.Errorf("instance %d = %+v, want %+v", i, got, want)
		}
	}
}

func TestNodesThatForbidOrLackThings(t *testing.T) {
	t.Setenv("WATTLE_STANDIN", "noprofiling")
	bs := boards(t, defaultConfig())
	if shares, basis := gpu.Shares(bs[0].Instances); basis != gpu.BySlices || math.Abs(shares[2]-4.0/7) > 1e-12 {
		t.Errorf("without profiling: %v by %v", shares, basis)
	}
	t.Setenv("WATTLE_STANDIN", "old")
	if l40s := boards(t, defaultConfig())[1]; l40s.HasEnergy || l40s.Power != 100 {
		t.Errorf("DCGM without field 1611: %+v", l40s)
	}
	t.Setenv("WATTLE_STANDIN", "absent")
	s := &source{cfg: defaultConfig()}
	if _, err := s.Boards(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "libdcgm.so.4") {
		t.Errorf("node without DCGM: %v", err)
	}
}

// A host engine that ends, between readings or before a search, is connected to
// anew: a handle of the old one never answers again.
func TestLostHostEngineIsConnectedAnew(t *testing.T) {
	s := &source{cfg: defaultConfig()}
	for _, searched := range []bool{false, true} {
		if bs, err := s.Boards(t.Context(), nil); err != nil || len(bs) != 3 || bs[0].Err != nil || s.cleanup == nil {
			t.Fatalf("%+v, %v", bs, err)
		}
		t.Setenv("WATTLE_STANDIN", "lost")
		if searched {
			s.scanned = time.Time{}
		}
		if bs, err := s.Boards(t.Context(), nil); err == nil && bs[0].Err == nil {
			t.Fatalf("lost: %+v", bs)
		}
		if s.cleanup != nil || s.watch.on {
			t.Errorf("searched %v: the lost connection is kept", searched)
		}
		t.Setenv("WATTLE_STANDIN", "")
	}
	if bs, err := s.Boards(t.Context(), nil); err != nil || len(bs) != 3 || bs[0].Err != nil {
		t.Errorf("connected anew: %+v, %v", bs, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestProcessesOfABoard(t *testing.T) {
	s := &source{cfg: defaultConfig(), pids: []uint{41, 42, 43, 44}}
	got := s.processes(1)
	if len(got) != 2 || got[0] != (gpu.Process{PID: 41, Busy: 30, Energy: 7_000_000}) || got[1].PID != 42 {
		t.Errorf("processes %+v", got)
	}
	if other := s.processes(0); len(other) != 0 {
		t.Errorf("on another board: %+v", other)
	}
}

func TestHolders(t *testing.T) {
	link := func(to string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(to), Mode: os.ModeSymlink | 0o777}
	}
	proc := fstest.MapFS{
		"7/fd/0": link("/dev/null"), "7/fd/3": link("/dev/nvidia0"),
		"8/fd/0": link("/dev/nvidiactl"), "9/fd/5": link("/dev/nvidia12"),
		"self/fd/3": link("/dev/nvidia0"), "meminfo": {},
	}
	if got := holders(proc); len(got) != 2 || got[0] != 7 || got[1] != 9 {
		t.Errorf("holders %v, want 7 and 9", got)
	}
}

func TestFlags(t *testing.T) {
	var out bytes.Buffer
	c, err := parse([]string{"-address", "/run/hostengine.sock", "-every", "2s"}, &out)
	if err != nil || c.every != 2*time.Second || isSocket(c.address) != "1" || isSocket("h:5555") != "0" {
		t.Errorf("%+v, %v", c, err)
	}
	for _, args := range [][]string{{"-every", "1ms"}, {"-every", "1h"}, {"-nonsense"}} {
		if _, err := parse(args, &out); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}

// TestModFilesAgree: the stand-in module file is the real one, but for the
// replacement and what only the real module needs.
func TestModFilesAgree(t *testing.T) {
	read := func(name string) map[string]bool {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := map[string]bool{}
		for l := range strings.Lines(string(b)) {
			if l = strings.TrimSpace(l); l != "" && !strings.Contains(l, "bits-and-blooms") && l != "replace github.com/NVIDIA/go-dcgm => ./internal/standin" {
				lines[l] = true
			}
		}
		return lines
	}
	for _, pair := range [][2]string{{"go.mod", "go.standin.mod"}, {"go.standin.mod", "go.mod"}} {
		other := read(pair[1])
		for l := range read(pair[0]) {
			if !other[l] {
				t.Errorf("%s has %q, %s has not", pair[0], l, pair[1])
			}
		}
	}
}

// TestPluginProcess reads the stand-in's node through the real plugin protocol.
func TestPluginProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dcgm")
	build := exec.CommandContext(t.Context(), "go", "build", "-modfile=go.standin.mod", "-ldflags=-s -w", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	sum, err := host.Sum(path)
	if err != nil {
		t.Fatal(err)
	}
	c := host.DefaultConfig(path)
	c.Checksum, c.Args = sum, []string{"-proc", "", "-every", "100ms"}
	served := make(chan host.Status, 8)
	c.Notify = func(s host.Status) { served <- s }
	m, err := host.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = m.Run(ctx) })
	defer wg.Wait()
	defer cancel()
	for s := range served {
		if s.State == host.Serving {
			break
		}
		if s.LastError != nil {
			t.Fatal(s.LastError)
		}
	}
	first, err := m.Read(t.Context(), nil)
	if err != nil || len(first) != 6 || m.Name() != "dcgm" {
		t.Fatalf("%d readings of %q, %v", len(first), m.Name(), err)
	}
	a := append([]proto.Reading(nil), first...)
	b := a
	for b[0].At.Sub(a[0].At) < 1500*time.Millisecond {
		time.Sleep(50 * time.Millisecond) // between two questions
		if b, err = m.Read(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	check(t, m, a, b)
}

func check(t *testing.T, m *host.Meter, a, b []proto.Reading) {
	t.Helper()
	zones := m.Zones()
	watts := func(i int) float64 {
		return float64(b[i].Energy-a[i].Energy) / 1e6 / b[i].At.Sub(a[i].At).Seconds()
	}
	for i, want := range []struct {
		key     string
		watts   float64
		overlap bool
	}{{"GPU-a100", 300, false}, {"GPU-a100/gi-3", -1, true}, {"GPU-a100/gi-4", -1, true}, {"GPU-a100/gi-5", -1, true}, {"GPU-l40s", 100, false}} {
		if zones[i].Key != want.key || zones[i].Overlap != want.overlap || zones[i].Component != wattle.GPU {
			t.Errorf("zone %d = %+v", i, zones[i])
		}
		if w := watts(i); want.watts > 0 && math.Abs(w-want.watts) > want.watts/50 {
			t.Errorf("%s draws %.1f W, want %g ± 2 %%", want.key, w, want.watts)
		}
	}
	if parts := b[1].Energy + b[2].Energy + b[3].Energy; parts != b[0].Energy-a[0].Energy {
		t.Errorf("instances hold %d µJ of the board's %d", parts, b[0].Energy-a[0].Energy)
	}
	if p := b[5]; !p.HasPower || p.Power != 40 || zones[5].Key != "GPU-p100" {
		t.Errorf("P100 %+v", p)
	}
	uses := map[string]float64{}
	for _, u := range m.Uses() {
		uses[u.Instance] = u.Share
		if want := map[string]int{"GPU-a100/gi-3": 1, "GPU-a100/gi-4": 2, "GPU-a100/gi-5": 4}[u.Instance]; u.Slices != want || want > 0 && u.OfSlices != 7 {
			t.Errorf("slices of %+v, want %d of 7", u, want)
		}
	}
	if math.Abs(uses["GPU-a100/gi-3"]-.4) > 1e-9 || math.Abs(uses["GPU-a100/gi-4"]-.4) > 1e-9 || math.Abs(uses["GPU-a100/gi-5"]-.2) > 1e-9 {
		t.Errorf("uses %+v", m.Uses())
	}
	if len(m.Gauges()) < 10 {
		t.Errorf("gauges %+v", m.Gauges())
	}
}

// Where DCGM shows the counter in both units the finer one is read.
func TestMillijoulesGoBeforeJoules(t *testing.T) {
	var o gpu.Board
	takeEnergy(&o, map[gpu.Field]gpu.Value{
		gpu.EnergyMillijoules: {Field: gpu.EnergyMillijoules, Kind: gpu.Int64, Int: 7123},
		gpu.EnergyJoules:      {Field: gpu.EnergyJoules, Kind: gpu.Int64, Int: 7},
	})
	if !o.HasEnergy || o.Energy != 7_123_000 {
		t.Errorf("%d µJ, want 7.123 J", o.Energy)
	}
}

// A blank number of slices, which is huge, must not take the board for itself.
func TestBlankSlicesCountAsOne(t *testing.T) {
	for _, n := range []uint{0, 8, 2147483632} {
		var e dcgm.MigHierarchyInfo_v2
		e.Info.NvmlProfileSlices = n
		if in := newInstance(&board{known: gpu.Board{UUID: "GPU-1"}}, e); in.known.Slices != 1 || in.known.OfSlices != 7 {
			t.Errorf("%d: %d of %d slices, want 1 of 7", n, in.known.Slices, in.known.OfSlices)
		}
	}
}
