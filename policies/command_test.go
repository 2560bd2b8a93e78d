package policies

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"pgregory.net/rapid"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"policy.rego":      header + "import data.acme\n\nlimits := {\"p95_us\": acme.bound}\n",
		"policy_test.rego": "package acme_test\n\nimport data.wattle.placement\n\ntest_bound if placement.limits.p95_us == 5\n",
		"sub/acme.rego":    "package acme\n\nbound := data.params.bound\n",
		"data.json":        `{"params": {"bound": 5}}`,
	})
	e, err := Load(dir, DefaultConfig())
	if err != nil || e.Name() != filepath.Base(dir) {
		t.Fatal(err)
	}
	src, err := ReadSource(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	report, err := RunTests(t.Context(), src, DefaultConfig(), TestOptions{Coverage: true, Verbose: true, Threshold: 100}, &out)
	if err != nil || report.Passed != 1 || !strings.Contains(out.String(), "policy_test.rego:5: test_bound: PASS") {
		t.Errorf("%v\n%s", err, out.String())
	}
	one, err := ReadSource(filepath.Join(dir, "policy.rego"))
	if err != nil || len(one.Modules) != 1 || len(one.Tests) != 1 || one.Name != "policy" {
		t.Errorf("%+v %v", one, err)
	}
	for _, bad := range []string{filepath.Join(dir, "none.rego"), t.TempDir()} {
		if _, err := Load(bad, DefaultConfig()); err == nil {
			t.Errorf("%s was loaded", bad)
		}
	}
	write(t, dir, map[string]string{"data.json": "[1]"})
	if _, err := Load(dir, DefaultConfig()); err == nil || !strings.Contains(err.Error(), "data.json") {
		t.Errorf("%v", err)
	}
}

func TestRunTestsReportsFailures(t *testing.T) {
	for _, c := range []struct {
		test, want string
		opts       TestOptions
	}{
		{"test_wrong if placement.score == 2", "1 of 1 tests failed", TestOptions{}},
		{"test_other if placement.score == 1", "coverage", TestOptions{Threshold: 100, Coverage: true}},
		{"nothing := 1", "no test ran", TestOptions{}},
		{"test_x if placement.score == 1", "no test ran", TestOptions{Run: "other"}},
		{"test_x if nosuch(1)", "undefined function", TestOptions{}},
		{"test_x if time.now_ns() > 0", "data.clock", TestOptions{}},
		{"test_x if {", "t_test.rego:", TestOptions{}},
	} {
		src := Source{
			Name: "x", Modules: map[string]string{"p.rego": header + "default score := 1\n\nscore := 5 if input.candidate.p95_us > 3"},
			Tests: map[string]string{"t_test.rego": "package x_test\n\nimport data.wattle.placement\n\n" + c.test},
		}
		var out bytes.Buffer
		if _, err := RunTests(t.Context(), src, DefaultConfig(), c.opts, &out); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q\n%s", c.test, err, c.want, out.String())
		}
	}
}

func TestEvaluate(t *testing.T) {
	e := compile(t, `deny contains {"code": "x", "msg": "y", "limit": 3, "actual": true} if input.candidate.p95_us > 3
score := input.candidate.cost_nusd
limits.p95_us := input.params.slo_us`)
	got, err := Evaluate(t.Context(), e, []byte(`{"candidate": {"p95_us": 4, "labels": {"a": "b"}, "accelerator": {"product": "A100"}}, "request": {"residency": ["EU"], "deterministic": true}}`))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(got.Results)
	if want := `{"deny":[{"actual":true,"code":"x","limit":3,"msg":"y"}],"limits":{},"score":null}`; string(text) != want {
		t.Errorf("got %s, want %s", text, want)
	}
	for input, want := range map[string]string{
		`{"candidate": {"p95": 4}}`:                `unknown field input.candidate.p95; did you mean "p95_us"?`,
		`{"candidates": {}}`:                       `did you mean "candidate"?`,
		`{"candidate": 3}`:                         "input.candidate is not an object",
		`{"candidate": {"p95_us": "4"}}`:           "input.candidate.p95_us: 4 is not an integer",
		`{"candidate": {"p95_us": 4.5}}`:           "is not an integer",
		`{"request": {"residency": ["EU", 1]}}`:    "is not an array of strings",
		`{"request": {"deterministic": 1}}`:        "is not a boolean",
		`{"candidate": {"labels": {"a": 1}}}`:      "is not an object of strings",
		`{"candidate": {"accelerator": {"x": 1}}}`: "unknown field input.candidate.accelerator.x",
		`[]`:    "want a JSON object",
		`{} {}`: "something follows",
		`{"candidate": {"cost_nusd": 1, "zone":7}}`: "is not a string",
	} {
		if _, err := Evaluate(t.Context(), e, []byte(input)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", input, err, want)
		}
	}
	bad := compile(t, `objective := {"ug_per_s": data.params.rate, "signal": data.params.signal}`, params(map[string]any{"rate": -1, "signal": "spot"}))
	if _, err := Evaluate(t.Context(), bad, []byte(`{}`)); err == nil || !strings.Contains(err.Error(), `objective: key "`) {
		t.Errorf("%v", err)
	}
}

func TestFormat(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.rego": "package a\nx   :=   1", "b.rego": "package b\n\nx := 1\n", "c.txt": "no"})
	var out bytes.Buffer
	for i, want := range []int{1, 1, 0} { // only looks, rewrites, is done
		if n, err := FormatFiles(&out, []string{dir}, i == 1); n != want || err != nil {
			t.Fatalf("pass %d: %d files, %v", i, n, err)
		}
	}
	write(t, dir, map[string]string{"a.rego": "package"})
	if _, err := FormatFiles(&out, []string{dir}, true); err == nil || !strings.Contains(err.Error(), "a.rego:1:7") {
		t.Errorf("%v", err)
	}
}

