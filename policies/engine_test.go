package policies

import (
	"strings"
	"testing"

	"github.com/wattle-project/wattle"
)

func compile(t testing.TB, text string, change ...func(*Config)) *Engine {
	t.Helper()
	cfg := DefaultConfig()
	for _, f := range change {
		f(&cfg)
	}
	e, err := Compile(t.Name(), map[string]string{"p.rego": text}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestSmoke(t *testing.T) {
	e, err := Library("latency_within", DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	got := e.Intent(&wattle.Function{ID: "f"}, &wattle.Params{})
	if got.Limits.P95OverHome != 1100 || got.Objective.Carbon != 1 {
		t.Fatalf("%+v", got)
	}
	t.Log(e.Digest(), e.Reads())
	_, err = Compile("x", map[string]string{"p.rego": "package wattle.placement\n\nscore := c.carbon_g if { c := input.candidate }\nx := time.now_ns()\n"}, DefaultConfig())
	t.Log(err)
	_, err = Compile("x", map[string]string{"p.rego": "package wattle.placement\n\nlimits := {\"p95_usx\": input.candidate.p95_us / 2}\nscore := 1.5\n"}, DefaultConfig())
	t.Log(err)
	if err == nil || !strings.Contains(err.Error(), "p95_us") {
		t.Fatal("no error")
	}
}
