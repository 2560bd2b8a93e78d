package telemetry

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"pgregory.net/rapid"
)

const pkgRange = 262_143_328_850

func epoch() time.Time { return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) }

func raw(at time.Duration, energy uint64) Reading {
	return Reading{At: epoch().Add(at), Energy: energy, HasEnergy: true}
}

func watts(at time.Duration, w float64) Reading {
	return Reading{At: epoch().Add(at), Power: wattle.Watts(w), HasPower: true}
}

func TestCounterStories(t *testing.T) {
	zone := Zone{Key: "package-0", Range: pkgRange, Bound: 400}
	type in struct {
		r    Reading
		want Event
		uj   wattle.Microjoules
	}
	failed := Reading{At: epoch(), Err: errors.New("EIO")}
	for name, tc := range map[string]struct {
		zone  Zone
		in    []in
		stats Stats
	}{
		"starts at zero and advances": {zone, []in{
			{raw(0, 5e9), Baseline, 0}, {raw(time.Second, 5e9+100e6), Advance, 100e6},
		}, Stats{Samples: 1}},
		"wrap uses range plus one": {zone, []in{
			{raw(0, pkgRange-9), Baseline, 0}, {raw(time.Second, 90), Wrap, 100},
		}, Stats{Samples: 1, Wraps: 1}},
		"reset books nothing": {zone, []in{
			{raw(0, 3e9), Baseline, 0}, {raw(time.Second, 1000), Reset, 0}, {raw(2*time.Second, 50e6+1000), Advance, 50e6},
		}, Stats{Samples: 1, Resets: 1}},
		"jump up books nothing": {zone, []in{
			{raw(0, 0), Baseline, 0}, {raw(time.Second, 200e9), Reset, 0},
		}, Stats{Resets: 1}},
		"gap over half a wrap period is unknown": {zone, []in{
			{raw(0, 0), Baseline, 0}, {raw(328*time.Second, 10e9), Gap, 0}, {raw(329*time.Second, 10e9+7), Advance, 7},
		}, Stats{Samples: 1, Gaps: 1}},
		"just under half a wrap period is told": {zone, []in{
			{raw(0, 0), Baseline, 0}, {raw(327*time.Second, 100e9), Advance, 100e9},
		}, Stats{Samples: 1}},
		"failed readings lose nothing": {zone, []in{
			{raw(0, 0), Baseline, 0}, {failed, Missed, 0}, {failed, Missed, 0}, {raw(3*time.Second, 300e6), Advance, 300e6},
		}, Stats{Samples: 1, Missed: 2}},
		"a value above the range is garbage": {zone, []in{
			{raw(0, 0), Baseline, 0}, {raw(time.Second, pkgRange+1), Missed, 0}, {raw(2*time.Second, 200e6), Advance, 200e6},
		}, Stats{Samples: 1, Missed: 1}},
		"stuck keeps the total and says unknown": {zone, []in{
			{raw(0, 0), Baseline, 0}, {raw(time.Second, 50e6), Advance, 50e6}, {raw(2*time.Second, 50e6), Waiting, 0},
			{raw(11*time.Second, 50e6), Stuck, 0}, {raw(21*time.Second, 50e6), Stuck, 0}, {raw(22*time.Second, 90e6), Advance, 40e6},
		}, Stats{Samples: 2, Stuck: 1}},
		"a late meter catches up": {zone, []in{
			{raw(0, 0), Baseline, 0}, {raw(time.Second, 0), Waiting, 0}, {raw(2*time.Second, 0), Waiting, 0}, {raw(3*time.Second, 300e6), Advance, 300e6},
		}, Stats{Samples: 1}},
		"same instant keeps the interval open": {zone, []in{
			{raw(0, 0), Baseline, 0}, {raw(0, 60e6), Waiting, 0}, {raw(time.Second, 100e6), Advance, 100e6},
		}, Stats{Samples: 1}},
		"readings within the jitter of the register are folded": {zone, []in{
			{raw(0, 0), Baseline, 0}, {raw(9*time.Millisecond, 7e6), Waiting, 0}, {raw(10*time.Millisecond, 3e6), Advance, 3e6},
		}, Stats{Samples: 1}},
		"stuck for a quarter of a short wrap period": {Zone{Bound: 400, Range: 4e9}, []in{
			{raw(0, 0), Baseline, 0}, {raw(2400*time.Millisecond, 0), Waiting, 0}, {raw(2600*time.Millisecond, 0), Stuck, 0},
			{raw(4*time.Second, 90e6), Advance, 90e6},
		}, Stats{Samples: 1, Stuck: 1}},
		"power after energy and energy after power begin anew": {zone, []in{
			{raw(0, 5e9), Baseline, 0}, {watts(time.Second, 100), Baseline, 0}, {watts(2*time.Second, 100), Advance, 100e6},
			{raw(3*time.Second, 9e9), Baseline, 0}, {raw(4*time.Second, 9e9+7e6), Advance, 7e6},
		}, Stats{Samples: 2}},
		"no stated bound: a jump above any machine is a reset": {Zone{Range: pkgRange}, []in{
			{raw(0, 0), Baseline, 0}, {raw(time.Second, 51e9), Reset, 0}, {raw(2*time.Second, 100e9), Advance, 49e9},
		}, Stats{Samples: 1, Resets: 1}},
		"an infinite bound is none": {Zone{Range: pkgRange, Bound: wattle.Watts(math.Inf(1))}, []in{
			{raw(0, 0), Baseline, 0}, {raw(time.Second, 51e9), Reset, 0},
		}, Stats{Resets: 1}},
		"a register without a range never wraps": {Zone{Bound: 400}, []in{
			{raw(0, math.MaxUint64), Baseline, 0}, {raw(time.Second, 50), Reset, 0},
		}, Stats{Resets: 1}},
		"fractions of a microjoule add up": {Zone{Bound: 400}, []in{
			{watts(0, 1.5e-6), Baseline, 0}, {watts(time.Second, 1.5e-6), Advance, 1}, {watts(2*time.Second, 1.5e-6), Advance, 2},
		}, Stats{Samples: 2}},
		"clock back loses one interval of power": {Zone{Bound: 400}, []in{
			{watts(time.Hour, 100), Baseline, 0}, {watts(0, 100), Missed, 0}, {watts(time.Second, 100), Advance, 100e6},
		}, Stats{Samples: 1, Missed: 1}},
		"clock back loses one interval": {zone, []in{
			{raw(time.Hour, 0), Baseline, 0}, {raw(0, 100e6), Missed, 0}, {raw(time.Second, 180e6), Advance, 80e6},
		}, Stats{Samples: 1, Missed: 1}},
		"without a range a decrease is a reset": {Zone{Bound: 400}, []in{
			{raw(0, 100), Baseline, 0}, {raw(time.Second, 50), Reset, 0},
		}, Stats{Resets: 1}},
		"a 64-bit range wraps": {Zone{Bound: 400, Range: math.MaxUint64}, []in{
			{raw(0, math.MaxUint64), Baseline, 0}, {raw(time.Second, 9), Wrap, 10},
		}, Stats{Samples: 1, Wraps: 1}},
		"power is a trapezoid": {Zone{Bound: 1000}, []in{
			{watts(0, 100), Baseline, 0}, {watts(10*time.Second, 200), Advance, 1500e6}, {watts(20*time.Second, 200), Advance, 2000e6},
		}, Stats{Samples: 2}},
		"bad power is missed, the interval stays open": {Zone{Bound: 1000}, []in{
			{watts(0, 100), Baseline, 0}, {watts(1*time.Second, math.NaN()), Missed, 0}, {watts(2*time.Second, -1), Missed, 0},
			{watts(3*time.Second, 1001), Missed, 0}, {watts(4*time.Second, math.Inf(1)), Missed, 0}, {watts(5*time.Second, 100), Advance, 500e6},
		}, Stats{Samples: 1, Missed: 4}},
		"an old power is not interpolated": {Zone{Bound: 1000}, []in{
			{watts(0, 100), Baseline, 0}, {watts(3*time.Minute, 100), Gap, 0}, {watts(3*time.Minute+time.Second, 100), Advance, 100e6},
		}, Stats{Samples: 1, Gaps: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			c, sum := NewCounter(tc.zone, CounterConfig{}), wattle.Microjoules(0)
			for i, in := range tc.in {
				got := c.Add(in.r)
				sum += in.uj
				if got.Event != in.want || got.Energy != in.uj || c.Total() != sum {
					t.Fatalf("reading %d: %s %d µJ, total %d; want %s %d µJ, total %d", i, got.Event, got.Energy, c.Total(), in.want, in.uj, sum)
				}
				lossy := in.want == Reset || in.want == Gap || in.want == Stuck
				if got.Unknown != lossy || got.Closed() != (lossy || in.want == Advance || in.want == Wrap) {
					t.Fatalf("reading %d: %+v", i, got)
				}
			}
			if c.Stats() != tc.stats {
				t.Fatalf("stats %+v, want %+v", c.Stats(), tc.stats)
			}
		})
	}
}

