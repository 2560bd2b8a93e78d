package policies

import (
	"errors"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct{ name, rules, want string }{
		{"clean", `score := round(input.candidate.carbon_ug / 3)`, ""},
		{"unknown field", `score := input.candidate.carbon_g`, `p.rego:3:10: error: input.candidate.carbon_g does not exist; did you mean "carbon_ug"? (unknown-field)`},
		{"unknown field through an alias", `score := s if {
	c := input.candidate
	s := c.p95
}`, `p.rego:5:7: error: c.p95 does not exist; did you mean "p95_us"? (unknown-field)`},
		{"unknown root", `score := input.candidates.p95_us`, `did you mean "candidate"?`},
		{"alias", `score := s if {
	c := input.candidate
	s := c.p95_us
}`, `p.rego:4:7: warning: input.candidate as a whole makes the results of score depend on 39 fields`},
		{"limits by candidate", `limits := {"p95_us": input.candidate.p95_us}`, `p.rego:3:22: error: limits reads input.candidate.p95_us, but`},
		{"objective by candidate, indirectly", "objective := {\"ug_per_s\": rate}\nrate := input.candidate.p95_us", `p.rego:4:9: error: objective reads input.candidate.p95_us`},
		{"fraction", `score := 1.5`, `p.rego:3:10: error: 1.5 is not an integer`},
		{"huge", `score := 99999999999999999999`, `(integers)`},
		{"division", `score := input.candidate.p95_us / 3`, `p.rego:3:10: warning: a division may give a fraction`},
		{"division in a division", `score := floor((input.candidate.p95_us / 3) / 2)`, `warning: a division may give a fraction`},
		{"misspelt key", `limits := {"p95_ms": 3}`, `p.rego:3:12: error: limits has no key "p95_ms"; did you mean "p95_us"? (unknown-key)`},
		{"misspelt key of a reference", `limits.p95us := 3`, `error: limits has no key "p95us"`},
		{"misspelt key of a denial", `deny contains {"code": "x", "message": "y"} if input.candidate.p95_us > 1`, `error: deny has no key "message"`},
		{"misspelt entry", "score := 1\nlimit := {}", `p.rego:4:1: warning: rule "limit" has no effect on its own; did you mean "limits"? (misspelt)`},
		{"set-relative", `score := max([x | some x in data.fleet])`, `warning: a score that depends on max of a set`},
		{"set-relative, of data", "score := far\nfar := sum(data.fleet.sizes)", `warning: a score that depends on sum of a set`},
		{"no entry", `x := 1`, `defines none of`},
		{"clock", `score := time.now_ns()`, `read data.clock`},
		{"network", `score := 1 if http.send({"url": "http://x", "method": "get"})`, `undefined function http.send`},
		{"unused variable", `score := 1 if { x := 2 }`, `assigned var x unused`},
		{"syntax", `score := `, `p.rego:3:9: error: `},
		{"recursion", "score := x\nx := score", `recursive`},
		{"old syntax", `deny[x] { x := 1 }`, `if`},
		{"unknown function", `score := nosuch(1)`, `undefined function nosuch`},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := Check(Source{Name: "test", Modules: map[string]string{"p.rego": header + c.rules}}, DefaultConfig())
			if text := found.Error(); c.want == "" && text != "" || !strings.Contains(text, c.want) {
				t.Errorf("got\n%s\nwant %s", text, c.want)
			}
		})
	}
}

func TestCheckData(t *testing.T) {
	src := Source{Name: "test", Modules: map[string]string{"p.rego": header + `limits := {"p95_us": data.params.bound}`}}
	for _, c := range []struct {
		data map[string]any
		want string
	}{
		{nil, ""},
		{map[string]any{"params": map[string]any{"bound": 3}}, ""},
		{map[string]any{"params": map[string]any{"bond": 3}}, `data.params.bond is read by no rule; did you mean "bound"? (unknown-param)`},
		{map[string]any{"params": map[string]any{"bound": 0.3}}, `data.params.bound: 0.3 is not a whole number`},
		{map[string]any{"wattle": 3}, `data.wattle is a package`},
	} {
		cfg := DefaultConfig()
		cfg.Data = c.data
		if text := Check(src, cfg).Error(); c.want == "" && text != "" || !strings.Contains(text, c.want) {
			t.Errorf("%v: got %s, want %s", c.data, text, c.want)
		}
	}
}

