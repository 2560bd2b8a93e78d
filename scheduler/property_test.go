package scheduler_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/stage"
	"github.com/wattle-project/wattle/scheduler/state"
)

// zone is one cluster of a random fleet with its signal.
type zone struct {
	cluster state.Cluster
	signal  state.ZoneSignal
}

func noon() time.Time { return time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC) }

func drawZone(t *rapid.T, i int) zone {
	id := fmt.Sprintf("c%02d", i)
	c := state.Cluster{
		ID: wattle.ClusterID(id), Zone: wattle.ZoneID("Z" + id), Region: wattle.RegionID("r" + id), PUE: 1 + float64(rapid.IntRange(0, 5).Draw(t, "pue"))/10,
		Jurisdiction: rapid.SampledFrom([]string{"EU", "US"}).Draw(t, "law"), Longitude: float64(rapid.IntRange(-170, 170).Draw(t, "lon")),
		Price: state.Price{PerGBSecond: wattle.USD(rapid.IntRange(1, 9).Draw(t, "price")) * 1e-6, Round: time.Millisecond},
		Pools: []state.Pool{{Name: "p", Nodes: 1, Hardware: "h", Speed: float64(rapid.IntRange(5, 20).Draw(t, "speed")) / 10, Machine: power.Machine{
			VCPU: rapid.IntRange(1, 4).Draw(t, "vcpu"), Memory: 8 * wattle.GiB, IdlePerVCPU: 1, MaxPerVCPU: 4,
		}}},
	}
	if rapid.IntRange(0, 3).Draw(t, "device") == 0 {
		c.Pools[0].Machine.Accelerator, _ = power.Accelerator("T4")
		c.Pools[0].Machine.Accelerators = 1
	}
	s := state.ZoneSignal{Period: time.Hour, Current: wattle.Signal{
		Zone: c.Zone, Intensity: wattle.GramsPerKWh(rapid.SampledFrom([]int{0, 50, 50, 100, 400, 900, 5000}).Draw(t, "now")),
		Quality: wattle.Quality(rapid.IntRange(0, 6).Draw(t, "quality")), From: noon(), To: noon().Add(time.Hour), FetchedAt: noon(),
	}}
	for range max(0, rapid.IntRange(-4, 4).Draw(t, "ahead")) {
		s.Ahead = append(s.Ahead, wattle.GramsPerKWh(rapid.IntRange(0, 900).Draw(t, "later")))
	}
	return zone{c, s}
}

func drawFunctions(t *rapid.T) []wattle.Function {
	var fns []wattle.Function
	for i := range rapid.IntRange(1, 3).Draw(t, "functions") {
		f := wattle.Function{
			ID: wattle.FunctionID(fmt.Sprint("f", i)), Home: "c00", Concurrency: int32(rapid.IntRange(1, 3).Draw(t, "concurrency")),
			Needs:        wattle.Resources{CPU: wattle.MilliCPU(rapid.IntRange(1, 8).Draw(t, "cpu") * 250), Memory: wattle.Bytes(rapid.IntRange(1, 4).Draw(t, "memory")) * wattle.GiB},
			MaxInstances: int32(rapid.IntRange(0, 2).Draw(t, "max")),
			Profile: wattle.Profile{
				Exec: time.Duration(rapid.IntRange(0, 5000).Draw(t, "exec")) * time.Millisecond, Provision: time.Second, Utilisation: 0.5,
				Sigma: float64(rapid.IntRange(0, 10).Draw(t, "sigma")) / 10,
			},
		}
		if rapid.IntRange(0, 2).Draw(t, "resident") == 0 {
			f.Residency = []string{"EU"}
		}
		if rapid.IntRange(0, 3).Draw(t, "gpu") == 0 {
			f.Accelerator, f.Needs.Slices = "any", 1
		}
		if rapid.IntRange(0, 2).Draw(t, "deferrable") == 0 {
			f.Params.Deadline = 3 * time.Hour
		}
		fns = append(fns, f)
	}
	return fns
}

func drawIntent(t *rapid.T) wattle.Intent {
	in := scheduler.DefaultIntent()
	if rapid.Bool().Draw(t, "over home") {
		in.Limits.P95OverHome = int64(rapid.IntRange(1000, 3000).Draw(t, "permille"))
	}
	if rapid.Bool().Draw(t, "over cheapest") {
		in.Limits.CostOverCheapest = int64(rapid.IntRange(1000, 2000).Draw(t, "permille"))
	}
	in.Objective.Seconds = wattle.GramsPerSecond(rapid.IntRange(0, 2).Draw(t, "rate")) * 1e-3
	return in
}

