package fake_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/fake"
	"github.com/wattle-project/wattle/telemetry/rapl"
	"pgregory.net/rapid"
)

func begin() time.Time { return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) }

// clock is a clock that only moves when told.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func meter(t testing.TB, text string, c *clock) *fake.Meter {
	t.Helper()
	m, err := fake.NewFromText(text, c.Now)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// at reads the first zone at d after the begin.
func at(t *testing.T, m *fake.Meter, c *clock, d time.Duration) telemetry.Reading {
	t.Helper()
	c.now = begin().Add(d)
	rs, err := m.Read(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return rs[0]
}

func TestScript(t *testing.T) {
	c := &clock{begin()}
	m := meter(t, `
		zone package-0 range=1000J start=990J # wraps soon
		at 0s 40W
		at 10s 120W
		ramp 20s 60W
		reset at 30s
		stuck 40s 5s
		error 50s 2s
	`, c)
	for _, tc := range []struct {
		at   time.Duration
		want uint64 // µJ
	}{
		{0, 990e6}, {time.Second / 4, 1000e6}, {time.Second / 4 * 2, 10e6 - 1}, {10 * time.Second, 390e6 - 1},
		{15 * time.Second, 390e6 - 1 + 525e6}, {20 * time.Second, 290e6 - 2}, {29 * time.Second, 830e6 - 2},
		{30 * time.Second, 0}, {39 * time.Second, 540e6}, {40 * time.Second, 600e6}, {44 * time.Second, 600e6}, {45 * time.Second, 900e6},
	} {
		if r := at(t, m, c, tc.at); r.Energy != tc.want || r.Err != nil {
			t.Errorf("at %s: %d µJ, %v; want %d", tc.at, r.Energy, r.Err, tc.want)
		}
	}
	if r := at(t, m, c, 51*time.Second); r.Err == nil || r.HasEnergy {
		t.Errorf("scripted error: %+v", r)
	}
	if got, err := m.Script().Truth("package-0", 60*time.Second); err != nil || got != 3700e6 {
		t.Errorf("truth %v, %v", got, err)
	}
}

func TestPowerAndUnplug(t *testing.T) {
	c := &clock{begin()}
	m := meter(t, "zone platform power\nat 0s 100W\nramp 10s 200W\nrepeat 20s\nunplug 30s 5s", c)
	at(t, m, c, 0) // the script begins at the first Read
	if r := at(t, m, c, 25*time.Second); !r.HasPower || r.Power != 150 {
		t.Errorf("%+v", r)
	}
	c.now = begin().Add(31 * time.Second)
	if rs, err := m.Read(context.Background(), nil); err == nil || len(rs) != 0 || len(m.Zones()) != 0 {
		t.Errorf("unplugged: %v, %v", rs, err)
	}
	if r := at(t, m, c, 36*time.Second); r.Power != 200 {
		t.Errorf("plugged again: %+v", r)
	}
}

func TestScriptErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "no zone",
		"at 0s 5W":                              "before the first zone",
		"zone a\nat 1s 5W":                      "line 2: the load has to start at 0s",
		"zone a\nat 0s 5W\nat 0s 6W":            "line 3: 0s stands after 0s",
		"zone a\nat 0s 5J":                      "line 2",
		"zone a\nat 0s 30kW":                    "line 2: power",
		"zone a\nat 0s -5W":                     "line 2: power",
		"zone a\nat -1s 5W":                     "line 2: -1s",
		"zone a colour=red":                     "unknown option",
		"zone a\nat 0s 5W\nfly 3s":              "unknown statement",
		"zone a\nat 0s 5W\nzone a\nat 0s 1W":    "there already",
		"zone a":                                "no load",
		"zone a\nat 0s 5W\nat 9s 6W\nrepeat 5s": "before its last point",
		"zone a range=5J start=6J\nat 0s 1W":    "above its range",
		"zone a\nat 0s 5W\nreset 9s\nreset 3s":  "stands after",
		"zone a component=flux\nat 0s 5W":       "component",
		"zone a\nat 0s 5W\nstuck 3s 4s 5s":      "want an instant and a length",
		"zone a range=18446744073709551616uJ":   "out of range",
	} {
		s, err := fake.Parse(strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want %q", text, s, err, want)
		}
	}
}

// The register never falls but by its wrap, the energy between two instants
// does not depend on the instants read in between, and the same script gives
// the same bytes.
func TestEnergyProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var s strings.Builder
		fmt.Fprintln(&s, "zone package-0")
		end := 0
		for i := range rapid.IntRange(1, 6).Draw(rt, "points") {
			verb := "at"
			if i > 0 && rapid.Bool().Draw(rt, "ramp") {
				verb = "ramp"
			}
			fmt.Fprintf(&s, "%s %dms %dmW\n", verb, end, rapid.IntRange(0, 900_000).Draw(rt, "mW"))
			end += rapid.IntRange(1, 20_000).Draw(rt, "ms")
		}
		if rapid.Bool().Draw(rt, "repeats") {
			fmt.Fprintf(&s, "repeat %dms\n", end)
		}
		c, d := &clock{begin()}, &clock{begin()}
		m, twin := meter(t, s.String(), c), meter(t, s.String(), d)
		at(t, m, c, 0)
		at(t, twin, d, 0)
		var last uint64
		now := time.Duration(0)
		for range rapid.IntRange(1, 30).Draw(rt, "reads") {
			now += time.Duration(rapid.Int64Range(0, int64(15*time.Second)).Draw(rt, "dt"))
			r := at(t, m, c, now)
			if r.Energy < last {
				rt.Fatalf("at %s: %d after %d\n%s", now, r.Energy, last, s.String())
			}
			last = r.Energy
		}
		if r := at(t, twin, d, now); r.Energy != last {
			rt.Fatalf("%d read at once, %d read in steps", r.Energy, last)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(fake.Demo())
	f.Add("zone a range=18446744073709551615uJ power\nat 0s 20kW\nramp 3650d 0W\nrepeat 3650d")
	f.Add("zone a\nat 0s 1W\nreset at 3s\nunplug 4s\nstuck 5s\nerror 6s 1s")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := fake.Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		c := &clock{begin()}
		m, err := fake.New(s, c.Now)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []time.Duration{0, 1, time.Second, time.Hour, fake.MaxScriptTime, math.MaxInt64} {
			c.now = begin().Add(d)
			rs, err := m.Read(context.Background(), nil)
			if err == nil && len(rs) != len(m.Zones()) {
				t.Fatalf("%d readings of %d zones", len(rs), len(m.Zones()))
			}
		}
	})
}

