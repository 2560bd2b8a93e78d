package experiment

import (
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/simulator/signal"
	"github.com/wattle-project/wattle/simulator/workload"
)

// small is an experiment on two clusters without policies' own settings.
const small = `
start: 2026-06-15T00:00:00Z
duration: 2h
workload: {generate: {functions: 40, invocations: 2000}}
policies: [{library: least_carbon}]
fleet:
  clusters:
    - {id: paris, zone: FR, jurisdiction: EU, pools: [{name: p}]}
    - {id: texas, zone: US-TEX-ERCO, jurisdiction: US, pools: [{name: p}]}
`

func prepare(t *testing.T, text string) (*Experiment, error) {
	t.Helper()
	f, err := Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return Prepare(f, Options{})
}

func mustPrepare(t *testing.T, text string) *Experiment {
	t.Helper()
	e, err := prepare(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestErrorsSayWhere(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"durration: 1h", `f.yaml:1:1: unknown key "durration", did you mean "duration"?`},
		{"name: a\nfleet:\n  clusters:\n    - {id: a, pool: []}", `f.yaml:4:15: unknown key "pool", did you mean "pools"?`},
		{"duration: 3", `f.yaml:1:11: duration "3"`},
		{"duration: {a: 1}", "f.yaml:1:11: want a single value with a unit"},
		{"start: 15/6/2026", `f.yaml:1:8: time "15/6/2026": want RFC 3339`},
		{"functions:\n  defaults:\n    memory: 3parsecs", `f.yaml:3:13: size "3parsecs": unknown unit "parsecs"`},
		{"functions: {defaults: {min_isolation: strong}}", "f.yaml:1:39: "},
		{"accounting: {coefficients: middling}", `f.yaml:1:28: coefficient set "middling": want low, central or high`},
		{"signals: {fixed: {FR: 40W}}", "f.yaml:1:23: "},
		{"seed: -1", "f.yaml:1:7: "},
		{"policies: 3", "f.yaml:1:11: "},
		{"policies: !x 0", "f.yaml: not readable as YAML"},
		{"name: [", "f.yaml:1:7: "},
		{"name: a\nname: b", "f.yaml:2:1: "},
	} {
		_, err := Parse("f.yaml", []byte(c.text))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s…", c.text, err, c.want)
		}
	}
}

func TestDefaults(t *testing.T) {
	e := mustPrepare(t, small)
	if e.Slot != time.Hour || e.Horizon != 2*time.Hour || !slices.Equal(e.Seeds, []uint64{1}) {
		t.Errorf("slot %s, horizon %s, seeds %v", e.Slot, e.Horizon, e.Seeds)
	}
	fn := &e.functions[0][0]
	if fn.Needs.Memory != 256*wattle.MiB || fn.Needs.CPU != 256*1000/1769 || fn.Concurrency != 1 {
		t.Errorf("function %+v", fn.Needs)
	}
	if p := fn.Profile; p.Provision != 125*time.Millisecond || p.Runtime != 100*time.Millisecond || p.Init != 226*time.Millisecond {
		t.Errorf("start-up %s + %s + %s", p.Provision, p.Runtime, p.Init)
	}
	c, _, err := e.Config(&e.File.Policies[0], 0, e.own())
	if err != nil {
		t.Fatal(err)
	}
	if c.Queue != 0 || c.Network != 0.001 || c.Core.Hold != 10*time.Minute || c.Fleet.Clusters[0].PUE != 1.58 {
		t.Errorf("queue %d, network %v, keep-alive %s, PUE %g", c.Queue, c.Network, c.Core.Hold, c.Fleet.Clusters[0].PUE)
	}
}

