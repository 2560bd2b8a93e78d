package profiles

import (
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/disaggregate"
	"github.com/wattle-project/wattle/telemetry/disaggregate/profile"
	"github.com/wattle-project/wattle/telemetry/record"
)

func begun() time.Time { return time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC) }

// slowRecording is twenty minutes of a machine whose package is read every second
// and whose memory every five; two gateways count the invocations of two
// functions, and a platform of its own draws 8 W while it runs.
func slowRecording(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "r.jsonl.gz")
	w, err := record.Create(name, record.Header{Node: "n", Interval: time.Second, Meters: []record.MeterInfo{{Name: "rapl"}, {Name: "redfish"}}})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	var pkg, mem uint64
	var gateway time.Duration
	busy := [2]float64{}
	for i := range 1200 {
		at := begun().Add(time.Duration(i) * time.Second)
		if i%5 == 0 {
			for k := range busy {
				busy[k] = 0
				if i%100 >= 10 {
					busy[k] = r.Float64()
				}
			}
		}
		control := 0.2 * r.Float64()
		gateway += time.Duration(control * 1e9)
		pkg += uint64(1e6 * (30 + 10*busy[0] + 20*busy[1] + 8*control))
		mem += uint64(1e6 * (5 + 2*busy[0]))
		e := record.Epoch{At: at, Usage: &record.UsageRound{Of: []record.Usage{{ID: 9, Identity: record.Identity{Key: "/gw", Namespace: "faas", Function: "gateway"}, CPU: gateway}}}}
		e.Meters = append(e.Meters, record.MeterRound{Meter: 0, Zones: []telemetry.Zone{{Key: "package-0", Component: wattle.Package}}, Readings: []telemetry.Reading{{At: at, Energy: pkg, HasEnergy: true}}})
		if i%5 == 0 {
			e.Meters = append(e.Meters, record.MeterRound{Meter: 1, Zones: []telemetry.Zone{{Key: "dram", Component: wattle.DRAM}}, Readings: []telemetry.Reading{{At: at, Energy: mem, HasEnergy: true}}})
		}
		if i > 0 {
			for k, f := range []string{"a", "b"} {
				e.Invocations = append(e.Invocations, record.Batch{From: at.Add(-time.Second), To: at, Runs: []record.Run{{Function: f, Count: 10 * busy[k], Seconds: busy[k]}}})
			}
		}
		if err := w.Write(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestLearnJoinsSlowMetersAndSeveralSources: the energy of an interval is
// counted once for all gateways, and a slow meter's where it belongs.
func TestLearnJoinsSlowMetersAndSeveralSources(t *testing.T) {
	c := Config{Estimate: disaggregate.DefaultConfig(), Platform: []string{"faas/*"}}
	l, err := Learn(slowRecording(t), c)
	if err != nil {
		t.Fatal(err)
	}
	d := l.Profiles
	if len(d.Functions) != 2 || l.Epochs != 1200 || math.Abs(d.IdleWatts-35) > 1 {
		t.Fatalf("%d functions, %d epochs, %.2f W at rest, want 2, 1200, 35", len(d.Functions), l.Epochs, d.IdleWatts)
	}
	for i, want := range []float64{1.2, 2} { // (10+2) W and 20 W, 0.1 s each
		if j := d.Functions[i].Warm.Joules.Value; math.Abs(j-want) > 0.06*want {
			t.Errorf("%s: %.3f J, want %.3f", d.Functions[i].Function, j, want)
		}
	}
	if got := strings.Join(d.Sources, "+"); got != "rapl+redfish" {
		t.Errorf("sources %s", got)
	}
	if len(l.Profiles.Remarks) > 0 {
		t.Errorf("both pause, but: %s", l.Profiles.Remarks)
	}
	c.Idle = 40
	if l, err = Learn(slowRecording(t), c); err != nil || math.Abs(l.Profiles.IdleWatts-40) > 1 {
		t.Errorf("with 40 W stated: %.2f W, %v", l.Profiles.IdleWatts, err)
	}
}

// TestLearnLeavesOutWhatIsNotKnown: a register that is reset, and a gateway that
// does not answer and tells its counts later, teach nothing wrong. One that is
// silent for long is gone.
func TestLearnLeavesOutWhatIsNotKnown(t *testing.T) {
	name := filepath.Join(t.TempDir(), "r.jsonl")
	w, err := record.Create(name, record.Header{Node: "n", Interval: time.Second, Meters: []record.MeterInfo{{Name: "rapl"}}})
	if err != nil {
		t.Fatal(err)
	}
	var register float64
	var late record.Run
	for i := range 600 {
		at := begun().Add(time.Duration(i) * time.Second)
		a, b := float64(i%4)/2, float64(i/4%3)/2
		if i%100 < 12 {
			a, b = 0, 0
		}
		gone := i >= 300 && i < 400
		if gone {
			b = 0
		}
		register += 30 + 20*a + 10*b
		if i%50 == 40 {
			register = 0
		}
		batch := record.Batch{From: at.Add(-time.Second), To: at, Runs: []record.Run{{Namespace: "n", Function: "a", Count: 1, Seconds: a}}}
		late = record.Run{Namespace: "n", Function: "b", Count: late.Count + 1, Seconds: late.Seconds + b}
		if i%7 == 3 || gone {
			batch.Failed = 1
		} else if i%50 == 45 { // what somebody pushes of before
			batch.Late, batch.Runs[0].Count, batch.Runs[0].Seconds = true, 10, a+9
			batch.Runs, late = append(batch.Runs, late), record.Run{}
		} else {
			batch.Runs, late = append(batch.Runs, late), record.Run{}
		}
		e := record.Epoch{At: at, Meters: []record.MeterRound{{
			Zones:    []telemetry.Zone{{Key: "package-0", Component: wattle.Package, Bound: 400}},
			Readings: []telemetry.Reading{{At: at, Energy: uint64(math.Round(1e6 * register)), HasEnergy: true}},
		}}}
		if i > 0 {
			e.Invocations = []record.Batch{batch}
		}
		e.Usage = &record.UsageRound{Of: []record.Usage{{ID: 1, Identity: record.Identity{Namespace: "n", Function: "a"}, Memory: 5 << 20, HasMemory: true}}}
		if err := w.Write(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := Learn(name, Config{Estimate: disaggregate.DefaultConfig()})
	if err != nil {
		t.Fatal(err)
	}
	// 72 silences of a second with the one after it, a long one of which a minute
	// and the first second after count, 7 late tales and 10 resets in between.
	if want := 599 - 2*72 - 61 - 7 - 10; l.Steps != want {
		t.Errorf("learned from %d intervals, want %d", l.Steps, want)
	}
	if m := l.Profiles.Functions[0].Memory; m != 5<<20 {
		t.Errorf("a holds %d bytes, want those of the cgroup that its pattern names", m)
	}
	for _, f := range l.Profiles.Functions {
		if want := map[wattle.FunctionID]float64{"n/a": 20, "n/b": 10}[f.Function]; math.Abs(f.Warm.Watts.Value-want) > 0.2 {
			t.Errorf("%s: %.2f W, want %g", f.Function, f.Warm.Watts.Value, want)
		}
	}
}

func document(node, hardware string, warm, joules, width float64) *profile.Document {
	i := func(v float64) profile.Interval { return profile.Interval{Value: v, Low: v - width, High: v + width} }
	return &profile.Document{Version: 1, Node: node, Hardware: hardware, Sources: []string{"rapl"}, From: begun(), To: begun().Add(time.Hour),
		Functions: []profile.Function{{Function: "shop/[a]*", CPU: 250, Memory: 1 << 28,
			Warm: &profile.Start{Invocations: warm, Seconds: 0.5, Watts: i(2 * joules), Joules: i(joules)},
			Cold: &profile.Start{Invocations: 2, Seconds: 1.5, Watts: i(2 * joules), Joules: i(joules + 7)}}}}
}

func TestImportJoinsNodes(t *testing.T) {
	c := ImportConfig{Hardware: map[string]string{"n3": "graviton", "armv8": "another"}, Least: 10, Wide: 0.25}
	docs := []*profile.Document{document("n1", "skylake", 100, 2, 0.1), document("n2", "skylake", 300, 4, 0.1), document("n3", "armv8", 50, 1, 0.6), document("n4", "icelake", 5, 1, 0.1)}
	docs[2].Sources = []string{"model"}
	docs[1].Remarks = []string{"shop/poll: never pauses"}
	s := Import(docs, c)
	var b strings.Builder
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`id: "shop/\\[a]\\*"`, "cpu: 250m", "memory: 268435456B",
		`"skylake": {exec: 500ms, exec_energy: 3.5J, cold: 1s, cold_energy: 7J}`,
		`"graviton": {exec: 500ms, exec_energy: 1J, cold: 1s, cold_energy: 7J}`, "n2 by rapl", "# 400 warm at 3.5 J [3.4, 3.6], 4 cold",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("lacks %s:\n%s", want, b.String())
		}
	}
	remarks := strings.Join(s.Remarks, "\n")
	for _, want := range []string{"n3: the energy is from a model", "n2: shop/poll: never pauses", "1 J is known to ±0.6 J only", "left out, it has too few"} {
		if !strings.Contains(remarks, want) {
			t.Errorf("no remark %q in\n%s", want, remarks)
		}
	}
	if strings.Contains(remarks, "does not tell cold starts") {
		t.Errorf("starts are told, but a remark says otherwise:\n%s", remarks)
	}
	docs[0].Functions[0].Warm.Untold = 100
	if remarks = strings.Join(Import(docs, c).Remarks, "\n"); !strings.Contains(remarks, "on skylake: the platform does not tell cold starts") {
		t.Errorf("no remark on starts that are not told in\n%s", remarks)
	}
	var table strings.Builder
	if err := Show(&table, docs[0]); err != nil || !strings.Contains(table.String(), "  not told  100") {
		t.Errorf("%v:\n%s", err, table.String())
	}
	table.Reset()
	if err := Show(&table, docs[1]); err != nil || !strings.Contains(table.String(), "\nshop/poll: never pauses\n") {
		t.Errorf("%v:\n%s", err, table.String())
	}
	if strings.Contains(b.String(), "icelake") || s.Len() != 1 {
		t.Errorf("a function with 5 invocations is in:\n%s", b.String())
	}
}

func TestReadNamesTheFile(t *testing.T) {
	if _, err := Read(t.Context(), filepath.Join(t.TempDir(), "none.json")); err == nil || errors.Unwrap(err) == nil {
		t.Errorf("got %v", err)
	}
}
