package telemetry

import (
	"math"
	"time"

	"github.com/wattle-project/wattle"
)

// Event says what a Counter made of one reading.
type Event uint8

// Events. Advance, Wrap, Reset, Gap and Stuck close an interval; the others
// leave it open, so that the next good reading accounts for all of it.
const (
	// Baseline is the first reading of a register: it starts the first interval.
	Baseline Event = iota
	// Advance is the ordinary case: the register grew plausibly.
	Advance
	// Wrap is a register that passed its range once.
	Wrap
	// Reset is a register that jumped by more than the power bound allows.
	Reset
	// Gap is an interval in which a register may have wrapped more than once,
	// or in which a momentary power is too old to interpolate.
	Gap
	// Stuck is a register that did not move for StuckAfter.
	Stuck
	// Waiting is a register that did not move yet, or a reading that came too
	// soon after the last to be told from the jitter of the register.
	Waiting
	// Missed is a reading that failed, made no sense, or was stamped before the
	// one it follows.
	Missed
)

// String returns the event's name for logs and tests.
func (e Event) String() string {
	names := [...]string{"baseline", "advance", "wrap", "reset", "gap", "stuck", "waiting", "missed"}
	if int(e) < len(names) {
		return names[e]
	}
	return "invalid"
}

// Stats counts what a Counter saw since it was made.
type Stats struct {
	// Samples is the number of intervals that were closed with known energy.
	Samples uint64
	Wraps   uint64
	Resets  uint64
	Gaps    uint64
	// Stuck is the number of times that the register froze, not of frozen readings.
	Stuck uint64
	// Missed is the number of readings that could not be used.
	Missed uint64
}

// Step is the outcome of one reading.
type Step struct {
	Event Event
	// From and To bound the interval that this reading closed; both are zero
	// when it stays open. Intervals of one counter follow each other without
	// overlap for as long as the clock does not step back.
	From, To time.Time
	// Energy was spent within the interval, 0 when Unknown.
	Energy wattle.Microjoules
	// Unknown says that the energy of the interval cannot be told: it is not 0.
	Unknown bool
}

// Closed reports whether the step closed an interval.
func (s Step) Closed() bool { return !s.To.IsZero() }

// CounterConfig tunes a Counter. The zero value of a field selects its default.
type CounterConfig struct {
	// MinInterval is the shortest interval that is judged; readings that follow
	// sooner are folded into the next. Default 10 ms: RAPL registers move about
	// once a millisecond, so a shorter interval can show twice its energy.
	MinInterval time.Duration
	// StuckAfter is how long a register may stand still before the interval is
	// closed as unknown. Default 10 s, at most a quarter of a wrap period.
	StuckAfter time.Duration
	// PowerGap is the longest interval over which two momentary powers are
	// interpolated. Default 2 min, above the slowest usual poll of a BMC.
	PowerGap time.Duration
	// LearnFloor is the least bound that is learned where a zone states none.
	// Default 500 W, so that an idle history does not make load look like a reset.
	LearnFloor wattle.Watts
	// Ceiling bounds the growth of a register without a stated bound. Default
	// 50 kW, above any single machine.
	Ceiling wattle.Watts
}

// DefaultCounterConfig returns the documented defaults.
func DefaultCounterConfig() CounterConfig {
	return CounterConfig{
		MinInterval: 10 * time.Millisecond, StuckAfter: 10 * time.Second,
		PowerGap: 2 * time.Minute, LearnFloor: 500, Ceiling: 50_000,
	}
}

func (c CounterConfig) withDefaults() CounterConfig {
	d := DefaultCounterConfig()
	if c.MinInterval <= 0 {
		c.MinInterval = d.MinInterval
	}
	if c.StuckAfter <= 0 {
		c.StuckAfter = d.StuckAfter
	}
	if c.PowerGap <= 0 {
		c.PowerGap = d.PowerGap
	}
	if !(c.LearnFloor > 0) {
		c.LearnFloor = d.LearnFloor
	}
	if !(c.Ceiling > 0) {
		c.Ceiling = d.Ceiling
	}
	return c
}

// base is where the open interval starts.
type base struct {
	at     time.Time
	energy uint64
	power  float64
	kind   baseKind
}

type baseKind uint8

const (
	noBase baseKind = iota
	energyBase
	powerBase
)

// Counter makes a monotonic count of microjoules, starting at 0, out of one
// zone's raw register or momentary power. A register that stands still, resets
// or disappears keeps the total; an interval that cannot be told is reported
// as unknown and adds nothing. It is not safe for concurrent use.
type Counter struct {
	cfg     CounterConfig
	span    uint64       // Zone.Range, 0 if the register never wraps
	bound   wattle.Watts // stated by the zone, 0 if learned
	base    base
	total   wattle.Microjoules
	carry   float64 // fraction of a microjoule that the trapezoid still owes
	frozen  bool
	stats   Stats
	learned *spread
}

// NewCounter returns a Counter for the register that z describes.
func NewCounter(z Zone, c CounterConfig) *Counter {
	n := &Counter{cfg: c.withDefaults()}
	n.describe(z)
	return n
}

// describe takes over the range and bound of z and keeps what was counted: a
// zone that was unplugged may come back with another range.
func (c *Counter) describe(z Zone) {
	c.span, c.bound = z.Range, 0
	if z.Bound > 0 && !math.IsInf(float64(z.Bound), 0) {
		c.bound = z.Bound
	} else if c.learned == nil {
		c.learned = new(spread)
	}
}

