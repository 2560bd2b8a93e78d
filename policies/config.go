package policies

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/wattle-project/wattle"
)

// Config is what an Engine needs besides the policy's text.
type Config struct {
	// Data is the base of Rego's data document; data.params holds the policy's
	// parameters. Numbers must be whole. A key of data.params that no rule of
	// the policy reads is an error. The key "wattle" is taken by the modules.
	Data map[string]any
	// Default answers what a policy does not define, and stands in where an
	// evaluation fails and no earlier result of the class exists.
	Default wattle.Intent
	// FailClosed denies a candidate (code "policy_unavailable") instead of
	// allowing it where deny fails and has no earlier result. The default is to
	// allow: a broken policy must not be an outage.
	FailClosed bool
	// CacheSize is the number of results kept per entry point (≥ 1). One takes
	// some 300 bytes. A Go map keeps its table, so memory grows to the peak.
	CacheSize int
	// Deadline bounds the evaluations of one batch together; 0 means none, and
	// evaluation then runs on the caller's goroutine. A simulation that must
	// print the same bytes everywhere uses 0.
	Deadline time.Duration
	// Tenant compiles a policy that may only narrow: an allow list of builtins,
	// no objective, no score.
	Tenant bool
	// MaxBytes bounds the text of all modules together.
	MaxBytes int
	// Logger receives one line per class whose evaluation failed; nil means
	// slog.Default().
	Logger *slog.Logger
	// Observe, if set, is called after every evaluation (never for a result
	// from the cache) with the entry point's name. It must be fast and safe for
	// concurrent use.
	Observe func(entry string, took time.Duration, err error)
}

// DefaultConfig returns least carbon without limits as the built-in default,
// 16,384 cached results per entry point, a deadline of one second and 1 MiB of
// text.
func DefaultConfig() Config {
	return Config{
		Default:   wattle.Intent{Objective: wattle.Objective{Carbon: 1}},
		CacheSize: 16384,
		Deadline:  time.Second,
		MaxBytes:  1 << 20,
	}
}

// Validate says which field of c is unusable.
func (c Config) Validate() error {
	switch {
	case c.CacheSize < 1 || c.CacheSize > 1<<30:
		return fmt.Errorf("cache size %d must be between 1 and 2^30 results", c.CacheSize)
	case c.Deadline < 0:
		return fmt.Errorf("deadline %s must not be negative", c.Deadline)
	case c.MaxBytes < 1:
		return fmt.Errorf("max bytes %d must be at least 1", c.MaxBytes)
	case c.Default.Objective == wattle.Objective{}:
		return fmt.Errorf("the default objective weighs nothing; set a weight for carbon, seconds or dollars")
	}
	return nil
}

func (c Config) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.Default()
	}
	return c.Logger
}
