package rapl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/fake"
)

// rig is a reader on a fake tree with a clock that only moves when told.
type rig struct {
	t    *testing.T
	tree *fake.Tree
	now  time.Time
	r    *Reader
}

func newRig(t *testing.T, zones ...fake.TreeZone) *rig {
	t.Helper()
	tree, err := fake.NewTree(t.TempDir(), zones...)
	if err != nil {
		t.Fatal(err)
	}
	g := &rig{t: t, tree: tree, now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	cfg := DefaultConfig()
	cfg.Root, cfg.Now = tree.Root(), func() time.Time { return g.now }
	if g.r, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.r.Close() })
	return g
}

func variant(t *testing.T, name string) *rig {
	t.Helper()
	zones, err := fake.Variant(name)
	if err != nil {
		t.Fatal(err)
	}
	return newRig(t, zones...)
}

// read returns the readings by key after moving the clock by d.
func (g *rig) read(d time.Duration) (map[string]telemetry.Reading, error) {
	g.now = g.now.Add(d)
	rs, err := g.r.Read(context.Background(), nil)
	out := map[string]telemetry.Reading{}
	for _, r := range rs {
		out[g.r.Zones()[r.Zone].Key] = r
	}
	return out, err
}

func (g *rig) set(id string, energy uint64) {
	g.t.Helper()
	if err := g.tree.Set(id, energy); err != nil {
		g.t.Fatal(err)
	}
}

// keys lists the zones; those marked as overlapping have a trailing "-".
func (g *rig) keys() (out []string) {
	for _, z := range g.r.Zones() {
		mark := ""
		if z.Overlap {
			mark = "-"
		}
		out = append(out, z.Key+mark)
	}
	return out
}

func (g *rig) probes() string {
	var s strings.Builder
	for _, p := range g.r.Probes() {
		fmt.Fprintln(&s, p.Name, p.Reason, p.Mend)
	}
	return s.String()
}

func TestLayouts(t *testing.T) {
	for name, tc := range map[string]struct {
		keys  []string
		probe string // a probe that has to be there
	}{
		"one-socket":    {[]string{"package-0", "package-0/dram"}, ""},
		"two-socket":    {[]string{"package-0", "package-0/dram", "package-1", "package-1/dram"}, ""},
		"dies":          {[]string{"package-0-die-0", "package-0-die-0/dram", "package-0-die-1-", "package-0-die-1/dram-"}, ""},
		"mirrored-dies": {[]string{"package-0-die-0", "package-0-die-0/dram", "package-0-die-1-", "package-0-die-1/dram-"}, ""},
		"mmio":          {[]string{"package-0", "package-0/dram"}, "rapl/intel-rapl-mmio:0:0 shows the same register as intel-rapl:0:0"},
		"tpmi":          {[]string{"package-0", "package-0/dram", "package-1", "package-1/dram"}, "rapl/intel-rapl-tpmi:1 shows the same register as intel-rapl:0"},
		"two-psys":      {[]string{"package-0", "package-0/dram", "package-1", "package-1/dram", "psys", "psys-1"}, ""},
		"amd":           {[]string{"package-0", "package-0/core"}, ""},
		"dtpm":          {[]string{"package-0", "package-0/dram"}, "rapl/dtpm this control type does not meter RAPL"},
		"no-range":      {[]string{"package-0", "package-0/dram"}, ""},
		"no-energy":     {[]string{"package-0"}, "rapl/intel-rapl:0:0 cannot read"},
		"client":        {[]string{"package-0", "package-0/core", "package-0/uncore", "psys"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := variant(t, name)
			got, err := g.read(0)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(g.keys(), tc.keys) {
				t.Errorf("zones %q, want %q", g.keys(), tc.keys)
			}
			if !strings.Contains(g.probes(), tc.probe) {
				t.Errorf("probes\n%swant %q", g.probes(), tc.probe)
			}
			for k, r := range got {
				if r.Err != nil || !r.HasEnergy || !r.At.Equal(g.now) {
					t.Errorf("%s: %+v", k, r)
				}
			}
		})
	}
	if len(fake.Variants()) != 12 {
		t.Errorf("the table covers 12 of %d variants", len(fake.Variants()))
	}
}