// Total returns the energy counted since the first reading.
func (c *Counter) Total() wattle.Microjoules { return c.total }

// Stats returns what the counter saw.
func (c *Counter) Stats() Stats { return c.stats }

// Bound returns the power that tells a wrap from a reset: the zone's own, or
// three times the 99.9th percentile of the powers seen, at least LearnFloor.
func (c *Counter) Bound() wattle.Watts {
	if c.bound > 0 {
		return c.bound
	}
	return min(max(c.cfg.LearnFloor, 3*c.learned.p999()), c.cfg.Ceiling)
}

// growth bounds an increase of the register. A learned bound is not used here:
// a machine that was idle so far would be blind to its first load.
func (c *Counter) growth() wattle.Watts {
	if c.bound > 0 {
		return c.bound
	}
	return c.cfg.Ceiling
}

// Add takes one reading. It does not allocate.
func (c *Counter) Add(r Reading) Step {
	switch {
	case r.Err != nil:
		return c.miss()
	case r.HasEnergy:
		return c.addEnergy(r.At, r.Energy)
	case r.HasPower:
		return c.addPower(r.At, float64(r.Power))
	}
	return c.miss()
}

// miss keeps the interval open: the next good reading accounts for it.
func (c *Counter) miss() Step {
	c.stats.Missed++
	return Step{Event: Missed}
}

func (c *Counter) addEnergy(at time.Time, raw uint64) Step {
	if c.span > 0 && raw > c.span {
		return c.miss() // no register shows more than its range
	}
	now := base{at: at, energy: raw, kind: energyBase}
	if c.base.kind != energyBase {
		c.base = now
		return Step{Event: Baseline}
	}
	dt := at.Sub(c.base.at)
	switch {
	case dt < 0:
		c.base = now
		return c.miss()
	case dt < c.cfg.MinInterval:
		return Step{Event: Waiting}
	case dt > c.fence():
		c.stats.Gaps++
		return c.lose(now, Gap)
	case raw == c.base.energy:
		return c.still(now, dt)
	}
	return c.move(now, dt)
}

// fence is half a wrap period at the bound: a longer interval may hide a whole
// turn of the register.
func (c *Counter) fence() time.Duration {
	if c.span == 0 {
		return math.MaxInt64
	}
	return seconds(float64(c.span) / 2e6 / float64(c.Bound()))
}

// seconds converts s to a duration, at most the longest there is.
func seconds(s float64) time.Duration {
	if ns := s * 1e9; ns < math.MaxInt64 {
		return time.Duration(ns)
	}
	return math.MaxInt64
}

// still handles a register that shows the same value again. Its interval stays
// open for StuckAfter, because a meter that updates late catches up.
func (c *Counter) still(now base, dt time.Duration) Step {
	if dt < min(c.cfg.StuckAfter, c.fence()/2) {
		return Step{Event: Waiting}
	}
	if !c.frozen {
		c.stats.Stuck++
	}
	step := c.lose(now, Stuck)
	c.frozen = true
	return step
}

// move judges a changed register by the power that the change implies.
func (c *Counter) move(now base, dt time.Duration) Step {
	delta, limit, event := now.energy-c.base.energy, c.growth(), Advance
	if now.energy < c.base.energy {
		// Modulus span+1: the register shows span and then 0.
		delta, limit, event = c.span-c.base.energy+now.energy+1, c.Bound(), Wrap
	}
	if event == Wrap && c.span == 0 || float64(delta) > energyOf(limit, dt) {
		c.stats.Resets++
		return c.lose(now, Reset)
	}
	if event == Wrap {
		c.stats.Wraps++
	}
	if c.bound == 0 {
		c.learned.add(wattle.Watts(float64(delta) / 1e6 / dt.Seconds()))
	}
	return c.gain(now, event, wattle.Microjoules(delta))
}

// energyOf is the most that limit can spend within dt, in µJ, kept inside the
// range of the accounting unit.
func energyOf(limit wattle.Watts, dt time.Duration) float64 {
	return math.Min(float64(limit)*1e6*dt.Seconds(), 1<<62)
}

func (c *Counter) addPower(at time.Time, watts float64) Step {
	if !(watts >= 0) || watts > float64(c.growth()) {
		return c.miss()
	}
	now := base{at: at, power: watts, kind: powerBase}
	if c.base.kind != powerBase {
		c.base, c.carry = now, 0
		return Step{Event: Baseline}
	}
	dt := at.Sub(c.base.at)
	switch {
	case dt < 0:
		c.base = now
		return c.miss()
	case dt < c.cfg.MinInterval:
		return Step{Event: Waiting} // a background poll has nothing newer
	case dt > c.cfg.PowerGap:
		c.stats.Gaps++
		return c.lose(now, Gap)
	}
	mean := (c.base.power + watts) / 2
	exact := math.Min(mean*1e6*dt.Seconds()+c.carry, 1<<62)
	whole := math.Floor(exact)
	c.carry = exact - whole
	return c.gain(now, Advance, wattle.Microjoules(whole))
}

// gain closes the open interval with energy.
func (c *Counter) gain(now base, e Event, energy wattle.Microjoules) Step {
	step := Step{Event: e, From: c.base.at, To: now.at, Energy: energy}
	c.total = min(c.total, math.MaxInt64-energy) + energy
	c.stats.Samples++
	c.base, c.frozen = now, false
	return step
}

// lose closes the open interval as unknown.
func (c *Counter) lose(now base, e Event) Step {
	step := Step{Event: e, From: c.base.at, To: now.at, Unknown: true}
	c.base, c.frozen = now, false
	return step
}
