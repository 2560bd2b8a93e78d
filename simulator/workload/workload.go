// Package workload generates invocations: it is a trace.Trace that needs no
// file.
//
// A Spec describes one function: how often it is invoked, by which Process the
// arrivals come, and how its execution times spread. Population draws many
// Specs with Zipf popularity. Every function draws from a stream of its own,
// seeded by (seed, function id): what is added to or left out of a workload
// changes nothing about the other functions, and the bytes are the same on
// every processor.
package workload

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/wattle-project/wattle/simulator/trace"
	"github.com/wattle-project/wattle/simulator/workload/random"
)

// Process names the way in which arrivals come.
type Process uint8

// Arrival processes. All of them keep the Spec's mean Rate.
const (
	// Poisson arrivals are independent of each other.
	Poisson Process = iota
	// MMPP is a Markov-modulated Poisson process of two states, quiet and burst.
	MMPP
	// Diurnal is a Poisson process whose rate follows the 24 hours of the day.
	Diurnal
	// Timer arrivals come at a fixed period of 1/Rate from a random phase.
	Timer
	// Weibull is a renewal process with Weibull gaps; a Shape under 1 makes
	// clusters and long silences. Production traces have shapes near 0.42
	// (Joosen et al., EuroSys 2025). A gap begins at time 0.
	Weibull
)

func processNames() []string { return []string{"poisson", "mmpp", "diurnal", "timer", "weibull"} }

// String returns the name used in experiment files.
func (p Process) String() string {
	if names := processNames(); int(p) < len(names) {
		return names[p]
	}
	return fmt.Sprintf("invalid(%d)", uint8(p))
}

// UnmarshalText reads a name printed by String.
func (p *Process) UnmarshalText(b []byte) error {
	for i, n := range processNames() {
		if n == string(b) {
			*p = Process(i)
			return nil
		}
	}
	return fmt.Errorf("process %q: want one of %q", b, processNames())
}

// Spec describes one function's invocations.
type Spec struct {
	// Function is its entry in the trace's table. ID must be set and unique;
	// Mean and Sigma describe its execution times; Invocations is filled in.
	Function trace.Function
	// Rate is the mean number of invocations per second. 0 means never.
	Rate    float64
	Process Process
	Burst   Burst
	Day     Day
	// Jitter is the share of the period by which a Timer's arrivals are late,
	// uniform in [0, Jitter). Default 0, at most 1.
	Jitter float64
	// Shape is that of Weibull gaps. Default 0.42.
	Shape float64
}

// Burst parametrises MMPP. In the burst state the rate is Factor times that of
// the quiet state; both states last for exponential times.
type Burst struct {
	Factor    float64       // default 10
	Quiet, On time.Duration // mean times in each state; default 9 min and 1 min
}

// Day parametrises Diurnal.
type Day struct {
	// Hours weighs the 24 local hours; all zero means the sinusoid
	// 1 + Amplitude·cos(2π(hour − Peak)/24), taken in steps of an hour.
	Hours     [24]float64
	Amplitude float64 // in [0, 1]; default 0.6
	Peak      float64 // local hour of the maximum; default 14
	// Zone is how much local time is ahead of UTC. Default 0.
	Zone time.Duration
}

// DefaultSpec returns a Spec with every parameter at its default, a rate of
// one per minute and no function.
func DefaultSpec() Spec {
	return Spec{
		Rate: 1. / 60, Shape: 0.42,
		Burst: Burst{Factor: 10, Quiet: 9 * time.Minute, On: time.Minute},
		Day:   Day{Amplitude: 0.6, Peak: 14},
	}
}

// maxRate keeps a timer's period at 100 ns or more.
const maxRate = 1e7

// Validate says which field of s is unusable.
func (s *Spec) Validate() error {
	id := s.Function.ID
	switch {
	case id == "":
		return errors.New("workload: a function has no id")
	case !(s.Rate >= 0 && s.Rate <= maxRate):
		return fmt.Errorf("workload: function %s: rate %g per second: want a number from 0 to %g", id, s.Rate, float64(maxRate))
	case !(s.Function.Sigma >= 0 && s.Function.Sigma <= 4):
		return fmt.Errorf("workload: function %s: sigma %g: want a number from 0 to 4", id, s.Function.Sigma)
	case s.Process > Weibull:
		return fmt.Errorf("workload: function %s: process %s: want one of %q", id, s.Process, processNames())
	case s.Process == MMPP && !(s.Burst.Factor >= 1 && s.Burst.Factor <= 1e6 && s.Burst.Quiet > 0 && s.Burst.On > 0):
		return fmt.Errorf("workload: function %s: burst factor %g, quiet %s, on %s: want a factor from 1 to 1e6 and times above 0", id, s.Burst.Factor, s.Burst.Quiet, s.Burst.On)
	case s.Process == Timer && !(s.Jitter >= 0 && s.Jitter <= 1):
		return fmt.Errorf("workload: function %s: jitter %g: want a share from 0 to 1", id, s.Jitter)
	case s.Process == Weibull && !(s.Shape >= 0.1 && s.Shape <= 20):
		return fmt.Errorf("workload: function %s: shape %g: want a number from 0.1 to 20", id, s.Shape)
	case s.Process == Diurnal:
		return s.Day.validate(string(id))
	}
	return nil
}

