package gpu

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
	"pgregory.net/rapid"
)

// script is a Source that answers what the test puts into it.
type script struct {
	boards []Board
	err    error
}

func (s *script) Boards(_ context.Context, dst []Board) ([]Board, error) {
	return append(dst, s.boards...), s.err
}
func (s *script) Close() error { return nil }

func known(v float64) Ratio { return Ratio{v, true} }

func TestShares(t *testing.T) {
	mig := func(slices int, engine, sm Ratio) Instance {
		return Instance{Slices: slices, OfSlices: 7, Graphics: engine, SM: sm}
	}
	none := Ratio{}
	for name, c := range map[string]struct {
		in    []Instance
		want  []float64
		basis Basis
	}{
		"activity times slices": {[]Instance{mig(1, known(.8), none), mig(2, known(.4), none), mig(4, known(.1), none)}, []float64{.4, .4, .2}, ByEngine},
		"1002 where 1001 is absent": {[]Instance{mig(1, none, known(.2)), mig(3, known(.9), known(.1))},
			[]float64{.4, .6}, BySM},
		"0 is not believed against busy SMs": {[]Instance{mig(1, known(0), known(.3)), mig(1, known(.9), known(.1))}, []float64{.75, .25}, BySM},
		"the mean for one without activity":  {[]Instance{mig(1, known(.5), none), mig(3, none, none)}, []float64{.25, .75}, ByMixed},
		"slices when idle":                   {[]Instance{mig(1, known(0), known(0)), mig(3, known(0), known(0))}, []float64{.25, .75}, BySlices},
		"slices when nothing is known":       {[]Instance{mig(2, none, none), mig(2, none, none)}, []float64{.5, .5}, BySlices},
		"no instances":                       {nil, []float64{}, BySlices},
	} {
		got, basis := Shares(c.in)
		if basis != c.basis || len(got) != len(c.want) {
			t.Fatalf("%s: %v by %v", name, got, basis)
		}
		for i := range got {
			if math.Abs(got[i]-c.want[i]) > 1e-12 {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
		}
	}
}

func TestActivityDistrustsZeroAtFullUtilisation(t *testing.T) {
	for name, c := range map[string]struct {
		engine, sm, util, want Ratio
		basis                  Basis
	}{
		"engine":                {known(.5), known(.2), known(1), known(.5), ByEngine},
		"zero while full":       {known(0), known(.2), known(1), known(.2), BySM},
		"all zero while full":   {known(0), known(0), known(1), Ratio{}, BySlices},
		"zero while idle":       {known(0), known(0), known(0), known(0), ByEngine},
		"absent":                {Ratio{}, known(.2), Ratio{}, known(.2), BySM},
		"zero, nothing to tell": {known(0), Ratio{}, Ratio{}, known(0), ByEngine},
	} {
		if got, basis := Activity(c.engine, c.sm, c.util); got != c.want || basis != c.basis {
			t.Errorf("%s: %+v by %v", name, got, basis)
		}
	}
}

func TestSharesSumToOne(t *testing.T) {
	ratio := rapid.Custom(func(t *rapid.T) Ratio {
		return Ratio{rapid.Float64Range(0, 1).Draw(t, "v"), rapid.Bool().Draw(t, "known")}
	})
	rapid.Check(t, func(t *rapid.T) {
		in := make([]Instance, rapid.IntRange(1, 7).Draw(t, "n"))
		for i := range in {
			in[i] = Instance{Slices: rapid.IntRange(0, 7).Draw(t, "slices"), Graphics: ratio.Draw(t, "engine"), SM: ratio.Draw(t, "sm")}
		}
		shares, _ := Shares(in)
		sum := 0.0
		for _, s := range shares {
			if !(s >= 0) {
				t.Fatalf("share %v", s)
			}
			sum += s
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Fatalf("sum %v of %v", sum, shares)
		}
	})
}

func newMeter(t testing.TB, s Source, c Config) *Meter {
	t.Helper()
	m, err := NewMeter("nvml", s, c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMIGRegistersAddUpToTheBoard(t *testing.T) {
	start := time.Now()
	b := Board{UUID: "GPU-1", At: start, Limit: 400, Energy: 9_000_000, HasEnergy: true, Instances: []Instance{
		{Key: "MIG-a", Slices: 1, OfSlices: 7, Graphics: known(.3)},
		{Key: "MIG-b", Slices: 6, OfSlices: 7, Graphics: known(.7)},
	}}
	s := &script{boards: []Board{b}}
	m := newMeter(t, s, DefaultConfig())
	read := func() []telemetry.Reading {
		t.Helper()
		rs, err := m.Read(t.Context(), nil)
		if err != nil || len(rs) != 3 {
			t.Fatalf("Read = %+v, %v", rs, err)
		}
		return rs
	}
	if rs := read(); rs[0].Energy != 9_000_000 || rs[1].Energy != 0 || rs[2].Energy != 0 {
		t.Fatalf("first reading %+v", rs)
	}
	for i, step := range []struct {
		delta int64 // µJ within a second
		want  uint64
	}{{300_000_001, 300_000_001}, {-9_000_000, 300_000_001}, {100_000_000, 400_000_001}, {900_000_000, 400_000_001}, {7, 400_000_008}} {
		b := &s.boards[0]
		b.At, b.Energy = b.At.Add(time.Second), uint64(int64(b.Energy)+step.delta)
		if rs := read(); rs[1].Energy+rs[2].Energy != step.want {
			t.Errorf("step %d: instances hold %d µJ, want %d", i, rs[1].Energy+rs[2].Energy, step.want)
		}
	}
	zones := m.Zones()
	if zones[0].Bound != 800 || zones[0].Overlap || zones[1].Parent != "GPU-1" || !zones[1].Overlap || zones[1].Component != wattle.GPU {
		t.Errorf("zones %+v", zones)
	}
}

// A register that falls, after a driver reload or a GPU reset, starts anew even
// where no power limit is known that would give the difference away.
func TestResetOfABoardWithoutLimitIsNotBooked(t *testing.T) {
	b := Board{UUID: "GPU-1", At: time.Now(), Energy: 500_000_000, HasEnergy: true, Instances: []Instance{{Key: "MIG-a", Slices: 7, OfSlices: 7, Graphics: known(1)}}}
	s := &script{boards: []Board{b}}
	m := newMeter(t, s, DefaultConfig())
	for i, step := range []struct{ register, want uint64 }{{500_000_000, 0}, {600_000_000, 100_000_000}, {3_000_000, 100_000_000}, {5_000_000, 102_000_000}} {
		s.boards[0].At, s.boards[0].Energy = b.At.Add(time.Duration(i)*time.Second), step.register
		rs, err := m.Read(t.Context(), nil)
		if err != nil || rs[1].Energy != step.want {
			t.Fatalf("register %d: instance holds %d µJ, %v, want %d", step.register, rs[1].Energy, err, step.want)
		}
	}
}

func TestIdleEnergyFollowsSlicesAndFreeSlicesStayWithTheBoard(t *testing.T) {
	c := DefaultConfig()
	c.Idle = 70
	b := Board{UUID: "GPU-1", At: time.Now(), Limit: 400, HasEnergy: true, Instances: []Instance{
		{Key: "MIG-a", Slices: 1, OfSlices: 7, Graphics: known(0)},
		{Key: "MIG-b", Slices: 2, OfSlices: 7, Graphics: known(.5)},
	}}
	s := &script{boards: []Board{b}}
	m := newMeter(t, s, c)
	if _, err := m.Read(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	s.boards[0].At = b.At.Add(time.Second)
	s.boards[0].Energy = 100_000_000
	rs, err := m.Read(t.Context(), nil)
	if err != nil || rs[1].Energy != 10_000_000 || rs[2].Energy != 20_000_000+30_000_000 {
		t.Errorf("%+v, %v: want 10 J and 50 J; 40 J of free slices stay", rs, err)
	}
}

func TestPowerIsIntegratedForInstances(t *testing.T) {
	b := Board{UUID: "GPU-1", At: time.Now(), Power: 100, HasPower: true, Instances: []Instance{{Key: "MIG-a", Slices: 1, OfSlices: 1}}}
	s := &script{boards: []Board{b}}
	m := newMeter(t, s, DefaultConfig())
	for range 2 {
		rs, err := m.Read(t.Context(), nil)
		if err != nil || !rs[0].HasPower || rs[0].HasEnergy {
			t.Fatalf("%+v, %v", rs, err)
		}
		s.boards[0].At = b.At.Add(2 * time.Second)
		s.boards[0].Power = 200
	}
	if rs, _ := m.Read(t.Context(), nil); rs[1].Energy != 300_000_000 {
		t.Errorf("100 W to 200 W in 2 s = %d µJ, want 300 J", rs[1].Energy)
	}
}

// Who had what in a long silence is not known: its energy stays with the board.
func TestGapIsNotDivided(t *testing.T) {
	b := Board{UUID: "GPU-1", At: time.Now(), HasEnergy: true, Instances: []Instance{{Key: "MIG-a", Slices: 7, OfSlices: 7, Graphics: known(1)}}}
	s := &script{boards: []Board{b}}
	m := newMeter(t, s, DefaultConfig())
	for _, step := range []struct {
		after    time.Duration
		register uint64
		want     uint64
	}{{0, 0, 0}, {time.Minute, 5_000_000, 5_000_000}, {2*time.Minute + 1, 9_000_000, 5_000_000}} {
		s.boards[0].At, s.boards[0].Energy = b.At.Add(step.after), step.register
		rs, err := m.Read(t.Context(), nil)
		if err != nil || rs[1].Energy != step.want {
			t.Errorf("after %s: instance holds %d µJ, %v, want %d", step.after, rs[1].Energy, err, step.want)
		}
	}
}

// A100 and H100 look at their power a quarter of the time; their register counts
// all of it, so it is what is read where a source shows both.
func TestRegisterGoesBeforePower(t *testing.T) {
	s := &script{boards: []Board{{UUID: "GPU-1", At: time.Now(), Energy: 7, HasEnergy: true, Power: 300, HasPower: true}}}
	rs, err := newMeter(t, s, DefaultConfig()).Read(t.Context(), nil)
	if err != nil || len(rs) != 1 || !rs[0].HasEnergy || rs[0].HasPower {
		t.Errorf("%+v, %v", rs, err)
	}
}

func TestOneBoardDoesNotBlindTheOthers(t *testing.T) {
	lost := errors.New("fallen off the bus")
	s := &script{boards: []Board{{UUID: "GPU-2", Err: lost}, {UUID: "GPU-1", HasPower: true, Power: 50}, {UUID: "<<<NULL>>>"}, {UUID: "GPU-1"}, {UUID: "GPU-3"}}}
	m := newMeter(t, s, DefaultConfig())
	rs, err := m.Read(t.Context(), nil)
	if err != nil || len(rs) != 3 || rs[0].Err != nil || !errors.Is(rs[1].Err, lost) || rs[2].Err == nil {
		t.Fatalf("%+v, %v", rs, err)
	}
	if p := m.Probes(); len(p) != 3 || !p[0].Used || p[1].Used {
		t.Errorf("probes %+v", p)
	}
	s.boards = s.boards[:1]
	if _, err := m.Read(t.Context(), nil); !errors.Is(err, lost) {
		t.Errorf("all lost: %v", err)
	}
	s.boards = nil
	if _, err := m.Read(t.Context(), nil); !errors.Is(err, ErrNoBoard) {
		t.Errorf("none: %v", err)
	}
	s.err = lost
	if _, err := m.Read(t.Context(), nil); !errors.Is(err, lost) || len(m.Zones()) != 0 {
		t.Errorf("source error: %v, %+v", err, m.Zones())
	}
}

func TestUses(t *testing.T) {
	s := &script{boards: []Board{
		{UUID: "GPU-1", HasPower: true, Owners: []Owner{{Pod: "a"}, {Pod: "b"}}},
		{UUID: "GPU-2", HasPower: true, Owners: []Owner{{Pod: "c"}}},
		{UUID: "GPU-3", HasPower: true, Processes: []Process{{PID: 1, Busy: 30}, {PID: 2, Busy: 10}, {PID: 3}}},
		{UUID: "GPU-4", HasPower: true, Instances: []Instance{{Key: "m", Slices: 3, OfSlices: 7}}},
	}}
	m := newMeter(t, s, DefaultConfig())
	if _, err := m.Read(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	want := []Use{
		{Board: "GPU-1", Owner: Owner{Pod: "a"}, Share: .5, Basis: ByEqualPart},
		{Board: "GPU-1", Owner: Owner{Pod: "b"}, Share: .5, Basis: ByEqualPart},
		{Board: "GPU-2", Owner: Owner{Pod: "c"}, Share: 1, Basis: Whole},
		{Board: "GPU-3", PID: 1, Share: .75, Basis: ByProcess},
		{Board: "GPU-3", PID: 2, Share: .25, Basis: ByProcess},
		{Board: "GPU-4", Instance: "m", Share: 1, Basis: BySlices, Slices: 3, OfSlices: 7},
	}
	got := m.Uses()
	if len(got) != len(want) {
		t.Fatalf("uses %+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("use %d = %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestGaugesLeaveOutWhatIsMissing(t *testing.T) {
	s := &script{boards: []Board{{UUID: "GPU-1", HasPower: true, Utilisation: known(.9), DRAM: known(.2),
		Instances: []Instance{{Key: "m", Slices: 1, SM: known(.1)}}}}}
	m := newMeter(t, s, DefaultConfig())
	if _, err := m.Read(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	want := []Gauge{{"GPU-1", "utilisation", .9}, {"GPU-1", "dram", .2}, {"m", "sm", .1}}
	if got := m.Gauges(); !slices.Equal(got, want) {
		t.Errorf("gauges %+v, want %+v", got, want)
	}
}

func TestConfigValidate(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"factor": func(c *Config) { c.BoundFactor = math.NaN() }, "gap": func(c *Config) { c.MaxGap = 0 }, "idle": func(c *Config) { c.Idle = -1 },
	} {
		c := DefaultConfig()
		spoil(&c)
		if _, err := NewMeter("nvml", &script{}, c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func BenchmarkReadEightBoardsSevenInstances(b *testing.B) {
	s := &script{}
	for range 8 {
		board := Board{UUID: "GPU-" + string(rune('a'+len(s.boards))), At: time.Now(), Limit: 400, HasEnergy: true}
		for i := range 7 {
			board.Instances = append(board.Instances, Instance{Key: string(rune('0' + i)), Slices: 1, OfSlices: 7, Graphics: known(.5)})
		}
		s.boards = append(s.boards, board)
	}
	m := newMeter(b, s, DefaultConfig())
	var rs []telemetry.Reading
	b.ReportAllocs()
	for b.Loop() {
		for i := range s.boards {
			s.boards[i].At = s.boards[i].At.Add(time.Second)
			s.boards[i].Energy += 300_000_000
		}
		rs, _ = m.Read(b.Context(), rs[:0])
	}
}
