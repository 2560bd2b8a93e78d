package experiment

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/wattle-project/wattle/scheduler/lifecycle"
)

// Every keep-alive policy runs under every kind of placement: nothing is lost,
// and what is metered closes.
func TestKeepAlivesComposeWithPlacements(t *testing.T) {
	placements := []string{
		"baseline: home-only", "baseline: round-robin", "baseline: greencourier", "library: least_carbon",
		"library: least_latency", "library: balanced", "library: latency_within",
	}
	var b strings.Builder
	b.WriteString(strings.Replace(small, "policies: [{library: least_carbon}]\n", "bounds: {placement: false}\npolicies:\n", 1))
	text := b.String()
	at := strings.Index(text, "fleet:")
	head, tail := text[:at], text[at:]
	n := 0
	for _, keep := range append(lifecycle.Names(), "none") {
		for _, p := range placements {
			head += fmt.Sprintf("  - {name: %d, %s, keep_alive: %s}\n", n, p, keep)
			n++
		}
	}
	e := mustPrepare(t, head+tail)
	out, err := e.Run(context.Background(), 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != n {
		t.Fatalf("%d outcomes of %d contenders", len(out), n)
	}
	keeps := map[string]bool{}
	for _, o := range out {
		r, en := o.Result, &o.Result.Energy
		if r.Invocations+r.Rejected+r.Waiting != out[0].Result.Invocations+out[0].Result.Rejected+out[0].Result.Waiting || r.Invocations == 0 {
			t.Errorf("contender %d: %d served, %d rejected, %d waiting", o.Policy, r.Invocations, r.Rejected, r.Waiting)
		}
		if sum := en.Exec + en.Startup + en.KeepAlive + en.IdleShare + en.Unallocated; sum != en.Metered {
			t.Errorf("contender %d: parts are %d µJ, the meter shows %d µJ", o.Policy, sum, en.Metered)
		}
		keeps[fmt.Sprint(r.Cold, r.IdleTime)] = true
	}
	if len(keeps) < len(lifecycle.Names())/2 {
		t.Errorf("only %d different outcomes: keep-alive policies are not told apart", len(keeps))
	}
}