// fixed is a policy that always wants the same.
type fixed struct{ intent wattle.Intent }

func (fixed) Digest() string                                          { return "fixed" }
func (p fixed) Intent(*wattle.Function, *wattle.Params) wattle.Intent { return p.intent }
func (fixed) Judge(*wattle.Function, *wattle.Params, []wattle.Attributes, *wattle.Columns, *wattle.Verdicts) {
}

// arena runs the same requests through one core.
type arena struct {
	core  *scheduler.Core
	store *state.Store
	zones []zone
}

func build(t *rapid.T, zones []zone, fns []wattle.Function, intent wattle.Intent, plans int) *arena {
	var cs []state.Cluster
	for _, z := range zones {
		cs = append(cs, z.cluster)
	}
	fleet, err := state.NewFleet(cs)
	if err != nil {
		t.Fatal(err)
	}
	store, err := state.NewStore(fleet, slices.Clone(fns))
	if err != nil {
		t.Fatal(err)
	}
	cfg := scheduler.DefaultConfig()
	cfg.Policy, cfg.Slot, cfg.Hold, cfg.Plans = fixed{intent}, time.Hour, time.Minute, plans
	cfg.Keeper = &scheduler.Fixed{T: time.Minute}
	for _, s := range stage.Default(stage.DefaultConfig()) {
		cfg.Stages = append(cfg.Stages, s)
	}
	core, err := scheduler.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	a := &arena{core, store, zones}
	a.publish(noon())
	return a
}

// publish shows the zones in the fleet's order.
func (a *arena) publish(now time.Time) {
	var signals []state.ZoneSignal
	for _, c := range a.store.View().Fleet.Clusters {
		i := slices.IndexFunc(a.zones, func(z zone) bool { return z.cluster.ID == c.ID })
		s := a.zones[i].signal
		s.Ahead = slices.Clone(s.Ahead)
		signals = append(signals, s)
	}
	a.store.SetSignals(state.NewSignals(signals, now))
}

// step is one thing that happens to an arena.
type step struct {
	fn      int
	after   time.Duration
	finish  bool
	explain bool
	prices  []wattle.GramsCO2e // by cluster, in the order of their names
	epoch   bool
}

func drawSteps(t *rapid.T, fns, clusters int) []step {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		s := step{
			fn: rapid.IntRange(0, fns-1).Draw(t, "fn"), after: time.Duration(rapid.IntRange(0, 300).Draw(t, "after")) * time.Second,
			finish: rapid.Bool().Draw(t, "finish"), explain: rapid.Bool().Draw(t, "explain"), epoch: rapid.IntRange(0, 9).Draw(t, "epoch") == 0,
		}
		if rapid.IntRange(0, 4).Draw(t, "congested") == 0 {
			for range clusters {
				s.prices = append(s.prices, wattle.GramsCO2e(rapid.IntRange(0, 3).Draw(t, "price"))*1e-5)
			}
		}
		return s
	}), 1, 25).Draw(t, "steps")
}

