package experiment

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
	"github.com/wattle-project/wattle/simulator/trace"
	"github.com/wattle-project/wattle/simulator/workload/random"
)

// perVCPU is the memory that comes with one vCPU on AWS Lambda.
const perVCPU = 1769 * wattle.MiB

// functions describes each function of a trace: the trace's own figures, the
// defaults, its profile and the matching overrides, later ones first.
func (f *File) functions(t []trace.Function, fleet *state.Fleet, m *measurements) ([]wattle.Function, error) {
	out := make([]wattle.Function, len(t))
	seek := homeFinder{fleet: fleet, known: map[string][]wattle.ClusterID{}}
	for i := range t {
		layers, err := f.layers(&t[i], m.learned)
		if err != nil {
			return nil, err
		}
		fn, homes := f.function(&t[i], layers)
		if p, ok := m.published[t[i].Profile]; ok {
			p.apply(&fn, layers)
		}
		if err := measure(&fn, layers, fleet); err != nil {
			return nil, fmt.Errorf("%s: %w", f.path, err)
		}
		if d := first(layers, durationOf(func(x *Function) Duration { return x.FinishIn }), 0); d > 0 {
			fn.Params.Deadline = slackWithin(d, &fn, fleet)
		}
		if fn.Home, err = seek.home(&fn, homes); err != nil {
			return nil, fmt.Errorf("%s: function %s: %w", f.path, fn.ID, err)
		}
		if err := fn.Validate(); err != nil {
			return nil, fmt.Errorf("%s: %w", f.path, err)
		}
		fn.Index = int32(i)
		out[i] = fn
	}
	return out, nil
}

// layers are the settings that apply to a function, the strongest first. What
// was learned is under the file's own overrides, over profiles and defaults.
func (f *File) layers(t *trace.Function, learned []Override) ([]*Function, error) {
	var out []*Function
	for i := len(f.Functions.Match) - 1; i >= 0; i-- {
		o := &f.Functions.Match[i]
		ok, err := path.Match(o.ID, string(t.ID))
		if err != nil {
			return nil, fmt.Errorf("%s: functions.match: pattern %q: %w", f.path, o.ID, err)
		}
		if ok && (o.Share == 0 || unit(t.ID, i) < o.Share) {
			out = append(out, &o.Function)
		}
	}
	for i := range learned {
		if ok, err := path.Match(learned[i].ID, string(t.ID)); err != nil || ok {
			if err != nil {
				return nil, fmt.Errorf("%s: functions.measured: pattern %q: %w", f.path, learned[i].ID, err)
			}
			out = append(out, &learned[i].Function)
		}
	}
	if p, ok := f.Functions.Profiles[t.Profile]; ok {
		out = append(out, &p)
	}
	return append(out, &f.Functions.Defaults), nil
}

// unit is a number in [0, 1) that depends on an id and a purpose alone.
func unit(id wattle.FunctionID, purpose int) float64 {
	return float64(random.Mix(random.Hash(string(id))+uint64(purpose))>>11) / (1 << 53)
}

// first returns the first layer's value that is set, or d.
func first[T any](layers []*Function, get func(*Function) (T, bool), d T) T {
	for _, l := range layers {
		if v, ok := get(l); ok {
			return v
		}
	}
	return d
}

func quantityOf[T any, P text[T]](get func(*Function) Quantity[T, P]) func(*Function) (T, bool) {
	return func(l *Function) (T, bool) { q := get(l); return q.V, q.Set }
}

func durationOf(get func(*Function) Duration) func(*Function) (time.Duration, bool) {
	return func(l *Function) (time.Duration, bool) { d := get(l); return d.V, d.Set }
}

func pointerOf[T any](get func(*Function) *T) func(*Function) (T, bool) {
	return func(l *Function) (T, bool) {
		if p := get(l); p != nil {
			return *p, true
		}
		var zero T
		return zero, false
	}
}

func nonzero[T comparable](get func(*Function) T) func(*Function) (T, bool) {
	return func(l *Function) (T, bool) {
		var zero T
		v := get(l)
		return v, v != zero
	}
}

// execution is the mean of a function that no setting gives another.
func execution(t *trace.Function) time.Duration {
	if t.Instant {
		return 0
	}
	return cmp.Or(t.Mean, 100*time.Millisecond)
}