func TestZoneDetails(t *testing.T) {
	g := variant(t, "client")
	if _, err := g.read(0); err != nil {
		t.Fatal(err)
	}
	got := map[string]telemetry.Zone{}
	for _, z := range g.r.Zones() {
		got[z.Key] = z
	}
	for key, want := range map[string]string{
		"package-0":      "package parent= socket=0 bound=100W",
		"package-0/core": "core parent=package-0 socket=0 bound=100W",
		"psys":           "platform parent= socket=-1 bound=0W",
	} {
		z := got[key]
		if s := fmt.Sprintf("%s parent=%s socket=%d bound=%s", z.Component, z.Parent, z.Socket, z.Bound); s != want || z.Range != fake.PackageRange {
			t.Errorf("%s: %s range %d, want %s", key, s, z.Range, want)
		}
	}
}

// Server DRAM is outside the package: a parent would take it out of the sum. Its
// bound is its own, not that of a laptop's package.
func TestServerDRAM(t *testing.T) {
	g := newRig(t, fake.TreeZone{ID: "intel-rapl:0", Name: "package-0", Range: fake.PackageRange, MaxPower: 205e6},
		fake.TreeZone{ID: "intel-rapl:0:0", Name: "dram", Range: fake.DRAMRange, MaxPower: 20e6})
	if _, err := g.read(0); err != nil {
		t.Fatal(err)
	}
	if z := g.r.Zones()[1]; z.Key != "package-0/dram" || z.Parent != "" || z.Bound != 40 {
		t.Errorf("%+v, want no parent and 40 W", z)
	}
}

// Of the duplicates that are left without the MSR driver, TPMI goes before MMIO.
func TestTPMIGoesBeforeMMIO(t *testing.T) {
	g := newRig(t, fake.TreeZone{ID: "intel-rapl-mmio:0", Name: "package-0", Energy: 1, Range: fake.PackageRange},
		fake.TreeZone{ID: "intel-rapl-tpmi:0", Name: "package-0", Energy: 2, Range: fake.PackageRange})
	got, err := g.read(0)
	if err != nil || len(got) != 1 || got["package-0"].Energy != 2 {
		t.Errorf("%+v, %v, want the register of TPMI", got, err)
	}
}

// Registers are read one after the other: the middle stands for all of them.
func TestStampIsTheMiddle(t *testing.T) {
	g := variant(t, "one-socket")
	if _, err := g.read(0); err != nil {
		t.Fatal(err)
	}
	begin := g.now
	g.r.cfg.Now = func() time.Time { g.now = g.now.Add(10 * time.Millisecond); return g.now }
	got, err := g.read(0)
	if want := begin.Add(15 * time.Millisecond); err != nil || !got["package-0"].At.Equal(want) || !got["package-0/dram"].At.Equal(want) {
		t.Errorf("stamps %v and %v, %v, want %v", got["package-0"].At, got["package-0/dram"].At, err, want)
	}
}

func TestBound(t *testing.T) {
	for name, tc := range map[string]struct {
		max, limit uint64
		want       float64
	}{
		"twice the maximum":              {205e6, 205e6, 410},
		"a limit above it counts":        {205e6, 324e6, 648},
		"an unlimited limit does not":    {205e6, 4095e6, 410},
		"a laptop is not held to 2×15 W": {15e6, 15e6, 100},
		"nothing stated is learned":      {0, 95e6, 0},
	} {
		g := newRig(t, fake.TreeZone{ID: "intel-rapl:0", Name: "package-0", Range: fake.PackageRange, MaxPower: tc.max, Limit: tc.limit})
		if _, err := g.read(0); err != nil {
			t.Fatal(err)
		}
		if got := float64(g.r.Zones()[0].Bound); got != tc.want {
			t.Errorf("%s: %g W, want %g", name, got, tc.want)
		}
	}
}

