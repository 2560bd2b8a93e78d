package policies

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/util"
	"pgregory.net/rapid"

	"github.com/wattle-project/wattle"
)

// oracle evaluates an entry point by OPA's own API on the whole input document,
// without a cache and without the analysis of what is read.
func oracle(t *rapid.T, e *Engine, id entryID, input string) *outcome {
	var in any
	if err := util.UnmarshalJSON([]byte(input), &in); err != nil {
		t.Fatal(err)
	}
	value, err := ast.InterfaceToValue(in)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rego.New(rego.Query("data.wattle.placement."+entryNames()[id]), rego.Compiler(e.compiler),
		rego.Store(e.now.Load().store), rego.ParsedInput(value)).Eval(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var result ast.Value
	if len(rs) > 0 {
		if result, err = ast.InterfaceToValue(rs[0].Expressions[0].Value); err != nil {
			t.Fatal(err)
		}
	}
	if list, ok := result.(*ast.Array); ok { // a set in JSON
		set := ast.NewSet()
		list.Foreach(set.Add)
		result = set
	}
	o, err := decode(id, result, &e.fallback)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// trickyPolicies read their input in ways that an analysis could miss.
func trickyPolicies() map[string]string {
	return map[string]string{
		"alias":     `deny contains {"code": "x", "msg": c.zone} if { c := input.candidate; c.p95_us > 2000 }`,
		"dynamic":   `score := sum([v | some k in ["p95_us", "cost_nusd"]; v := input.candidate[k]])`,
		"whole":     `score := count(json.marshal(input))`,
		"label":     `deny contains {"code": "x", "msg": "l"} if input.candidate.labels.a == "1"`,
		"labels":    `score := count(input.candidate.labels)`,
		"function":  "f(c) := c.carbon_ug\nscore := f(input.candidate)",
		"else":      `score := 1 if { input.candidate.sandbox == "warm" } else := 2 if { input.candidate.accelerator.family == "ampere" } else := 3`,
		"not":       `deny contains {"code": "x", "msg": "n"} if not input.candidate.accelerator`,
		"every":     `deny contains {"code": "x", "msg": "e"} if { every r in input.request.residency { r != input.candidate.jurisdiction } }`,
		"with":      "base := input.candidate.cost_nusd\nscore := base + other\nother := n if { n := base with input.candidate.cost_nusd as 5 }",
		"rules":     "a.x := input.candidate.p95_us\na.y := input.candidate.mean_us\nscore := sum([v | some v in a])",
		"pick":      "a.x := input.candidate.p95_us\na.y := input.candidate.mean_us\nscore := a[data.params.which]",
		"default":   "default score := 7\nscore := data.params.extra if input.params.slo_us > 1000",
		"partial":   "limits.p95_us := input.params.slo_us\nlimits.carbon_ug := input.params.cap_ug if input.request.class == \"a\"",
		"tenant":    `limits := {"p95_us": data.tenants[input.request.tenant].p95_us}`,
		"objective": `objective := {"ug_per_s": data.params.rate, "signal": "marginal"} if input.request.deterministic`,
		"lifecycle": `lifecycle := {"prewarm": false, "defer_max_us": input.params.deadline_us}`,
		"clock":     `deny contains {"code": "x", "msg": "c"} if data.clock.hour_utc < 3`,
		"imported":  "import input.candidate as cand\nscore := cand.energy_uj",
		"nested":    `score := count({r | some r in input.request.residency; r == input.candidate.jurisdiction})`,
		"indirect":  "k := \"cost_nusd\"\nscore := input.candidate[k]",
		"get":       `score := object.get(input.candidate, "p95_us", 0)`,
		"walk":      `score := count([p | walk(input.params, [p, _])])`,
	}
}

func wideConfig() Config {
	cfg := DefaultConfig()
	cfg.CacheSize = 8
	cfg.Data = map[string]any{
		"params":  map[string]any{},
		"tenants": map[string]any{"t1": map[string]any{"p95_us": 9, "residency": []string{"EU"}}},
	}
	return cfg
}

func TestCachedEqualsUncached(t *testing.T) {
	for name, text := range trickyPolicies() {
		t.Run(name, func(t *testing.T) {
			e, err := Compile(name, map[string]string{"p.rego": "package wattle.placement\n\n" + text}, wideConfig())
			if err != nil {
				t.Fatal(err)
			}
			rapid.Check(t, func(t *rapid.T) { compareWithOracle(t, e) })
		})
	}
	for _, name := range LibraryNames() {
		t.Run(name, func(t *testing.T) {
			e, err := Library(name, wideConfig())
			if err != nil {
				t.Fatal(err)
			}
			rapid.Check(t, func(t *rapid.T) { compareWithOracle(t, e) })
		})
	}
}

func compareWithOracle(t *rapid.T, e *Engine) {
	if rapid.Bool().Draw(t, "epoch") {
		params := map[string]any{"which": rapid.SampledFrom([]string{"x", "y"}).Draw(t, "which"), "extra": rapid.IntRange(0, 2).Draw(t, "extra"), "rate": 5}
		data := ClockData(time.Unix(rapid.Int64Range(0, 1_000_000).Draw(t, "now"), 0), map[wattle.ZoneID]*time.Location{"FR": time.UTC})
		data["params"] = params
		if err := e.SetData(data, 1); err != nil {
			t.Fatal(err)
		}
	}
	f, p, attrs, c := drawBatch(t)
	var v wattle.Verdicts
	v.Reset(c.Len())
	e.Judge(f, p, attrs, c, &v)
	intent := e.Intent(f, p)
	for i := range c.Len() {
		doc, err := InputDocument(f, p, attrs, c, i)
		if err != nil {
			t.Fatal(err)
		}
		want := e.fallback
		for id, x := range e.entries {
			if x == nil {
				continue
			}
			o := oracle(t, e, entryID(id), string(doc))
			switch entryID(id) {
			case entryDeny:
				want.denials = o.denials
			case entryScore:
				want.score = o.score
			case entryLimits:
				want.limits = o.limits
			case entryObjective:
				want.objective = o.objective
			case entryLifecycle:
				want.lifecycle = o.lifecycle
			}
		}
		got := outcome{denials: v.Denied[i], score: v.Score[i], limits: intent.Limits, objective: intent.Objective, lifecycle: intent.Lifecycle}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("candidate %d of %s\ngot  %+v\nwant %+v", i, doc, got, want)
		}
	}
	if s := e.Stats(); s.Fallbacks+s.Timeouts > 0 {
		t.Fatalf("%+v", s)
	}
}

// drawBatch draws from few values, so that most rows repeat.
func drawBatch(t *rapid.T) (*wattle.Function, *wattle.Params, []wattle.Attributes, *wattle.Columns) {
	pick := func(name string, values ...string) string { return rapid.SampledFrom(values).Draw(t, name) }
	small := func(name string) int { return rapid.IntRange(0, 3).Draw(t, name) }
	f := &wattle.Function{
		ID: wattle.FunctionID(pick("id", "f1", "f2")), Tenant: wattle.TenantID(pick("tenant", "t1", "t2")),
		Class: pick("class", "", "a", "interactive"), TrustGroup: pick("group", "", "g"),
		Residency:    rapid.SampledFrom([][]string{nil, {"EU"}, {"EU", "US"}}).Draw(t, "residency"),
		MinIsolation: wattle.Isolation(small("min isolation")), Deterministic: rapid.Bool().Draw(t, "deterministic"), Concurrency: 1,
	}
	p := &wattle.Params{
		SLO: time.Duration(small("slo")) * time.Millisecond, Cap: wattle.GramsCO2e(small("cap")) / 1e6,
		Region: wattle.RegionID(pick("region", "", "r")), Deadline: time.Duration(small("deadline")) * time.Second,
	}
	attrs := make([]wattle.Attributes, 1+small("targets"))
	for i := range attrs {
		attrs[i] = wattle.Attributes{
			Target: wattle.TargetID(fmt.Sprint("target", i)), Zone: wattle.ZoneID(pick("zone", "FR", "DE")),
			Jurisdiction: pick("jurisdiction", "", "EU", "US"),
			Labels:       rapid.SampledFrom([]map[string]string{nil, {"a": "1"}, {"a": "", "trust_group": "g"}, {"b": "1"}}).Draw(t, "labels"),
		}
		if rapid.Bool().Draw(t, "gpu") {
			attrs[i].Accelerator = wattle.Accelerator{Vendor: "nvidia", Product: "A100", Family: pick("family", "ampere", "hopper")}
		}
	}
	c := new(wattle.Columns)
	c.Reset(small("rows"))
	for i := range c.Len() {
		c.Target[i] = int32(rapid.IntRange(0, len(attrs)-1).Draw(t, "target"))
		c.Sandbox[i] = wattle.Sandbox(rapid.IntRange(0, 2).Draw(t, "sandbox"))
		c.P95[i] = time.Duration(small("p95")) * time.Millisecond
		c.Cost[i] = wattle.USD(small("cost")) / 1e9
		c.Carbon[i] = wattle.GramsCO2e(small("carbon")) / 1e6
		c.Isolation[i] = wattle.Isolation(small("isolation"))
	}
	return f, p, attrs, c
}
