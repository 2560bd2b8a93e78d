package nvml

import (
	"fmt"
	"time"
)

// Config tunes a Source.
type Config struct {
	// Libraries are tried in order. Default libnvidia-ml.so.1 and the places in
	// which container runtimes and driver operators mount it.
	Libraries []string
	// Rescan is how often boards and MIG instances are listed anew. A failing
	// handle causes a rescan at once. Default 1 min.
	Rescan time.Duration
	// Processes reads the utilisation of single processes. Default true.
	Processes bool
	// Profiling reads GPM metrics of MIG instances. Default true.
	Profiling bool
}

// DefaultConfig returns the defaults stated at the fields.
func DefaultConfig() Config {
	return Config{
		Libraries: []string{
			"libnvidia-ml.so.1",
			"/usr/local/nvidia/lib64/libnvidia-ml.so.1",
			"/run/nvidia/driver/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
			"/run/nvidia/driver/usr/lib/aarch64-linux-gnu/libnvidia-ml.so.1",
			"/usr/lib/wsl/lib/libnvidia-ml.so.1",
		},
		Rescan: time.Minute, Processes: true, Profiling: true,
	}
}

// Validate checks ranges.
func (c Config) Validate() error {
	switch {
	case len(c.Libraries) == 0:
		return fmt.Errorf("nvml: no library to open; want at least libnvidia-ml.so.1")
	case c.Rescan <= 0:
		return fmt.Errorf("nvml rescan interval %s: want a positive duration", c.Rescan)
	}
	return nil
}