func TestDemo(t *testing.T) {
	c := &clock{begin()}
	m := meter(t, "", c)
	at(t, m, c, 0)
	if len(m.Zones()) != 6 {
		t.Fatalf("demo has zones %+v", m.Zones())
	}
	var views []telemetry.View
	for _, z := range m.Zones() {
		views = append(views, telemetry.View{Meter: "fake", Zone: z})
	}
	for _, v := range telemetry.Cover(views) {
		if v.Zone.Overlap != (v.Zone.Component == wattle.Core) {
			t.Errorf("%+v", v)
		}
	}
}

func TestTreeLooksLikeSysfs(t *testing.T) {
	tree, err := fake.NewTree(t.TempDir(), fake.TreeZone{ID: "intel-rapl:0", Name: "package-0", Energy: 12345, Range: 99}, fake.TreeZone{ID: "intel-rapl:0:1", Name: "dram"})
	if err != nil {
		t.Fatal(err)
	}
	read := func(parts ...string) string {
		b, err := os.ReadFile(filepath.Join(append([]string{tree.Root()}, parts...)...))
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	nested := []string{"devices", "virtual", "powercap", "intel-rapl", "intel-rapl:0", "intel-rapl:0:1", "name"}
	if read("class", "powercap", "intel-rapl:0", "energy_uj") != "12345\n" || read(nested...) != "dram\n" {
		t.Error("layout differs")
	}
	if err := tree.Set("intel-rapl:0", 7); err != nil || read("class", "powercap", "intel-rapl:0", "energy_uj") != "7\n" {
		t.Errorf("%v", err)
	}
	if err := tree.Remove("intel-rapl:0"); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Join(tree.Root(), "class", "powercap"))
	if err != nil || len(left) != 1 {
		t.Errorf("%v left, %v", left, err)
	}
	for _, v := range fake.Variants() {
		if zones, err := fake.Variant(v); err != nil || len(zones) == 0 {
			t.Errorf("%s: %v", v, err)
		}
	}
	if _, err := fake.Variant("none"); err == nil {
		t.Error("an unknown variant is accepted")
	}
}

// The whole chain on a tree on disk that the script drives: power, a reset, a
// frozen register, an unreadable zone and an unplugged one, through the RAPL
// reader and the node, against the script's own truth.
func TestDrivenTree(t *testing.T) {
	c := &clock{begin()}
	tree, err := fake.NewTree(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := &fake.Driver{Tree: tree, IDs: map[string]string{"package-0": "intel-rapl:0", "package-0/dram": "intel-rapl:0:0", "package-1": "intel-rapl:1"}}
	d.Meter = meter(t, `
		zone package-0 range=262143J start=262000J bound=400W
		at 0s 100W
		at 30s 200W
		reset at 60s
		zone package-0/dram range=65713J bound=80W
		at 0s 10W
		error 20s 5s
		zone package-1 range=262143J bound=400W
		at 0s 50W
		stuck 40s 4s
		unplug 80s 5s
	`, c)
	cfg := rapl.DefaultConfig()
	cfg.Root, cfg.Now, cfg.Rescan = tree.Root(), c.Now, time.Second
	reader, err := rapl.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	node, err := telemetry.NewNode(telemetry.Chain{Meters: []telemetry.Meter{reader}}, telemetry.DefaultNodeConfig("n1"))
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	sum := map[string]wattle.Microjoules{}
	for i := range 101 {
		c.now = begin().Add(time.Duration(i) * time.Second)
		if err := d.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := node.Collect(t.Context(), func(s []wattle.Sample) {
			for _, x := range s {
				sum[string(x.Device)] += x.Energy
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	for key, lost := range map[string]wattle.Microjoules{"package-0": 200e6, "package-0/dram": 0, "package-1": 0} {
		truth, err := d.Meter.Script().Truth(key, 100*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if got := sum[key]; got != truth-lost {
			t.Errorf("%s: %v counted of %v, want %v lost", key, got, truth, lost)
		}
	}
	for _, z := range node.Zones() {
		if z.Zone.Key == "package-0" && (z.Stats.Resets != 1 || z.Stats.Wraps != 1) || z.Zone.Key == "package-0/dram" && z.Stats.Missed == 0 {
			t.Errorf("%s: %+v", z.Zone.Key, z.Stats)
		}
	}
}

func ExampleMeter() {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	m, err := fake.NewFromText("zone package-0 range=262143J\nat 0s 40W\nat 10s 120W", func() time.Time { return now })
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		rs, _ := m.Read(context.Background(), nil)
		fmt.Println(wattle.Microjoules(rs[0].Energy))
		now = now.Add(10 * time.Second)
	}
	// Output:
	// 0J
	// 400J
	// 1.6kJ
}
