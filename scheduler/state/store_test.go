package state

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/power"
)

func fleetOf(t testing.TB, clusters ...Cluster) *Fleet {
	t.Helper()
	f, err := NewFleet(clusters)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// place is a cluster of one pool.
func place(id wattle.ClusterID, vcpu int, memory wattle.Bytes) Cluster {
	return Cluster{ID: id, Zone: wattle.ZoneID("Z-" + id), Region: wattle.RegionID(id), PUE: 1, Pools: []Pool{{
		Name: "p", Nodes: 1, Speed: 1, Machine: power.Machine{VCPU: vcpu, Memory: memory},
	}}}
}

func withDevice(c Cluster) Cluster {
	c.Pools[0].Machine.Accelerator, _ = power.Accelerator("A100-80GB")
	c.Pools[0].Machine.Accelerators = 1
	c.Pools[0].Profile = &power.MIGProfiles("A100-80GB")[0]
	return c
}

func storeOf(t testing.TB, f *Fleet, fns ...wattle.Function) *Store {
	t.Helper()
	s, err := NewStore(f, fns)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fn(id wattle.FunctionID, cpu wattle.MilliCPU, memory wattle.Bytes) wattle.Function {
	return wattle.Function{ID: id, Concurrency: 1, Needs: wattle.Resources{CPU: cpu, Memory: memory}}
}

// check compares every count and list of s with a plain walk over the instances.
func check(t *rapid.T, s *Store) {
	l, f := s.view.Load, s.view.Fleet
	used, idle := make([]wattle.Resources, len(f.Pools)), make([]wattle.Resources, len(f.Pools))
	slices, running := make([][2]int32, len(f.Targets)), make([]int32, len(f.Targets))
	live := make([]int32, len(s.functions))
	avail := map[[2]int32]int32{}
	alive := 0
	for i := range s.instances {
		in := &s.instances[i]
		if in.Status == Gone {
			continue
		}
		alive++
		p := f.Targets[in.Target].Pool
		used[p].CPU += in.Function.Needs.CPU
		used[p].Memory += in.Function.Needs.Memory
		slices[in.Target][0] += in.Function.Needs.Slices
		live[in.Function.Index]++
		running[in.Target] += in.Running
		if in.Running < 0 || in.Running > in.Function.Concurrency {
			t.Fatalf("instance %d serves %d requests of at most %d", i, in.Running, in.Function.Concurrency)
		}
		if (in.Running > 0) != (in.Status == Busy) {
			t.Fatalf("instance %d has status %d and %d requests", i, in.Status, in.Running)
		}
		if in.Status == Idle {
			idle[p].CPU += in.Function.Needs.CPU
			idle[p].Memory += in.Function.Needs.Memory
			slices[in.Target][1] += in.Function.Needs.Slices
		}
		if in.Status == Idle || in.Status == Busy && in.Running < in.Function.Concurrency {
			avail[[2]int32{in.Function.Index, in.Target}]++
		}
	}
	if alive != s.Live() {
		t.Fatalf("%d alive, Live says %d", alive, s.Live())
	}
	for p := range f.Pools {
		u := l.nodes[p]
		if u.used.CPU != used[p].CPU || u.used.Memory != used[p].Memory || u.idle.CPU != idle[p].CPU || u.idle.Memory != idle[p].Memory {
			t.Fatalf("pool %d counts %+v, want used %+v, idle %+v", p, u, used[p], idle[p])
		}
		if c := f.Pools[p].Capacity; used[p].CPU > c.CPU || used[p].Memory > c.Memory {
			t.Fatalf("pool %d holds %+v of %+v after making room", p, used[p], c)
		}
	}
	for target := range f.Targets {
		if got := [2]int32{l.slices[target].used.Slices, l.slices[target].idle.Slices}; got != slices[target] || got[0] > f.Targets[target].Slices {
			t.Fatalf("target %d counts slices %v, want %v of %d", target, got, slices[target], f.Targets[target].Slices)
		}
		if l.Running(int32(target)) != running[target] {
			t.Fatalf("target %d runs %d, want %d", target, l.Running(int32(target)), running[target])
		}
	}
	for i := range s.functions {
		anywhere := false
		for target := range f.Targets {
			want := avail[[2]int32{int32(i), int32(target)}]
			anywhere = anywhere || want > 0
			if got := l.Warm(int32(i), int32(target)); got != want {
				t.Fatalf("function %d has %d warm on %d, want %d", i, got, target, want)
			}
			walk(t, s, int32(i), int32(target), want)
		}
		if l.Live(int32(i)) != live[i] || l.WarmAnywhere(int32(i)) != anywhere {
			t.Fatalf("function %d: %d live, want %d; warm anywhere %v", i, l.Live(int32(i)), live[i], !anywhere)
		}
	}
	rested(t, s)
}

// walk follows the available list of a pool both ways.
func walk(t *rapid.T, s *Store, fn, target, want int32) {
	p := s.view.Load.find(fn, target)
	if p == nil {
		return
	}
	n, last := int32(0), none
	for slot := p.head; slot != none; slot = s.instances[slot].next {
		if in := &s.instances[slot]; in.prev != last || in.Function.Index != fn || in.Target != target {
			t.Fatalf("slot %d is wrongly linked", slot)
		}
		last = slot
		n++
	}
	if n != want || p.tail != last {
		t.Fatalf("%d in the list, want %d", n, want)
	}
}

// rested checks that the eviction lists hold exactly the idle, longest first.
func rested(t *rapid.T, s *Store) {
	listed := 0
	for p := range s.view.Fleet.Pools {
		since, before := int64(math.MinInt64), none
		for slot := s.view.Load.rested[p].head; slot != none; slot = s.instances[slot].after {
			in := &s.instances[slot]
			if in.Status != Idle || in.Since < since || in.before != before || s.view.Fleet.Targets[in.Target].Pool != p {
				t.Fatalf("slot %d is wrongly in the eviction list of pool %d", slot, p)
			}
			since, before = in.Since, slot
			listed++
		}
	}
	for i := range s.instances {
		if s.instances[i].Status == Idle {
			listed--
		}
	}
	if listed != 0 {
		t.Fatalf("the eviction lists are %d off", listed)
	}
}

// Whatever is asked of a store in whatever order, its counts and lists agree
// with its instances, no pool exceeds its capacity once room has been made, and
// an old identity never reaches a new instance.
func TestStoreStaysConsistent(t *testing.T) {
	fleet := fleetOf(t, place("aa", 4, 4*wattle.GiB), withDevice(place("bb", 6, 8*wattle.GiB)))
	rapid.Check(t, func(t *rapid.T) {
		fns := []wattle.Function{fn("a", 1000, wattle.GiB), fn("b", 500, 300*wattle.MiB), fn("c", 2000, 2*wattle.GiB), fn("g", 500, wattle.GiB)}
		fns[1].Concurrency, fns[2].Concurrency, fns[0].MaxInstances = 3, 2, 3
		fns[3].Accelerator, fns[3].Needs.Slices = "any", 1
		s, err := NewStore(fleet, fns)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Unix(1000, 0)
		var ids []wattle.InstanceID
		gone := map[wattle.InstanceID]bool{}
		id := func() wattle.InstanceID {
			if len(ids) == 0 {
				return 0
			}
			return rapid.SampledFrom(ids).Draw(t, "id")
		}
		relieve := func(target int32) {
			for s.view.Load.Over(fleet, target) {
				victim := s.LongestIdle(target)
				if !s.Evict(victim) {
					t.Fatal("over capacity and nothing is idle")
				}
				gone[victim] = true
			}
		}
		act := map[string]func(*rapid.T){
			"assume": func(t *rapid.T) {
				d := wattle.Decision{
					Placed: true, Function: &fns[rapid.IntRange(0, 3).Draw(t, "function")], Target: rapid.Int32Range(0, int32(len(fleet.Targets)-1)).Draw(t, "target"),
					Sandbox: rapid.SampledFrom([]wattle.Sandbox{wattle.Warm, wattle.Cold}).Draw(t, "sandbox"), Sequence: rapid.Uint64().Draw(t, "sequence"),
				}
				var deadline time.Time
				if rapid.Bool().Draw(t, "unconfirmed") {
					deadline = now.Add(time.Duration(rapid.IntRange(1, 5).Draw(t, "for")) * time.Second)
				}
				got, err := s.Assume(&d, rapid.SampledFrom([]Pick{Newest, Oldest, Random}).Draw(t, "pick"), now, deadline)
				if err == nil {
					ids = append(ids, got)
					relieve(d.Target)
				}
			},
			"prewarm": func(t *rapid.T) {
				target := rapid.Int32Range(0, int32(len(fleet.Targets)-1)).Draw(t, "target")
				if got, err := s.Prewarm(&fns[rapid.IntRange(0, 3).Draw(t, "function")], target, now.UnixNano()); err == nil {
					ids = append(ids, got)
					relieve(target)
				}
			},
			"ready":   func(*rapid.T) { s.Ready(id(), now.UnixNano()) },
			"finish":  func(*rapid.T) { s.Finish(id(), now.UnixNano()) },
			"confirm": func(*rapid.T) { s.Confirm(id()) },
			"keep":    func(*rapid.T) { s.Keep(id(), now.UnixNano()) },
			"evict": func(*rapid.T) {
				if i := id(); s.Evict(i) {
					gone[i] = true
				}
			},
			"advance": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 4).Draw(t, "seconds")) * time.Second)
				s.ExpireAssumed(now)
			},
			"": func(t *rapid.T) {
				check(t, s)
				frozen := s.Freeze()
				for i := range gone {
					if s.Instance(i) != nil {
						t.Fatalf("identity %x is alive again", i)
					}
				}
				for f := range fns {
					if m := fns[f].MaxInstances; m > 0 && s.view.Load.Live(int32(f)) > m {
						t.Fatalf("function %d has %d instances", f, s.view.Load.Live(int32(f)))
					}
					for target := range fleet.Targets {
						if frozen.Load.Warm(int32(f), int32(target)) != s.view.Load.Warm(int32(f), int32(target)) {
							t.Fatal("a frozen snapshot differs")
						}
					}
				}
				perInstance := map[wattle.InstanceID]int32{}
				for _, a := range s.assumed {
					perInstance[a.id]++
					if in := s.Instance(a.id); in == nil || perInstance[a.id] > in.Running {
						t.Fatalf("%d reservations of %x are assumed", perInstance[a.id], a.id)
					}
				}
			},
		}
		t.Repeat(act)
	})
}

