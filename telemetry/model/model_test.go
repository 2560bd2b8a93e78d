package model

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
	"pgregory.net/rapid"
)

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(1, math.Abs(b)) }

func TestCurve(t *testing.T) {
	for load, want := range map[float64]float64{-1: .12, 0: .12, .05: .22, .1: .32, .3: .535, .5: .75, .75: .885, 1: 1.02, 7: 1.02, math.NaN(): .12} {
		if got := Curve(load); !near(got, want) {
			t.Errorf("load %g: %g, want %g", load, got, want)
		}
	}
}

func TestFamiliesAreSane(t *testing.T) {
	for _, f := range Families() {
		if !(f.Min > 0 && f.Min < f.Max && f.Max < 5) || f.Source == "" {
			t.Errorf("%+v", f)
		}
	}
	for _, s := range signatures() {
		if f, server := lookup(s.name); f == nil && server == nil {
			t.Errorf("%s is in neither table", s.name)
		}
	}
	for _, s := range Servers() {
		if !(s.Idle > 0 && s.Idle < s.Full && s.line(1) < 5 && s.line(0) > 0.1) {
			t.Errorf("%+v: %v to %v a thread", s, s.line(0), s.line(1))
		}
	}
}

const xeon = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\nmodel name\t: Xeon\nstepping\t: 7\n\nprocessor\t: 1\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\nstepping\t: 7\n"

func TestIdentify(t *testing.T) {
	for text, want := range map[string]string{
		xeon: "cascadelake",
		strings.ReplaceAll(xeon, "stepping\t: 7", "stepping\t: 4"):                                             "skylake",
		"processor : 0\nvendor_id : AuthenticAMD\ncpu family : 25\nmodel : 1\nstepping : 1\nprocessor : 1\n":   "epyc3",
		"processor : 0\nvendor_id : AuthenticAMD\ncpu family : 26\nmodel : 17\nstepping : 1\nprocessor : 1\n":  "epyc5",
		"processor : 0\nCPU implementer : 0x41\nCPU architecture: 8\nCPU part : 0xd0c\nprocessor : 1\n":        "neoverse-n1",
		"processor : 0\nvendor_id : GenuineIntel\ncpu family : 6\nmodel : 999\nstepping : 1\nprocessor\t: 1\n": Average,
	} {
		family, n := Identify(text)
		if family != want || n != 2 {
			t.Errorf("%s with %d vCPUs, want %s with 2", family, n, want)
		}
	}
	if f, n := Identify(""); f != Average || n != 0 {
		t.Errorf("empty: %s, %d", f, n)
	}
}

// machine is a meter on a fake /proc with injected utilisation and clock.
type machine struct {
	m           *Meter
	now         time.Time
	busy, total uint64
	err         error
}

func newMachine(t *testing.T, edit func(*Config)) *machine {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"cpuinfo": xeon, "meminfo": "MemTotal:       15625000 kB\nMemFree: 1 kB\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	k := &machine{now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	cfg := DefaultConfig()
	cfg.Proc, cfg.Now = dir, func() time.Time { return k.now }
	cfg.Busy = func() (uint64, uint64, error) { return k.busy, k.total, k.err }
	if edit != nil {
		edit(&cfg)
	}
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	k.m = m
	return k
}