// One exporter booked 259 kJ after a reset near the top of the range.
func TestResetNearTheTopIsNotAWrap(t *testing.T) {
	for _, from := range []uint64{3e9, pkgRange - 30e9} {
		for _, bound := range []wattle.Watts{400, 0} {
			resetAfter(t, from, bound)
		}
	}
}

// resetAfter runs a register for 100 s at 90 W; below the top it is 21 kJ from it,
// so that a wrap would be of less power than any machine may have.
func resetAfter(t *testing.T, from uint64, bound wattle.Watts) {
	t.Helper()
	c := NewCounter(Zone{Range: pkgRange, Bound: bound}, CounterConfig{})
	c.Add(raw(0, from))
	for i := 1; i <= 100; i++ {
		c.Add(raw(time.Duration(i)*time.Second, from+uint64(i)*90e6))
	}
	before := c.Total()
	if s := c.Add(raw(101*time.Second, 20e6)); s.Event != Reset || c.Total() != before {
		t.Fatalf("from %d, bound %v: %+v, total rose by %v", from, bound, s, c.Total()-before)
	}
}

func TestLearnedBound(t *testing.T) {
	c := NewCounter(Zone{Range: pkgRange}, CounterConfig{LearnFloor: 50})
	if c.Bound() != 50 {
		t.Fatalf("bound %v before any reading, want the floor", c.Bound())
	}
	var e uint64
	for i := range 2000 {
		e += 100e6
		if i == 999 {
			e += 700e6 // one sample in two thousand at 800 W
		}
		c.Add(raw(time.Duration(i)*time.Second, e))
	}
	if b := c.Bound(); b < 3*100 || b > 3*110 {
		t.Fatalf("learned %v, want three times 100 W within a bucket of 9%%", b)
	}
	if s := c.Add(raw(2000*time.Second, e+5000e6)); s.Event != Advance {
		t.Fatalf("a first load of 5 kW must not look like a reset: %+v", s)
	}
	for i := range 2000 { // and what is learned follows the load
		e += 300e6
		c.Add(raw(time.Duration(2001+i)*time.Second, e))
	}
	if b := c.Bound(); b < 3*300 || b > 3*330 {
		t.Errorf("learned %v of 300 W, want three times that", b)
	}
	c = NewCounter(Zone{Range: pkgRange}, CounterConfig{Ceiling: 250})
	for i := range 100 {
		c.Add(raw(time.Duration(i)*time.Second, uint64(i)*100e6))
	}
	if c.Bound() != 250 {
		t.Errorf("learned %v, want at most the ceiling of 250 W", c.Bound())
	}
}

