package policies

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wattle-project/wattle"
)

// outKind is the type of an output value.
type outKind uint8

const (
	outInt   outKind = iota // integer ≥ 0
	outBool                 // boolean
	outText                 // string
	outAny                  // string, integer or boolean, kept as text
	outLevel                // isolation level: integer or name
)

// outputKey is one key of an output object.
type outputKey struct {
	name string
	kind outKind
	unit string
	max  int64 // largest integer, 0 means int64's
	enum []string
	doc  string
}

// maxMicros keeps µs inside a time.Duration.
const maxMicros = math.MaxInt64 / 1000

func denialKeys() []outputKey {
	return []outputKey{
		{name: "code", kind: outText, doc: "Stable and short, for example \"residency\"."},
		{name: "msg", kind: outText, doc: "For people."},
		{name: "criterion", kind: outText, doc: "What was compared, for example \"candidate.jurisdiction\"."},
		{name: "limit", kind: outAny, doc: "What was allowed."},
		{name: "actual", kind: outAny, doc: "What was found."},
	}
}

func limitKeys() []outputKey {
	return []outputKey{
		{name: "mean_us", unit: "µs", max: maxMicros, doc: "Mean end-to-end latency."},
		{name: "p95_us", unit: "µs", max: maxMicros, doc: "95th percentile of the end-to-end latency."},
		{name: "p95_over_home_permille", unit: "‰", doc: "p95 relative to the home cluster's own: 1100 means at most 110 %."},
		{name: "cost_nusd", unit: "nUSD", doc: "Cost of one invocation."},
		{name: "cost_over_cheapest_permille", unit: "‰", doc: "Cost relative to the cheapest allowed candidate: 1050 means at most 105 %."},
		{name: "carbon_ug", unit: "µg", doc: "Operational emissions of one invocation, CO2e."},
		{name: "start_within_us", unit: "µs", max: maxMicros, doc: "Longest delay before the start."},
		{name: "min_isolation", kind: outLevel, unit: "level", max: int64(wattle.IsolationNode), doc: "0 to 5, or time-slice, mps, mig, gpu, node."},
	}
}

func objectiveKeys() []outputKey {
	return []outputKey{
		{name: "carbon_permille", unit: "‰", doc: "Weight of operational emissions in G: 1000 counts them as they are, 0 ignores them."},
		{name: "ug_per_s", unit: "µg/s", doc: "What one second of latency is worth."},
		{name: "ug_per_usd", unit: "µg/USD", doc: "What one US dollar is worth."},
		{name: "embodied", kind: outBool, doc: "Count embodied emissions too. They are sunk."},
		{name: "signal", kind: outText, enum: []string{"average", "marginal"}, doc: "Which grid intensity decides."},
	}
}

func lifecycleKeys() []outputKey {
	return []outputKey{
		{name: "keep_alive_min_us", unit: "µs", max: maxMicros, doc: "Keep an idle instance at least this long."},
		{name: "keep_alive_max_us", unit: "µs", max: maxMicros, doc: "Keep an idle instance at most this long; 0 means no bound."},
		{name: "prewarm", kind: outBool, doc: "Whether instances may be started ahead of requests."},
		{name: "defer_max_us", unit: "µs", max: maxMicros, doc: "Longest wait of deferrable work; 0 means no bound."},
	}
}

// outcome is a decoded result of one entry point. It is immutable once cached,
// except for the retry counters, which the owning entry's mutex guards.
type outcome struct {
	denials   []wattle.Denial
	score     int64
	limits    wattle.Limits
	objective wattle.Objective
	lifecycle wattle.LifecycleBounds

	failed        bool
	wait, backoff uint32 // uses left before, and uses between, two tries
}

// decode reads v, nil meaning undefined, as the result of entry point id. base
// supplies what v leaves out. Unknown keys and wrong types are errors.
func decode(id entryID, v ast.Value, base *outcome) (*outcome, error) {
	o := &outcome{limits: base.limits, objective: base.objective, lifecycle: base.lifecycle}
	if v == nil {
		return o, nil
	}
	var err error
	switch id {
	case entryDeny:
		o.denials, err = decodeDenials(v)
	case entryScore:
		o.score, err = decodeInt(v)
	case entryLimits:
		err = decodeObject(v, limitKeys(), func(k string, n int64, _ string) { setLimit(&o.limits, k, n) })
	case entryObjective:
		err = decodeObject(v, objectiveKeys(), func(k string, n int64, s string) { setObjective(&o.objective, k, n, s) })
	case entryLifecycle:
		err = decodeObject(v, lifecycleKeys(), func(k string, n int64, _ string) { setLifecycle(&o.lifecycle, k, n) })
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", entryNames()[id], err)
	}
	return o, nil
}

func decodeInt(v ast.Value) (int64, error) {
	num, ok := v.(ast.Number)
	if !ok {
		return 0, fmt.Errorf("%v is not an integer", v)
	}
	n, err := strconv.ParseInt(string(num), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%v is not an integer of 64 bits; use round, floor or ceil, or a finer unit", v)
	}
	return n, nil
}

