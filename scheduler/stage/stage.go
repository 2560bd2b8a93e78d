// Package stage holds the built-in filters and measures of the decision core,
// one concern per file. A filter marks candidates that cannot be used; a
// measure fills columns of the candidate table in their own units.
package stage

import (
	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
)

// Stage is one step of the chain.
type Stage interface {
	Name() string
	// Apply works on all candidates of a batch at once.
	Apply(b *state.Batch)
}

// Config sets what the built-in stages assume.
type Config struct {
	// Network is the energy of moving data as seen by decisions; 0 by default
	// because volume is a poor base for a marginal choice.
	Network wattle.KWhPerGB
	// StalePenalty is the share of a candidate's carbon added to G for each
	// step that its signal's quality is below a forecast.
	StalePenalty float64
	// StartUtilisation is the busy share of the reserved CPU while starting.
	StartUtilisation float64
	// StartTail is the ratio of the 95th percentile of a cold start to its mean.
	StartTail float64
}

// DefaultConfig returns the published defaults: start-up draws about 0.6 of
// execution (EcoLife, SC'24: 59-81 W against 99-122 W) and has a tail-to-median
// ratio of 1.5 (STeLLAR, IISWC'21, AWS).
func DefaultConfig() Config {
	return Config{StalePenalty: 0.05, StartUtilisation: 0.6, StartTail: 1.5}
}

// Default returns the built-in chain in order: filters, then measures, each of
// which may read the columns filled by those before it.
func Default(c Config) []Stage {
	return []Stage{
		Locality{}, Device{},
		Latency{Tail: c.StartTail}, Energy{StartUtilisation: c.StartUtilisation, Network: c.Network},
		Carbon{StalePenalty: c.StalePenalty}, Cost{},
	}
}