// TestTotalNeverOverflows: neither a leap of a register that never wraps, nor
// hundreds of years of the greatest power, make a total fall.
func TestTotalNeverOverflows(t *testing.T) {
	const years = 365 * 24 * time.Hour
	c := NewCounter(Zone{Bound: 50_000}, CounterConfig{})
	c.Add(raw(0, 0))
	if s := c.Add(raw(100*years, 1<<63)); s.Event != Reset || s.Energy != 0 || c.Total() != 0 {
		t.Errorf("a leap of 2^63 µJ: %+v, total %d", s, c.Total())
	}
	for i := range uint64(3) {
		c.Add(raw(time.Duration(101+4*i)*years, i<<62))
	}
	if c.Total() != math.MaxInt64 {
		t.Errorf("total %d, want the largest there is", c.Total())
	}
}

// episode is one thing that happens to a register between two readings.
type episode struct {
	kind  string
	dt    time.Duration
	watts float64
	value uint64
}

func episodes(bound float64) *rapid.Generator[[]episode] {
	kinds := []string{"run", "run", "run", "run", "reset", "freeze", "fail", "sleep", "back", "forward", "again"}
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) episode {
		return episode{
			kind:  rapid.SampledFrom(kinds).Draw(t, "kind"),
			dt:    time.Duration(rapid.Int64Range(int64(20*time.Millisecond), int64(20*time.Second)).Draw(t, "dt")),
			watts: rapid.Float64Range(0.5, bound/2).Draw(t, "watts"),
			value: rapid.Uint64Range(0, pkgRange).Draw(t, "value"),
		}
	}), 1, 120)
}

