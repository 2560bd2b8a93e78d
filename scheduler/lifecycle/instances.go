package lifecycle

import (
	"math"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
)

// Instances runs a Keeper in an event-driven core: it is the core's Keeper.
// Each function has one series per concurrency level; level j is in use while
// at least j of the function's instances are busy. When the use of a level
// ends, the instance that became idle waits as the policy says for that level.
type Instances struct {
	keeper  Keeper
	evictor Evictor
	measure state.Measurer
	fns     []levels
	series  int32
	used    []use // by instance slot
	spans   []Span
	victims []Victim
	victim  Case
	one     [1]Option
	token   uint64
}

// seriesLevels bounds the series of a function; higher levels share the last, whose
// uses overlap: each is taken to begin when the one before has ended.
const seriesLevels = 64

// levels is what is known of one function.
type levels struct {
	busy   int32
	series []int32
	began  []int64 // when the present or last use of a level began, Unix ns
	ended  []int64 // when the last use that is over ended, Unix ns
	due    []uint64
	uses   int64
	option Option // cost on target, measured in epoch
	target int32
	epoch  uint64
}

// use is what eviction orders know of an instance.
type use struct {
	last  int64
	clock float64
}

// NewInstances wraps the named policy of Policies.
func NewInstances(name string, c Config) (*Instances, error) {
	k, err := New(name, c)
	if err != nil {
		return nil, err
	}
	return &Instances{keeper: k, evictor: Evictor{Order: Policies()[name].Evict}}, nil
}

// Bind gives the policy the core that measures what a target would take.
func (k *Instances) Bind(m state.Measurer) { k.measure = m }

// Step follows busy instances and answers the end of a use with what becomes of
// the instance: kept, or evicted and started again ahead of the next use.
func (k *Instances) Step(now time.Time, s *state.Snapshot, e wattle.Event, out []wattle.Action) []wattle.Action {
	switch e.Kind {
	case wattle.Started:
		k.begin(now, s, &e)
	case wattle.Finished:
		return k.end(now, s, &e, out)
	case wattle.Due:
		if k.wanted(&e) {
			out = append(out, wattle.Action{Kind: wattle.Prewarm, Function: e.Function, Target: e.Target, At: now, Token: e.Token})
		}
	case wattle.Pressure:
		return k.evict(now, s, &e, out)
	case wattle.Arrived, wattle.Epoch, wattle.Expired:
	}
	return out
}

func (k *Instances) begin(now time.Time, s *state.Snapshot, e *wattle.Event) {
	k.fns = grow(k.fns, e.Function.Index)
	f := &k.fns[e.Function.Index]
	if e.Sandbox != wattle.Warm && s.Load.Live(e.Function.Index) == 1 {
		f.uses = 0 // FaasCache counts from the first copy until the last is gone
	}
	f.busy++
	f.uses++
	l := min(f.busy, seriesLevels) - 1
	for int(l) >= len(f.series) {
		f.series, f.began, f.ended, f.due = append(f.series, k.series), append(f.began, 0), append(f.ended, 0), append(f.due, 0)
		k.series++
	}
	f.began[l], f.due[l] = now.UnixNano(), 0
	slot := state.Slot(e.Instance)
	k.used = grow(k.used, slot)
	k.used[slot] = use{now.UnixNano(), k.evictor.Clock()}
}

// wanted reports whether no use of the level began since the pre-warm was asked for.
func (k *Instances) wanted(e *wattle.Event) bool {
	if int(e.Function.Index) >= len(k.fns) {
		return false
	}
	for _, t := range k.fns[e.Function.Index].due {
		if t == e.Token {
			return true
		}
	}
	return false
}