func TestWriteFindings(t *testing.T) {
	found := Findings{{File: "a.rego", Row: 1, Col: 2, Level: LevelWarning, Rule: "r", Message: "m"}}
	var out bytes.Buffer
	if err := WriteFindings(&out, found, false); err != nil || out.String() != "a.rego:1:2: warning: m (r)\n" {
		t.Errorf("%q %v", out.String(), err)
	}
	out.Reset()
	if err := WriteFindings(&out, nil, true); err != nil || out.String() != "[]\n" {
		t.Errorf("%q %v", out.String(), err)
	}
}

func TestSummaries(t *testing.T) {
	for _, name := range LibraryNames() {
		s, err := Summary(name)
		if err != nil || len(s) < 20 || !strings.HasSuffix(s, ".") && !strings.Contains(s, ":") {
			t.Errorf("%s: %q %v", name, s, err)
		}
	}
	if _, err := Library("least_carbn", DefaultConfig()); err == nil || !strings.Contains(err.Error(), `did you mean "least_carbon"?`) {
		t.Errorf("%v", err)
	}
}

// TestInputDocumentKeepsItsSchema lets OPA's JSON schema library judge documents
// that the engine writes, and what checkInput takes.
func TestInputDocumentKeepsItsSchema(t *testing.T) {
	valid := matcher(t, inputSchema)
	rapid.Check(t, func(t *rapid.T) {
		f, p, attrs, c := drawBatch(t)
		for i := range c.Len() {
			doc, err := InputDocument(f, p, attrs, c, i)
			if err != nil {
				t.Fatal(err)
			}
			if !valid(t, string(doc)) {
				t.Fatalf("%s breaks the schema", doc)
			}
			if _, err := parseInput(doc); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestDecodeTakesWhatTheSchemaTakes compares the decoder of limits, objective
// and lifecycle with the published schema.
func TestDecodeTakesWhatTheSchemaTakes(t *testing.T) {
	valid := matcher(t, outputSchema)
	names := append(append(keyNames(limitKeys()), keyNames(objectiveKeys())...), keyNames(lifecycleKeys())...)
	rapid.Check(t, func(t *rapid.T) {
		id := entryID(rapid.IntRange(int(entryLimits), int(entryLifecycle)).Draw(t, "entry"))
		own := keyNames(outputKeys(id))
		key := rapid.OneOf(rapid.SampledFrom(own), rapid.SampledFrom(append(names, "other"))).Draw(t, "key")
		value := rapid.SampledFrom([]string{"0", "3", "9", "-1", "1.5", `"mig"`, `"average"`, `"x"`, "true", "null", "[1]"}).Draw(t, "value")
		text := `{"` + key + `": ` + value + `}`
		_, err := decode(id, ast.MustParseTerm(text).Value, &outcome{})
		if ok := valid(t, `{"`+entryNames()[id]+`": `+text+`}`); ok != (err == nil) {
			t.Fatalf("%s %s: the schema says %v, the decoder %v", entryNames()[id], text, ok, err)
		}
	})
}

func matcher(t *testing.T, schema []byte) func(t *rapid.T, doc string) bool {
	q, err := rego.New(rego.Query("json.match_schema(input.doc, input.schema)[0]")).PrepareForEval(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return func(rt *rapid.T, doc string) bool {
		rs, err := q.Eval(t.Context(), rego.EvalInput(map[string]any{"doc": doc, "schema": string(schema)}))
		if err != nil {
			rt.Fatal(err)
		}
		return rs.Allowed()
	}
}

func FuzzParseInput(f *testing.F) {
	f.Add(`{"candidate": {"p95_us": 4, "labels": {"a": "b"}}, "request": {"residency": ["EU"]}}`)
	f.Add(`{"params": {"slo_us": 1e3}}`)
	f.Add(`{"request": {"min_isolation": 99999999999999999999}}`)
	f.Fuzz(func(t *testing.T, text string) {
		if v, err := parseInput([]byte(text)); err == nil && v == nil {
			t.Error("neither a value nor an error")
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(uint8(0), `{{"code": "x", "msg": "y", "limit": 3}}`)
	f.Add(uint8(1), `-5`)
	f.Add(uint8(2), `{"p95_us": 5, "min_isolation": "mig"}`)
	f.Add(uint8(3), `{"signal": "marginal", "embodied": true}`)
	f.Fuzz(func(t *testing.T, id uint8, text string) {
		term, err := ast.ParseTerm(text)
		if err != nil {
			return
		}
		o, err := decode(entryID(id%uint8(entryCount)), term.Value, &outcome{})
		if (o == nil) == (err == nil) {
			t.Fatalf("%v and %v", o, err)
		}
		if o != nil && (o.limits.P95 < 0 || o.limits.MinIsolation > 5 || o.lifecycle.DeferMax < 0 || o.objective.Seconds < 0) {
			t.Fatalf("%s became %+v", text, o)
		}
	})
}

func FuzzCompile(f *testing.F) {
	f.Add("package wattle.placement\n\nscore := input.candidate.p95_us")
	f.Add("package wattle.placement\n\nlimits.p95_us := data.params.x\n\ndeny contains 1 if input[x]")
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Compile("fuzz", map[string]string{"p.rego": text}, DefaultConfig())
		if (e == nil) == (err == nil) {
			t.Fatal(err)
		}
	})
}