// Any sequence of wraps, resets, freezes, failures, gaps and clock jumps:
// the total never falls, no interval is above the bound, an interval in which
// nothing happened is exact to the microjoule, failed readings only defer, and
// an event makes at most one interval unknown.
func TestCounterProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bound := rapid.Float64Range(20, 1000).Draw(t, "bound")
		p := &playedRegister{bound: bound, clock: epoch(), raw: rapid.Uint64Range(0, pkgRange).Draw(t, "start")}
		p.c = NewCounter(Zone{Range: pkgRange, Bound: wattle.Watts(bound)}, CounterConfig{})
		p.c.Add(p.reading())
		for _, e := range episodes(bound).Draw(t, "episodes") {
			p.play(t, e)
		}
		p.settle(t)
	})
}

// playedRegister drives a counter and keeps the truth beside it.
type playedRegister struct {
	c       *Counter
	bound   float64
	clock   time.Time
	raw     uint64
	shown   uint64
	frozen  bool
	truth   float64       // µJ really spent
	open    time.Duration // real time since the last closed interval
	excused float64       // µJ that events may hide or add
	spent   uint64        // µJ since the last closed interval
	hiccup  bool          // the clock or the register was tampered with in the open interval
	events  uint64        // how often
	last    wattle.Microjoules
}

func (p *playedRegister) reading() Reading {
	if !p.frozen {
		p.shown = p.raw
	}
	return Reading{At: p.clock, Energy: p.shown, HasEnergy: true}
}

func (p *playedRegister) spend(dt time.Duration, w float64) {
	uj := uint64(w * 1e6 * dt.Seconds())
	p.raw = (p.raw + uj) % (pkgRange + 1)
	p.truth += float64(uj)
	p.open += dt
	p.spent += uj
}

func (p *playedRegister) play(t *rapid.T, e episode) {
	thawed := p.frozen && e.kind != "freeze"
	p.frozen = e.kind == "freeze"
	if harmless := e.kind == "run" || e.kind == "fail" || e.kind == "again"; !harmless || thawed {
		p.hiccup = true
		p.events++
	}
	r := Reading{}
	switch e.kind {
	case "again": // read twice at one instant
	case "sleep":
		p.clock = p.clock.Add(time.Hour)
		p.spend(time.Hour, e.watts)
	case "back":
		p.spend(e.dt, e.watts)
		p.clock = p.clock.Add(-e.dt)
	case "forward":
		p.spend(e.dt, e.watts)
		p.clock = p.clock.Add(2 * e.dt)
	default:
		p.spend(e.dt, e.watts)
		p.clock = p.clock.Add(e.dt)
	}
	switch e.kind {
	case "reset":
		p.raw = e.value
	case "fail":
		r = Reading{At: p.clock, Err: errors.New("EIO")}
	}
	if r.Err == nil {
		r = p.reading()
	}
	p.judge(t, p.c.Add(r))
}

func (p *playedRegister) judge(t *rapid.T, s Step) {
	if p.c.Total() < p.last || p.c.Total() != p.last+s.Energy {
		t.Fatalf("total went from %d to %d with a step of %d", p.last, p.c.Total(), s.Energy)
	}
	p.last = p.c.Total()
	if s.Closed() {
		if limit := p.bound * 1e6 * s.To.Sub(s.From).Seconds(); float64(s.Energy) > limit+1 {
			t.Fatalf("%s: %d µJ is above the bound of %g µJ", s.Event, s.Energy, limit)
		}
		if s.From.After(s.To) || s.Unknown && s.Energy != 0 {
			t.Fatalf("bad step %+v", s)
		}
		p.exact(t, s)
	}
	if s.Closed() || s.Event == Missed {
		p.close(s)
	}
}

// exact holds that an interval without event is counted to the microjoule,
// unless readings failed for more than half a wrap period.
func (p *playedRegister) exact(t *rapid.T, s Step) {
	switch half := pkgRange / 2e6 / p.bound; {
	case p.hiccup:
	case s.Event == Gap && s.To.Sub(s.From).Seconds() > half:
		p.events++
	case uint64(s.Energy) != p.spent:
		t.Fatalf("%s: %d µJ counted of %d in an interval without event", s.Event, s.Energy, p.spent)
	}
}

