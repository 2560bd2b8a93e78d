package attribution

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"pgregory.net/rapid"
)

func at(s float64) time.Time {
	return time.Unix(1_700_000_000, 0).Add(time.Duration(s * float64(time.Second)))
}

func sample(c wattle.Component, dev string, from, to float64, j wattle.Joules) wattle.Sample {
	return wattle.Sample{Component: c, Device: wattle.DeviceID(dev), From: at(from), To: at(to), Energy: j.Micro()}
}

// owners resolves by key.
func owners(m map[string]Owner) func(*Usage) (Owner, bool) {
	return func(u *Usage) (Owner, bool) { o, ok := m[u.Key]; return o, ok }
}

func named(u *Usage) (Owner, bool) { return Owner{Function: u.Key}, true }

func cpu(id uint64, key string, s float64) Usage {
	return Usage{ID: id, Key: key, CPU: time.Duration(s * float64(time.Second))}
}

func mustNew(t testing.TB, cfg Config, r func(*Usage) (Owner, bool)) *Attributor {
	t.Helper()
	a, err := New(cfg, r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func fixedIdle(w wattle.Watts) Config {
	c := DefaultConfig()
	c.Idle = map[Zone]wattle.Watts{{Component: wattle.Package}: w, {Component: wattle.DRAM}: w, {Component: wattle.GPU}: w, {Component: wattle.Platform}: w}
	return c
}

// energyOf returns what a function has, in joules.
func energyOf(a *Attributor, f string, c wattle.Component) (active, idle float64) {
	for _, acc := range a.AppendAccounts(nil) {
		if acc.Function == f {
			return float64(acc.Charges[c].Active.Joules()), float64(acc.Charges[c].Idle.Joules())
		}
	}
	return 0, 0
}

func checkBalance(t testing.TB, a *Attributor) {
	t.Helper()
	for c := range components {
		b := a.Balance(wattle.Component(c))
		if sum := b.Functions + b.System + b.Unallocated + b.Held + b.Pending; sum != b.Metered {
			t.Fatalf("%s: metered %d µJ, accounted %d µJ (%+v)", wattle.Component(c), b.Metered, sum, b)
		}
	}
}

func TestDynamicByCPUIdleByReservation(t *testing.T) {
	cfg := fixedIdle(20)
	cfg.CPU, cfg.Memory = 4000, 16*wattle.GiB
	a := mustNew(t, cfg, owners(map[string]Owner{
		"/a": {Namespace: "n", Function: "a", CPU: 1000, Memory: 4 * wattle.GiB},
		"/b": {Namespace: "n", Function: "b", CPU: 2000},
	}))
	a.Step(Input{At: at(0), UsageRead: true, Usage: []Usage{cpu(1, "/a", 0), cpu(2, "/b", 0), {ID: 3, Key: "/sys", System: true}}})
	sum := a.Step(Input{
		At: at(1), UsageRead: true,
		Energy: []wattle.Sample{sample(wattle.Package, "p0", 0, 1, 100), sample(wattle.DRAM, "d0", 0, 1, 28)},
		Usage: []Usage{
			{ID: 1, Key: "/a", CPU: 500 * time.Millisecond, Memory: 3 * wattle.GiB},
			{ID: 2, Key: "/b", CPU: 250 * time.Millisecond, Memory: 1 * wattle.GiB},
			{ID: 3, Key: "/sys", CPU: 250 * time.Millisecond, System: true},
		},
	})
	for _, c := range []struct {
		f            string
		c            wattle.Component
		active, idle float64
	}{
		{"a", wattle.Package, 40, 5}, // half of 80 J; 1 of 4 vCPU of 20 J
		{"b", wattle.Package, 20, 10},
		{"a", wattle.DRAM, 6, 5}, // 3 of 4 GiB of 8 J; 4 of 16 GiB of 20 J
		{"b", wattle.DRAM, 2, 0},
	} {
		if active, idle := energyOf(a, c.f, c.c); active != c.active || idle != c.idle {
			t.Errorf("%s %s: %g J active, %g J idle, want %g and %g", c.f, c.c, active, idle, c.active, c.idle)
		}
	}
	if s := a.System(); s[wattle.Package].Active.Joules() != 20 {
		t.Errorf("system %v, want 20 J", s[wattle.Package])
	}
	if u := a.Unallocated(); u[wattle.Package].Idle.Joules() != 5 || u[wattle.DRAM].Idle.Joules() != 15 {
		t.Errorf("unallocated %v, %v", u[wattle.Package], u[wattle.DRAM])
	}
	if s := sum.Charges[wattle.Package]; s.Active.Joules() != 80 || s.Idle.Joules() != 20 {
		t.Errorf("summary %+v", s)
	}
	checkBalance(t, a)
}

func TestAFailedHalfDoesNotSpendTheOther(t *testing.T) {
	a := mustNew(t, fixedIdle(0), named)
	a.Step(Input{At: at(0), UsageRead: true, Usage: []Usage{cpu(1, "a", 0), cpu(2, "b", 0)}})
	// Energy missing: a works alone.
	a.Step(Input{At: at(1), UsageRead: true, Usage: []Usage{cpu(1, "a", 1), cpu(2, "b", 0)}})
	// Use missing: energy of two intervals arrives.
	a.Step(Input{At: at(2), Energy: []wattle.Sample{sample(wattle.Package, "p", 0, 2, 60)}})
	if b := a.Balance(wattle.Package); b.Pending.Joules() != 60 || b.Functions != 0 {
		t.Errorf("balance %+v, want all 60 J pending", b)
	}
	a.Step(Input{At: at(3), UsageRead: true, Energy: []wattle.Sample{sample(wattle.Package, "p", 2, 3, 30)}, Usage: []Usage{cpu(1, "a", 1), cpu(2, "b", 2)}})
	x, _ := energyOf(a, "a", wattle.Package)
	y, _ := energyOf(a, "b", wattle.Package)
	if x != 30 || y != 60 {
		t.Errorf("a %g J, b %g J; want 30 and 60: a's second of the missed interval must be charged", x, y)
	}
	checkBalance(t, a)
}

// A container whose counter goes back is charged nothing for it, and others are
// not robbed: the difference must not become a huge number.
func TestCounterThatGoesBackIsChargedNothing(t *testing.T) {
	a := mustNew(t, fixedIdle(0), named)
	a.Step(Input{At: at(0), UsageRead: true, Usage: []Usage{cpu(1, "a", 5), cpu(2, "b", 0)}, Energy: []wattle.Sample{sample(wattle.Package, "p", -1, 0, 0)}})
	for i := range 3 {
		from := float64(i)
		a.Step(Input{At: at(from + 1), UsageRead: true, Usage: []Usage{cpu(1, "a", 2+from), cpu(2, "b", from+1)}, Energy: []wattle.Sample{sample(wattle.Package, "p", from, from+1, 10)}})
	}
	x, _ := energyOf(a, "a", wattle.Package)
	y, _ := energyOf(a, "b", wattle.Package)
	if x != 0 || y != 30 {
		t.Errorf("a %g J, b %g J; want 0 and 30: a shows nothing new yet", x, y)
	}
	checkBalance(t, a)
}

func TestZonesMissIndependently(t *testing.T) {
	a := mustNew(t, fixedIdle(0), named)
	a.Step(Input{At: at(0), UsageRead: true, Usage: []Usage{cpu(1, "a", 0), cpu(2, "b", 0)}, Energy: []wattle.Sample{
		sample(wattle.Package, "p0", -1, 0, 1), sample(wattle.Package, "p1", -1, 0, 1),
	}})
	a.Step(Input{At: at(1), UsageRead: true, Usage: []Usage{cpu(1, "a", 1), cpu(2, "b", 0)}, Energy: []wattle.Sample{sample(wattle.Package, "p0", 0, 1, 10)}})
	a.Step(Input{At: at(2), UsageRead: true, Usage: []Usage{cpu(1, "a", 1), cpu(2, "b", 1)}, Energy: []wattle.Sample{sample(wattle.Package, "p0", 1, 2, 10), sample(wattle.Package, "p1", 0, 2, 20)}})
	x, _ := energyOf(a, "a", wattle.Package)
	y, _ := energyOf(a, "b", wattle.Package)
	if x != 20 || y != 20 {
		t.Errorf("a %g J, b %g J, want 20 each: p1 owes both intervals", x, y)
	}
}

func TestUnknownIntervalDropsItsUse(t *testing.T) {
	a := mustNew(t, fixedIdle(0), named)
	a.Step(Input{At: at(0), UsageRead: true, Usage: []Usage{cpu(1, "a", 0), cpu(2, "b", 0)}, Energy: []wattle.Sample{sample(wattle.Package, "p", -1, 0, 1)}})
	s := sample(wattle.Package, "p", 0, 1000, 0)
	s.Unknown = true
	a.Step(Input{At: at(1000), UsageRead: true, Usage: []Usage{cpu(1, "a", 900), cpu(2, "b", 0)}, Energy: []wattle.Sample{s}})
	a.Step(Input{At: at(1001), UsageRead: true, Usage: []Usage{cpu(1, "a", 900), cpu(2, "b", 1)}, Energy: []wattle.Sample{sample(wattle.Package, "p", 1000, 1001, 10)}})
	if y, _ := energyOf(a, "b", wattle.Package); y != 10 {
		t.Errorf("b %g J, want all 10: a worked in the interval that has no figure", y)
	}
	// One that is followed by a known interval in the same round is over with it.
	s.From, s.To = at(1001), at(1001.5)
	a.Step(Input{At: at(1002), UsageRead: true, Usage: []Usage{cpu(1, "a", 900), cpu(2, "b", 2)}, Energy: []wattle.Sample{s, sample(wattle.Package, "p", 1001.5, 1002, 10)}})
	a.Step(Input{At: at(1003), UsageRead: true, Usage: []Usage{cpu(1, "a", 901), cpu(2, "b", 2)}})
	a.Step(Input{At: at(1004), UsageRead: true, Usage: []Usage{cpu(1, "a", 901), cpu(2, "b", 3)}, Energy: []wattle.Sample{sample(wattle.Package, "p", 1002, 1004, 20)}})
	if x, _ := energyOf(a, "a", wattle.Package); x != 10 {
		t.Errorf("a %g J, want 10: its second waited for the meter", x)
	}
	checkBalance(t, a)
}

func TestGPUByActivityTimesSlices(t *testing.T) {
	a := mustNew(t, fixedIdle(70), named)
	a.Step(Input{At: at(0), UsageRead: true, Usage: []Usage{cpu(1, "a", 0), cpu(2, "b", 0)}, Energy: []wattle.Sample{sample(wattle.GPU, "G", -1, 0, 1)}})
	a.Step(Input{
		At: at(1), UsageRead: true, Usage: []Usage{cpu(1, "a", 0), cpu(2, "b", 0)},
		Energy: []wattle.Sample{sample(wattle.GPU, "G", 0, 1, 370)},
		GPU: []GPUUse{
			{ID: 1, Device: "G", Activity: 0.5, Slices: 4, OfSlices: 8},
			{ID: 2, Device: "G", Activity: 1, Slices: 2, OfSlices: 8},
			{ID: 9, Device: "G", Activity: 0.5, Slices: 4, OfSlices: 8}, // unknown container
			{ID: 1, Device: "no", Activity: 1},                          // unknown device
		},
	})
	for f, want := range map[string][2]float64{"a": {100, 35}, "b": {100, 17.5}} {
		if active, idle := energyOf(a, f, wattle.GPU); active != want[0] || idle != want[1] {
			t.Errorf("%s: %g and %g J, want %v: 300 J dynamic, 70 J idle by slices", f, active, idle, want)
		}
	}
	if u := a.Unallocated()[wattle.GPU].Idle.Joules(); u != 17.5+1 { // 1 J of the first step had no holder
		t.Errorf("unallocated idle %g J, want 18.5", float64(u))
	}
	if s := a.System()[wattle.GPU].Active.Joules(); s != 100 {
		t.Errorf("the unknown container's use is %g J of the system, want 100", float64(s))
	}
	checkBalance(t, a)
}

func TestLateOwnerGetsWhatWasHeld(t *testing.T) {
	known := map[string]Owner{}
	cfg := fixedIdle(0)
	cfg.OwnerGrace = 3 * time.Second
	a := mustNew(t, cfg, owners(known))
	a.Step(Input{At: at(0), UsageRead: true})
	step := func(s float64, us ...Usage) {
		a.Step(Input{At: at(s), UsageRead: true, Usage: us, Energy: []wattle.Sample{sample(wattle.Package, "p", s-1, s, 10)}})
		checkBalance(t, a)
	}
	brief := cpu(1, "/brief", 0.5)
	brief.Gone = true
	step(1, brief) // lived and died before anyone knew its name
	step(2, cpu(2, "/never", 1))
	if b := a.Balance(wattle.Package); b.Held.Joules() != 20 {
		t.Errorf("held %s, want 20 J", b.Held.Joules())
	}
	known["/brief"] = Owner{Function: "brief"}
	step(3, cpu(2, "/never", 1))
	if x, _ := energyOf(a, "brief", wattle.Package); x != 10 {
		t.Errorf("brief has %g J, want the 10 that were held", x)
	}
	step(6, cpu(2, "/never", 2))
	if s := a.System()[wattle.Package].Active.Joules(); s != 20 {
		t.Errorf("system %s, want the 20 J of the container that nobody named", s)
	}
	if len(a.slots) != 1 {
		t.Errorf("%d containers are kept, want 1", len(a.slots))
	}
}

func TestIdleIsLearned(t *testing.T) {
	a := mustNew(t, DefaultConfig(), named)
	for s := range 60 {
		power := wattle.Joules(100)
		if s >= 20 && s < 30 {
			power = 40
		}
		if s > 35 && s < 40 {
			power = 0 // a stuck meter is not idleness
		}
		a.Step(Input{At: at(float64(s + 1)), UsageRead: true, Usage: []Usage{cpu(1, "a", float64(s))}, Energy: []wattle.Sample{sample(wattle.Package, "p", float64(s), float64(s+1), power)}})
		checkBalance(t, a)
	}
	if w, ok := a.IdlePower(Zone{wattle.Package, "p"}); !ok || w != 40 {
		t.Errorf("idle power %s, want 40 W", w)
	}
	b := baseline{window: time.Second, horizon: 10 * time.Second}
	b.observe(wattle.Joules(5).Micro(), time.Second)
	for range 30 {
		b.observe(wattle.Joules(9).Micro(), time.Second)
	}
	if b.power() != 9 {
		t.Errorf("idle power %s, want 9 W: an old minimum is forgotten", b.power())
	}
}

func TestOverReservedNodeSharesAll(t *testing.T) {
	cfg := fixedIdle(10)
	cfg.CPU = 1000
	a := mustNew(t, cfg, func(u *Usage) (Owner, bool) { return Owner{Function: u.Key, CPU: 1000}, true })
	us := []Usage{cpu(1, "a", 0), cpu(2, "b", 0)}
	a.Step(Input{At: at(0), UsageRead: true, Usage: us})
	a.Step(Input{At: at(1), UsageRead: true, Usage: us, Energy: []wattle.Sample{sample(wattle.Package, "p", 0, 1, 10)}})
	if _, idle := energyOf(a, "a", wattle.Package); idle != 5 {
		t.Errorf("a has %g J idle, want 5", idle)
	}
}

func TestNegativeAndEmptySamplesAreRejected(t *testing.T) {
	a := mustNew(t, fixedIdle(0), named)
	neg := sample(wattle.Package, "p", 0, 1, -5)
	if n := a.Step(Input{Energy: []wattle.Sample{neg, sample(wattle.Package, "p", 1, 1, 5)}}).Rejected; n != 2 {
		t.Errorf("%d rejected, want 2", n)
	}
}

// TestSlowZoneChargesWhoIsGone: a meter that is read every ten seconds charges
// containers that came and went in between, by what they used; they reserve
// nothing any more, and are forgotten once all zones have charged them.
func TestSlowZoneChargesWhoIsGone(t *testing.T) {
	t.Run("platform", func(t *testing.T) { slowZone(t, wattle.Platform, 0) })
	t.Run("memory", func(t *testing.T) { slowZone(t, wattle.DRAM, 100*wattle.MiB) })
	t.Run("memory by processor time", func(t *testing.T) { slowZone(t, wattle.DRAM, 0) })
}

func slowZone(t *testing.T, slow wattle.Component, memory wattle.Bytes) {
	cfg := fixedIdle(1)
	cfg.CPU, cfg.Memory = 4000, 4*wattle.GiB
	a := mustNew(t, cfg, func(u *Usage) (Owner, bool) { return Owner{Function: u.Key, CPU: 1000, Memory: wattle.GiB}, true })
	a.Step(Input{At: at(0), UsageRead: true, Usage: []Usage{cpu(1, "a", 0), cpu(2, "b", 0)}, Energy: []wattle.Sample{
		sample(wattle.Package, "fast", -1, 0, 1), sample(slow, "slow", -1, 0, 1),
	}})
	for s := 1; s <= 10; s++ {
		us := []Usage{cpu(2, "b", float64(s))}
		if s <= 4 {
			us = append(us, cpu(1, "a", float64(s)))
			us[1].Gone = s == 4
		}
		for i := range us {
			us[i].Memory = memory
		}
		energy := []wattle.Sample{sample(wattle.Package, "fast", float64(s-1), float64(s), 5)}
		if s == 10 {
			energy = append(energy, sample(slow, "slow", 0, 10, 150))
		}
		a.Step(Input{At: at(float64(s)), UsageRead: true, Usage: us, Energy: energy})
		if want := 2 - s/10; len(a.slots) != want {
			t.Errorf("%d s: %d containers are kept, want %d", s, len(a.slots), want)
		}
		checkBalance(t, a)
	}
	for _, c := range []struct {
		f            string
		c            wattle.Component
		active, idle float64
	}{
		{"a", wattle.Package, 8, 1.25}, // half of 4 J for 4 s; a quarter of 1 J, in the round of its last report too
		{"b", wattle.Package, 8 + 24, 2.75},
		{"a", slow, 40, 0.25}, // 4 of 14 parts of 140 J; of the idle energy that of the first round
		{"b", slow, 100, 2.75},
	} {
		if active, idle := energyOf(a, c.f, c.c); active != c.active || idle != c.idle {
			t.Errorf("%s %s: %g J active, %g J idle, want %g and %g", c.f, c.c, active, idle, c.active, c.idle)
		}
	}
}

// TestZoneThatComesLaterChargesWhatIsNew: a board that is plugged in charges no
// work of before, a slow meter's first figure the time that it is of.
func TestZoneThatComesLaterChargesWhatIsNew(t *testing.T) {
	a := mustNew(t, fixedIdle(0), named)
	a.Step(Input{At: at(0), UsageRead: true, Usage: []Usage{cpu(1, "a", 0), cpu(2, "b", 0)}})
	a.Step(Input{At: at(10), UsageRead: true, Usage: []Usage{cpu(1, "a", 9), cpu(2, "b", 1)}})
	a.Step(Input{At: at(11), UsageRead: true, Usage: []Usage{cpu(1, "a", 9), cpu(2, "b", 2)}, Energy: []wattle.Sample{
		sample(wattle.Package, "plugged", 10, 11, 10), sample(wattle.Platform, "slow", 0, 11, 33),
	}})
	for _, c := range []struct {
		f    string
		c    wattle.Component
		want float64
	}{{"a", wattle.Package, 0}, {"b", wattle.Package, 10}, {"a", wattle.Platform, 27}, {"b", wattle.Platform, 6}} {
		if got, _ := energyOf(a, c.f, c.c); got != c.want {
			t.Errorf("%s %s: %g J, want %g", c.f, c.c, got, c.want)
		}
	}
}

// TestBoardChargesWhoIsGone: a container that is gone waits for the figure of the
// board that it used.
func TestBoardChargesWhoIsGone(t *testing.T) {
	a := mustNew(t, fixedIdle(0), named)
	a.Step(Input{At: at(0), UsageRead: true, Usage: []Usage{cpu(1, "a", 0), cpu(2, "b", 0)}, Energy: []wattle.Sample{sample(wattle.GPU, "G", -1, 0, 0)}})
	gone := cpu(1, "a", 0)
	gone.Gone = true
	a.Step(Input{At: at(1), UsageRead: true, Usage: []Usage{gone, cpu(2, "b", 0)}, GPU: []GPUUse{{ID: 1, Device: "G", Activity: 1}}})
	a.Step(Input{At: at(2), UsageRead: true, Usage: []Usage{cpu(2, "b", 0)}, GPU: []GPUUse{{ID: 2, Device: "G", Activity: 1}}, Energy: []wattle.Sample{sample(wattle.GPU, "G", 0, 2, 20)}})
	if x, _ := energyOf(a, "a", wattle.GPU); x != 10 || len(a.slots) != 1 {
		t.Errorf("a has %g J and %d containers are kept, want 10 and one", x, len(a.slots))
	}
	checkBalance(t, a)
}

// TestPartsOfGPUsThatCannotBe: of a meter that says more slices than there are,
// or more activity than all, nobody gets more than a whole board.
func TestPartsOfGPUsThatCannotBe(t *testing.T) {
	a := mustNew(t, fixedIdle(10), named)
	us := []Usage{cpu(1, "a", 0), cpu(2, "b", 0)}
	a.Step(Input{At: at(0), UsageRead: true, Usage: us, Energy: []wattle.Sample{sample(wattle.GPU, "G", -1, 0, 0)}})
	a.Step(Input{At: at(1), UsageRead: true, Usage: us, Energy: []wattle.Sample{sample(wattle.GPU, "G", 0, 1, 30)}, GPU: []GPUUse{
		{ID: 1, Device: "G", Activity: 17, Slices: 9, OfSlices: 3}, {ID: 2, Device: "G", Activity: 1},
	}})
	a.Step(Input{At: at(2), UsageRead: true, Usage: us, Energy: []wattle.Sample{sample(wattle.GPU, "G", 1, 2, 30)}, GPU: []GPUUse{
		{ID: 1, Device: "G", Activity: math.NaN()}, {ID: 2, Device: "G", Activity: -3},
	}})
	for _, f := range []string{"a", "b"} {
		if active, idle := energyOf(a, f, wattle.GPU); active != 10 || idle != 10 {
			t.Errorf("%s has %g J active and %g J idle, want 10 and 10", f, active, idle)
		}
	}
	checkBalance(t, a)
}

// TestTiesGoByKey: what is left over of a division goes to the same container
// whatever the order of discovery.
func TestTiesGoByKey(t *testing.T) {
	for _, ids := range [][2]uint64{{1, 2}, {2, 1}} {
		a := mustNew(t, fixedIdle(0), named)
		a.Step(Input{At: at(0), UsageRead: true, Usage: []Usage{cpu(1, "", 0), cpu(2, "", 0)}[:0]})
		us := []Usage{cpu(ids[1], "z", 1), cpu(ids[0], "a", 1)}
		a.Step(Input{At: at(1), UsageRead: true, Usage: us, Energy: []wattle.Sample{{Component: wattle.Package, Device: "p", From: at(0), To: at(1), Energy: 3}}})
		for _, acc := range a.AppendAccounts(nil) {
			if want := map[string]wattle.Microjoules{"a": 2, "z": 1}[acc.Function]; acc.Charges[wattle.Package].Active != want {
				t.Errorf("IDs %v: %s has %d µJ, want %d", ids, acc.Function, acc.Charges[wattle.Package].Active, want)
			}
		}
	}
}

// TestMemoryCountsByTime: memory held for long weighs more than as much held for
// a moment.
func TestMemoryCountsByTime(t *testing.T) {
	a := mustNew(t, fixedIdle(0), named)
	at0 := []Usage{{ID: 1, Key: "a"}, {ID: 2, Key: "b"}}
	a.Step(Input{At: at(0), UsageRead: true, Usage: at0, Energy: []wattle.Sample{sample(wattle.DRAM, "d", -1, 0, 0)}})
	a.Step(Input{At: at(9), UsageRead: true, Usage: []Usage{{ID: 1, Key: "a", Memory: wattle.GiB}, {ID: 2, Key: "b"}}})
	a.Step(Input{At: at(10), UsageRead: true, Usage: []Usage{{ID: 1, Key: "a"}, {ID: 2, Key: "b", Memory: wattle.GiB}}, Energy: []wattle.Sample{sample(wattle.DRAM, "d", 0, 10, 50)}})
	x, _ := energyOf(a, "a", wattle.DRAM)
	y, _ := energyOf(a, "b", wattle.DRAM)
	if x != 45 || y != 5 {
		t.Errorf("a %g J, b %g J, want 45 and 5: 9 and 1 GiB seconds", x, y)
	}
}

// TestIdlePowerOfOneZone: a stated idle power of a zone goes before that of all
// zones of its kind.
func TestIdlePowerOfOneZone(t *testing.T) {
	cfg := fixedIdle(10)
	cfg.Idle[Zone{wattle.Package, "p1"}] = 4
	a := mustNew(t, cfg, named)
	a.Step(Input{At: at(1), UsageRead: true, Energy: []wattle.Sample{sample(wattle.Package, "p0", 0, 1, 50), sample(wattle.Package, "p1", 0, 1, 50)}})
	if u := a.Unallocated()[wattle.Package]; u.Idle.Joules() != 14 {
		t.Errorf("%v idle, want 10 and 4 J", u.Idle.Joules())
	}
}

// TestOwnerThatIsKnownTooLate: what was booked to the system stays there, what
// follows is the owner's; a container that is gone without a name waits for one
// no longer than for its zones.
func TestOwnerThatIsKnownTooLate(t *testing.T) {
	known := map[string]Owner{}
	cfg := fixedIdle(0)
	cfg.OwnerGrace, cfg.Keep = 2*time.Second, 4*time.Second
	a := mustNew(t, cfg, owners(known))
	a.Step(Input{At: at(0), UsageRead: true, Usage: []Usage{cpu(1, "/late", 0)}})
	for s := 1.0; s <= 5; s++ {
		if s == 4 {
			known["/late"] = Owner{Function: "late"}
		}
		us := []Usage{cpu(1, "/late", s)}
		if s == 5 { // came and went since the last round
			us = append(us, Usage{ID: 2, Key: "/brief", CPU: time.Second, Gone: true})
		}
		a.Step(Input{At: at(s), UsageRead: true, Usage: us, Energy: []wattle.Sample{sample(wattle.Package, "p", s-1, s, 10)}})
		checkBalance(t, a)
	}
	if x, _ := energyOf(a, "late", wattle.Package); x != 15 || a.System()[wattle.Package].Active.Joules() != 30 {
		t.Errorf("late has %g J and the system %v, want 15 and 30", x, a.System()[wattle.Package].Active.Joules())
	}
	a.Step(Input{At: at(6), UsageRead: true, Usage: []Usage{cpu(1, "/late", 5)}})
	if b := a.Balance(wattle.Package); b.Held.Joules() != 5 {
		t.Errorf("%v is held, want the 5 J of what had no name yet", b.Held.Joules())
	}
	a.Step(Input{At: at(20), UsageRead: true, Usage: []Usage{cpu(1, "/late", 5)}})
	if b := a.Balance(wattle.Package); b.Held != 0 || b.System.Joules() != 35 || len(a.slots) != 1 {
		t.Errorf("%+v and %d containers, want 35 J of the system and one", b, len(a.slots))
	}
}

// TestApportion: any amount over any weights adds up, no quota is off by a whole
// unit, and the order of the parts does not matter.
func TestApportion(t *testing.T) {
	less := func(a, b part) bool {
		if a.rest != b.rest {
			return a.rest > b.rest
		}
		return a.slot < b.slot
	}
	rapid.Check(t, func(t *rapid.T) {
		ws := rapid.SliceOfN(rapid.Uint64Range(0, math.MaxUint64/400), 0, 300).Draw(t, "weights")
		total := rapid.Uint64Range(0, math.MaxInt64).Draw(t, "total")
		if rapid.Bool().Draw(t, "small") {
			total %= 500
			for i := range ws {
				ws[i] %= 4
			}
		}
		ps := make([]part, len(ws))
		var sum uint64
		for i, w := range ws {
			ps[i] = part{weight: w, slot: i}
			sum += w
		}
		shuffled := slices.Clone(ps)
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(ps), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if ok := apportion(total, ps, less); ok != (sum > 0) {
			t.Fatalf("ok = %v with weights %v", ok, ws)
		}
		if sum == 0 {
			return
		}
		var got uint64
		for _, p := range ps {
			got += p.quota
			if exact := float64(total) / float64(sum) * float64(p.weight); math.Abs(float64(p.quota)-exact) > 1+1e-9*exact {
				t.Fatalf("weight %d of %d got %d of %d", p.weight, sum, p.quota, total)
			}
		}
		if got != total {
			t.Fatalf("parts add up to %d, want %d", got, total)
		}
		apportion(total, shuffled, less)
		bySlot := func(a, b part) int { return a.slot - b.slot }
		slices.SortFunc(ps, bySlot)
		slices.SortFunc(shuffled, bySlot)
		for i := range ps {
			if ps[i].quota != shuffled[i].quota {
				t.Fatalf("slot %d got %d or %d, depending on order", i, ps[i].quota, shuffled[i].quota)
			}
		}
	})
}

// TestMillionStepsClose runs 10⁶ steps of random energy, use, missing halves,
// births and deaths, and checks that not a microjoule is lost or made.
func TestMillionStepsClose(t *testing.T) {
	steps := 1_000_000
	if testing.Short() {
		steps = 50_000
	}
	r := rand.New(rand.NewPCG(42, 0))
	cfg := DefaultConfig()
	cfg.CPU, cfg.Memory = 8000, 8*wattle.GiB
	cfg.Idle = map[Zone]wattle.Watts{{wattle.Package, "p0"}: 7}
	a := mustNew(t, cfg, func(u *Usage) (Owner, bool) {
		return Owner{Function: u.Key, CPU: wattle.MilliCPU(u.ID % 900), Memory: wattle.MiB * wattle.Bytes(u.ID%100)}, u.ID%5 != 0
	})
	zones := []Zone{{wattle.Package, "p0"}, {wattle.Package, "p1"}, {wattle.DRAM, "d"}, {wattle.GPU, "g"}, {wattle.Platform, "x"}}
	us := []Usage{}
	var next uint64
	total := map[wattle.Component]wattle.Microjoules{}
	energy := make([]wattle.Sample, 0, len(zones))
	gpu := make([]GPUUse, 0, 8)
	for n := range steps {
		now := float64(n)
		us = slices.DeleteFunc(us, func(u Usage) bool { return u.Gone })
		if len(us) < 8 && r.IntN(4) == 0 {
			next++
			us = append(us, Usage{ID: next, Key: string(rune('a' + next%7)), System: next%11 == 0})
		}
		gpu = gpu[:0]
		for i := range us {
			us[i].CPU += time.Duration(r.IntN(3) * r.IntN(1_000_000_000))
			us[i].Memory = wattle.Bytes(r.IntN(1 << 30))
			us[i].Gone = r.IntN(200) == 0
			gpu = append(gpu, GPUUse{ID: us[i].ID, Device: "g", Activity: r.Float64(), Slices: 1, OfSlices: 7})
		}
		energy = energy[:0]
		for _, z := range zones {
			if r.IntN(10) == 0 {
				continue
			}
			e := wattle.Sample{Component: z.Component, Device: z.Device, From: at(now), To: at(now + 1), Energy: wattle.Microjoules(r.IntN(400_000_000)), Unknown: r.IntN(500) == 0}
			energy = append(energy, e)
			if !e.Unknown {
				total[z.Component] += e.Energy
			}
		}
		a.Step(Input{At: at(now + 1), Energy: energy, Usage: us, UsageRead: r.IntN(20) != 0, GPU: gpu})
		if n%64 == 0 || n == steps-1 {
			checkBalance(t, a)
		}
	}
	for c, want := range total {
		if b := a.Balance(c); b.Metered != want {
			t.Errorf("%s: metered %d µJ, gave %d µJ", c, b.Metered, want)
		}
	}
	if len(a.slots) > 100 {
		t.Errorf("%d containers are kept though at most 8 live", len(a.slots))
	}
}

// TestOrderOfContainersDoesNotMatter: ties go by key, not by order of arrival.
func TestOrderOfContainersDoesNotMatter(t *testing.T) {
	run := func(reverse bool) []Account {
		a := mustNew(t, fixedIdle(0), named)
		for n := range 50 {
			us := []Usage{}
			for i := range 7 {
				us = append(us, cpu(uint64(i+1), fmt.Sprint("f", i), float64(n)))
			}
			if reverse {
				slices.Reverse(us)
			}
			e := sample(wattle.Package, "p", float64(n), float64(n+1), 0)
			e.Energy = 1_000_003
			a.Step(Input{At: at(float64(n + 1)), UsageRead: true, Usage: us, Energy: []wattle.Sample{e}})
		}
		return a.AppendAccounts(nil)
	}
	if x, y := run(false), run(true); !slices.Equal(x, y) {
		t.Errorf("accounts differ:\n%v\n%v", x, y)
	}
}

func TestConfig(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"capacity": func(c *Config) { c.CPU = -1 },
		"window":   func(c *Config) { c.LearnWindow = 0 },
		"horizon":  func(c *Config) { c.LearnHorizon = time.Second },
		"grace":    func(c *Config) { c.OwnerGrace = time.Hour },
		"idle":     func(c *Config) { c.Idle = map[Zone]wattle.Watts{{}: wattle.Watts(math.NaN())} },
	} {
		c := DefaultConfig()
		spoil(&c)
		if _, err := New(c, named); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// busy returns a step function over n containers on 2 sockets with memory.
func busy(t testing.TB, n int) func() {
	cfg := fixedIdle(20)
	cfg.CPU, cfg.Memory = 64000, 256*wattle.GiB
	a := mustNew(t, cfg, func(u *Usage) (Owner, bool) { return Owner{Namespace: "fn", Function: u.Key, CPU: 100}, true })
	us := make([]Usage, n)
	for i := range us {
		us[i] = Usage{ID: uint64(i + 1), Key: fmt.Sprintf("/kubepods.slice/fn-%04d", i), Memory: wattle.Bytes(i+1) << 20}
	}
	s := 0.0
	energy := make([]wattle.Sample, 4)
	return func() {
		for i := range us {
			us[i].CPU += time.Duration(1_000_000 + i*7919)
		}
		energy[0] = sample(wattle.Package, "p0", s, s+1, 151.234567)
		energy[1] = sample(wattle.Package, "p1", s, s+1, 149.7654321)
		energy[2] = sample(wattle.DRAM, "d0", s, s+1, 31.5)
		energy[3] = sample(wattle.DRAM, "d1", s, s+1, 30.25)
		s++
		a.Step(Input{At: at(s), Energy: energy, Usage: us, UsageRead: true})
	}
}

func TestStepDoesNotAllocate(t *testing.T) {
	step := busy(t, 100)
	step()
	step()
	if n := testing.AllocsPerRun(50, step); n != 0 {
		t.Errorf("%g allocations per step, want 0", n)
	}
}

func BenchmarkStep(b *testing.B) {
	for _, n := range []int{200, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			step := busy(b, n)
			step()
			b.ReportAllocs()
			for b.Loop() {
				step()
			}
		})
	}
}