func TestCheckOwnPackages(t *testing.T) {
	_, err := Compile("x", map[string]string{"a.rego": "package wattle.lib.residency\n\nx := 1", "b.rego": header + "score := 1"}, DefaultConfig())
	var found Findings
	if !errors.As(err, &found) || found[0].Rule != "package" || found[0].File != "a.rego" {
		t.Errorf("%v", err)
	}
	if found := Check(Source{Name: "x"}, DefaultConfig()); len(found) != 1 || found[0].Rule != "empty" {
		t.Errorf("%v", found)
	}
	if found := Check(Source{Name: "x", Modules: map[string]string{"p.rego": "score := 1"}}, DefaultConfig()); found.err() == nil {
		t.Errorf("a module without a package was taken")
	}
}

func TestTenantsAreBounded(t *testing.T) {
	for _, call := range []string{
		`regex.match("a", "b")`, `graph.reachable({"a": []}, ["a"]) != set()`, `walk(input.params, [[], _])`, `sort([1]) == [1]`, `glob.match("*", [], "a")`,
		`numbers.range(1, 1000000) != []`, `net.cidr_expand("10.0.0.0/8") != set()`, `json.unmarshal("1") == 1`, `bits.lsh(1, 9) > 0`,
		`regex.globs_match("a", "b")`, `rego.parse_module("a", "b") != {}`, `io.jwt.decode("a") != []`,
	} {
		rules := `deny contains {"code": "x", "msg": "y"} if ` + call
		cfg := DefaultConfig()
		if strings.HasPrefix(call, "walk") {
			rules = `deny contains {"code": "x", "msg": y} if walk(input.params, [["region"], y])`
		}
		if _, err := Compile("operator", map[string]string{"p.rego": header + rules}, cfg); err != nil {
			t.Errorf("an operator may not call %s: %v", call, err)
		}
		cfg.Tenant = true
		if _, err := Compile("tenant", map[string]string{"p.rego": header + rules}, cfg); err == nil {
			t.Errorf("a tenant may call %s", call)
		}
	}
	for _, rules := range []string{`score := 1`, `objective := {"ug_per_s": 1}`} {
		cfg := DefaultConfig()
		cfg.Tenant = true
		if _, err := Compile("tenant", map[string]string{"p.rego": header + rules}, cfg); err == nil || !strings.Contains(err.Error(), "may only narrow") {
			t.Errorf("%s: %v", rules, err)
		}
	}
}

func TestTenantsMayImportParts(t *testing.T) {
	compile(t, "import data.wattle.lib.residency\nimport data.wattle.lib.isolation\ndeny contains d if some d in residency.deny\ndeny contains d if some d in isolation.deny", tenantPolicy)
}

func TestNothingNondeterministicIsAllowed(t *testing.T) {
	for _, b := range capabilities(false).Builtins {
		if b.Nondeterministic {
			t.Errorf("%s", b.Name)
		}
		for _, bad := range []string{"http.send", "time.now_ns", "rand.intn", "uuid.rfc4122", "opa.runtime", "net.lookup_ip_addr"} {
			if b.Name == bad {
				t.Errorf("%s", bad)
			}
		}
	}
	known := map[string]bool{}
	for _, b := range ast.Builtins {
		known[b.Name] = true
	}
	for _, name := range tenantBuiltins() {
		if !known[name] {
			t.Errorf("the tenants' list names %s, which OPA does not have", name)
		}
	}
}
