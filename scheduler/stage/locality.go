package stage

import (
	"slices"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
)

// Locality refuses clusters that are down and jurisdictions that the function
// may not be processed in.
type Locality struct{}

// Name returns "locality".
func (Locality) Name() string { return "locality" }

// Apply sets ReasonUnhealthy and ReasonResidency.
func (Locality) Apply(b *state.Batch) {
	allowed, n := b.Function.Residency, b.Stride()
	for t := range n {
		target, why := b.Target(t), wattle.Reasons(0)
		if !b.State.Load.Healthy(target.Cluster) {
			why |= wattle.ReasonUnhealthy
		}
		if len(allowed) > 0 && !slices.Contains(allowed, target.Attributes.Jurisdiction) {
			why |= wattle.ReasonResidency
		}
		for i := t; why != 0 && i < len(b.Refused); i += n {
			b.Refused[i] |= why
		}
	}
}

// Device refuses targets without the accelerator asked for, with one that
// nobody asked for, and with less isolation than asked for.
type Device struct{}

// Name returns "device".
func (Device) Name() string { return "device" }

// Apply sets ReasonAccelerator and ReasonIsolation and fills Isolation.
func (Device) Apply(b *state.Batch) {
	f, n := b.Function, b.Stride()
	least := max(f.MinIsolation, b.Intent.Limits.MinIsolation)
	for t := range n {
		a, level, why := &b.Target(t).Attributes.Accelerator, wattle.IsolationGPU, wattle.Reasons(0)
		if a.Present() {
			level = a.Isolation()
		}
		if !matches(a, f.Accelerator) {
			why |= wattle.ReasonAccelerator
		}
		if a.Present() && level < least {
			why |= wattle.ReasonIsolation
		}
		for i := t; i < len(b.Refused); i += n {
			b.Columns.Isolation[i] = level
			b.Refused[i] |= why
		}
	}
}

func matches(a *wattle.Accelerator, want string) bool {
	if !a.Present() {
		return want == ""
	}
	return want != "" && (want == "any" || want == a.Product || want == a.Family || want == a.Vendor)
}
