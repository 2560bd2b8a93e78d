package policies

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
)

const header = "package wattle.placement\n\n"

// compile builds an engine from the rules of package wattle.placement.
func compile(t testing.TB, rules string, change ...func(*Config)) *Engine {
	t.Helper()
	cfg := DefaultConfig()
	for _, f := range change {
		f(&cfg)
	}
	e, err := Compile("test", map[string]string{"p.rego": header + rules}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func params(values map[string]any) func(*Config) {
	return func(c *Config) { c.Data = map[string]any{"params": values} }
}

func judge(e *Engine, n int) wattle.Verdicts {
	f, p, attrs, c := batchOf(n)
	var v wattle.Verdicts
	v.Reset(n)
	e.Judge(f, p, attrs, c, &v)
	return v
}

func TestEveryOutputReachesItsField(t *testing.T) {
	e := compile(t, `
limits := {
	"mean_us": 1, "p95_us": 2, "p95_over_home_permille": 3, "cost_nusd": 4,
	"cost_over_cheapest_permille": 5, "carbon_ug": 6, "start_within_us": 7, "min_isolation": "mig",
}
objective := {"carbon_permille": 500, "ug_per_s": 8, "ug_per_usd": 9, "embodied": true, "signal": "marginal"}
lifecycle := {"keep_alive_min_us": 10, "keep_alive_max_us": 11, "prewarm": false, "defer_max_us": 12}
`)
	want := wattle.Intent{
		Limits: wattle.Limits{
			Mean: 1000, P95: 2000, P95OverHome: 3, Cost: 4e-9, CostOverCheapest: 5, Carbon: 6e-6,
			StartWithin: 7000, MinIsolation: wattle.IsolationMIG,
		},
		Objective: wattle.Objective{Carbon: 0.5, Seconds: 8e-6, Dollars: 9e-6, Embodied: true, Signal: wattle.Marginal},
		Lifecycle: wattle.LifecycleBounds{KeepAliveMin: 10000, KeepAliveMax: 11000, NoPrewarm: true, DeferMax: 12000},
		Policy:    e.Digest(),
	}
	if got := e.Intent(&wattle.Function{}, &wattle.Params{}); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestWhatIsMissingTakesTheDefault(t *testing.T) {
	e := compile(t, `objective := {"ug_per_s": 3}
limits.p95_us := input.params.slo_us
deny contains {"code": "never", "msg": "never"} if input.request.class == "never"`, func(c *Config) {
		c.Default.Limits.P95OverHome = 1200
		c.Default.Lifecycle.NoPrewarm = true
	})
	got := e.Intent(&wattle.Function{}, &wattle.Params{})
	if got.Objective != (wattle.Objective{Carbon: 1, Seconds: 3e-6}) || got.Limits != (wattle.Limits{P95OverHome: 1200}) || !got.Lifecycle.NoPrewarm {
		t.Errorf("%+v", got)
	}
	if v := judge(e, 2); v.Denied[0] != nil || v.Score[1] != 0 {
		t.Errorf("%+v", v)
	}
}

func TestEvaluatesOncePerDistinctTuple(t *testing.T) {
	for _, c := range []struct {
		name, rules      string
		evaluations, hit uint64
	}{
		{"nothing of the candidate", `deny contains {"code": "x", "msg": "y"} if input.request.class == "batch"`, 1, 1},
		{"a slow attribute of three values", `deny contains {"code": "x", "msg": "y"} if input.candidate.jurisdiction == "US"`, 3, 40},
		{"a column", `score := input.candidate.carbon_ug`, 20, 40 - 20},
		{"everything by an alias", `score := s if { c := input.candidate; s := c.carbon_ug }`, 20, 40 - 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := compile(t, c.rules)
			judge(e, 20)
			judge(e, 20)
			s := e.Stats()
			if s.Evaluations != c.evaluations {
				t.Errorf("%d evaluations of two batches of 20, want %d", s.Evaluations, c.evaluations)
			}
			if s.CacheHits == 0 || s.Fallbacks != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestReadsAreExact(t *testing.T) {
	e := compile(t, `import data.wattle.lib.residency
deny := residency.deny
score := count(input.candidate.labels) + to_number(input.candidate.labels.rack)
limits := {"p95_us": data.tenants[input.request.tenant].p95_us}
unused := input.request.id`)
	want := map[string]string{
		"deny":   "input.request.tenant input.request.residency input.candidate.jurisdiction data.params.residency data.tenants",
		"score":  "input.candidate.labels input.candidate.labels.rack",
		"limits": "input.request.tenant data.tenants",
	}
	got := e.Reads()
	for name, paths := range want {
		if s := strings.Join(got[name], " "); s != paths {
			t.Errorf("%s reads %s, want %s", name, s, paths)
		}
	}
}

func TestSetDataKeepsWhatDidNotChange(t *testing.T) {
	e := compile(t, `deny contains {"code": "x", "msg": "y"} if data.clock.hour_utc > 12
limits := {"p95_us": data.params.p95}`, params(map[string]any{"p95": 7}))
	f, p := &wattle.Function{}, &wattle.Params{}
	for hour := range 48 {
		if err := e.SetData(ClockData(time.Unix(int64(hour)*3600, 0), nil), uint64(hour)); err != nil {
			t.Fatal(err)
		}
		if got := e.Intent(f, p).Limits.P95; got != 7*time.Microsecond {
			t.Fatalf("the base data is gone: %v", got)
		}
		if v := judge(e, 2); (v.Denied[1] != nil) != (hour%24 > 12) {
			t.Fatalf("hour %d: %+v", hour, v)
		}
	}
	if s := e.Stats(); s.Evaluations != 24+1 {
		t.Errorf("%d evaluations in two days, want one per hour of the day and one of the limits", s.Evaluations)
	}
	if e.Revision() != 47 {
		t.Errorf("revision %d", e.Revision())
	}
}

func TestSetDataRefuses(t *testing.T) {
	e := compile(t, `score := 1`)
	for name, data := range map[string]map[string]any{
		"whole number":           {"x": map[string]any{"y": 0.5}},
		"data.x[1]":              {"x": []any{1, 1e300}},
		"package of the modules": {"wattle": 1},
		"data.f":                 {"f": func() {}},
	} {
		if err := e.SetData(data, 9); err == nil || !strings.Contains(err.Error(), name) || e.Revision() != 0 {
			t.Errorf("%v: error %v, want one with %q", data, err, name)
		}
	}
}

// TestFailureServesTheLastGoodResult makes the same class fail by its data.
func TestFailureServesTheLastGoodResult(t *testing.T) {
	var log bytes.Buffer
	e := compile(t, `score := data.score`, func(c *Config) {
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		c.Data = map[string]any{"score": 5}
	})
	set := func(v any) {
		if err := e.SetData(map[string]any{"score": v}, 1); err != nil {
			t.Fatal(err)
		}
	}
	if v := judge(e, 1); v.Score[0] != 5 {
		t.Fatalf("%+v", v)
	}
	for _, bad := range []any{"text", []any{1}, map[string]any{}} {
		set(bad)
		if v := judge(e, 3); v.Score[2] != 5 {
			t.Fatalf("%+v", v)
		}
	}
	set(6)
	if v := judge(e, 1); v.Score[0] != 6 {
		t.Fatalf("%+v", v)
	}
	if s := e.Stats(); s.Fallbacks != 3 || s.Evaluations != 5 {
		t.Errorf("%+v", s)
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "last good result") {
		t.Errorf("%d log lines:\n%s", n, log.String())
	}
}

func TestFailureWithoutAnEarlierResult(t *testing.T) {
	rules := `deny contains {"code": "x"} if input.request.tenant == "acme"
limits := {"p95_us": data.params.p95}`
	quiet := func(c *Config) {
		c.Logger = slog.New(slog.DiscardHandler)
		c.Data = map[string]any{"params": map[string]any{"p95": "soon"}}
		c.Default.Limits.P95OverHome = 1300
	}
	open := compile(t, rules, quiet)
	if v := judge(open, 1); v.Denied[0] != nil {
		t.Errorf("a broken policy is an outage: %+v", v)
	}
	if got := open.Intent(&wattle.Function{}, &wattle.Params{}).Limits; got != (wattle.Limits{P95OverHome: 1300}) {
		t.Errorf("%+v", got)
	}
	closed := compile(t, rules, quiet, func(c *Config) { c.FailClosed = true })
	if v := judge(closed, 1); len(v.Denied[0]) != 1 || v.Denied[0][0].Code != "policy_unavailable" {
		t.Errorf("%+v", v)
	}
}

func TestFailuresAreTriedAgainLessAndLessOften(t *testing.T) {
	var tries int
	e := compile(t, `score := "no"`, func(c *Config) {
		c.Logger = slog.New(slog.DiscardHandler)
		c.Observe = func(entry string, _ time.Duration, err error) {
			if entry == "score" && err != nil {
				tries++
			}
		}
	})
	for range 1000 {
		judge(e, 1)
	}
	if tries < 5 || tries > 12 {
		t.Errorf("%d tries in 1,000 uses", tries)
	}
	if s := e.Stats(); s.Fallbacks != 1000 || int(s.Evaluations) != tries {
		t.Errorf("%+v", s)
	}
}

// slow counts to 10^10, interruptibly.
const slow = `r := numbers.range(1, 2000)
score := count([1 | some a in r; some b in r; some c in r; a + b + c == 0])`

func TestDeadline(t *testing.T) {
	e := compile(t, slow, func(c *Config) {
		c.Deadline = 20 * time.Millisecond
		c.Logger = slog.New(slog.DiscardHandler)
	})
	start := time.Now()
	v := judge(e, 4)
	if took := time.Since(start); took > 5*time.Second || v.Score[3] != 0 {
		t.Errorf("took %s, %+v", took, v)
	}
	if s := e.Stats(); s.Timeouts != 1 || s.Fallbacks != 1 {
		t.Errorf("%+v", s)
	}
}

func TestTooManyAbandonedWorkersStopEvaluation(t *testing.T) {
	e := compile(t, `score := 1`, func(c *Config) { c.Logger = slog.New(slog.DiscardHandler) })
	e.abandoned.Store(maxAbandoned)
	if v := judge(e, 1); v.Score[0] != 0 || e.Stats().Timeouts != 1 || e.Stats().Evaluations != 0 {
		t.Errorf("%+v %+v", v, e.Stats())
	}
}

func TestDeadlineAndInlineAgree(t *testing.T) {
	a, b := compile(t, `score := input.candidate.carbon_ug * 3`), compile(t, `score := input.candidate.carbon_ug * 3`, func(c *Config) { c.Deadline = 0 })
	for i, s := range judge(a, 20).Score {
		if want := judge(b, 20).Score[i]; s != want || s != int64(i)*3 {
			t.Fatalf("row %d: %d and %d", i, s, want)
		}
	}
}

func TestDigest(t *testing.T) {
	a := compile(t, `score := 1`)
	for name, other := range map[string]*Engine{
		"text":       compile(t, `score := 2`),
		"data":       compile(t, `score := 1`, func(c *Config) { c.Data = map[string]any{"x": 1} }),
		"default":    compile(t, `score := 1`, func(c *Config) { c.Default.Limits.P95OverHome = 1 }),
		"failclosed": compile(t, `score := 1`, func(c *Config) { c.FailClosed = true }),
	} {
		if a.Digest() == other.Digest() {
			t.Errorf("the digest does not depend on the %s", name)
		}
	}
	same, err := Compile("other name", map[string]string{"other.rego": header + `score := 1`}, DefaultConfig())
	if err != nil || same.Digest() != a.Digest() {
		t.Errorf("the digest depends on names: %v", err)
	}
}

func TestConfigValidate(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"cache size": func(c *Config) { c.CacheSize = 0 },
		"deadline":   func(c *Config) { c.Deadline = -1 },
		"max bytes":  func(c *Config) { c.MaxBytes = 0 },
		"objective":  func(c *Config) { c.Default = wattle.Intent{} },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if _, err := Compile("x", nil, cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	cfg := DefaultConfig()
	cfg.MaxBytes = 10
	var found Findings
	if _, err := Compile("x", map[string]string{"p.rego": header}, cfg); !errors.As(err, &found) || found[0].Rule != "size" {
		t.Errorf("%v", err)
	}
}

// TestConcurrentUse is for the race detector: many judge while the data changes
// and the cache evicts.
func TestConcurrentUse(t *testing.T) {
	e, err := Library("business_hours_gpu", func() Config { c := DefaultConfig(); c.CacheSize = 16; return c }())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 50 {
				if w == 0 {
					if err := e.SetData(ClockData(time.Unix(int64(i)*3600, 0), nil), uint64(i)); err != nil {
						t.Error(err)
					}
				}
				judge(e, 5)
				e.Intent(&wattle.Function{}, &wattle.Params{})
			}
		})
	}
	wg.Wait()
	if s := e.Stats(); s.Fallbacks != 0 {
		t.Errorf("%+v", s)
	}
}
