package policies

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle"
)

func tenantPolicy(c *Config) { c.Tenant = true }

func TestNarrow(t *testing.T) {
	operator := compile(t, `deny contains {"code": "us", "msg": "no US"} if input.candidate.jurisdiction == "US"
score := 5
limits := {"p95_us": 100, "cost_nusd": 10}
objective := {"ug_per_s": 4}
lifecycle := {"keep_alive_min_us": 60, "keep_alive_max_us": 600}`)
	tenant := compile(t, `deny contains {"code": "not_eu", "msg": "EU only"} if input.candidate.jurisdiction != "EU"
limits := {"p95_us": 200, "cost_nusd": 5, "min_isolation": 3}
lifecycle := {"keep_alive_min_us": 9999, "keep_alive_max_us": 30, "prewarm": false}`, tenantPolicy)
	n, err := Narrow(operator, map[wattle.TenantID]*Engine{"acme": tenant})
	if err != nil {
		t.Fatal(err)
	}
	f, p, attrs, c := batchOf(3) // EU, US, CH
	var v wattle.Verdicts
	for range 2 { // the second time from the cache, which must not have grown
		v.Reset(3)
		n.Judge(f, p, attrs, c, &v)
		if len(v.Denied[0]) != 0 || len(v.Denied[1]) != 2 || len(v.Denied[2]) != 1 || v.Score[0] != 5 {
			t.Fatalf("%+v", v)
		}
	}
	got := n.Intent(f, p)
	if got.Limits != (wattle.Limits{P95: 100_000, Cost: 5e-9, MinIsolation: wattle.IsolationMIG}) || got.Objective.Seconds != 4e-6 {
		t.Errorf("%+v", got)
	}
	if got.Lifecycle != (wattle.LifecycleBounds{KeepAliveMin: 60_000, KeepAliveMax: 60_000, NoPrewarm: true}) {
		t.Errorf("%+v", got.Lifecycle)
	}
	f.Tenant = "other"
	v.Reset(3)
	n.Judge(f, p, attrs, c, &v)
	if len(v.Denied[2]) != 0 || n.Intent(f, p).Limits.Cost != 10e-9 {
		t.Errorf("one tenant's policy reached another's functions: %+v", v)
	}
	if n.Digest() == operator.Digest() || n.Intent(f, p).Policy != n.Digest() || n.Stats().Evaluations == 0 {
		t.Errorf("%s %+v", n.Digest(), n.Stats())
	}
	if err := n.SetData(map[string]any{"x": 1}, 3); err != nil || tenant.Revision() != 3 {
		t.Errorf("%v", err)
	}
}

func TestNarrowRefuses(t *testing.T) {
	operator := compile(t, `score := 1`)
	if _, err := Narrow(operator, map[wattle.TenantID]*Engine{"a": operator}); err == nil {
		t.Error("a policy that was not compiled for tenants was taken")
	}
	if _, err := Narrow(nil, nil); err == nil {
		t.Error("no operator was taken")
	}
}

func TestTightenNeverLoosens(t *testing.T) {
	draw := func(t *rapid.T, name string) wattle.Limits {
		n := func(k string) int64 { return rapid.Int64Range(0, 3).Draw(t, name+k) }
		return wattle.Limits{P95: micro(n("p95")), Cost: wattle.USD(n("cost")), P95OverHome: n("home"), MinIsolation: wattle.Isolation(n("iso"))}
	}
	inside := func(bound, x int64) bool { return bound == 0 || x <= bound }
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw(t, "a"), draw(t, "b")
		got := tighten(a, b)
		for x := int64(1); x < 5; x++ {
			for _, bounds := range [][3]int64{
				{int64(a.P95), int64(b.P95), int64(got.P95)}, {int64(a.Cost), int64(b.Cost), int64(got.Cost)}, {a.P95OverHome, b.P95OverHome, got.P95OverHome},
			} {
				if inside(bounds[2], x) != (inside(bounds[0], x) && inside(bounds[1], x)) {
					t.Fatalf("%d under %v", x, bounds)
				}
			}
		}
		if got.MinIsolation < max(a.MinIsolation, b.MinIsolation) {
			t.Fatal(got)
		}
	})
}
