package scheduler_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/stage"
	"github.com/wattle-project/wattle/scheduler/state"
)

// last chooses the last option and remembers what it was offered.
type last struct{ seen []string }

func (*last) Name() string { return "last" }
func (c *last) Choose(s *state.Snapshot, _ *wattle.Request, o []scheduler.Option) int {
	c.seen = nil
	for i := range o {
		c.seen = append(c.seen, fmt.Sprintf("%s %s", s.Fleet.Targets[o[i].Target].Attributes.Cluster, o[i].Sandbox))
	}
	return len(o) - 1
}

// A Chooser sees one option per feasible target, sorted, warm where one waits.
func TestChoosersSeeFeasibleTargets(t *testing.T) {
	choose := &last{}
	cfg := scheduler.DefaultConfig()
	cfg.Chooser = choose
	core, store, now := world(t, 3, 1, cfg)
	r := wattle.Request{Function: store.Functions()[0]}
	warm, err := store.Assume(&wattle.Decision{Placed: true, Function: r.Function, Target: 1, Sandbox: wattle.Cold}, state.Newest, now, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	store.Finish(warm, now.UnixNano())
	d := core.Place(now, store.View(), &r)
	if got := fmt.Sprint(choose.seen); got != "[c00 cold c01 warm c02 cold]" || d.Target != 2 || d.Sandbox != wattle.Cold || d.Feasible != 6 {
		t.Errorf("offered %s, placed on %d %s of %d", got, d.Target, d.Sandbox, d.Feasible)
	}
	store.SetHealthy(2, false)
	if d = core.Place(now, store.View(), &r); d.Target != 1 || d.Sandbox != wattle.Warm || len(choose.seen) != 2 {
		t.Errorf("offered %v, placed on %d %s", choose.seen, d.Target, d.Sandbox)
	}
	for i := range 3 {
		store.SetHealthy(i, false)
	}
	if d = core.Place(now, store.View(), &r); d.Placed || !d.Reasons.Has(wattle.ReasonUnhealthy) || d.Wait >= 0 {
		t.Errorf("placed with every cluster down: %+v", d)
	}
}

// Feasible counts what policy, devices, residency, health and absolute limits
// left, ranked or chosen, occupied or not.
func TestDecisionsCountFeasibleCandidates(t *testing.T) {
	core, store, now := world(t, 3, 1, scheduler.DefaultConfig())
	r := wattle.Request{Function: store.Functions()[0]}
	if d := core.Place(now, store.View(), &r); d.Feasible != 6 || d.Considered != 6 {
		t.Errorf("%d of %d candidates are feasible, want warm and fresh on 3 targets", d.Feasible, d.Considered)
	}
	store.SetHealthy(2, false)
	if d := core.Place(now, store.View(), &r); d.Feasible != 4 || d.Considered != 6 {
		t.Errorf("%d of %d candidates are feasible with one cluster down, want 4 of 6", d.Feasible, d.Considered)
	}
	for i := range 2 {
		store.SetHealthy(i, false)
	}
	if d := core.Place(now, store.View(), &r); d.Feasible != 0 || d.Placed {
		t.Errorf("%d candidates are feasible with every cluster down", d.Feasible)
	}
}

// Estimate is the row of the candidate table without keep-alive.
func TestEstimatesAreRowsOfTheTable(t *testing.T) {
	core, store, now := world(t, 4, 1, scheduler.DefaultConfig())
	f := store.Functions()[0]
	columns, refused := core.Candidates(now, store.View(), f)
	if columns.Len() != 8 || len(refused) != 8 {
		t.Fatalf("%d candidates, %d refusals", columns.Len(), len(refused))
	}
	var rows []wattle.Estimate
	for i := range columns.Target {
		rows = append(rows, wattle.Estimate{Mean: columns.Mean[i], Energy: columns.Energy[i], Carbon: columns.Carbon[i], Cost: columns.Cost[i]})
	}
	for i, want := range rows {
		box := wattle.Warm
		if i >= 4 {
			box = wattle.Cold
		}
		e := core.Estimate(now, store.View(), f, int32(i%4), box)
		if e.Mean != want.Mean || e.Energy != want.Energy || e.Carbon != want.Carbon || e.Cost != want.Cost {
			t.Errorf("candidate %d: %+v, want %+v", i, e, want)
		}
	}
	if e := core.Estimate(now, store.View(), f, 99, wattle.Cold); e != (wattle.Estimate{}) {
		t.Errorf("an estimate of nowhere: %+v", e)
	}
}

// The cache serves what was built, and a change of anything builds anew.
func TestPlansAreBuiltOncePerEpoch(t *testing.T) {
	core, store, now := world(t, 4, 2, scheduler.DefaultConfig())
	r := wattle.Request{Function: store.Functions()[0]}
	built := func(what string, want uint64, f func()) {
		t.Helper()
		before := core.Built()
		f()
		if got := core.Built() - before; got != want {
			t.Errorf("%s: %d plans built, want %d", what, got, want)
		}
	}
	place := func() { core.Place(now, store.View(), &r) }
	built("first", 1, place)
	built("again", 0, place)
	built("later", 0, func() { now = now.Add(10 * time.Minute); place() })
	built("priced at nothing", 0, func() { store.SetPrices(make([]wattle.GramsCO2e, 4)); place() })
	built("the first price", 1, func() { store.SetPrices([]wattle.GramsCO2e{1e-5, 0, 0, 0}); place() })
	built("another price", 0, func() { store.SetPrices([]wattle.GramsCO2e{2e-5, 1e-5, 0, 0}); place() })
	built("signals", 1, func() { store.SetSignals(store.View().Signals); place() })
	built("health", 1, func() { store.SetHealthy(1, false); place() })
	built("the same health", 0, func() { store.SetHealthy(1, false); place() })
	r.Params.SLO = time.Second
	built("other parameters", 1, place)
}

func TestCoresNeedStages(t *testing.T) {
	good := scheduler.DefaultConfig()
	for _, s := range stage.Default(stage.DefaultConfig()) {
		good.Stages = append(good.Stages, s)
	}
	if _, err := scheduler.New(good); err != nil {
		t.Fatal(err)
	}
	for name, bend := range map[string]func(*scheduler.Config){
		"stages": func(c *scheduler.Config) { c.Stages = nil },
		"plans":  func(c *scheduler.Config) { c.Plans = 0 },
		"slot":   func(c *scheduler.Config) { c.Slot = -1 },
		"slots":  func(c *scheduler.Config) { c.MaxSlots = 0 },
	} {
		c := good
		if bend(&c); c.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// picky counts what it is told of and heeds two kinds alone.
type picky map[wattle.EventKind]int

func (picky) Heeds(k wattle.EventKind) bool { return k == wattle.Finished || k == wattle.Due }
func (p picky) Step(_ time.Time, _ *state.Snapshot, e wattle.Event, out []wattle.Action) []wattle.Action {
	p[e.Kind]++
	return append(out, wattle.Action{Kind: wattle.Evict})
}

// A keeper is told of the kinds that it heeds, and nothing is left of earlier
// answers where it is not told.
func TestKeepersAreToldWhatTheyHeed(t *testing.T) {
	k := picky{}
	cfg := scheduler.DefaultConfig()
	cfg.Keeper = k
	core, store, now := world(t, 2, 1, cfg)
	for kind := wattle.Finished; kind <= wattle.Due; kind++ {
		heeds := kind == wattle.Finished || kind == wattle.Due
		got := core.Step(now, store.View(), wattle.Event{Kind: kind, Function: store.Functions()[0]})
		if told := k[kind] == 1; told != heeds || core.Heeds(kind) != heeds || len(got) != k[kind] {
			t.Errorf("%s: told %v, %d actions, want %v", kind, told, len(got), heeds)
		}
	}
}

// Decide leaves nothing of the decision that was in its memory before.
func TestDecideOverwrites(t *testing.T) {
	core, store, now := world(t, 2, 1, scheduler.DefaultConfig())
	r := wattle.Request{Sequence: 7, Function: store.Functions()[0]}
	placed, again := core.Place(now, store.View(), &r), core.Place(now, store.View(), &r)
	store.SetHealthy(0, false)
	store.SetHealthy(1, false)
	refused := core.Place(now, store.View(), &r)
	if core.Decide(&again, now, store.View(), &r); again != refused || again.Placed {
		t.Errorf("got %+v, want %+v", again, refused)
	}
	store.SetHealthy(0, true)
	store.SetHealthy(1, true)
	core.Decide(&again, now, store.View(), &r)
	if again.Revision, placed.Revision = 0, 0; again != placed || !placed.Placed {
		t.Errorf("got %+v, want %+v", again, placed)
	}
}