// A request that finishes without a Confirm takes its assumption with it: the
// deadline then ends nobody else's request on the same instance.
func TestFinishSettlesAnAssumption(t *testing.T) {
	s := storeOf(t, fleetOf(t, place("aa", 4, wattle.GiB)), fn("f", 1000, wattle.MiB))
	now := time.Unix(1000, 0)
	cold := wattle.Decision{Placed: true, Function: s.Functions()[0], Sandbox: wattle.Cold}
	id, err := s.Assume(&cold, Newest, now, now.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	s.Finish(id, now.Add(time.Second).UnixNano())
	warm := cold
	warm.Sandbox = wattle.Warm
	again, err := s.Assume(&warm, Newest, now.Add(2*time.Second), time.Time{})
	if err != nil || again != id {
		t.Fatalf("%x %v, want %x", again, err, id)
	}
	if n := s.ExpireAssumed(now.Add(time.Hour)); n != 0 {
		t.Errorf("%d assumptions expired", n)
	}
	if in := s.Instance(id); in == nil || in.Running != 1 {
		t.Errorf("the running request was ended: %+v", in)
	}
}

func TestExpiredAssumptions(t *testing.T) {
	now := time.Unix(1000, 0)
	for _, c := range []struct {
		name  string
		after func(*Store, wattle.InstanceID)
		live  int
		idle  bool
	}{
		{"a fresh instance goes", func(*Store, wattle.InstanceID) {}, 0, false},
		{"a confirmed one stays", func(s *Store, id wattle.InstanceID) { s.Confirm(id) }, 1, false},
		{"a finished one stays idle", func(s *Store, id wattle.InstanceID) { s.Finish(id, now.UnixNano()) }, 1, true},
	} {
		s := storeOf(t, fleetOf(t, place("aa", 4, wattle.GiB)), fn("f", 1000, wattle.MiB))
		id, err := s.Assume(&wattle.Decision{Placed: true, Function: s.Functions()[0], Sandbox: wattle.Cold}, Newest, now, now.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		c.after(s, id)
		if n := s.ExpireAssumed(now.Add(59 * time.Second)); n != 0 {
			t.Errorf("%s: %d expired before their time", c.name, n)
		}
		s.ExpireAssumed(now.Add(time.Minute))
		in := s.Instance(id)
		if s.Live() != c.live || in != nil && (in.Status == Idle) != c.idle {
			t.Errorf("%s: %d live, %+v", c.name, s.Live(), in)
		}
	}
}

func TestBoundsOnInstancesHoldWhereTheyAreMade(t *testing.T) {
	f := fn("f", 100, wattle.MiB)
	f.MaxInstances = 1
	s := storeOf(t, fleetOf(t, place("aa", 4, wattle.GiB)), f)
	if _, err := s.Prewarm(s.Functions()[0], 0, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prewarm(s.Functions()[0], 0, 1); err == nil {
		t.Error("pre-warmed a second instance of at most one")
	}
	if _, err := s.Assume(&wattle.Decision{Placed: true, Function: s.Functions()[0], Sandbox: wattle.Cold}, Newest, time.Unix(1, 0), time.Time{}); err == nil {
		t.Error("assumed a second instance of at most one")
	}
}

func TestStoreRefusesWhatItCannotHold(t *testing.T) {
	fleet := fleetOf(t, place("aa", 1, wattle.GiB))
	if _, err := NewStore(fleet, []wattle.Function{fn("f", 1, 1), fn("f", 1, 1)}); err == nil {
		t.Error("a function listed twice is accepted")
	}
	if _, err := NewStore(fleet, []wattle.Function{{ID: "f"}}); err == nil {
		t.Error("a function without needs is accepted")
	}
	s := storeOf(t, fleet, fn("f", 2000, wattle.MiB))
	d := wattle.Decision{Function: s.Functions()[0]}
	for _, placed := range []bool{false, true} {
		for _, box := range []wattle.Sandbox{wattle.Warm, wattle.Cold} {
			if d.Placed, d.Sandbox = placed, box; func() error { _, err := s.Assume(&d, Newest, time.Unix(1, 0), time.Time{}); return err }() == nil {
				t.Errorf("assumed placed=%v %s", placed, box)
			}
		}
	}
	if fleet.Holds(0, s.Functions()[0].Needs) {
		t.Error("one vCPU holds two")
	}
}

func TestFleetRefusesNonsense(t *testing.T) {
	good := place("aa", 4, wattle.GiB)
	bend := func(f func(*Cluster)) Cluster {
		c := good
		c.Pools = append([]Pool(nil), good.Pools...)
		f(&c)
		return c
	}
	for name, cs := range map[string][]Cluster{
		"no id":        {bend(func(c *Cluster) { c.ID = "" })},
		"pue under 1":  {bend(func(c *Cluster) { c.PUE = 0.9 })},
		"pue NaN":      {bend(func(c *Cluster) { c.PUE = math.NaN() })},
		"no pools":     {bend(func(c *Cluster) { c.Pools = nil })},
		"no speed":     {bend(func(c *Cluster) { c.Pools[0].Speed = 0 })},
		"speed NaN":    {bend(func(c *Cluster) { c.Pools[0].Speed = math.NaN() })},
		"twice":        {good, good},
		"a pool twice": {bend(func(c *Cluster) { c.Pools = append(c.Pools, c.Pools[0]) })},
	} {
		if _, err := NewFleet(cs); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestDistancesAreThoseOfTheGlobe(t *testing.T) {
	at := func(id wattle.ClusterID, lat, lon float64) Cluster {
		c := place(id, 1, wattle.GiB)
		c.Latitude, c.Longitude = lat, lon
		return c
	}
	f := fleetOf(t, at("frankfurt", 50.11, 8.68), at("virginia", 38.13, -78.45), at("antipode-a", 0, 0), at("antipode-b", 0, 180))
	rtt := func(a, b wattle.RegionID) time.Duration { return f.RTT[f.RegionIndex(a)][f.RegionIndex(b)] }
	// 6,679 km by the spherical law of cosines: 20 + 16.4·6.679 = 129.5 ms.
	if d := distance(50.11, 8.68, 38.13, -78.45); math.Abs(d-6679) > 1 {
		t.Errorf("Frankfurt to Virginia is %.0f km", d)
	}
	if got := rtt("frankfurt", "virginia"); got != 129500*time.Microsecond || got != rtt("virginia", "frankfurt") {
		t.Errorf("Frankfurt to Virginia takes %s", got)
	}
	if got := rtt("frankfurt", "frankfurt"); got != 2*time.Millisecond {
		t.Errorf("within a region %s", got)
	}
	if d := distance(0, 0, 0, 180); math.Abs(d-math.Pi*6371) > 1 {
		t.Errorf("half the globe is %.0f km", d)
	}
}

func TestBilledTimeRoundsUp(t *testing.T) {
	ms := time.Millisecond
	for _, c := range []struct{ round, least, run, want time.Duration }{
		{ms, 0, 1, ms}, {ms, 0, ms, ms}, {ms, 0, ms + 1, 2 * ms}, {100 * ms, 0, 101 * ms, 200 * ms},
		{0, 0, 123, 123}, {ms, 100 * ms, 3 * ms, 100 * ms}, {100 * ms, 50 * ms, 1, 100 * ms}, {ms, 0, 0, 0},
	} {
		if got := (Price{Round: c.round, Minimum: c.least}).Billed(c.run); got != c.want {
			t.Errorf("round %s, minimum %s: %s is billed as %s, want %s", c.round, c.least, c.run, got, c.want)
		}
	}
}

// Mean is the integral of the step function, checked minute by minute.
func TestMeanIntegratesTheForecast(t *testing.T) {
	start := time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		z := ZoneSignal{Current: wattle.Signal{Intensity: 100, From: start, To: start.Add(10 * time.Minute)}, Period: time.Duration(rapid.IntRange(1, 9).Draw(t, "period")) * time.Minute}
		for range rapid.IntRange(0, 5).Draw(t, "ahead") {
			z.Ahead = append(z.Ahead, wattle.GramsPerKWh(rapid.IntRange(1, 900).Draw(t, "value")))
		}
		from, n := rapid.OneOf(rapid.Just(10), rapid.IntRange(0, 80)).Draw(t, "from"), rapid.IntRange(1, 80).Draw(t, "minutes")
		sum := 0.0
		for m := from; m < from+n; m++ {
			v := z.Current.Intensity
			if m >= 10 && len(z.Ahead) > 0 {
				v = z.Ahead[min((m-10)/int(z.Period/time.Minute), len(z.Ahead)-1)]
			}
			sum += float64(v)
		}
		got := float64(z.Mean(start.Add(time.Duration(from)*time.Minute), time.Duration(n)*time.Minute))
		if want := sum / float64(n); math.Abs(got-want) > 1e-9*want {
			t.Fatalf("mean over [%d, %d) min is %g, want %g", from, from+n, got, want)
		}
		at, want := z.Mean(start.Add(time.Duration(from)*time.Minute), 0), z.Current.Intensity
		if from >= 10 && len(z.Ahead) > 0 {
			want = z.Ahead[min((from-10)/int(z.Period/time.Minute), len(z.Ahead)-1)]
		}
		if at != want {
			t.Fatalf("at minute %d: %g, want %g", from, at, want)
		}
	})
}

func TestUnusableSignalsBecomePriors(t *testing.T) {
	now := time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
	good := func(v wattle.GramsPerKWh) ZoneSignal {
		return ZoneSignal{Current: wattle.Signal{Zone: "z", Intensity: v, From: now, To: now.Add(time.Hour)}}
	}
	nan := wattle.GramsPerKWh(math.NaN())
	for _, bad := range []wattle.GramsPerKWh{0, -1, nan, wattle.GramsPerKWh(math.Inf(1)), 3001} {
		for _, known := range []wattle.GramsPerKWh{50, 900} {
			s := NewSignals([]ZoneSignal{good(bad), good(known)}, now)
			want := max(wattle.UnknownIntensity, known)
			if c := s.Zones[0].Current; c.Intensity != want || c.Quality != wattle.Prior || c.Validate() != nil {
				t.Errorf("%g g/kWh beside %g became %+v, want %g", bad, known, c, want)
			}
			z := good(known)
			z.Ahead, z.Period = []wattle.GramsPerKWh{40, bad, 60}, time.Hour
			given := z.Ahead
			s = NewSignals([]ZoneSignal{z}, now)
			if got := s.Zones[0].Ahead; got[0] != 40 || got[1] != want || got[2] != 60 {
				t.Errorf("a forecast of %g became %v", bad, got)
			}
			if given[1] == want {
				t.Error("the caller's forecast was changed")
			}
		}
	}
	s := storeOf(t, fleetOf(t, place("aa", 1, wattle.GiB), place("bb", 1, wattle.GiB)))
	for _, z := range s.View().Signals.Zones {
		if z.Current.Quality != wattle.Prior || z.Current.Intensity != wattle.UnknownIntensity {
			t.Errorf("before any signal: %+v", z.Current)
		}
	}
}

// Kinds and scopes never meet in one table.
func TestSignalsOfOneTableAreComparable(t *testing.T) {
	now := time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		draw := func() []ZoneSignal {
			zones := make([]ZoneSignal, 5)
			for i := range zones {
				zones[i].Current = wattle.Signal{
					Zone: "z", Intensity: wattle.GramsPerKWh(10 * (i + 1)), From: now, To: now.Add(time.Hour),
					Kind:  rapid.SampledFrom([]wattle.SignalKind{wattle.Average, wattle.Marginal}).Draw(t, "kind"),
					Scope: rapid.SampledFrom([]wattle.SignalScope{wattle.Lifecycle, wattle.Direct}).Draw(t, "scope"),
				}
			}
			return zones
		}
		average, marginal := draw(), draw()
		given := map[wattle.SignalKind][]ZoneSignal{wattle.Average: append([]ZoneSignal(nil), average...), wattle.Marginal: append([]ZoneSignal(nil), marginal...)}
		s := NewSignals(average, now).WithMarginal(marginal)
		for kind, zones := range given {
			table := s.Of(kind)
			if table.Kind != kind {
				t.Fatalf("asked for %s, served %s", kind, table.Kind)
			}
			for i := range zones {
				z, q := table.Zone(i, now)
				if !z.Current.Comparable(table.Zones[0].Current) {
					t.Fatalf("%+v stands beside %+v", z.Current, table.Zones[0].Current)
				}
				own := zones[i].Current.Kind == kind && zones[i].Current.Scope == table.Scope
				if own != (q == wattle.Measured) || own && z.Current.Intensity != zones[i].Current.Intensity {
					t.Fatalf("%+v is served as %+v (%s)", zones[i].Current, z.Current, q)
				}
			}
		}
	})
	if s := NewSignals(make([]ZoneSignal, 1), now); s.Of(wattle.Marginal).Zones[0].Current.Quality != wattle.Prior {
		t.Error("marginal intensities are known from nowhere")
	}
}

func TestTargetsAreSortedAndNamed(t *testing.T) {
	b, a := withDevice(place("bb", 2, wattle.GiB)), place("aa", 2, wattle.GiB)
	f := fleetOf(t, b, a)
	got := fmt.Sprint(f.Attributes()[0].Target, " ", f.Attributes()[1].Target, " ", f.Attributes()[2].Target)
	if want := "aa/p bb/p bb/p/A100-80GB-1g.10gb"; got != want {
		t.Errorf("targets %s, want %s", got, want)
	}
	if t2 := f.Targets[2]; t2.Slices != 7 || t2.Attributes.Accelerator.Isolation() != wattle.IsolationMIG {
		t.Errorf("device target %+v", t2)
	}
	if f.ClusterIndex("bb") != 1 || f.ClusterIndex("cc") != -1 || f.RegionIndex("nowhere") != -1 {
		t.Error("clusters or regions are not found")
	}
}