// step runs at load for d and returns the registers in joules.
func (k *machine) step(t *testing.T, d time.Duration, load float64) (pkg, dram float64) {
	t.Helper()
	k.now = k.now.Add(d)
	k.busy += uint64(load * float64(d.Milliseconds()))
	k.total += uint64(d.Milliseconds())
	rs, err := k.m.Read(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return float64(rs[0].Energy) / 1e6, float64(rs[1].Energy) / 1e6
}

// read runs at load for d and returns all registers in joules by key.
func (k *machine) read(t *testing.T, d time.Duration, load float64) map[string]float64 {
	t.Helper()
	k.now = k.now.Add(d)
	k.busy += uint64(load * float64(d.Milliseconds()))
	k.total += uint64(d.Milliseconds())
	rs, err := k.m.Read(context.Background(), nil)
	if err != nil || len(rs) != len(k.m.Zones()) {
		t.Fatalf("%+v, %v", rs, err)
	}
	out := map[string]float64{}
	for _, r := range rs {
		out[k.m.Zones()[r.Zone].Key] = float64(r.Energy) / 1e6
	}
	return out
}

func TestFamilyLine(t *testing.T) {
	k := newMachine(t, nil)
	k.step(t, 0, 0)
	pkg, dram := k.step(t, 10*time.Second, 0.5)
	wantPkg := 2 * (0.69 + 0.5*(4.06-0.69)) * 10 // 2 vCPUs of Cascade Lake
	wantDRAM := 16.0 * 0.392 * 10                // 16 GB
	if math.Abs(pkg-wantPkg) > 1e-5 || math.Abs(dram-wantDRAM) > 1e-5 {
		t.Fatalf("%g and %g J, want %g and %g", pkg, dram, wantPkg, wantDRAM)
	}
	if later, _ := k.step(t, 10*time.Second, 0); math.Abs(later-pkg-2*0.69*10) > 1e-5 {
		t.Fatalf("%g J at rest after a load", later-pkg)
	}
	k.step(t, time.Second, 0.5)
	e := k.m.Estimates()["package"]
	spec := 2 * (50 + 0.5*(414-50)) / 112 // below the other table's: its lower bound holds
	if !near(float64(e.Low), spec*0.7) || !near(float64(e.High), wantPkg/10*1.3) || !near(float64(e.Central), wantPkg/10) {
		t.Errorf("bounds %+v", e)
	}
	if p := k.m.Probes(); len(p) != 2 || !strings.Contains(p[0].Reason, "cascadelake") || !strings.Contains(p[0].Reason, "Cloud Carbon Footprint") {
		t.Errorf("probes %+v", p)
	}
}

// By SPECpower two threads of 112 have their part of the whole server, memory
// included, and nothing is added for that.
func TestSPECpower(t *testing.T) {
	k := newMachine(t, func(c *Config) { c.Table = SPECpower })
	read := func(load float64) float64 {
		k.now, k.busy, k.total = k.now.Add(10*time.Second), k.busy+uint64(load*10000), k.total+10000
		rs, err := k.m.Read(context.Background(), nil)
		if err != nil || len(rs) != 3 || len(k.m.Zones()) != 3 {
			t.Fatalf("%+v of %+v, %v", rs, k.m.Zones(), err)
		}
		return float64(rs[0].Energy) / 1e6
	}
	read(0)
	if got, want := read(0.25), 2*(50+0.25*(414-50))/112*10; math.Abs(got-want) > 1e-5 {
		t.Errorf("%g J, want %g", got, want)
	}
	e := k.m.Estimates()["package"]
	ccf := 2 * (0.69 + 0.25*(4.06-0.69))
	if !near(float64(e.Central), 2*141.0/112) || !near(float64(e.High), ccf*1.3) {
		t.Errorf("bounds %+v", e)
	}
	if p := k.m.Probes(); len(p) != 1 || !strings.Contains(p[0].Reason, "SPECpower") {
		t.Errorf("probes %+v", p)
	}
}

// Every family's bounds hold both tables, and a processor that only SPECpower
// has is found there.
func TestBoundsHoldBothTables(t *testing.T) {
	for _, s := range Servers() {
		for _, table := range []Table{CCF, SPECpower} {
			k := newMachine(t, func(c *Config) { c.Family, c.Table, c.VCPUs = s.Name, table, 1 })
			f, _ := lookup(s.Name)
			for _, load := range []float64{0, 0.3, 1} {
				e := k.m.processor(load)
				if w := s.line(load); !(e.Low < w && w < e.High) || f == nil && !near(float64(e.Central), float64(w)) {
					t.Errorf("%s at %g: %+v, SPECpower %v", s.Name, load, e, w)
				}
				if f != nil {
					if w := line(*f, load); !(e.Low < w && w < e.High) {
						t.Errorf("%s at %g: %+v, CCF %v", s.Name, load, e, w)
					}
				}
			}
		}
	}
}

// A curve of one's own is linear between its points, is the whole machine with its
// memory, and has the stated error.
func TestCurveOfOnesOwn(t *testing.T) {
	k := newMachine(t, func(c *Config) {
		c.Curve, c.Share, c.Error = []Point{{0, 60}, {0.5, 140}, {1, 180}}, 0.25, 0.1
	})
	for load, want := range map[float64]float64{0: 60, 0.25: 100, 0.5: 140, 0.75: 160, 1: 180} {
		e := k.m.processor(load)
		if w := want * 0.25; !near(float64(e.Central), w) || !near(float64(e.Low), 0.9*w) || !near(float64(e.High), 1.1*w) {
			t.Errorf("at %g: %+v, want %g W", load, e, w)
		}
	}
	k.read(t, 0, 0)
	if z := k.m.Zones(); len(z) != 3 || z[0].Key != "package" {
		t.Errorf("zones %+v: memory is in the curve", z)
	}
	if p := k.m.Probes(); len(p) != 1 || !strings.Contains(p[0].Reason, "0.25 of a configured curve of 60W to 180W") {
		t.Errorf("probes %+v", p)
	}
}

// The bounds are registers of their own that overlap the estimate, so that what
// they add up to is known for any length of time; Level chooses what is counted.
func TestBoundsAreZones(t *testing.T) {
	for level, times := range map[Level]float64{Central: 1, Low: 0.8, High: 1.2} {
		k := newMachine(t, func(c *Config) { c.TDP, c.Error, c.Level = 100, 0.2, level })
		k.read(t, 0, 0)
		k.read(t, 10*time.Second, 0.5)
		got := k.read(t, 10*time.Second, 0.1)
		joules := 10*100*0.75 + 10*100*0.32
		for key, want := range map[string]float64{
			"package": joules * times, "package/low": joules * 0.8, "package/high": joules * 1.2,
			"dram/low": 16 * 0.02 * 20, "dram/high": 16 * 0.4083 * 20,
		} {
			if math.Abs(got[key]-want) > 1e-4 {
				t.Errorf("%s: %s is %g J, want %g", level, key, got[key], want)
			}
		}
		for _, z := range k.m.Zones() {
			if bound := strings.Contains(z.Key, "/"); z.Overlap != bound || bound && z.Parent+"/" != z.Key[:len(z.Parent)+1] {
				t.Errorf("%+v", z)
			}
		}
	}
}

func TestTDPCurve(t *testing.T) {
	k := newMachine(t, func(c *Config) { c.TDP, c.Share, c.Level = 400, 0.25, High })
	k.step(t, 0, 0)
	if pkg, _ := k.step(t, time.Second, 0.5); math.Abs(pkg-400*0.75*0.25*1.3) > 1e-5 {
		t.Fatalf("%g J", pkg)
	}
}

func TestUtilisationFailureLosesNothing(t *testing.T) {
	k := newMachine(t, nil)
	k.step(t, 0, 0)
	k.err = errors.New("EIO")
	k.now, k.total = k.now.Add(time.Second), k.total+1000
	if _, err := k.m.Read(context.Background(), nil); err == nil {
		t.Fatal("no error")
	}
	k.err = nil
	if pkg, _ := k.step(t, time.Second, 0); math.Abs(pkg-2*2*0.69) > 1e-5 {
		t.Fatalf("%g J over two seconds at rest", pkg)
	}
}

// Energy never falls, stays inside the bounds, and an unknown family has wider
// bounds than any known one.
// A clock that is set back takes no energy back.
func TestClockBack(t *testing.T) {
	k := newMachine(t, nil)
	k.step(t, 0, 0)
	before, _ := k.step(t, 10*time.Second, 0.5)
	k.now = k.now.Add(-5 * time.Second)
	rs, err := k.m.Read(context.Background(), nil)
	if after := float64(rs[0].Energy) / 1e6; err != nil || after != before {
		t.Errorf("%g J, %v, want %g", after, err, before)
	}
}

// A processor in no table may be any of those in one.
func TestUnknownFamilyHoldsAll(t *testing.T) {
	k := newMachine(t, func(c *Config) { c.Family = Average })
	k.step(t, 0, 0)
	k.step(t, time.Second, 1)
	e := k.m.Estimates()["package"]
	for _, f := range Families() {
		if w := f.Max.Times(float64(k.m.cfg.VCPUs)); w < e.Low || w > e.High {
			t.Errorf("%s takes %v, outside %v to %v", f.Name, w, e.Low, e.High)
		}
	}
}

func TestModelProperty(t *testing.T) {
	wide := newMachine(t, func(c *Config) { c.Family = Average })
	rapid.Check(t, func(rt *rapid.T) {
		k := wide
		var last float64
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			d := time.Duration(rapid.IntRange(0, 5000).Draw(rt, "ms")) * time.Millisecond
			pkg, _ := k.step(t, d, rapid.Float64Range(0, 1).Draw(rt, "load"))
			e := k.m.Estimates()["package"]
			if pkg < last || !(e.Low <= e.Central && e.Central <= e.High && e.Low > 0) || e.High > k.m.Zones()[0].Bound {
				rt.Fatalf("%g after %g, %+v", pkg, last, e)
			}
			last = pkg
		}
	})
}