// decodeObject checks every key of v against keys and hands on its value:
// integers and booleans as n, strings as s.
func decodeObject(v ast.Value, keys []outputKey, set func(key string, n int64, s string)) error {
	obj, ok := v.(ast.Object)
	if !ok {
		return fmt.Errorf("want an object, got %s", ast.ValueName(v))
	}
	return obj.Iter(func(k, value *ast.Term) error {
		name, ok := k.Value.(ast.String)
		if !ok {
			return fmt.Errorf("key %v is not a string", k)
		}
		i := slices.IndexFunc(keys, func(o outputKey) bool { return o.name == string(name) })
		if i < 0 {
			return fmt.Errorf("unknown key %q%s", string(name), suggest(string(name), keyNames(keys)))
		}
		n, s, err := decodeValue(value.Value, keys[i])
		if err != nil {
			return fmt.Errorf("key %q: %w", string(name), err)
		}
		set(string(name), n, s)
		return nil
	})
}

func decodeValue(v ast.Value, k outputKey) (int64, string, error) {
	switch k.kind {
	case outBool:
		b, ok := v.(ast.Boolean)
		if !ok {
			return 0, "", fmt.Errorf("%v is not a boolean", v)
		}
		return boolean(bool(b)).n, "", nil
	case outText:
		s, ok := v.(ast.String)
		if !ok || k.enum != nil && !slices.Contains(k.enum, string(s)) {
			return 0, "", fmt.Errorf("%v is not %s", v, oneOf(k.enum))
		}
		return 0, string(s), nil
	case outLevel:
		if s, ok := v.(ast.String); ok {
			var level wattle.Isolation
			err := level.UnmarshalText([]byte(s))
			return int64(level), "", err
		}
	case outAny:
		return decodeAny(v)
	}
	n, err := decodeInt(v)
	if err == nil && (n < 0 || k.max > 0 && n > k.max) {
		err = fmt.Errorf("%d is not between 0 and %d", n, max(k.max, 0))
		if k.max == 0 {
			err = fmt.Errorf("%d is below 0", n)
		}
	}
	return n, "", err
}

func decodeAny(v ast.Value) (int64, string, error) {
	switch v := v.(type) {
	case ast.String:
		return 0, string(v), nil
	case ast.Boolean:
		return 0, strconv.FormatBool(bool(v)), nil
	}
	n, err := decodeInt(v)
	return 0, strconv.FormatInt(n, 10), err
}

func oneOf(enum []string) string {
	if enum == nil {
		return "a string"
	}
	return fmt.Sprintf("one of %q", enum)
}

func decodeDenials(v ast.Value) ([]wattle.Denial, error) {
	set, ok := v.(ast.Set)
	if !ok {
		return nil, fmt.Errorf("want a set of objects (deny contains {…} if …), got %s", ast.ValueName(v))
	}
	var out []wattle.Denial
	for _, t := range set.Slice() { // a set's slice is sorted
		var d wattle.Denial
		if err := decodeObject(t.Value, denialKeys(), func(k string, _ int64, s string) { setDenial(&d, k, s) }); err != nil {
			return nil, err
		}
		if d.Code == "" || d.Msg == "" {
			return nil, fmt.Errorf("a denial needs \"code\" and \"msg\", got %v", t)
		}
		out = append(out, d)
	}
	return out, nil
}

func setDenial(d *wattle.Denial, key, s string) {
	switch key {
	case "code":
		d.Code = s
	case "msg":
		d.Msg = s
	case "criterion":
		d.Criterion = s
	case "limit":
		d.Limit = s
	case "actual":
		d.Actual = s
	}
}

func micro(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

func setLimit(l *wattle.Limits, key string, n int64) {
	switch key {
	case "mean_us":
		l.Mean = micro(n)
	case "p95_us":
		l.P95 = micro(n)
	case "p95_over_home_permille":
		l.P95OverHome = n
	case "cost_nusd":
		l.Cost = wattle.USD(float64(n) / 1e9)
	case "cost_over_cheapest_permille":
		l.CostOverCheapest = n
	case "carbon_ug":
		l.Carbon = wattle.GramsCO2e(float64(n) / 1e6)
	case "start_within_us":
		l.StartWithin = micro(n)
	case "min_isolation":
		l.MinIsolation = wattle.Isolation(n)
	}
}

func setObjective(o *wattle.Objective, key string, n int64, s string) {
	switch key {
	case "carbon_permille":
		o.Carbon = float64(n) / 1000
	case "ug_per_s":
		o.Seconds = wattle.GramsPerSecond(float64(n) / 1e6)
	case "ug_per_usd":
		o.Dollars = wattle.GramsPerUSD(float64(n) / 1e6)
	case "embodied":
		o.Embodied = n == 1
	case "signal":
		o.Signal = wattle.Average
		if s == "marginal" {
			o.Signal = wattle.Marginal
		}
	}
}

func setLifecycle(b *wattle.LifecycleBounds, key string, n int64) {
	switch key {
	case "keep_alive_min_us":
		b.KeepAliveMin = micro(n)
	case "keep_alive_max_us":
		b.KeepAliveMax = micro(n)
	case "prewarm":
		b.NoPrewarm = n == 0
	case "defer_max_us":
		b.DeferMax = micro(n)
	}
}

func keyNames(keys []outputKey) []string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}
	return names
}
