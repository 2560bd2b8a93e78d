package exporter

import (
	"fmt"
	"slices"
	"time"
)

// Config of an Exporter.
type Config struct {
	// Version of the agent, for wattle_build_info.
	Version string
	// Start is when the totals of snapshots were 0; scrapers that know of
	// created timestamps then lose no first increment. Zero: not told.
	Start time.Time
	// MaxFunctions bounds the functions with series of their own; later ones are
	// counted together under function="(other)". A function that has its own
	// series keeps them. Default 5,000.
	MaxFunctions int
	// Detailed is the number of functions whose energy is told apart by component,
	// share and start; later ones have one series each, of the sum. A node rarely
	// holds more (a kubelet allows 110 pods), and where one does, a page stays
	// small. Default 100.
	Detailed int
	// Buckets are the upper bounds in J of the classic buckets of invocation
	// energy, for scrapers without native histograms. Default: decades from
	// 1 mJ to 10 kJ.
	Buckets []float64
	// Process adds the metrics of the process and of the Go runtime, those of its
	// memory apart. Default true.
	Process bool
}

// DefaultConfig returns the defaults named in Config.
func DefaultConfig() Config {
	return Config{
		Version: "unknown", MaxFunctions: 5000, Detailed: 100, Process: true,
		Buckets: []float64{0.001, 0.01, 0.1, 1, 10, 100, 1_000, 10_000},
	}
}

// Validate says what cannot work.
func (c Config) Validate() error {
	if c.MaxFunctions < 1 || c.MaxFunctions > 1_000_000 {
		return fmt.Errorf("exporter: at most %d functions; set 1 to 1000000", c.MaxFunctions)
	}
	if c.Detailed < 0 {
		return fmt.Errorf("exporter: %d functions told apart; set 0 or more", c.Detailed)
	}
	if !slices.IsSorted(c.Buckets) || len(slices.Compact(slices.Clone(c.Buckets))) != len(c.Buckets) || len(c.Buckets) == 0 {
		return fmt.Errorf("exporter: buckets %v must be one or more bounds in J that ascend", c.Buckets)
	}
	return nil
}