func (d *Day) validate(id string) error {
	sum := 0.0
	for h, w := range d.Hours {
		if !(w >= 0 && w < math.MaxFloat32) {
			return fmt.Errorf("workload: function %s: weight %g of hour %d: want a number from 0", id, w, h)
		}
		sum += w
	}
	switch {
	case sum == 0 && !(d.Amplitude >= 0 && d.Amplitude <= 1):
		return fmt.Errorf("workload: function %s: amplitude %g: want a share from 0 to 1", id, d.Amplitude)
	case sum == 0 && !(d.Peak >= 0 && d.Peak < 24):
		return fmt.Errorf("workload: function %s: peak %g: want an hour from 0 to 24", id, d.Peak)
	case d.Zone < -24*time.Hour || d.Zone > 24*time.Hour:
		return fmt.Errorf("workload: function %s: zone offset %s: want at most 24h", id, d.Zone)
	}
	return nil
}

// weights returns the rate of each UTC hour as a multiple of the mean.
func (d *Day) weights() [24]float64 {
	local, sum := d.Hours, 0.0
	for _, w := range local {
		sum += w
	}
	if sum == 0 {
		for h := range local {
			local[h] = 1 + float64(d.Amplitude*random.Cos((float64(h)+0.5-d.Peak)/24))
			sum += local[h]
		}
	}
	// A zone offset is rounded to whole hours by its floor.
	ahead := int(math.Floor(d.Zone.Hours()))
	var utc [24]float64
	for h := range utc {
		utc[h] = float64(local[((h+ahead)%24+24)%24]*24) / sum
	}
	return utc
}

// Config says how long and from which seed a workload runs.
type Config struct {
	// Seed starts every stream. Default 1.
	Seed uint64
	// Length of the run. Default 24 h, at most 10 years.
	Length time.Duration
	// Start is the time of day (UTC) at which the run begins; Diurnal counts
	// its hours from there. Default 0.
	Start time.Duration
}

// DefaultConfig is one day from midnight UTC with seed 1.
func DefaultConfig() Config { return Config{Seed: 1, Length: 24 * time.Hour} }

// Validate says which field of c is unusable.
func (c Config) Validate() error {
	switch {
	case c.Length <= 0 || c.Length > 10*365*24*time.Hour:
		return fmt.Errorf("workload: length %s: want more than 0 and at most 10 years", c.Length)
	case c.Start < 0 || c.Start >= 24*time.Hour:
		return fmt.Errorf("workload: start %s: want a time of day from 0 to 24h", c.Start)
	}
	return nil
}

// Workload is a generated trace. It implements trace.Trace.
type Workload struct {
	config    Config
	functions []trace.Function
	params    []parameters
	tables    *random.Tables
}

// New checks the specs and returns the workload of their functions, in order.
func New(specs []Spec, c Config) (*Workload, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if len(specs) == 0 || len(specs) > math.MaxInt32 {
		return nil, fmt.Errorf("workload: %d functions: want at least one", len(specs))
	}
	w := &Workload{
		config: c, tables: random.NewTables(),
		functions: make([]trace.Function, len(specs)), params: make([]parameters, len(specs)),
	}
	seen := make(map[string]struct{}, len(specs))
	for i := range specs {
		s := &specs[i]
		if err := s.Validate(); err != nil {
			return nil, err
		}
		if _, twice := seen[string(s.Function.ID)]; twice {
			return nil, fmt.Errorf("workload: two functions have the id %s: make ids unique", s.Function.ID)
		}
		seen[string(s.Function.ID)] = struct{}{}
		w.functions[i], w.params[i] = s.Function, s.parameters()
		w.functions[i].Invocations = int64(math.Round(float64(s.Rate * c.Length.Seconds())))
	}
	return w, nil
}

// Functions implements trace.Trace.
func (w *Workload) Functions() []trace.Function { return w.functions }

// Length implements trace.Trace.
func (w *Workload) Length() time.Duration { return w.config.Length }

// Open implements trace.Trace.
func (w *Workload) Open() (trace.Source, error) {
	g := &generator{workload: w, state: make([]state, len(w.functions))}
	for i, f := range w.functions {
		g.state[i] = state{stream: random.New(w.config.Seed, string(f.ID))}
	}
	return trace.NewReplay(g, len(w.functions), int64(w.config.Length)), nil
}
