package experiment

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wattle-project/wattle/policies/library"
)

// contenders are all policies of the library and two baselines.
func contenders(t *testing.T) []string {
	t.Helper()
	out := []string{"baseline: round-robin", "baseline: power-of-two"}
	files, err := fs.Glob(library.Files(), "*.rego")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(f, ".rego"); !strings.HasSuffix(name, "_test") {
			out = append(out, "library: "+name)
		}
	}
	return out
}

func oneOf(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }

// drawn is a random small experiment of one to four clusters with all contenders.
func drawn(t *testing.T, r *rand.Rand) string {
	t.Helper()
	keeps := []string{"none", "fixed", "fixed", "hybrid", "expected", "lru", "ttl", "greedy-dual", "ski-rental"}
	var b strings.Builder
	fmt.Fprintf(&b, "start: 2026-%02d-15T00:00:00Z\nduration: %dh\nslot: %s\n", 1+r.IntN(12), 1+r.IntN(4), oneOf(r, "15m", "30m", "1h"))
	fmt.Fprintf(&b, "seed: %d\ninstances: {queue: %d, renew: %t, pick: %s}\n", 1+r.IntN(1000), r.IntN(2)*100, r.IntN(4) > 0, oneOf(r, "newest", "oldest", "random"))
	fmt.Fprintf(&b, "workload: {generate: {functions: %d, invocations: %d, median: %s}}\n", 1+r.IntN(12), 200+r.IntN(20000), oneOf(r, "20ms", "400ms", "5s"))
	fmt.Fprintf(&b, "functions: {defaults: {memory: %s, cpu: %dm, concurrency: %d, slo: 10s", oneOf(r, "128MiB", "1GiB", "4GiB"), 100+r.IntN(900), 1+r.IntN(2))
	if r.IntN(3) == 0 {
		fmt.Fprintf(&b, ", deadline: %s, interruptible: %t", oneOf(r, "10m", "1h"), r.IntN(2) == 0)
	}
	b.WriteString("}}\npolicies:\n")
	for i, c := range contenders(t) {
		fmt.Fprintf(&b, "  - {name: %d, %s, keep_alive: %s, for: %s}\n", i, c, oneOf(r, keeps...), oneOf(r, "1m", "10m"))
	}
	b.WriteString("fleet:\n  clusters:\n")
	for i := range 1 + r.IntN(4) {
		fmt.Fprintf(&b, "    - {id: c%d, zone: %s, jurisdiction: EU, location: [%d, %d], pools: [{name: p, nodes: %d, vcpu: %d, memory: %s, hardware: %s}]}\n",
			i, oneOf(r, "FR", "DE", "PL", "US-CAL-CISO", "IN-WE"), r.IntN(60), r.IntN(100), 1+r.IntN(3), 2+r.IntN(16),
			oneOf(r, "8GiB", "64GiB"), oneOf(r, "skylake", "ice-lake", "epyc-3"))
	}
	return b.String()
}

