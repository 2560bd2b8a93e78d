package baseline

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/state"
)

// world is clusters aa, bb, cc … with the given intensities and one function at bb.
func world(t *testing.T, intensities ...wattle.GramsPerKWh) (*state.Store, []scheduler.Option) {
	t.Helper()
	now := time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
	var cs []state.Cluster
	var zones []state.ZoneSignal
	var options []scheduler.Option
	for i, v := range intensities {
		id := string(rune('a'+i)) + string(rune('a'+i))
		cs = append(cs, state.Cluster{ID: wattle.ClusterID(id), Zone: wattle.ZoneID(id), Region: wattle.RegionID(id), PUE: 1, Pools: []state.Pool{{
			Name: "p", Nodes: 1, Speed: 1, Machine: power.Machine{VCPU: 4, Memory: wattle.GiB},
		}}})
		zones = append(zones, state.ZoneSignal{Current: wattle.Signal{Zone: wattle.ZoneID(id), Intensity: v, From: now, To: now.Add(time.Hour)}})
		options = append(options, scheduler.Option{Target: int32(i), Estimate: wattle.Estimate{Mean: time.Duration(i+1) * time.Second, Cost: 1, Carbon: wattle.GramsCO2e(v)}})
	}
	fleet, err := state.NewFleet(cs)
	if err != nil {
		t.Fatal(err)
	}
	s, err := state.NewStore(fleet, []wattle.Function{{ID: "f", Home: "bb", Concurrency: 1, Needs: wattle.Resources{CPU: 1000, Memory: wattle.MiB}}})
	if err != nil {
		t.Fatal(err)
	}
	s.SetSignals(state.NewSignals(zones, now))
	return s, options
}

func chooser(t *testing.T, name string) scheduler.Chooser {
	t.Helper()
	c, err := New(name, Config{Seed: 1, Functions: 1, Region: "cc"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Name() != name {
		t.Errorf("%s calls itself %s", name, c.Name())
	}
	return c
}

// choices asks n times with the given targets feasible.
func choices(s *state.Store, c scheduler.Chooser, options []scheduler.Option, n int) string {
	var b strings.Builder
	for i := range n {
		r := wattle.Request{Sequence: uint64(i), Function: s.Functions()[0]}
		fmt.Fprintf(&b, "%c", 'a'+options[c.Choose(s.View(), &r, options)].Target)
	}
	return b.String()
}

func occupy(t *testing.T, s *state.Store, target int32) {
	t.Helper()
	if _, err := s.Assume(&wattle.Decision{Placed: true, Function: s.Functions()[0], Target: target, Sandbox: wattle.Cold}, state.Newest, time.Unix(1, 0), time.Time{}); err != nil {
		t.Fatal(err)
	}
}

func TestChoices(t *testing.T) {
	for _, c := range []struct{ name, all, without string }{
		{"round-robin", "abcdabcd", "acdacd"}, // bb is full for the second
		{"least-loaded", "aaaa", "aaaa"},
		{"home-only", "bbbb", "aaaa"},     // else the fastest
		{"static-region", "cccc", "cccc"}, // told to stay at cc
		{"greencourier", "dddd", "dddd"},
	} {
		s, o := world(t, 400, 300, 200, 100)
		if got := choices(s, chooser(t, c.name), o, len(c.all)); got != c.all {
			t.Errorf("%s chooses %s, want %s", c.name, got, c.all)
		}
		o = append(o[:1:1], o[2:]...)
		if got := choices(s, chooser(t, c.name), o, len(c.without)); got != c.without {
			t.Errorf("%s without bb chooses %s, want %s", c.name, got, c.without)
		}
	}
	if _, err := New("oracle", Config{}); err == nil || !strings.Contains(err.Error(), "greencourier") {
		t.Errorf("an unknown baseline: %v", err)
	}
}

func TestEveryBaselineTakesTheOnlyOption(t *testing.T) {
	s, o := world(t, 400, 300, 200)
	for _, name := range Names() {
		if got := choices(s, chooser(t, name), o[1:2], 3); got != "bbb" {
			t.Errorf("%s chooses %s", name, got)
		}
	}
}

func TestLoadIsSeen(t *testing.T) {
	s, o := world(t, 400, 300, 200)
	occupy(t, s, 0)
	occupy(t, s, 1)
	occupy(t, s, 1)
	if got := choices(s, chooser(t, "least-loaded"), o, 2); got != "cc" {
		t.Errorf("least-loaded chooses %s", got)
	}
	// Of two draws the busier one never wins: bb only when both draws are bb, in 1 of 9.
	got := choices(s, chooser(t, "power-of-two"), o, 9000)
	a, b, c := strings.Count(got, "a"), strings.Count(got, "b"), strings.Count(got, "c")
	for _, v := range []struct{ n, want int }{{a, 3000}, {b, 1000}, {c, 5000}} {
		if math.Abs(float64(v.n-v.want)) > 200 {
			t.Errorf("power-of-two chooses %d, %d, %d, want about 3000, 1000, 5000", a, b, c)
			break
		}
	}
}

func TestRandomIsUniformAndRepeatable(t *testing.T) {
	s, o := world(t, 400, 300, 200)
	got := choices(s, chooser(t, "random"), o, 9000)
	for _, l := range "abc" {
		if n := strings.Count(got, string(l)); n < 2800 || n > 3200 {
			t.Errorf("%c is chosen %d times of 9000", l, n)
		}
	}
	if again := choices(s, chooser(t, "random"), o, 9000); again != got {
		t.Error("the same seed chooses otherwise")
	}
	other, err := New("random", Config{Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	if choices(s, other, o, 9000) == got {
		t.Error("another seed chooses the same")
	}
}

// GreenCourier's score is rounded to whole points, so near grids tie and the
// first of them is taken.
func TestGreenCourierRounds(t *testing.T) {
	s, o := world(t, 500, 101, 100)
	if got := choices(s, chooser(t, "greencourier"), o, 1); got != "b" {
		t.Errorf("99.75 and 100 points: %s", got)
	}
	s, o = world(t, 250, 250)
	if got := choices(s, chooser(t, "greencourier"), o, 1); got != "a" {
		t.Errorf("equal grids: %s", got)
	}
}

// The weakness of normalised sums: a third option, itself not chosen, turns
// the order of two others round.
func TestWeightedSumDependsOnTheOthers(t *testing.T) {
	s, o := world(t, 400, 300, 200)
	o[0].Estimate = wattle.Estimate{Mean: 1 * time.Second, Carbon: 10, Cost: 1}
	o[1].Estimate = wattle.Estimate{Mean: 2 * time.Second, Carbon: 4, Cost: 0.9}
	o[2].Estimate = wattle.Estimate{Mean: 2 * time.Second, Carbon: 100, Cost: 0.9}
	if got := choices(s, chooser(t, "weighted-sum"), o[:2], 1); got != "b" {
		t.Errorf("of two: %s", got)
	}
	o[2].Estimate = wattle.Estimate{Mean: 1 * time.Second, Carbon: 100, Cost: 5}
	if got := choices(s, chooser(t, "weighted-sum"), o, 1); got != "a" {
		t.Errorf("of three: %s", got)
	}
}