func TestParseStat(t *testing.T) {
	busy, total, err := ParseStat("cpu  10 1 5 100 20 2 3 7 4 0\ncpu0 1 2 3 4\n")
	if err != nil || busy != 21 || total != 148 {
		t.Fatalf("%d of %d, %v; guest counts once, steal and iowait are not busy", busy, total, err)
	}
	for _, bad := range []string{"", "cpu", "intr 1 2 3 4 5", "cpu 1 2 3 x 5", "cpu 1 2 3 -4 5"} {
		if _, _, err := ParseStat(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("cpu  10 1 5 100 20 2 3 7 4 0\n")
	f.Add("cpu 18446744073709551615 1 1 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		if busy, total, err := ParseStat(text); err == nil && busy > total {
			t.Fatalf("%q: %d busy of %d", text, busy, total)
		}
	})
}

func FuzzIdentify(f *testing.F) {
	f.Add(xeon)
	f.Fuzz(func(t *testing.T, text string) {
		if name, n := Identify(text); name == "" || n < 0 {
			t.Fatalf("%q: %q, %d", text, name, n)
		}
	})
}

func TestRealProc(t *testing.T) {
	if _, err := os.Stat("/proc/stat"); err != nil {
		t.Skip("needs /proc, as Linux has it")
	}
	m, err := New(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	rs, err := m.Read(context.Background(), nil)
	if err != nil || len(rs) != len(m.Zones()) || len(rs) == 0 || m.Estimates()["package"].Central <= 0 {
		t.Fatalf("%+v, %v, %+v", rs, err, m.Estimates())
	}
}

func TestConfigValidate(t *testing.T) {
	for name, edit := range map[string]func(*Config){
		"family": func(c *Config) { c.Family = "z80" }, "tdp": func(c *Config) { c.TDP = wattle.Watts(math.NaN()) },
		"share": func(c *Config) { c.Share = 0 }, "level": func(c *Config) { c.Level = 9 }, "clock": func(c *Config) { c.Now = nil },
		"vcpus": func(c *Config) { c.VCPUs = -1 }, "table": func(c *Config) { c.Table = 2 },
		"error 0": func(c *Config) { c.Error = 0 }, "error 1": func(c *Config) { c.Error = 1 }, "error NaN": func(c *Config) { c.Error = math.NaN() },
		"two of them":   func(c *Config) { c.TDP, c.Curve = 100, []Point{{0, 60}, {1, 180}} },
		"one point":     func(c *Config) { c.Curve = []Point{{0, 60}} },
		"no rest":       func(c *Config) { c.Curve = []Point{{0.1, 60}, {1, 180}} },
		"no full load":  func(c *Config) { c.Curve = []Point{{0, 60}, {0.9, 180}} },
		"out of order":  func(c *Config) { c.Curve = []Point{{0, 60}, {0.5, 90}, {0.5, 95}, {1, 180}} },
		"load NaN":      func(c *Config) { c.Curve = []Point{{0, 60}, {math.NaN(), 90}, {1, 180}} },
		"no power":      func(c *Config) { c.Curve = []Point{{0, 0}, {1, 180}} },
		"power NaN":     func(c *Config) { c.Curve = []Point{{0, 60}, {1, wattle.Watts(math.NaN())}} },
		"kilowatts off": func(c *Config) { c.Curve = []Point{{0, 60}, {1, 180_000}} },
	} {
		cfg := DefaultConfig()
		edit(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	cfg := DefaultConfig()
	cfg.Proc = t.TempDir()
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var u *telemetry.Unavailable
	if _, err := m.Read(context.Background(), nil); !errors.As(err, &u) || !strings.Contains(u.Mend, "vCPUs") {
		t.Errorf("got %v", err)
	}
}

func TestNamesOfSettings(t *testing.T) {
	for i, name := range tableNames() {
		var v Table
		if err := v.UnmarshalText([]byte(name)); err != nil || v != Table(i) || v.String() != name {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
	for i, name := range levelNames() {
		var v Level
		if err := v.UnmarshalText([]byte(name)); err != nil || v != Level(i) || v.String() != name {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
	if err := new(Table).UnmarshalText([]byte("teads")); err == nil || !strings.Contains(err.Error(), "specpower") {
		t.Errorf("got %v", err)
	}
	if err := new(Level).UnmarshalText([]byte("Central")); err == nil {
		t.Error("no error")
	}
}