func TestLaterMatchesWin(t *testing.T) {
	e := mustPrepare(t, small+`
functions:
  defaults: {memory: 1GiB, tenant: all, cpu: 1}
  match:
    - {id: "*", tenant: first, slo: 1s}
    - {id: "f1*", tenant: second}
`)
	for i := range e.functions[0] {
		fn := &e.functions[0][i]
		want := wattle.TenantID("first")
		if strings.HasPrefix(string(fn.ID), "f1") {
			want = "second"
		}
		if fn.Tenant != want || fn.Needs.Memory != wattle.GiB || fn.Needs.CPU != 1000 {
			t.Errorf("%s: tenant %s, want %s; needs %+v", fn.ID, fn.Tenant, want, fn.Needs)
		}
	}
}

// A share is a property of ids: more functions or another seed do not move it.
func TestShareFollowsTheID(t *testing.T) {
	classes := func(functions, seed int) map[wattle.FunctionID]string {
		text := strings.Replace(small, "functions: 40", fmt.Sprintf("functions: %d", functions), 1)
		e := mustPrepare(t, text+fmt.Sprintf("seed: %d\nfunctions: {match: [{id: \"*\", share: 0.3, class: batch}]}\n", seed))
		out := map[wattle.FunctionID]string{}
		for i := range e.functions[0] {
			out[e.functions[0][i].ID] = e.functions[0][i].Class
		}
		return out
	}
	few, many := classes(400, 1), classes(999, 7)
	shared, batch := 0, 0
	for id, class := range few {
		if other, ok := many[id]; ok {
			shared++
			if other != class {
				t.Errorf("%s is %q among 400 functions and %q among 999", id, class, other)
			}
		}
		if class == "batch" {
			batch++
		}
	}
	if shared < 300 || math.Abs(float64(batch)/400-0.3) > 0.07 {
		t.Errorf("%d ids in common, %d of 400 in a share of 0.3", shared, batch)
	}
}

func TestHomes(t *testing.T) {
	homes := func(e *Experiment) map[wattle.ClusterID]int {
		out := map[wattle.ClusterID]int{}
		for i := range e.functions[0] {
			out[e.functions[0][i].Home]++
		}
		return out
	}
	if h := homes(mustPrepare(t, small)); h["paris"] < 8 || h["texas"] < 8 {
		t.Errorf("homes are not spread: %v", h)
	}
	if h := homes(mustPrepare(t, small+"functions: {defaults: {homes: [texas]}}\n")); h["texas"] != 40 {
		t.Errorf("homes %v, want texas alone", h)
	}
	if h := homes(mustPrepare(t, small+"functions: {defaults: {residency: [EU]}}\n")); h["paris"] != 40 {
		t.Errorf("homes %v, want paris alone", h)
	}
	if _, err := prepare(t, small+"functions: {defaults: {homes: [texas], residency: [EU]}}\n"); err == nil {
		t.Error("a home outside of the residency was accepted")
	}
}

// A home must offer the very device that is asked for.
func TestHomeOffersTheDevice(t *testing.T) {
	text := strings.Replace(small, "pools: [{name: p}]}\n", "pools: [{name: p}, {name: g, accelerator: T4}]}\n", 1)
	text = strings.Replace(text, "US, pools: [{name: p}]}\n", "US, pools: [{name: p}, {name: g, accelerator: L4}]}\n", 1)
	e := mustPrepare(t, text+"functions: {defaults: {accelerator: L4}}\n")
	for i := range e.functions[0] {
		if fn := &e.functions[0][i]; fn.Home != "texas" {
			t.Fatalf("%s needs an L4, and its home is %s", fn.ID, fn.Home)
		}
	}
	if _, err := prepare(t, text+"functions: {defaults: {accelerator: V100}}\n"); err == nil || !strings.Contains(err.Error(), "V100") {
		t.Errorf("nobody offers a V100: %v", err)
	}
}

