package policies

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
)

var _ scheduler.Policy = (*Narrowed)(nil)

// Narrowed is an operator's policy that tenants' policies narrow further: a
// tenant can add denials and tighten limits and lifecycle bounds for its own
// functions, and nothing else. The policies are compiled apart and see only
// their own data.
type Narrowed struct {
	operator *Engine
	tenants  map[wattle.TenantID]*Engine
	digest   string
	verdicts sync.Pool
}

// Narrow combines operator with tenants, each compiled with Config.Tenant.
func Narrow(operator *Engine, tenants map[wattle.TenantID]*Engine) (*Narrowed, error) {
	if operator == nil {
		return nil, fmt.Errorf("narrow: there is no operator policy")
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s;", operator.digest)
	for _, id := range slices.Sorted(maps.Keys(tenants)) {
		if e := tenants[id]; e == nil || !e.cfg.Tenant {
			return nil, fmt.Errorf("narrow: the policy of tenant %q was not compiled with Config.Tenant", id)
		}
		fmt.Fprintf(h, "%q=%s;", id, tenants[id].digest)
	}
	n := &Narrowed{operator: operator, tenants: maps.Clone(tenants), digest: fmt.Sprintf("sha256:%x", h.Sum(nil)[:8])}
	n.verdicts.New = func() any { return new(wattle.Verdicts) }
	return n, nil
}

// Digest is over the digests of all policies and their tenants.
func (n *Narrowed) Digest() string { return n.digest }

// Stats sums the counters of all policies.
func (n *Narrowed) Stats() Stats {
	total := n.operator.Stats()
	for _, e := range n.tenants {
		s := e.Stats()
		total.Evaluations += s.Evaluations
		total.CacheHits += s.CacheHits
		total.Fallbacks += s.Fallbacks
		total.Timeouts += s.Timeouts
	}
	return total
}

// SetData gives the operator's and every tenant's policy the same epoch data.
// On error some policies may have the new data and others the old.
func (n *Narrowed) SetData(epoch map[string]any, revision uint64) error {
	if err := n.operator.SetData(epoch, revision); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(n.tenants)) {
		if err := n.tenants[id].SetData(epoch, revision); err != nil {
			return fmt.Errorf("tenant %s: %w", id, err)
		}
	}
	return nil
}

// Intent is the operator's, tightened by the tenant's.
func (n *Narrowed) Intent(f *wattle.Function, p *wattle.Params) wattle.Intent {
	intent := n.operator.Intent(f, p)
	if t := n.tenants[f.Tenant]; t != nil {
		narrow := t.Intent(f, p)
		intent.Limits = tighten(intent.Limits, narrow.Limits)
		intent.Lifecycle = tightenLifecycle(intent.Lifecycle, narrow.Lifecycle)
	}
	intent.Policy = n.digest
	return intent
}

// Judge is the operator's verdicts with the tenant's denials added.
func (n *Narrowed) Judge(f *wattle.Function, p *wattle.Params, attrs []wattle.Attributes, c *wattle.Columns, v *wattle.Verdicts) {
	n.operator.Judge(f, p, attrs, c, v)
	t := n.tenants[f.Tenant]
	if t == nil {
		return
	}
	extra := n.verdicts.Get().(*wattle.Verdicts)
	defer n.verdicts.Put(extra)
	extra.Reset(c.Len())
	t.Judge(f, p, attrs, c, extra)
	for i, more := range extra.Denied {
		switch {
		case len(more) == 0:
		case len(v.Denied[i]) == 0:
			v.Denied[i] = more
		default: // the operator's slice is shared: never append to it
			v.Denied[i] = slices.Concat(v.Denied[i], more)
		}
	}
}

// tighter returns the smaller bound, 0 meaning none.
func tighter[T cmp.Ordered](a, b T) T {
	var none T
	switch {
	case a == none:
		return b
	case b == none:
		return a
	}
	return min(a, b)
}

func tighten(a, b wattle.Limits) wattle.Limits {
	return wattle.Limits{
		Mean: tighter(a.Mean, b.Mean), P95: tighter(a.P95, b.P95),
		P95OverHome: tighter(a.P95OverHome, b.P95OverHome),
		Cost:        tighter(a.Cost, b.Cost), CostOverCheapest: tighter(a.CostOverCheapest, b.CostOverCheapest),
		Carbon: tighter(a.Carbon, b.Carbon), StartWithin: tighter(a.StartWithin, b.StartWithin),
		MinIsolation: max(a.MinIsolation, b.MinIsolation),
	}
}

// tightenLifecycle intersects the bounds. Keep-alive costs the operator, so a
// tenant can shorten it but not lengthen it, and the operator's least holds.
func tightenLifecycle(a, b wattle.LifecycleBounds) wattle.LifecycleBounds {
	out := wattle.LifecycleBounds{
		KeepAliveMin: a.KeepAliveMin,
		KeepAliveMax: tighter(a.KeepAliveMax, b.KeepAliveMax),
		NoPrewarm:    a.NoPrewarm || b.NoPrewarm,
		DeferMax:     tighter(a.DeferMax, b.DeferMax),
	}
	if out.KeepAliveMax > 0 {
		out.KeepAliveMax = max(out.KeepAliveMax, out.KeepAliveMin)
	}
	return out
}
