package agent

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/learn"
	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/attribution"
	"github.com/wattle-project/wattle/telemetry/cgroup"
	"github.com/wattle-project/wattle/telemetry/disaggregate"
	"github.com/wattle-project/wattle/telemetry/disaggregate/profile"
	"github.com/wattle-project/wattle/telemetry/emissions"
	"github.com/wattle-project/wattle/telemetry/exporter"
	"github.com/wattle-project/wattle/telemetry/invocations"
)

// host is a machine of known power: 20 W at rest, 30 W while a warm invocation of
// shop/resize runs (0.1 s), 40 W while a cold one does (0.1 s after 0.4 s of
// start-up), and 10 W while the platform does. Its grid has 100 g/kWh for the
// first ten minutes and 300 g/kWh after.
type host struct {
	begin         time.Time
	second        int
	energy        float64 // J
	used          [2]time.Duration
	warm, cold    int // invocations that ended so far
	invoked       learn.Batch
	platformShare float64 // mean of the processor
}

func (h *host) now() time.Time { return h.begin.Add(time.Duration(h.second) * time.Second) }

// pass lets a second go by.
func (h *host) pass() {
	warm, cold, platform := h.second*7%5, h.second/3%2, 0.1+0.2*float64(h.second*3%7)
	ran := 0.1*float64(warm) + 0.5*float64(cold)
	h.energy += 20 + 30*0.1*float64(warm) + 40*0.5*float64(cold) + 10*platform
	h.used[0] += time.Duration(ran * 1e9)
	h.used[1] += time.Duration(platform * 1e9)
	h.warm, h.cold = h.warm+warm, h.cold+cold
	h.platformShare += (platform - h.platformShare) / float64(h.second+1)
	from := h.now()
	h.second++
	h.invoked = learn.Batch{From: from, To: h.now(), Runs: []invocations.Run{{
		Key:    invocations.Key{Namespace: "shop", Function: "resize"},
		Counts: invocations.Counts{Count: float64(warm + cold), Seconds: 0.1 * float64(warm+cold), Cold: float64(cold), ColdSeconds: 0.4 * float64(cold)},
	}}}
}

func (h *host) Name() string { return "test" }
func (h *host) Zones() []telemetry.Zone {
	return []telemetry.Zone{{Key: "package-0", Component: wattle.Package, Bound: 400}}
}
func (h *host) Read(_ context.Context, dst []telemetry.Reading) ([]telemetry.Reading, error) {
	return append(dst, telemetry.Reading{At: h.now(), Energy: uint64(math.Round(h.energy * 1e6)), HasEnergy: true}), nil
}

// containers are the two of the host.
type containers struct{ *host }

func (c containers) Read(_ time.Time, dst []cgroup.Usage) ([]cgroup.Usage, error) {
	return append(dst, cgroup.Usage{ID: 1, Key: "/resize", CPU: c.used[0]}, cgroup.Usage{ID: 2, Key: "/platform", CPU: c.used[1]}), nil
}

func (c containers) Owner(u *cgroup.Usage, _ time.Time) (attribution.Owner, bool) {
	if u.ID == 2 {
		return attribution.Owner{Namespace: "faas", Function: "gateway"}, true
	}
	return attribution.Owner{Namespace: "shop", Function: "resize", CPU: 1000, Memory: 2 * wattle.GiB}, true
}

func (h *host) change() time.Time { return h.begin.Add(10 * time.Minute) }

func (h *host) Walk(from, to time.Time, note func(wattle.Signal)) {
	if from.Before(h.change()) {
		note(wattle.Signal{Zone: "DE", Intensity: 100, From: h.begin, To: h.change()})
	}
	if to.After(h.change()) {
		note(wattle.Signal{Zone: "DE", Intensity: 300, From: h.change(), To: h.begin.Add(time.Hour)})
	}
}