// story plays the steps and prints every decision.
func (a *arena) story(t *rapid.T, steps []step, explain bool) []string {
	var out []string
	now := noon()
	var running []wattle.InstanceID
	for i, s := range steps {
		now = now.Add(s.after)
		if s.finish && len(running) > 0 {
			a.store.Finish(running[0], now.UnixNano())
			running = running[1:]
		}
		if s.prices != nil {
			a.store.SetPrices(s.prices)
		}
		if s.epoch {
			a.publish(now)
		}
		f := a.store.Functions()[s.fn]
		r := wattle.Request{Sequence: uint64(i), Function: f}
		a.core.Step(now, a.store.View(), wattle.Event{Kind: wattle.Arrived, Function: f})
		d := a.core.Place(now, a.store.View(), &r)
		if explain && s.explain {
			a.checkExplanation(t, now, &r, &d)
		}
		line := fmt.Sprintf("%s: placed=%v %v wait=%v", f.ID, d.Placed, d.Reasons.Names(), a.name(d.Wait))
		if d.Placed {
			line += fmt.Sprintf(" %s %s %s G=%x %+v", a.name(d.Target), d.Sandbox, d.Start.Sub(now), float64(d.G), d.Estimate)
		}
		out = append(out, line)
		if d.Placed && !d.Start.After(now) {
			id, err := a.store.Assume(&d, state.Newest, now, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			running = append(running, id)
			for fleet := a.store.View().Fleet; a.store.View().Load.Over(fleet, d.Target); {
				if !a.store.Evict(a.store.LongestIdle(d.Target)) {
					t.Fatal("over capacity")
				}
			}
		}
	}
	return out
}

func (a *arena) name(target int32) wattle.TargetID {
	if target < 0 {
		return "nowhere"
	}
	return a.store.View().Fleet.Targets[target].Attributes.Target
}

// checkExplanation holds the table to the decision: same choice, and no row
// that could be taken is better than the chosen one.
func (a *arena) checkExplanation(t *rapid.T, now time.Time, r *wattle.Request, d *wattle.Decision) {
	e := a.core.Explain(now, a.store.View(), r)
	if e.Decision != *d {
		t.Fatalf("explained %+v, placed %+v", e.Decision, *d)
	}
	chosen := -1
	for i := range e.Rows {
		if e.Rows[i].Chosen {
			if chosen >= 0 {
				t.Fatal("two rows are chosen")
			}
			chosen = i
		}
	}
	if d.Placed != (chosen >= 0) {
		t.Fatalf("placed %v, row %d", d.Placed, chosen)
	}
	for i := range e.Rows {
		if row := &e.Rows[i]; row.Refused == 0 && (!d.Placed || row.G < e.Rows[chosen].G) {
			t.Fatalf("row %d (%s, G %g) could be taken; chosen is %d", i, row.Attributes.Target, float64(row.G), chosen)
		}
	}
	if d.Placed && (e.Rows[chosen].Refused != 0 || e.Rows[chosen].G != d.G || e.Columns.Carbon[chosen] != d.Estimate.Carbon) {
		t.Fatalf("the chosen row %+v is not the decision %+v", e.Rows[chosen], d)
	}
}

// The same requests get the same decisions in whatever order the clusters are
// listed, with one plan remembered or many, explained or not; and what is
// explained is what was decided.
func TestDecisionsDependOnTheWorldAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var zones []zone
		for i := range rapid.IntRange(1, 24).Draw(t, "clusters") {
			zones = append(zones, drawZone(t, i))
		}
		fns, intent := drawFunctions(t), drawIntent(t)
		steps := drawSteps(t, len(fns), len(zones))
		want := build(t, zones, fns, intent, 64).story(t, steps, false)
		for name, a := range map[string]*arena{
			"clusters permuted": build(t, rapid.Permutation(zones).Draw(t, "order"), fns, intent, 64),
			"one plan":          build(t, zones, fns, intent, 1),
		} {
			if got := a.story(t, steps, true); !slices.Equal(got, want) {
				for i := range got {
					if got[i] != want[i] {
						t.Fatalf("%s, step %d:\n%s\nwant\n%s", name, i, got[i], want[i])
					}
				}
			}
		}
	})
}

// An unknown grid never wins over a known one on equal machines.
func TestAnUnknownGridNeverWins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var zones []zone
		known := 0
		for i := range rapid.IntRange(2, 8).Draw(t, "clusters") {
			z := drawZone(t, i)
			z.cluster.PUE, z.cluster.Pools[0].Speed = 1.2, 1
			z.cluster.Pools[0].Machine.VCPU, z.cluster.Pools[0].Machine.Accelerators = 4, 0
			z.signal.Ahead = nil
			z.signal.Current.Quality = wattle.Measured
			if z.signal.Current.Validate() == nil {
				known++
			}
			zones = append(zones, z)
		}
		f := wattle.Function{ID: "f", Concurrency: 1, Needs: wattle.Resources{CPU: 1000, Memory: wattle.GiB}, Profile: wattle.Profile{Exec: time.Second, Utilisation: 1}}
		a := build(t, zones, []wattle.Function{f}, scheduler.DefaultIntent(), 4)
		r := wattle.Request{Function: a.store.Functions()[0]}
		d := a.core.Place(noon(), a.store.View(), &r)
		s := a.store.View()
		if q := s.Signals.Zones[s.Fleet.Targets[d.Target].Cluster].Current.Quality; known > 0 && q == wattle.Prior {
			t.Fatalf("%s won with a prior", a.name(d.Target))
		}
	})
}