func TestBadRegistersDoNotBlindTheRest(t *testing.T) {
	for name, text := range map[string]string{
		"garbage": "n/a", "negative": "-5", "too large": "18446744073709551616", "hex": "0x10", "blank": " ",
	} {
		zones, err := fake.Variant("two-socket")
		if err != nil {
			t.Fatal(err)
		}
		zones[0].Text = text
		g := newRig(t, zones...)
		got, err := g.read(0)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !errors.Is(got["package-0"].Err, ErrNotANumber) || got["package-0"].HasEnergy {
			t.Errorf("%s: %+v", name, got["package-0"])
		}
		if got["package-1"].Err != nil || !got["package-1"].HasEnergy {
			t.Errorf("%s blinds package-1: %v", name, got["package-1"].Err)
		}
	}
}

func TestPermission(t *testing.T) {
	g := variant(t, "two-socket")
	deny := func(part string) {
		g.r.open = func(path string) (*os.File, error) {
			if strings.Contains(path, part) && strings.HasSuffix(path, "energy_uj") {
				return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission}
			}
			return os.Open(path)
		}
	}
	deny("intel-rapl:1")
	if _, err := g.read(0); err != nil {
		t.Fatalf("one unreadable package: %v", err)
	}
	if want := []string{"package-0", "package-0/dram"}; !slices.Equal(g.keys(), want) {
		t.Errorf("zones %q, want %q", g.keys(), want)
	}
	if !strings.Contains(g.probes(), "CAP_DAC_READ_SEARCH") {
		t.Errorf("no mend in\n%s", g.probes())
	}
	deny("intel-rapl:")
	for _, d := range []time.Duration{time.Minute, time.Second} { // with a scan, and between two
		_, err := g.read(d)
		var u *telemetry.Unavailable
		if !errors.As(err, &u) || !errors.Is(err, fs.ErrPermission) || !strings.Contains(u.Mend, "CAP_DAC_READ_SEARCH") {
			t.Fatalf("after %s: got %v", d, err)
		}
	}
	g.r.open = os.Open
	if _, err := g.read(time.Minute); err != nil || len(g.r.Zones()) != 4 {
		t.Fatalf("permission granted later is not noticed: %v", err)
	}
}

// One interface spells dies out and another shows whole packages: counting
// both would double the package. The better interface decides the parts.
func TestDiesAgainstWholePackages(t *testing.T) {
	dies := []fake.TreeZone{
		{ID: "intel-rapl:0", Name: "package-0-die-0", Range: fake.PackageRange}, {ID: "intel-rapl:0:0", Name: "dram", Range: fake.DRAMRange},
		{ID: "intel-rapl:1", Name: "package-0-die-1", Range: fake.PackageRange},
	}
	for name, tc := range map[string]struct {
		whole string // control type of the whole package
		want  []string
	}{
		"dies are better":    {"intel-rapl-tpmi", []string{"package-0-die-0", "package-0-die-0/dram", "package-0-die-1-"}},
		"package is better":  {"intel-rapl", []string{"package-0", "package-0/dram"}},
		"an unknown control": {"other-rapl", []string{"package-0-die-0", "package-0-die-0/dram", "package-0-die-1-"}},
	} {
		zones := slices.Clone(dies)
		if tc.whole == "intel-rapl" {
			for i := range zones {
				zones[i].ID = strings.Replace(zones[i].ID, "intel-rapl", "intel-rapl-tpmi", 1)
			}
		}
		zones = append(zones, fake.TreeZone{ID: tc.whole + ":9", Name: "package-0", Range: fake.PackageRange},
			fake.TreeZone{ID: tc.whole + ":9:0", Name: "dram", Range: fake.DRAMRange})
		g := newRig(t, zones...)
		if _, err := g.read(0); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(g.keys(), tc.want) {
			t.Errorf("%s: zones %q, want %q\n%s", name, g.keys(), tc.want, g.probes())
		}
	}
}