func (h *host) agent(t *testing.T, publish func(*exporter.Snapshot)) *Agent {
	t.Helper()
	l, err := learn.New(disaggregate.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	c := Config{
		Node: "n", Interval: time.Second, Chain: telemetry.Chain{Meters: []telemetry.Meter{h}}, Usage: containers{h}, Owners: containers{h},
		Divide: attribution.DefaultConfig(), Carbon: emissions.New(h, 1.5), Learn: l, Publish: publish,
		Embodied: Embodied{Package: 4000, DRAM: 8000, Other: 1000, Lifetime: 1000 * time.Hour},
		Control:  func(namespace, _ string) bool { return namespace == "faas" },
		Batches: func() []learn.Batch {
			if h.second == 0 {
				return nil
			}
			return []learn.Batch{h.invoked}
		},
	}
	c.Divide.CPU, c.Divide.Memory, c.Divide.Idle = 4000, 8*wattle.GiB, map[attribution.Zone]wattle.Watts{{Component: wattle.Package}: 20}
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// seen is what the snapshots of a run said.
type seen struct {
	ended  map[exporter.Start]uint64
	energy map[exporter.Start]wattle.Joules // of one, as last said
	grams  [2]wattle.GramsCO2e              // of the function: operational, embodied
	node   [2]wattle.GramsCO2e
	joules wattle.Joules // of the function
}

func (s *seen) note(x *exporter.Snapshot) {
	for _, f := range x.Finished {
		s.ended[f.Start] += f.Count
		s.energy[f.Start] = f.Energy
	}
	s.grams, s.node, s.joules = [2]wattle.GramsCO2e{}, [2]wattle.GramsCO2e{}, 0
	for _, e := range x.FunctionEmissions {
		if e.Function == "resize" {
			s.grams[e.Scope] += e.Total
		}
	}
	for _, e := range x.Emissions {
		s.node[e.Scope] += e.Total
	}
	for _, e := range x.Functions {
		if e.Function == "resize" {
			s.joules += e.Energy.Joules()
		}
	}
}

func near(t *testing.T, what string, got, want, part float64) {
	t.Helper()
	if !(math.Abs(got-want) <= part*want) {
		t.Errorf("%s: %g, want %g within %g of it", what, got, want, part)
	}
}

// TestKnownMachine runs the agent for twenty minutes on a machine of which all is
// known, and holds counts, joules and grams to that.
func TestKnownMachine(t *testing.T) {
	h := &host{begin: time.Unix(36000, 0)}
	s := &seen{ended: map[exporter.Start]uint64{}, energy: map[exporter.Start]wattle.Joules{}}
	a := h.agent(t, s.note)
	half, energies := *s, [2]float64{}
	for a.Step(t.Context(), h.now()); h.second < 1200; a.Step(t.Context(), h.now()) {
		h.pass()
		if h.second == 600 {
			a.Step(t.Context(), h.now())
			a.Refresh()
			half, energies[0] = *s, h.energy
			h.pass()
		}
	}
	a.Refresh()
	energies[1] = h.energy - energies[0]

	// Warm and cold are counted apart, each with its own energy and equal shares
	// of what the machine draws at rest and the platform while it runs.
	if s.ended[exporter.Warm] != uint64(h.warm) || s.ended[exporter.Cold] != uint64(h.cold) || s.ended[exporter.AnyStart] != 0 {
		t.Errorf("ended %v, want %d warm and %d cold", s.ended, h.warm, h.cold)
	}
	perSecond := float64(h.warm+h.cold) / 1200
	shares := (20 + 10*h.platformShare) / perSecond
	near(t, "joules of a warm invocation", float64(s.energy[exporter.Warm]), 3+shares, 0.02)
	near(t, "joules of a cold invocation", float64(s.energy[exporter.Cold]), 20+shares, 0.02)
	platform, ok := a.cfg.Learn.Filter().ControlPlane()
	if near(t, "watts of the platform", platform.Value, 10, 0.02); !ok {
		t.Error("the platform has no column")
	}

	// Grams are of the time in which the energy was spent, embodied ones apart.
	const kWh = 3.6e6
	near(t, "operational grams of the node", float64(s.node[exporter.Operational]), 1.5*(100*energies[0]+300*energies[1])/kWh, 1e-6)
	near(t, "operational grams of the function in the first half", float64(half.grams[exporter.Operational]), 1.5*100*float64(half.joules)/kWh, 1e-6)
	near(t, "in the second half", float64(s.grams[exporter.Operational]-half.grams[exporter.Operational]), 1.5*300*float64(s.joules-half.joules)/kWh, 1e-6)
	part := 1200.0 / 3.6e6
	near(t, "embodied grams of the node", float64(s.node[exporter.Embodied]), 13000*part, 1e-9)
	near(t, "embodied grams of what the function reserves", float64(s.grams[exporter.Embodied]), (4000.0/4+8000.0/4)*part, 1e-9)
}

// flaky are containers that cannot be read every tenth second.
type flaky struct{ containers }

func (f flaky) Read(now time.Time, dst []cgroup.Usage) ([]cgroup.Usage, error) {
	if f.second%10 == 7 {
		return dst, errors.New("EIO")
	}
	dst, err := f.containers.Read(now, dst)
	for i := range dst {
		dst[i].Memory, dst[i].HasMemory = wattle.Bytes(3+i)*wattle.MiB, true
	}
	return dst, err
}

// TestPageCloses: on every page what functions, the system and nobody have adds up
// to what was metered, energy of a round without use waits for the next, thirds of
// invocations become whole ones, and nobody is served the same page twice as news.
func TestPageCloses(t *testing.T) {
	h := &host{begin: time.Unix(36000, 0)}
	pages, missed, ended, joules := 0, uint64(0), map[exporter.Start]uint64{}, wattle.Joules(0)
	a := h.agent(t, func(x *exporter.Snapshot) {
		pages, missed = pages+1, x.Missed
		sum := wattle.Microjoules(0)
		joules = 0
		for _, f := range x.Functions {
			sum += f.Energy
			if f.Function == "resize" {
				joules += f.Energy.Joules()
			}
		}
		for _, o := range x.Other {
			sum += o.Energy
			if o.Reason == exporter.Unallocated && o.Energy > wattle.Joules(20*h.second).Micro() {
				t.Errorf("second %d: %v is unallocated, more than is drawn at rest", h.second, o.Energy.Joules())
			}
		}
		if sum != x.Zones[0].Total {
			t.Errorf("second %d: %d µJ are on the page, %d were metered", h.second, sum, x.Zones[0].Total)
		}
		for _, f := range x.Finished {
			ended[f.Start] += f.Count
		}
	})
	a.cfg.Usage = flaky{containers{h}}
	a.cfg.Batches = func() []learn.Batch {
		if h.second == 0 {
			return nil
		}
		b := h.invoked
		b.Runs = []invocations.Run{{Key: b.Runs[0].Key, Counts: invocations.Counts{Count: 4.0 / 3, Seconds: 0.3, Cold: 1.0 / 3, ColdSeconds: 0.1, Untold: 1.0 / 3}}}
		return []learn.Batch{b}
	}
	own := attribution.Owner{Namespace: "shop", Function: "resize"} // no reservation: its memory is what it holds
	a.cfg.Owners = owner(func(u *cgroup.Usage) attribution.Owner {
		if u.ID == 2 {
			return attribution.Owner{Namespace: "faas", Function: "gateway"}
		}
		return own
	})
	for h.second < 300 {
		before := joules
		a.Step(t.Context(), h.now())
		a.Refresh()
		a.Refresh()
		if h.second%10 == 7 && joules != before {
			t.Errorf("second %d: %v J were divided without a reading of use", h.second, joules-before)
		}
		h.pass()
		if h.second == 201 {
			h.pass() // nobody looks
		}
	}
	if pages != 299 || missed != 1 {
		t.Errorf("%d pages of 299 rounds, %d are said to be missed of 1", pages, missed)
	}
	for start, want := range map[exporter.Start]uint64{exporter.AnyStart: 100, exporter.Cold: 100, exporter.Warm: 200} {
		if n := ended[start]; n > want || n+3 < want {
			t.Errorf("%d invocations of start %v, want %d but for the last", n, start, want)
		}
	}
	d, err := a.Profiles(profile.About{})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Functions) != 1 || d.Functions[0].Memory != int64(3*wattle.MiB) {
		t.Errorf("%+v, want resize with the 3 MiB that it holds", d.Functions)
	}
}

type owner func(u *cgroup.Usage) attribution.Owner

func (o owner) Owner(u *cgroup.Usage, _ time.Time) (attribution.Owner, bool) { return o(u), true }

// leaving are two containers, of which the second leaves and a third takes its
// place in the list.
type leaving struct{ *host }

func (c leaving) Read(_ time.Time, dst []cgroup.Usage) ([]cgroup.Usage, error) {
	dst = append(dst, cgroup.Usage{ID: 1, Key: "/resize", CPU: c.used[0]})
	if c.second < 5 {
		return append(dst, cgroup.Usage{ID: 2, Key: "/unnamed", CPU: c.used[1], Gone: c.second == 4}), nil
	}
	return append(dst, cgroup.Usage{ID: 3, Key: "/other"}), nil
}

// TestNoNameOfAnother: a container that left before anybody knew its name does not
// get that of one that came later.
func TestNoNameOfAnother(t *testing.T) {
	h := &host{begin: time.Unix(36000, 0)}
	other, system := wattle.Microjoules(0), wattle.Microjoules(0)
	a := h.agent(t, func(x *exporter.Snapshot) {
		other, system = 0, 0
		for _, f := range x.Functions {
			if f.Function == "/other" {
				other += f.Energy
			}
		}
		for _, o := range x.Other {
			if o.Reason == exporter.System {
				system += o.Energy
			}
		}
	})
	a.cfg.Usage, a.cfg.Control = leaving{h}, nil
	a.cfg.Owners = known(func(u *cgroup.Usage) (attribution.Owner, bool) {
		return attribution.Owner{Function: u.Key}, u.Key != "/unnamed"
	})
	for h.second < 60 {
		a.Step(t.Context(), h.now())
		a.Refresh()
		if other != 0 {
			t.Fatalf("second %d: the new one has %d µJ of the one before", h.second, other)
		}
		h.pass()
	}
	if system == 0 {
		t.Error("what nobody named is not the system's")
	}
}

type known func(u *cgroup.Usage) (attribution.Owner, bool)

func (k known) Owner(u *cgroup.Usage, _ time.Time) (attribution.Owner, bool) { return k(u) }
