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
	allowed := b.Function.Residency
	for i := range b.Refused {
		t := b.Target(i)
		if !b.State.Load.Healthy(t.Cluster) {
			b.Refused[i] |= wattle.ReasonUnhealthy
		}
		if len(allowed) > 0 && !slices.Contains(allowed, t.Attributes.Jurisdiction) {
			b.Refused[i] |= wattle.ReasonResidency
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
	f := b.Function
	for i := range b.Refused {
		a := &b.Target(i).Attributes.Accelerator
		b.Columns.Isolation[i] = wattle.IsolationGPU
		if a.Present() {
			b.Columns.Isolation[i] = a.Isolation()
		}
		if !matches(a, f.Accelerator) {
			b.Refused[i] |= wattle.ReasonAccelerator
		}
		if a.Present() && b.Columns.Isolation[i] < max(f.MinIsolation, b.Intent.Limits.MinIsolation) {
			b.Refused[i] |= wattle.ReasonIsolation
		}
	}
}

func matches(a *wattle.Accelerator, want string) bool {
	if !a.Present() {
		return want == ""
	}
	return want != "" && (want == "any" || want == a.Product || want == a.Family || want == a.Vendor)
}