// A zone that is pulled in the middle of a run is missed from the next Read on,
// with the whole rescan still to come, and the others are not.
func TestUnplugIsSeenAtOnce(t *testing.T) {
	g := variant(t, "two-socket")
	if _, err := g.read(0); err != nil {
		t.Fatal(err)
	}
	if err := g.tree.Remove("intel-rapl:1"); err != nil {
		t.Fatal(err)
	}
	g.set("intel-rapl:0", 4321)
	got, err := g.read(time.Second)
	if _, there := got["package-1"]; err != nil || there || len(got) != 2 || got["package-0"].Energy != 4321 {
		t.Fatalf("after unplug: %v, %v", got, err)
	}
}

// A preferred interface that cannot be read falls back to the next.
func TestDuplicateStandsIn(t *testing.T) {
	zones, err := fake.Variant("mmio")
	if err != nil {
		t.Fatal(err)
	}
	zones[0].NoEnergy = true
	g := newRig(t, zones...)
	g.set("intel-rapl-mmio:0", 777)
	got, err := g.read(0)
	if err != nil || got["package-0"].Energy != 777 {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestAbsent(t *testing.T) {
	for name, root := range map[string]string{"no tree": t.TempDir(), "empty tree": variant(t, "one-socket").tree.Root()} {
		if name == "empty tree" {
			tree, err := fake.NewTree(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			root = tree.Root()
		}
		cfg := DefaultConfig()
		cfg.Root = root
		r, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, err = r.Read(context.Background(), nil)
			var u *telemetry.Unavailable
			if !errors.As(err, &u) || !strings.Contains(u.Mend, "modprobe") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestHotUnplugAndPlug(t *testing.T) {
	g := variant(t, "two-socket")
	if _, err := g.read(0); err != nil {
		t.Fatal(err)
	}
	if err := g.tree.Remove("intel-rapl:1"); err != nil {
		t.Fatal(err)
	}
	kept := g.r.regs[0].file
	if got, err := g.read(31 * time.Second); err != nil || len(got) != 2 {
		t.Fatalf("after unplug: %v, %v", got, err)
	}
	if _, err := kept.Stat(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a walk leaves the descriptors of the one before open: %v", err)
	}
	if err := g.tree.Add(fake.TreeZone{ID: "intel-rapl:1", Name: "package-1", Energy: 9, Range: fake.PackageRange}); err != nil {
		t.Fatal(err)
	}
	if got, err := g.read(31 * time.Second); err != nil || got["package-1"].Energy != 9 {
		t.Fatalf("after plug: %v, %v", got, err)
	}
}

// A descriptor that stops working is explained, and the tree is walked anew at
// the next Read.
func TestDescriptorFails(t *testing.T) {
	g := variant(t, "two-socket")
	if _, err := g.read(0); err != nil {
		t.Fatal(err)
	}
	g.r.regs[0].file.Close()
	g.r.regs[0].file, _ = os.Open(os.DevNull) // reads as end of file
	got, err := g.read(time.Second)
	if err != nil || got["package-0"].Err == nil || got["package-1"].Err != nil {
		t.Fatalf("%+v, %v", got, err)
	}
	if got, err = g.read(time.Second); err != nil || got["package-0"].Err != nil {
		t.Fatalf("not reopened: %+v, %v", got, err)
	}
}

func TestMirroredDies(t *testing.T) {
	g := variant(t, "mirrored-dies")
	e := uint64(fake.PackageRange - 500e6) // wraps on the way
	for i := range 13 {
		e = (e + 90e6 + uint64(i)*1e6) % (fake.PackageRange + 1)
		g.set("intel-rapl:0", e)
		g.set("intel-rapl:1", e+17)
		if _, err := g.read(time.Second); err != nil {
			t.Fatal(err)
		}
		if i < 10 && !slices.Contains(g.keys(), "package-0-die-1-") {
			t.Fatalf("round %d: %q; a die is no part of the sum before the verdict", i, g.keys())
		}
	}
	if want := []string{"package-0-die-0", "package-0-die-0/dram"}; !slices.Equal(g.keys(), want) {
		t.Fatalf("zones %q, want %q", g.keys(), want)
	}
	if !strings.Contains(g.probes(), "package-0-die-1 repeats the register") {
		t.Errorf("not explained:\n%s", g.probes())
	}
}

// Two registers that differ by more than reading them twice can explain are told
// apart by the first interval, so that no more of their energy is left out.
func TestClearlyDistinctDiesAreToldAtOnce(t *testing.T) {
	g := variant(t, "dies")
	for i := range uint64(3) {
		g.set("intel-rapl:0", i*100e6)
		g.set("intel-rapl:1", i*80e6)
		if _, err := g.read(time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Contains(g.keys(), "package-0-die-1") {
		t.Errorf("zones %q, want die 1 counted", g.keys())
	}
}

func TestDistinctDies(t *testing.T) {
	for name, ratio := range map[string]float64{"clearly": 0.8, "barely": 0.995} {
		g := variant(t, "dies")
		var a, b uint64
		for range 14 {
			a, b = a+100e6, b+uint64(100e6*ratio)
			g.set("intel-rapl:0", a)
			g.set("intel-rapl:1", b)
			if _, err := g.read(time.Second); err != nil {
				t.Fatal(err)
			}
		}
		if want := []string{"package-0-die-0", "package-0-die-0/dram", "package-0-die-1", "package-0-die-1/dram"}; !slices.Equal(g.keys(), want) {
			t.Errorf("%s: zones %q, want %q", name, g.keys(), want)
		}
	}
}

func TestConfigValidate(t *testing.T) {
	for name, edit := range map[string]func(*Config){
		"root": func(c *Config) { c.Root = "" }, "rescan": func(c *Config) { c.Rescan = 0 },
		"mirror": func(c *Config) { c.MirrorSamples = 1 }, "clock": func(c *Config) { c.Now = nil },
	} {
		cfg := DefaultConfig()
		edit(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestParseTop(t *testing.T) {
	for name, want := range map[string]string{
		"package-0": "package-0", "package-12-die-3": "package-12-die-3", "psys": "psys",
		"package-x": "package-x", "package-0-die-": "package-0-die-", "package--1": "package--1",
	} {
		if got := parseTop(name).key(); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func FuzzParseRegister(f *testing.F) {
	for _, s := range []string{"0\n", "262143328850\n", "18446744073709551615", "18446744073709551616", "-1", "", "\n", "1 2", "999\n9\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := ParseRegister(text)
		if err != nil {
			return
		}
		line, _, _ := strings.Cut(string(text), "\n")
		if got := strings.TrimLeft(line, "0"); got != strings.TrimLeft(fmt.Sprint(v), "0") {
			t.Fatalf("%q became %d", text, v)
		}
	})
}

func TestReadDoesNotAllocate(t *testing.T) {
	g := variant(t, "two-socket")
	buf := make([]telemetry.Reading, 0, 8)
	if n := testing.AllocsPerRun(200, func() {
		g.now = g.now.Add(time.Millisecond)
		if _, err := g.r.Read(context.Background(), buf); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per Read", n)
	}
	if v, err := ParseRegister([]byte("18446744073709551615\n")); v != math.MaxUint64 || err != nil {
		t.Errorf("%d, %v", v, err)
	}
}

// BenchmarkRead reads four zones of a two-socket machine (files on the test's
// temporary file system, not the kernel's registers).
func BenchmarkRead(b *testing.B) {
	zones, err := fake.Variant("two-socket")
	if err != nil {
		b.Fatal(err)
	}
	tree, err := fake.NewTree(b.TempDir(), zones...)
	if err != nil {
		b.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Root = tree.Root()
	r, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	buf := make([]telemetry.Reading, 0, 8)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Read(context.Background(), buf); err != nil {
			b.Fatal(err)
		}
	}
}
