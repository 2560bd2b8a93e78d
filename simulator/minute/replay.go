package minute

import (
	"fmt"
	"iter"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/lifecycle"
)

// Trace is one function's invocations: Counts[m] arrived in minute m.
type Trace struct {
	Name, Class string
	Counts      []uint8
}

// Class is a kind of function: what it holds and costs on each server.
type Class struct {
	Memory wattle.Bytes
	Costs  []Cost
}

// Config says what is replayed.
type Config struct {
	// Start and Minutes are the window of trace minutes that counts. Minutes
	// before Start are shown to policies that learn, at no charge.
	Start, Minutes int
	// Hour is the row of Intensity at which the window's minute 0 lies.
	Hour int
	// Intensity is hourly, over a whole year.
	Intensity []wattle.GramsPerKWh
	// Classes are the kinds of functions by name.
	Classes map[string]Class
	// ChargeStarts charges the emissions of starting a copy ahead of demand,
	// which the published accounting leaves out.
	ChargeStarts bool
	// Retain lets copies that waited through a use without being needed wait on:
	// without it at most as many are held as the last use needed.
	Retain bool
	// Warmup shows policies the minutes before the window.
	Warmup bool
}

// DefaultConfig is EcoLife's day: minutes 20 to 1460 from hour 800 of the year.
func DefaultConfig() Config { return Config{Start: 20, Minutes: 1440, Hour: 800, Warmup: true} }

// Validate says which setting is unusable.
func (c *Config) Validate() error {
	switch {
	case c.Start < 0 || c.Minutes < 1 || c.Hour < 0:
		return fmt.Errorf("replay window: start %d, minutes %d, hour %d: want start and hour ≥ 0, minutes ≥ 1", c.Start, c.Minutes, c.Hour)
	case len(c.Intensity) == 0:
		return fmt.Errorf("replay: no intensity series; load one hourly year")
	case len(c.Classes) == 0:
		return fmt.Errorf("replay: no function classes; load measured profiles")
	}
	return nil
}

// Result sums what the invocations of the window took.
type Result struct {
	Invocations, Cold    int64
	Minutes, ColdMinutes int64 // active minutes, and those with no warm copy
	Decisions, Spans     int64
	Seconds              time.Duration
	Run, Hold, Start     wattle.GramsCO2e
}

// Grams is all carbon of the window.
func (r *Result) Grams() wattle.GramsCO2e { return r.Run + r.Hold + r.Start }

// MeanSeconds is the mean service time of an invocation, in seconds.
func (r *Result) MeanSeconds() float64 { return r.Seconds.Seconds() / float64(r.Invocations) }

// MeanGrams is the mean carbon of an invocation.
func (r *Result) MeanGrams() float64 { return float64(r.Grams()) / float64(r.Invocations) }

// ColdShare is the share of invocations that ran cold.
func (r *Result) ColdShare() float64 { return float64(r.Cold) / float64(r.Invocations) }

// Cost is the objective per invocation when a second is worth rate.
func (r *Result) Cost(rate wattle.GramsPerSecond) float64 {
	return r.MeanGrams() + float64(rate)*r.MeanSeconds()
}

// Replay drives keepers over traces. It is not safe for concurrent use.
type Replay struct {
	cfg    Config
	prices map[string]*priced
	// worst and mean are the highest and the mean intensity of the series.
	worst, mean wattle.GramsPerKWh
}

// priced holds the options of one class per hour of the window.
type priced struct {
	memory wattle.Bytes
	hours  [][]lifecycle.Option
	worst  []lifecycle.Option
	mean   []lifecycle.Option
}

// New prepares a replay.
func New(cfg Config) (*Replay, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	r := &Replay{cfg: cfg, prices: map[string]*priced{}}
	for _, ci := range cfg.Intensity {
		r.worst = max(r.worst, ci)
		r.mean += ci / wattle.GramsPerKWh(len(cfg.Intensity))
	}
	for name, c := range cfg.Classes {
		r.prices[name] = r.price(c)
	}
	return r, nil
}

func (r *Replay) price(c Class) *priced {
	charge := r.cfg.ChargeStarts
	p := &priced{memory: c.Memory, worst: options(c, r.worst, charge), mean: options(c, r.mean, charge)}
	for h := range (r.cfg.Start+r.cfg.Minutes)/60 + 1 {
		p.hours = append(p.hours, options(c, r.intensity(h*60), charge))
	}
	return p
}

func options(c Class, ci wattle.GramsPerKWh, charge bool) []lifecycle.Option {
	out := make([]lifecycle.Option, len(c.Costs))
	for i := range c.Costs {
		out[i] = c.Costs[i].At(ci, charge)
	}
	return out
}