// No policy is below a bound whose action space it stayed in, nor below any point
// of that bound's front, on random small fleets and workloads.
func TestNoPolicyIsBelowItsBound(t *testing.T) {
	const cases, slack = 24, 1e-7 // what is kept in whole microseconds and microjoules may be less by so much
	regrets := map[string]int{}
	for seed := range uint64(cases) {
		text := drawn(t, rand.New(rand.NewPCG(seed, 4)))
		e := mustPrepare(t, text)
		outcomes, err := e.Run(context.Background(), 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		least, err := e.Bound(context.Background(), outcomes)
		if err != nil {
			t.Fatal(err)
		}
		d := e.Document(outcomes, least)
		for i := range d.Policies {
			p := &d.Policies[i]
			for _, r := range p.Regrets {
				if regrets[r.Bound]++; !(r.Share >= -slack) {
					t.Errorf("case %d: %+v is %g below %q in %s:\n%s", seed, e.File.Policies[i], -r.Share, r.Bound, r.Figure, text)
				}
			}
			for n := range least.spaces[0] {
				if !e.covered(least.spaces, n, i, outcomes) {
					continue
				}
				b, res := least.spaces[0][n], e.results(outcomes, 0)[i]
				seconds := p.Latency.MeanS * float64(res.Invocations)
				for _, at := range b.Points {
					rate := float64(at.Rate)
					has, want := p.Carbon.OperationalG+rate*seconds, float64(at.Grams)+rate*at.Seconds
					if has < want*(1-slack) {
						t.Errorf("case %d: %+v is below %q at %s: %g g, the least is %g g\n%s", seed, e.File.Policies[i], b.Name, at.Rate, has, want, text)
					}
				}
			}
		}
	}
	t.Log("regrets by bound:", regrets)
	for _, name := range []string{"hindsight", "capped", ownInstances, "keep 1 min", "keep 10 min", "keep 0s"} {
		if regrets[name] < cases {
			t.Errorf("only %d regrets against %q in %d cases: the property was hardly tried", regrets[name], name, cases)
		}
	}
}

// A gap is to a plan where one is built, and to the nearest policy where work waits or
// instances are shared. With one cluster and no keep-alive nothing is left to choose: the
// plan, the bound and the policy are one.
func TestGapSaysToWhat(t *testing.T) {
	const text = `
start: 2026-06-15T00:00:00Z
duration: 2h
workload: {generate: {functions: 20, invocations: 2000}}
policies: [{name: none, library: least_carbon, keep_alive: none}, {name: lru, library: least_carbon, keep_alive: lru}]
fleet:
  clusters:
    - {id: paris, zone: FR, jurisdiction: EU, pools: [{name: p}]}
`
	for _, c := range []struct{ more, to string }{
		{"", "plan"},
		{"instances: {deferral: cheapest-slots}\nfunctions: {defaults: {deadline: 20m}}\n", "policy"},
		{"functions: {match: [{id: \"*\", share: 0.5, concurrency: 2}]}\n", "policy"},
	} {
		e := mustPrepare(t, text+c.more)
		outcomes, err := e.Run(context.Background(), 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		least, err := e.Bound(context.Background(), outcomes)
		if err != nil {
			t.Fatal(err)
		}
		d := e.Document(outcomes, least)
		seen := map[string]float64{}
		for _, b := range d.Bounds {
			want := c.to
			if b.Name == ownInstances || b.Name == "capped" && c.more != "" && b.GapTo == "plan" {
				want = b.GapTo // waits that fit may be repaired though work waits
			}
			if (b.PriceGap != nil) != (b.Name == "capped") || b.PriceGap != nil && !(*b.PriceGap >= 0 && *b.PriceGap < 0.005) {
				t.Errorf("%q: %s has prices to %v, want such where room for waits has a price", c.more, b.Name, b.PriceGap)
			}
			if n := utf8.RuneCountInString(b.Brief); n == 0 || n > 75 {
				t.Errorf("%q: %s is said in %d letters, want two lines of a table at most: %q", c.more, b.Name, n, b.Brief)
			}
			if seen[b.Name] = b.DualityGap; b.GapTo != want || b.DualityGap < 0 {
				t.Errorf("%q: %s has the gap %g to a %s, want to a %s", c.more, b.Name, b.DualityGap, b.GapTo, want)
			}
		}
		if c.more != "" {
			continue
		}
		none := d.Policies[0].Carbon.OperationalG
		for _, r := range d.Policies[0].Regrets {
			if r.Bound == "keep 0s" && r.Figure == "carbon" && (r.Share > 1e-6 || seen["keep 0s"] > 1e-6) {
				t.Errorf("keep 0s: gap %g, regret %g of %g g, want none", seen["keep 0s"], r.Share, none)
			}
		}
		if _, ok := seen["keep 0s"]; !ok || len(seen) != 4 {
			t.Errorf("bounds %v, want hindsight, capped, keep 0s and placement", seen)
		}
	}
}