// close excuses one interval when something happened in it.
func (p *playedRegister) close(s Step) {
	if s.Event == Missed && p.c.base.at.Equal(p.clock) == false {
		return // the interval is still open
	}
	if p.hiccup {
		span := p.open
		if s.Closed() {
			span = max(span, s.To.Sub(s.From))
		}
		p.excused += p.bound * 1e6 * span.Seconds()
	}
	p.open, p.spent, p.hiccup = 0, 0, p.frozen
}

func (p *playedRegister) settle(t *rapid.T) {
	missing := p.truth - float64(p.last)
	slack := p.excused + p.bound*1e6*p.open.Seconds() + 1000
	if math.Abs(missing) > slack {
		t.Fatalf("truth %g µJ, counted %d µJ: off by %g, excused %g", p.truth, p.last, missing, slack)
	}
	if s := p.c.Stats(); s.Resets+s.Gaps+s.Stuck > p.events {
		t.Fatalf("%d events made %d intervals unknown: %+v", p.events, s.Resets+s.Gaps+s.Stuck, s)
	}
}

// With plain running and failures only, not one microjoule is lost, however
// often the register wraps.
func TestCounterExactWithoutEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := NewCounter(Zone{Range: 5_000_000_000, Bound: 400}, CounterConfig{})
		at, reg, truth := epoch(), uint64(4_900_000_000), uint64(0)
		c.Add(Reading{At: at, Energy: reg, HasEnergy: true})
		for range rapid.IntRange(1, 200).Draw(t, "n") {
			dt := time.Duration(rapid.Int64Range(int64(10*time.Millisecond), int64(time.Second)).Draw(t, "dt"))
			uj := 1 + uint64(rapid.Float64Range(0, 399).Draw(t, "w")*1e6*dt.Seconds())
			at, reg, truth = at.Add(dt), (reg+uj)%5_000_000_001, truth+uj
			c.Add(Reading{At: at, Energy: reg, HasEnergy: true})
		}
		if uint64(c.Total()) != truth {
			t.Fatalf("counted %d, spent %d: %+v", c.Total(), truth, c.Stats())
		}
	})
}

func FuzzCounter(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18}, uint64(pkgRange), 400.0)
	f.Add([]byte{0xff, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, uint64(math.MaxUint64), 0.0)
	f.Fuzz(func(t *testing.T, data []byte, span uint64, bound float64) {
		c, last := NewCounter(Zone{Range: span, Bound: wattle.Watts(bound)}, CounterConfig{}), wattle.Microjoules(0)
		for ; len(data) >= 17; data = data[17:] {
			at := epoch().Add(time.Duration(binary.LittleEndian.Uint64(data[1:])))
			bits := binary.LittleEndian.Uint64(data[9:])
			r := Reading{At: at, Energy: bits, HasEnergy: data[0]&3 > 0}
			if !r.HasEnergy {
				r.Power, r.HasPower = wattle.Watts(math.Float64frombits(bits)), true
			}
			s := c.Add(r)
			if c.Total() < last || s.Energy < 0 || s.Closed() && s.To.Before(s.From) {
				t.Fatalf("total %d after %d, step %+v", c.Total(), last, s)
			}
			most := float64(c.growth()) * 1e6 * s.To.Sub(s.From).Seconds()
			if s.Closed() && float64(s.Energy) > most*(1+1e-12)+1 {
				t.Fatalf("%+v is above %g µJ", s, most)
			}
			last = c.Total()
		}
	})
}

func TestAddDoesNotAllocate(t *testing.T) {
	for _, bound := range []wattle.Watts{400, 0} {
		c, i := NewCounter(Zone{Range: pkgRange, Bound: bound}, CounterConfig{}), uint64(0)
		if n := testing.AllocsPerRun(1000, func() {
			i++
			c.Add(raw(time.Duration(i)*time.Second, i*90e6%pkgRange))
		}); n != 0 {
			t.Errorf("bound %v: %v allocations per Add", bound, n)
		}
	}
}

func BenchmarkCounterAdd(b *testing.B) {
	for name, bound := range map[string]wattle.Watts{"stated": 400, "learned": 0} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			c, i, t0 := NewCounter(Zone{Range: pkgRange, Bound: bound}, CounterConfig{}), uint64(0), epoch()
			for b.Loop() {
				i++
				c.Add(Reading{At: t0.Add(time.Duration(i) * time.Second), Energy: i * 90e6 % (pkgRange + 1), HasEnergy: true})
			}
		})
	}
}