func (f *File) function(t *trace.Function, l []*Function) (wattle.Function, []string) {
	memory := first(l, quantityOf(func(x *Function) bytes { return x.Memory }), cmp.Or(t.Memory, 256*wattle.MiB))
	memory = (memory + wattle.MiB - 1) / wattle.MiB * wattle.MiB // reservations are in whole MiB
	share := wattle.MilliCPU(max(1, int64(memory)*1000/int64(perVCPU)))
	fn := wattle.Function{
		ID: t.ID, Tenant: wattle.TenantID(first(l, nonzero(func(x *Function) string { return x.Tenant }), string(t.Owner))),
		Class:      first(l, nonzero(func(x *Function) string { return x.Class }), t.Profile),
		TrustGroup: first(l, nonzero(func(x *Function) string { return x.TrustGroup }), ""),
		Needs:      wattle.Resources{CPU: first(l, quantityOf(func(x *Function) cpu { return x.CPU }), share), Memory: memory},

		Accelerator:   first(l, nonzero(func(x *Function) string { return x.Accelerator }), ""),
		MinIsolation:  first(l, quantityOf(func(x *Function) isolation { return x.Isolation }), 0),
		Concurrency:   first(l, nonzero(func(x *Function) int32 { return x.Concurrency }), 1),
		Interruptible: first(l, pointerOf(func(x *Function) *bool { return x.Pausable }), false),
		MaxInstances:  first(l, nonzero(func(x *Function) int32 { return x.Max }), 0),
		In:            first(l, quantityOf(func(x *Function) bytes { return x.In }), 0),
		Out:           first(l, quantityOf(func(x *Function) bytes { return x.Out }), 0),
		Profile: wattle.Profile{
			Exec:  first(l, durationOf(func(x *Function) Duration { return x.Exec }), execution(t)),
			Sigma: first(l, pointerOf(func(x *Function) *float64 { return x.Sigma }), t.Sigma),

			Provision:              first(l, durationOf(func(x *Function) Duration { return x.Provision }), 125*time.Millisecond),
			Image:                  first(l, durationOf(func(x *Function) Duration { return x.Image }), 0),
			Runtime:                first(l, durationOf(func(x *Function) Duration { return x.Runtime }), 100*time.Millisecond),
			Init:                   first(l, durationOf(func(x *Function) Duration { return x.Init }), 226*time.Millisecond),
			Restore:                first(l, durationOf(func(x *Function) Duration { return x.Restore }), 0),
			Utilisation:            first(l, pointerOf(func(x *Function) *float64 { return x.Utilisation }), 0.7),
			AcceleratorUtilisation: first(l, pointerOf(func(x *Function) *float64 { return x.GPUBusy }), 0.6),
		},
		Params: wattle.Params{
			SLO:      first(l, durationOf(func(x *Function) Duration { return x.SLO }), 0),
			Deadline: first(l, durationOf(func(x *Function) Duration { return x.Deadline }), 0),
			Cap:      first(l, quantityOf(func(x *Function) grams { return x.Cap }), 0),
			Budget:   first(l, quantityOf(func(x *Function) usd { return x.Budget }), 0),
		},
	}
	if fn.Accelerator != "" {
		fn.Needs.Slices = first(l, nonzero(func(x *Function) int32 { return x.Slices }), 1)
	}
	fn.Residency = first(l, func(x *Function) ([]string, bool) { return x.Residency, len(x.Residency) > 0 }, nil)
	return fn, first(l, func(x *Function) ([]string, bool) { return x.Homes, len(x.Homes) > 0 }, nil)
}

// homeFinder remembers which clusters offer what functions need.
type homeFinder struct {
	fleet *state.Fleet
	known map[string][]wattle.ClusterID
}

// home chooses a function's home among the given clusters, or among all that
// offer what it needs, by a hash of its id.
func (h *homeFinder) home(fn *wattle.Function, homes []string) (wattle.ClusterID, error) {
	key := fmt.Sprint(fn.Accelerator, fn.Residency, homes)
	fit, ok := h.known[key]
	if !ok {
		fit = h.fitting(fn, homes)
		h.known[key] = fit
	}
	if len(fit) == 0 {
		return "", fmt.Errorf("no cluster can be its home: want accelerator %s, residency %s, homes %s",
			cmp.Or(fn.Accelerator, "none"), list(fn.Residency), list(homes))
	}
	return fit[int(math.Floor(unit(fn.ID, 1<<20)*float64(len(fit))))], nil
}

func (h *homeFinder) fitting(fn *wattle.Function, homes []string) (fit []wattle.ClusterID) {
	for i := range h.fleet.Targets {
		a := &h.fleet.Targets[i].Attributes
		ok := offers(&a.Accelerator, fn.Accelerator) &&
			(len(fn.Residency) == 0 || slices.Contains(fn.Residency, a.Jurisdiction)) &&
			(len(homes) == 0 || slices.Contains(homes, string(a.Cluster)))
		if ok && !slices.Contains(fit, a.Cluster) {
			fit = append(fit, a.Cluster)
		}
	}
	return fit
}

// offers reports whether a device is the one asked for: none, any, or the
// product, family or vendor.
func offers(a *wattle.Accelerator, want string) bool {
	if want == "" || !a.Present() {
		return want == "" && !a.Present()
	}
	return want == "any" || want == a.Product || want == a.Family || want == a.Vendor
}

// list prints names for people.
func list(names []string) string { return cmp.Or(strings.Join(names, ", "), "any") }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