func TestMeasuredProfiles(t *testing.T) {
	good := map[string]string{
		"server_info.json":        `[{"name": "x1", "core": 4, "mem": 8, "cpu_idle_energy": 6000, "dram_idle_energy": 600}]`,
		"web_small_x1.metal.json": `[{"cs": 2, "cs_energy_cpu": 100, "cs_energy_dram": 10, "exe": 4, "exe_energy_cpu": 200, "exe_energy_dram": 8}]`,
		"function_mem.csv":        "web_small,0.5\nother,1\n",
	}
	write := func(t *testing.T, change map[string]string) string {
		dir := t.TempDir()
		for name, text := range good {
			if c, ok := change[name]; ok {
				text = c
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for name, text := range change {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	m, err := readMeasured(write(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	// 6600 J in 600 s are 11 W at rest: 110 − 22 and 208 − 44 J are dynamic.
	want := wattle.Measurement{Cold: 2 * time.Second, Exec: 4 * time.Second, ColdEnergy: 88, ExecEnergy: 164}
	if got := m["web_small"]; got.hardware["x1"] != want || got.memory != 500_000_000 {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for name, change := range map[string]map[string]string{
		"no object":        {"web_small_x1.metal.json": `[]`},
		"no time":          {"web_small_x1.metal.json": `[{"exe": 0}]`},
		"negative start":   {"web_small_x1.metal.json": `[{"exe": 1, "cs": -1}]`},
		"not JSON":         {"server_info.json": `nope`},
		"unknown hardware": {"web_y2.metal.json": `[{"exe": 1}]`},
		"no hardware":      {"web.metal.json": `[{"exe": 1}]`},
		"bad memory":       {"function_mem.csv": "web_small,much\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := readMeasured(write(t, change)); err == nil || !strings.Contains(err.Error(), "measured profiles") {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := readMeasured(t.TempDir()); err == nil {
		t.Error("an empty directory was accepted")
	}
}

func TestSignalsAreSampledPerSlot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "grid.csv")
	csv := "datetime_utc,FR,US-TEX-ERCO\n"
	for h := range 4 {
		csv += fmt.Sprintf("2026-06-15T%02d:00:00Z,%d,%d\n", h, 10*(h+1), 400)
	}
	if err := os.WriteFile(file, []byte(csv), 0o644); err != nil {
		t.Fatal(err)
	}
	grid := func(extra string) []wattle.GramsPerKWh {
		return mustPrepare(t, small+"signals: {source: files, path: "+file+", forecast: none"+extra+"}\n").grids.actual[0]
	}
	if got := grid(""); !slices.Equal(got, []wattle.GramsPerKWh{10, 20}) {
		t.Errorf("hourly slots are %v", got)
	}
	if got := grid(", fixed: {FR: 33g/kWh}"); !slices.Equal(got, []wattle.GramsPerKWh{33, 33}) {
		t.Errorf("a fixed zone is %v", got)
	}
	long := strings.Replace(small, "duration: 2h", "duration: 6h", 1)
	_, err := prepare(t, long+"signals: {source: files, path: "+file+"}\n")
	if err == nil || !strings.Contains(err.Error(), "zone FR has no intensity at 2026-06-15T04:00:00Z") {
		t.Errorf("a run beyond the file: %v", err)
	}
}

func TestFaults(t *testing.T) {
	e := mustPrepare(t, small)
	at := func(d time.Duration) time.Time { return e.Start.Add(d) }
	hours := func(n int) Duration { return Duration{V: time.Duration(n) * time.Hour, Set: true} }
	for _, c := range []struct {
		in   Fault
		want signal.Fault
	}{
		{Fault{Kind: "dead", From: hours(1), For: hours(3)}, signal.Fault{Kind: signal.Dead, From: at(time.Hour), To: at(4 * time.Hour)}},
		{Fault{Kind: "quota"}, signal.Fault{Kind: signal.Quota, From: at(0), To: at(2 * time.Hour)}},
		{Fault{Kind: "spikes"}, signal.Fault{Kind: signal.Spike, From: at(0), To: at(2 * time.Hour), Factor: 10}},
		{Fault{Kind: "delay", Delay: hours(2)}, signal.Fault{Kind: signal.Delayed, From: at(0), To: at(2 * time.Hour), Delay: 2 * time.Hour}},
	} {
		if got, err := e.fault(&c.in); err != nil || got != c.want {
			t.Errorf("%+v:\n got %+v (%v)\nwant %+v", c.in, got, err, c.want)
		}
	}
	if _, err := e.fault(&Fault{Kind: "gremlins"}); err == nil {
		t.Error("an unknown fault was accepted")
	}
}

// Workers and the order of seeds' jobs change nothing.
func TestOutcomesDoNotDependOnWorkers(t *testing.T) {
	hash := func(workers int) string {
		e := mustPrepare(t, small+"seeds: [1, 2, 3]\n")
		out, err := e.Run(context.Background(), workers, nil)
		if err != nil {
			t.Fatal(err)
		}
		return Hash(out)
	}
	if one, eight := hash(1), hash(8); one != eight {
		t.Errorf("one worker gives %s, eight give %s", one, eight)
	}
}

func TestRunStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := mustPrepare(t, small).Run(ctx, 1, nil); err == nil {
		t.Error("a cancelled run succeeded")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte("duration: [1h]\n"))
	f.Add([]byte("policies: !x 0\n"))
	f.Add([]byte("fleet: {clusters: [\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("policies: [{library: x, data: {a: 1.5}}]\n? : !!binary |\n"))
	for _, name := range []string{"follow-the-sun.yaml", "azure-2019-five-grids.yaml"} {
		if b, err := os.ReadFile("../../../../examples/" + name); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Parse("fuzz.yaml", b)
		if (file == nil) == (err == nil) {
			t.Errorf("file %v, error %v", file != nil, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "fuzz.yaml") {
			t.Errorf("the error does not name the file: %v", err)
		}
	})
}

// TestMeasurementsOfLayers: the strongest layer wins per hardware, and hardware
// that no pool has is refused.
func TestMeasurementsOfLayers(t *testing.T) {
	e := mustPrepare(t, small+`functions:
  defaults: {measurements: {skylake: {exec: 1s, exec_energy: 3J}, other: {exec: 4s, exec_energy: 9J}}}
  match: [{id: "*", exec: 2s, measurements: {skylake: {exec: 500ms, exec_energy: 2J, cold: 1s, cold_energy: 7J}}}]
`)
	for _, f := range e.functions[0] {
		want := map[string]wattle.Measurement{
			"skylake": {Exec: 500 * time.Millisecond, ExecEnergy: 2, Cold: time.Second, ColdEnergy: 7},
			"other":   {Exec: 4 * time.Second, ExecEnergy: 9},
		}
		if !maps.Equal(f.Profile.Measured, want) || f.Profile.Exec != 2*time.Second {
			t.Fatalf("%s: %+v, exec %s", f.ID, f.Profile.Measured, f.Profile.Exec)
		}
	}
	for text, want := range map[string]string{
		"{graviton: {exec: 1s, exec_energy: 3J}}":                  "no pool of the fleet has",
		"{skylake: {exec: 1s}}":                                    "needs exec and exec_energy",
		"{skylake: {exec: 1s, exec_energy: 3J, cold_energy: -1J}}": "negative",
	} {
		if _, err := prepare(t, small+"functions: {defaults: {measurements: "+text+"}}\n"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A policy that cannot be evaluated ends a simulation: what stood in for it
// would be reported as it.
func TestPoliciesThatFailEndTheRun(t *testing.T) {
	rego := filepath.Join(t.TempDir(), "bad.rego")
	if err := os.WriteFile(rego, []byte("package wattle.placement\n\nobjective := {\"ug_per_s\": \"fast\"}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := mustPrepare(t, strings.Replace(small, "library: least_carbon", "rego: "+rego, 1)).Run(context.Background(), 1, nil)
	if err == nil || !strings.Contains(err.Error(), "ug_per_s") || !strings.Contains(err.Error(), "bad") {
		t.Errorf("got %v, want an error that names the policy and the key", err)
	}
}

// Files of another year are mapped to the dates of the run, and what is missing
// in them is filled and said.
func TestFilesOfAnotherYear(t *testing.T) {
	file := filepath.Join(t.TempDir(), "FR.csv")
	rows := "time,value\n2023-06-14T00:00:00Z,70\n2023-06-15T00:00:00Z,50\n2023-06-15T01:00:00Z,\n2023-06-15T02:00:00Z,60\n"
	if err := os.WriteFile(file, []byte(rows), 0o644); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(small, "    - {id: texas, zone: US-TEX-ERCO, jurisdiction: US, pools: [{name: p}]}\n", "", 1)
	text += "signals: {source: files, path: " + file
	if _, err := prepare(t, text+"}\n"); err == nil {
		t.Error("the dates of the files are not those of the run, and nobody says so")
	}
	e := mustPrepare(t, text+", year: 2023}\n")
	if got := e.grids.actual[0]; len(got) != 2 || got[0] != 50 {
		t.Errorf("the run's hours are %v", got)
	}
	if len(e.grids.notes) != 1 || !strings.Contains(e.grids.notes[0], "zone FR") {
		t.Errorf("the report notes %q", e.grids.notes)
	}
}

// The reference states the defaults that the generator has.
func TestReferenceStatesTheGenerator(t *testing.T) {
	p, said := workload.DefaultPopulation(), map[string]string{}
	for _, e := range Entries() {
		said[e.Path], _, _ = strings.Cut(e.Default, " (")
	}
	for key, want := range map[string]string{
		"functions": fmt.Sprint(p.Functions), "invocations": fmt.Sprintf("%.0f", p.Invocations), "zipf": fmt.Sprint(p.Zipf),
		"median": p.Exec.String(), "spread": fmt.Sprint(p.ExecSigma), "sigma": fmt.Sprint(p.Sigma),
	} {
		if got := said["workload.generate."+key]; got != want {
			t.Errorf("%s: the reference says %s, the code %s", key, got, want)
		}
	}
}

// A policy that asks for marginal intensities is served them; accounts are kept
// by average ones all the same.
func TestMarginalIntensitiesDecide(t *testing.T) {
	rego := filepath.Join(t.TempDir(), "marginal.rego")
	if err := os.WriteFile(rego, []byte("package wattle.placement\n\nobjective := {\"carbon_permille\": 1000, \"signal\": \"marginal\"}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(small, "[{library: least_carbon}]", "[{library: least_carbon}, {name: margin, rego: "+rego+"}]", 1) +
		"explain: [1]\nsignals: {fixed: {FR: 50, US-TEX-ERCO: 400}, marginal: {fixed: {FR: 900, US-TEX-ERCO: 100}}}\n"
	text = strings.NewReplacer("FR: 50", "FR: 50g/kWh", "ERCO: 400", "ERCO: 400g/kWh", "FR: 900", "FR: 900g/kWh", "ERCO: 100", "ERCO: 100g/kWh").Replace(text)
	outcomes, err := mustPrepare(t, text).Run(context.Background(), 1, func(float64) {})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []wattle.ClusterID{"paris", "texas"} {
		r := outcomes[i].Result
		x := &r.Explained[0]
		if at := x.Rows[x.Decision.Target].Attributes.Cluster; at != want {
			t.Errorf("policy %d places on %s, want %s", i, at, want)
		}
		if kind := Sample("p", x).Facts[1]; kind.Value != x.Intent.Objective.Signal.String() {
			t.Errorf("policy %d is explained with %+v", i, kind)
		}
	}
	texas := outcomes[1].Result.Series[1][0]
	if got, want := float64(texas.Carbon.Exec), float64(texas.Energy.Exec.Joules())/3.6e6*400*1.58; math.Abs(got-want) > 1e-9*want {
		t.Errorf("execution in texas is charged %g g, want %g by the average intensity", got, want)
	}
}
