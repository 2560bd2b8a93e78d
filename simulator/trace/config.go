package trace

import (
	"fmt"
	"path"
	"time"
)

// Config says which part of a trace is replayed, and how.
type Config struct {
	// Seed starts every random choice. Default 1.
	Seed uint64
	// Offset is where in the trace the replay begins, in whole minutes. Default 0.
	Offset time.Duration
	// Length is how much is replayed, in whole minutes; 0 means to the end.
	Length time.Duration
	// Match keeps the functions whose ID matches one of these patterns, as of
	// path.Match; empty keeps all.
	Match []string
	// Limit is the largest number of functions; 0 means no limit.
	Limit int
	// Choice says which functions a Limit keeps. Default ChooseFirst.
	Choice Choice
	// Placement says where in its minute an invocation of a per-minute count
	// falls. Default Uniform. Formats with a time for each row do not use it.
	Placement Placement
	// Sigma is the lognormal spread of execution times around the mean where the
	// trace has no durations: 0 (the default) makes them all equal.
	Sigma float64
	// Cache bounds the bytes of parsed days that an azure-2019 trace keeps for
	// later replays; days beyond it are parsed again. Default 64 MiB.
	Cache int64
}

// DefaultConfig replays the whole trace.
func DefaultConfig() Config { return Config{Seed: 1, Cache: 64 << 20} }

// Validate says which field of c is unusable.
func (c Config) Validate() error {
	switch {
	case c.Offset < 0 || c.Offset%time.Minute != 0:
		return fmt.Errorf("trace offset %s: want whole minutes from 0", c.Offset)
	case c.Length < 0 || c.Length%time.Minute != 0:
		return fmt.Errorf("trace length %s: want whole minutes, or 0 for all", c.Length)
	case c.Limit < 0:
		return fmt.Errorf("trace limit %d: want a number of functions, or 0 for all", c.Limit)
	case !(c.Sigma >= 0 && c.Sigma <= 4):
		return fmt.Errorf("trace sigma %g: want a number from 0 to 4", c.Sigma)
	case int(c.Placement) >= len(placementNames()) || int(c.Choice) >= len(choiceNames()):
		return fmt.Errorf("trace placement %s, choice %s: want one of %q and one of %q", c.Placement, c.Choice, placementNames(), choiceNames())
	case c.Cache < 0:
		return fmt.Errorf("trace cache %d: want bytes from 0", c.Cache)
	}
	for _, p := range c.Match {
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("trace match %q: want a pattern such as \"video*\": %w", p, err)
		}
	}
	return nil
}

// minutes returns the window as [first, end) minutes of a trace of total minutes.
func (c Config) minutes(total int) (first, end int, err error) {
	first, end = int(c.Offset/time.Minute), total
	if c.Length > 0 {
		end = first + int(c.Length/time.Minute)
	}
	if first >= total || end > total {
		return 0, 0, fmt.Errorf("trace window of minutes [%d, %d) lies outside the %d minutes of the trace: lower offset or length", first, end, total)
	}
	return first, end, nil
}

// Choice says which functions a limit keeps.
type Choice uint8

// Choices of functions. The order of the table is the trace's in all of them.
const (
	// ChooseFirst keeps the first ones of the trace.
	ChooseFirst Choice = iota
	// ChooseBusiest keeps those with the most invocations in the window.
	ChooseBusiest
	// ChooseRandom keeps a sample that depends on the seed and on the
	// functions' names alone.
	ChooseRandom
)

func choiceNames() []string { return []string{"first", "busiest", "random"} }

// String returns the name used in experiment files.
func (c Choice) String() string { return name(choiceNames(), int(c)) }

// UnmarshalText reads a name printed by String.
func (c *Choice) UnmarshalText(b []byte) error {
	i, err := index("trace choice", choiceNames(), string(b))
	*c = Choice(i)
	return err
}

// Placement says where in its minute an invocation falls of which only the
// minute is known.
type Placement uint8

// Placements inside a minute, for n invocations.
const (
	// Uniform draws n independent instants: given the count, that is exactly a
	// Poisson process. The experiment file may also call it "poisson".
	Uniform Placement = iota
	// Even puts invocation i at (i + ½)/n of the minute.
	Even
	// Start puts all of them at the start of the minute.
	Start
	// Phased spaces them evenly from a random phase of each minute.
	Phased
	// Burst puts them one after another at exponential gaps of 1 s/n in the
	// mean, from a random instant; what would pass the minute's end wraps to its start.
	Burst
)

func placementNames() []string { return []string{"uniform", "even", "start", "phased", "burst"} }

// String returns the name used in experiment files.
func (p Placement) String() string { return name(placementNames(), int(p)) }

// UnmarshalText reads a name printed by String, or "poisson" for "uniform".
func (p *Placement) UnmarshalText(b []byte) error {
	if string(b) == "poisson" {
		*p = Uniform
		return nil
	}
	i, err := index("placement", placementNames(), string(b))
	*p = Placement(i)
	return err
}