// intensity is that of trace minute m.
func (r *Replay) intensity(m int) wattle.GramsPerKWh {
	return r.cfg.Intensity[(r.cfg.Hour+m/60)%len(r.cfg.Intensity)]
}

// Run replays every trace under k and sums what it cost.
func (r *Replay) Run(traces iter.Seq2[Trace, error], k lifecycle.Keeper) (Result, error) {
	var sum Result
	series := int32(0)
	for t, err := range traces {
		if err != nil {
			return sum, err
		}
		p, ok := r.prices[t.Class]
		if !ok {
			return sum, fmt.Errorf("trace %s: no profile of class %q", t.Name, t.Class)
		}
		f := function{replay: r, priced: p, keeper: k, sum: &sum}
		f.run(series, t.Counts)
		series++
	}
	return sum, nil
}

// function is the state of one function in a replay.
type function struct {
	replay *Replay
	priced *priced
	keeper lifecycle.Keeper
	sum    *Result
	spans  []lifecycle.Span
	// alive is how many copies were at hand when the spans were decided; more
	// than those have to be started.
	alive   int32
	decided time.Duration
	c       lifecycle.Case
}

func (f *function) run(series int32, counts []uint8) {
	cfg := &f.replay.cfg
	end := min(cfg.Start+cfg.Minutes, len(counts))
	f.c = lifecycle.Case{Series: series, Memory: f.priced.memory, Worst: f.priced.worst}
	for m := range end {
		if counts[m] == 0 || m < cfg.Start && !cfg.Warmup {
			continue
		}
		f.set(m, int32(counts[m]))
		if f.c.LearnOnly = m < cfg.Start; f.c.LearnOnly {
			f.keeper.Decide(&f.c, f.spans[:0])
			continue
		}
		f.serve()
		f.spans = f.keeper.Decide(&f.c, f.spans[:0])
		f.sum.Decisions++
		f.sum.Spans += int64(len(f.spans))
	}
	f.close(time.Duration(end) * time.Minute)
}

func (f *function) set(m int, n int32) {
	f.c.Now = time.Duration(m) * time.Minute
	f.c.Arrived = f.c.Now
	f.c.Invocations, f.c.Held = n, 0
	f.c.Intensity = f.replay.intensity(m)
	f.c.Options = f.priced.hours[m/60]
}

// serve charges the spans that were held and runs the minute's invocations.
func (f *function) serve() {
	left, held := f.c.Invocations, int32(0)
	for _, s := range f.spans {
		offered := f.settle(s)
		held += offered
		if warm := min(left, offered); warm > 0 {
			f.runs(f.c.Options[s.Option].WarmGrams, f.c.Options[s.Option].Warm, warm)
			left -= warm
		}
	}
	if f.replay.cfg.Retain {
		f.c.Held = max(held, f.c.Held)
	}
	f.decided, f.alive = f.c.Now, max(f.c.Held, f.c.Invocations)
	f.sum.Minutes++
	if left == f.c.Invocations {
		f.sum.ColdMinutes++
	}
	f.sum.Invocations += int64(f.c.Invocations)
	if left > 0 {
		o := f.c.Options[f.cold()]
		f.runs(o.ColdGrams, o.Cold, left)
		f.sum.Cold += int64(left)
	}
}

func (f *function) runs(grams wattle.GramsCO2e, d time.Duration, n int32) {
	f.sum.Run += grams.Times(float64(n))
	f.sum.Seconds += d * time.Duration(n)
}

// cold is the option that cold runs of this minute go to.
func (f *function) cold() int32 {
	if c, ok := f.keeper.(lifecycle.Chooser); ok {
		return c.ColdOption(&f.c)
	}
	return lifecycle.Cheapest(f.c.Options, 0)
}

// settle charges s up to now and returns how many warm copies it offers.
func (f *function) settle(s lifecycle.Span) int32 {
	if s.From > f.c.Now || s.Copies == 0 {
		return 0 // not started yet, called off
	}
	f.charge(s, min(s.Until, f.c.Now))
	if s.Until < f.c.Now {
		return 0
	}
	return s.Copies
}

func (f *function) charge(s lifecycle.Span, until time.Duration) {
	o := &f.priced.hours[int(s.From/time.Hour)][s.Option]
	f.sum.Hold += o.Hold.For(until - s.From).Times(float64(s.Copies))
	started := s.Copies
	if s.From == f.decided {
		kept := min(f.alive, s.Copies)
		f.alive -= kept
		started -= kept
	}
	f.sum.Start += o.StartGrams.Times(float64(started))
}

// close charges what expired inside the window; what reaches past it is free.
func (f *function) close(end time.Duration) {
	for _, s := range f.spans {
		if s.Until < end && s.From <= s.Until {
			f.charge(s, s.Until)
		}
	}
}
