package nvml

import (
	"errors"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/gpu"
)

func TestAbsentLibraryIsExplained(t *testing.T) {
	c := DefaultConfig()
	c.Libraries = []string{"/nowhere/libnvidia-ml.so.1"}
	m, err := NewMeter(c, gpu.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Read(t.Context(), nil)
	var u *telemetry.Unavailable
	if !errors.As(err, &u) || u.Mend == "" {
		t.Fatalf("Read = %v, want *telemetry.Unavailable with a mend", err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestConfigValidate(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"no library": func(c *Config) { c.Libraries = nil },
		"no rescan":  func(c *Config) { c.Rescan = 0 },
	} {
		c := DefaultConfig()
		if spoil(&c); c.Validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestProcessSamplesAreSummedOnce(t *testing.T) {
	b := &board{lastSample: 100}
	got := b.sum([]processSample{
		{PID: 7, Time: 90, SM: 50}, // older than asked for
		{PID: 7, Time: 110, SM: 20},
		{PID: 8, Time: 120, SM: 30},
		{PID: 7, Time: 130, SM: 5},
		{PID: 9, Time: 140, SM: 4000000000}, // not a percentage
		{},
	})
	if len(got) != 2 || got[0] != (gpu.Process{PID: 7, Busy: 25}) || got[1] != (gpu.Process{PID: 8, Busy: 30}) || b.lastSample != 130 {
		t.Fatalf("sum = %+v, last %d", got, b.lastSample)
	}
}

// fakeLibrary compiles testdata/fake.c against NVIDIA's own header.
func fakeLibrary(t *testing.T) string {
	t.Helper()
	if _, err := openLibrary([]string{"libc.so.6"}); err != nil {
		t.Skipf("no dynamic libraries in this build: %v", err)
	}
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/NVIDIA/go-nvml").Output()
	if err != nil || strings.TrimSpace(string(dir)) == "" {
		t.Skipf("module github.com/NVIDIA/go-nvml, which has nvml.h, is not in the module cache: %v", err)
	}
	lib := filepath.Join(t.TempDir(), "libfake.so")
	header := filepath.Join(strings.TrimSpace(string(dir)), "pkg", "nvml")
	out, err := exec.CommandContext(t.Context(), "cc", "-shared", "-fPIC", "-I", header, "-o", lib, "testdata/fake.c").CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("no C compiler to build the fake library")
	}
	if err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	return lib
}

func TestReadsThroughTheCLibrary(t *testing.T) {
	c := DefaultConfig()
	c.Libraries = []string{"/nowhere/libnvidia-ml.so.1", fakeLibrary(t)}
	m, err := NewMeter(c, gpu.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	var rs []telemetry.Reading
	for range 3 {
		if rs, err = m.Read(t.Context(), rs[:0]); err != nil {
			t.Fatal(err)
		}
	}
	wantZones := []string{"GPU-1", "MIG-1", "MIG-2", "MIG-3", "GPU-2"}
	if len(m.Zones()) != len(wantZones) || len(rs) != len(wantZones) {
		t.Fatalf("zones %+v, readings %d", m.Zones(), len(rs))
	}
	for i, z := range m.Zones() {
		if z.Key != wantZones[i] || z.Overlap != strings.HasPrefix(z.Key, "MIG") || rs[i].Err != nil {
			t.Errorf("zone %d = %+v, reading %+v", i, z, rs[i])
		}
	}
	if rs[0].Energy != 5_000_002_000_000 || m.Zones()[0].Bound != 1400 {
		t.Errorf("H100 energy %d µJ, bound %v", rs[0].Energy, m.Zones()[0].Bound)
	}
	if p := rs[4]; p.HasEnergy || !p.HasPower || math.Abs(float64(p.Power-123.456)) > 1e-9 {
		t.Errorf("P100 reading %+v, want 123.456 W", p)
	}
	checkUses(t, m)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}

// A driver that was reloaded is taken up again by the next reading but one.
func TestReloadedDriverIsTakenUpAgain(t *testing.T) {
	c := DefaultConfig()
	c.Libraries, c.Rescan = []string{fakeLibrary(t)}, 1
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if bs, err := s.Boards(t.Context(), nil); err != nil || len(bs) != 2 {
		t.Fatalf("%+v, %v", bs, err)
	}
	if bs, err := s.Boards(t.Context(), nil); err == nil {
		t.Fatalf("after the reload: %+v", bs)
	}
	if bs, err := s.Boards(t.Context(), nil); err != nil || len(bs) != 2 {
		t.Errorf("started anew: %+v, %v", bs, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// checkUses compares with GPM activity 10 %, 20 %, 30 % on 1, 2 and 4 slices
// and with process samples 30+30 and 10.
func checkUses(t *testing.T, m *gpu.Meter) {
	t.Helper()
	want := []gpu.Use{
		{Board: "GPU-1", Instance: "MIG-1", Share: 1.0 / 17, Basis: gpu.ByEngine, Slices: 1, OfSlices: 7},
		{Board: "GPU-1", Instance: "MIG-2", Share: 4.0 / 17, Basis: gpu.ByEngine, Slices: 2, OfSlices: 7},
		{Board: "GPU-1", Instance: "MIG-3", Share: 12.0 / 17, Basis: gpu.ByEngine, Slices: 4, OfSlices: 7},
		{Board: "GPU-2", PID: 41, Share: 6.0 / 7, Basis: gpu.ByProcess},
		{Board: "GPU-2", PID: 42, Share: 1.0 / 7, Basis: gpu.ByProcess},
	}
	got := m.Uses()
	if len(got) != len(want) {
		t.Fatalf("uses = %+v", got)
	}
	for i := range want {
		g, w := got[i], want[i]
		if math.Abs(g.Share-w.Share) > 1e-12 {
			t.Errorf("use %d share %v, want %v", i, g.Share, w.Share)
		}
		g.Share, w.Share = 0, 0
		if g != w {
			t.Errorf("use %d = %+v, want %+v", i, g, w)
		}
	}
	for i, in := range m.Boards()[0].Instances {
		if want := fmt.Sprintf("GPU-1/gi-%d", i+5); in.Place != want {
			t.Errorf("%s is at %q, want %q", in.Key, in.Place, want)
		}
	}
	if b := m.Boards()[1]; b.Memory != wattle.GiB || b.Utilisation != gpu.KnownRatio(0.8) {
		t.Errorf("P100 board %+v", b)
	}
}
