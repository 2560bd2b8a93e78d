package lifecycle

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
)

// Config holds the settings of all policies; each reads those that its line in
// Policies names.
type Config struct {
	// Rate is what a second of service time is worth; higher keeps longer.
	Rate wattle.GramsPerSecond
	// Keep is how long copies are kept: by fixed after every use, by hybrid while
	// the histogram is not representative, by the cache policies at most.
	Keep time.Duration
	// Option is where fixed, hybrid and the cache policies keep copies and run
	// cold.
	Option int32
	// Step is the width of a bin of the expected-cost policies' histograms, which
	// have Bins of them: they look Bins·Step ahead.
	Step time.Duration
	// Seed drives the particle swarm.
	Seed uint64
}

// DefaultConfig keeps for ten minutes, the usual rule of platforms, counts gaps
// in minutes and pays 5 mg for a second, the middle of the published frontier.
func DefaultConfig() Config {
	return Config{Rate: 0.005, Keep: 10 * time.Minute, Step: time.Minute, Seed: 1}
}

// Validate says which setting is unusable.
func (c *Config) Validate() error {
	switch {
	case !(c.Rate >= 0):
		return fmt.Errorf("lifecycle rate %g g/s: want 0 or more", float64(c.Rate))
	case c.Keep < 0:
		return fmt.Errorf("lifecycle keep %s: want 0 or more", c.Keep)
	case c.Option < 0:
		return fmt.Errorf("lifecycle option %d: want the index of an option", c.Option)
	case c.Step <= 0:
		return fmt.Errorf("lifecycle step %s: want more than 0", c.Step)
	}
	return nil
}

// Policy describes one policy of the registry.
type Policy struct {
	// Doc says in a line what the policy does and which settings it reads.
	Doc string
	// Prewarm says that it starts copies ahead of demand.
	Prewarm bool
	// Evict is the order in which its copies leave when memory is short.
	Evict Order
	// Cache says that it is made for a cap on the memory that copies wait in.
	Cache bool
	make  func(Config) Keeper
}

// Policies returns the policies by name.
func Policies() map[string]Policy {
	hold := func(c Config) Keeper { return &Fixed{c.Keep, c.Option} }
	return map[string]Policy{
		"fixed": {Doc: "keep every copy for Keep on Option", make: hold},
		"hybrid": {Doc: "hybrid histogram (240 bins of a minute) on Option, Keep as fallback", Prewarm: true,
			make: func(c Config) Keeper { return &Hybrid{fallback: c.Keep, option: c.Option} }},
		"ecolife":     {Doc: "EcoLife's objective, exact search", make: func(Config) Keeper { return &EcoLife{} }},
		"ecolife-pso": {Doc: "EcoLife's objective, its particle swarm from Seed", make: func(c Config) Keeper { return &EcoLife{swarm: true, seed: c.Seed} }},
		"ski-rental":  {Doc: "keep until waiting has cost what a cold start would, at Rate", make: func(c Config) Keeper { return &SkiRental{c.Rate} }},
		"expected":    {Doc: "least expected cost over gap histograms per level, at Rate", make: func(c Config) Keeper { return newExpected(c, false) }},
		"expected-prewarm": {Doc: "as expected, and copies are started ahead of demand", Prewarm: true,
			make: func(c Config) Keeper { return newExpected(c, true) }},
		"forecast": {Doc: "least expected cost over step-by-step forecasts of use per level, at Rate; best with steps of a minute",
			make: func(c Config) Keeper { return newForeseen(c) }},
		"lru":         {Doc: "keep for Keep, evict the least recently used", Evict: LeastRecent, Cache: true, make: hold},
		"ttl":         {Doc: "keep for Keep, evict what expires first", Evict: SoonestExpiry, Cache: true, make: hold},
		"greedy-dual": {Doc: "keep for Keep, evict by FaasCache's greedy-dual-size-frequency", Evict: GreedyDual, Cache: true, make: hold},
	}
}

// Names lists the policies in order.
func Names() []string { return slices.Sorted(maps.Keys(Policies())) }

// New makes the named policy.
func New(name string, cfg Config) (Keeper, error) {
	p, ok := Policies()[name]
	if !ok {
		return nil, fmt.Errorf("lifecycle policy %q: want one of %s", name, strings.Join(Names(), ", "))
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return p.make(cfg), nil
}