func (k *Instances) end(now time.Time, s *state.Snapshot, e *wattle.Event, out []wattle.Action) []wattle.Action {
	f := &k.fns[e.Function.Index]
	l := min(f.busy, seriesLevels) - 1
	f.busy--
	c := &k.victim
	*c = Case{
		Series: f.series[l], Arrived: time.Duration(max(f.began[l], f.ended[l])), Now: time.Duration(now.UnixNano()), Invocations: 1,
		Memory: e.Function.Needs.Memory, Options: k.one[:], Worst: k.one[:], Bounds: e.Lifecycle,
	}
	f.ended[l] = now.UnixNano()
	k.one[0] = k.cost(now, s, e, f)
	c.Intensity = intensity(now, s, e)
	k.spans = Bound(c, k.keeper.Decide(c, k.spans[:0]))
	kept := false
	for _, span := range k.spans {
		a := wattle.Action{Function: e.Function, Target: e.Target, At: instant(span.From), Until: instant(span.Until)}
		if span.From <= c.Now {
			a.Kind, a.Instance, a.At, kept = wattle.Keep, e.Instance, a.Until, true
		} else {
			k.token++
			a.Kind, a.Copies, a.Token, f.due[l] = wattle.Prewarm, 1, k.token, k.token
		}
		out = append(out, a)
	}
	if !kept {
		out = append(out, wattle.Action{Kind: wattle.Evict, Instance: e.Instance, Function: e.Function, Target: e.Target})
	}
	return out
}

// intensity is that of the grid of an instance, of the kind that its policy asks for.
func intensity(now time.Time, s *state.Snapshot, e *wattle.Event) wattle.GramsPerKWh {
	z, _ := s.Signals.Of(e.Lifecycle.Signal).Zone(s.Fleet.Targets[e.Target].Cluster, now)
	return z.Current.Intensity
}

func instant(d time.Duration) time.Time { return time.Unix(0, int64(d)) }

// cost measures the target of an instance, once per function, target and epoch.
func (k *Instances) cost(now time.Time, s *state.Snapshot, e *wattle.Event, f *levels) Option {
	if f.epoch == s.Epoch && f.target == e.Target {
		return f.option
	}
	cold := k.measure.Estimate(now, s, e.Function, e.Target, wattle.Cold)
	warm := k.measure.Estimate(now, s, e.Function, e.Target, wattle.Warm)
	t := &s.Fleet.Targets[e.Target]
	hold := t.Machine.Reserved(e.Function.Needs).Times(t.PUE).For(time.Second)
	f.epoch, f.target = s.Epoch, e.Target
	f.option = Option{
		Cold: cold.Mean, Warm: warm.Mean, ColdGrams: cold.Carbon, WarmGrams: warm.Carbon,
		StartGrams: max(cold.Carbon-warm.Carbon, 0),
		Hold:       wattle.GramsPerSecond(hold.At(intensity(now, s, e))),
	}
	return f.option
}

// evict names the idle instance on the pool of e.Target that is worth least.
func (k *Instances) evict(now time.Time, s *state.Snapshot, e *wattle.Event, out []wattle.Action) []wattle.Action {
	k.victims = k.victims[:0]
	s.Load.Idle(s.Fleet, e.Target, func(id wattle.InstanceID, in *state.Instance) bool {
		v := Victim{ID: id, Used: time.Duration(in.Since), Expires: time.Duration(in.Until), Memory: in.Function.Needs.Memory}
		if slot := state.Slot(id); int(slot) < len(k.used) {
			v.Clock = k.used[slot].clock
		}
		if int(in.Function.Index) < len(k.fns) {
			f := &k.fns[in.Function.Index]
			v.Uses, v.Start = f.uses, f.option.Cold-f.option.Warm
		}
		k.victims = append(k.victims, v)
		// The longest idle comes first, which is all that this order asks.
		return k.evictor.Order != LeastRecent
	})
	if i := k.evictor.Choose(k.victims); i >= 0 {
		out = append(out, wattle.Action{Kind: wattle.Evict, Instance: k.victims[i].ID, Target: e.Target, At: now})
	}
	return out
}

// Hold is the keep-alive that decisions should reckon with under the named
// policy: Keep for those that always keep it, the break-even time otherwise
// being unknown before costs are.
func Hold(name string, c Config) time.Duration {
	switch name {
	case "fixed", "lru", "ttl", "greedy-dual", "hybrid":
		return c.Keep
	}
	return time.Duration(math.Round(float64(c.Step)))
}
