package host

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Config describes one plugin.
type Config struct {
	// Name is used in logs and errors until the plugin tells its own.
	Name string
	// Path is the plugin's binary, absolute.
	Path string
	Args []string
	// Env is the whole environment of the plugin as KEY=VALUE, for example
	// LD_LIBRARY_PATH; nothing is inherited.
	Env []string
	// Checksum is the SHA-256 of the binary in hexadecimal. Keep the binary
	// where only the user who installs it can write, for it is opened again
	// between the check and the start.
	Checksum string
	// Unverified allows an empty Checksum.
	Unverified bool
	// SocketDir is where the socket's own folder is made; empty for os.TempDir().
	SocketDir string
	// StartTimeout bounds a start with handshake, ReadTimeout one Read.
	// Defaults 10 s and 2 s.
	StartTimeout, ReadTimeout time.Duration
	// MaxAge is how long the last good readings stand in. Default 30 s.
	MaxAge time.Duration
	// Probe is how often a process is looked after that nobody reads. Default 1 s.
	Probe time.Duration
	// Restart says when to start again.
	Restart Restart
	// Notify is called, from Run, when the state changes; nil to not be told.
	Notify func(Status)
	// Logger receives what the plugin prints; nil discards it.
	Logger *slog.Logger
}

// Restart tunes the waits between starts.
type Restart struct {
	// Base is the wait after the first failure; it doubles up to Max and is
	// spread by ±50 %. Defaults 500 ms and 1 min.
	Base, Max time.Duration
	// BreakAfter failures in a row open the breaker for OpenFor. Defaults 6
	// and 10 min.
	BreakAfter int
	OpenFor    time.Duration
	// Healthy is how long a process must serve to count as a success. Default 1 min.
	Healthy time.Duration
	// Seed makes the spread repeatable; use something of the node.
	Seed uint64
}

// DefaultConfig returns the defaults stated at the fields, for the binary at path.
func DefaultConfig(path string) Config {
	return Config{
		Name: strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)), Path: path,
		StartTimeout: 10 * time.Second, ReadTimeout: 2 * time.Second, MaxAge: 30 * time.Second, Probe: time.Second,
		Restart: Restart{Base: 500 * time.Millisecond, Max: time.Minute, BreakAfter: 6, OpenFor: 10 * time.Minute, Healthy: time.Minute},
	}
}

// Validate checks the configuration without touching the disk.
func (c Config) Validate() error {
	sum, err := hex.DecodeString(c.Checksum)
	switch {
	case !filepath.IsAbs(c.Path):
		return fmt.Errorf("plugin path %q: want an absolute path", c.Path)
	case c.Checksum == "" && !c.Unverified:
		return fmt.Errorf("plugin %s: no checksum; set the output of sha256sum %s, or allow unverified plugins", c.Name, c.Path)
	case err != nil || c.Checksum != "" && len(sum) != 32:
		return fmt.Errorf("plugin %s: checksum %q is no SHA-256 in hexadecimal", c.Name, c.Checksum)
	case c.StartTimeout <= 0 || c.ReadTimeout <= 0 || c.Probe <= 0 || c.MaxAge < 0:
		return fmt.Errorf("plugin %s: timeouts start %s, read %s, probe %s, age %s: want positive ones", c.Name, c.StartTimeout, c.ReadTimeout, c.Probe, c.MaxAge)
	}
	for _, kv := range c.Env {
		if k, _, ok := strings.Cut(kv, "="); !ok || k == "" {
			return fmt.Errorf("plugin %s: environment entry %q: want KEY=VALUE", c.Name, kv)
		}
	}
	return errors.Join(c.Restart.validate(), checkSocketDir(c.SocketDir))
}

func (r Restart) validate() error {
	if r.Base <= 0 || r.Max < r.Base || r.BreakAfter <= 0 || r.OpenFor < r.Max || r.Healthy <= 0 {
		return fmt.Errorf("plugin restart %+v: want 0 < base ≤ max ≤ open for, and positive counts", r)
	}
	return nil
}

// A Unix socket address has room for 107 bytes; go-plugin adds a file
// "plugin" with up to 10 digits to our folder "wattle-" with up to 10.
const (
	maxSocketPath = 107
	socketSuffix  = len("/wattle-1234567890/plugin1234567890")
)

// checkSocketDir refuses a folder in which the socket's path would be cut off,
// which fails late and without naming the cause. Empty is checked at the start.
func checkSocketDir(dir string) error {
	if n := len(dir) + socketSuffix; n > maxSocketPath {
		return fmt.Errorf("socket folder %q is too long: %d of %d bytes; set a shorter one or TMPDIR", dir, n, maxSocketPath)
	}
	return nil
}

func (c Config) socketDir() (string, error) {
	dir := c.SocketDir
	if dir == "" {
		dir = os.TempDir()
	}
	if err := checkSocketDir(dir); err != nil {
		return "", err
	}
	return os.MkdirTemp(dir, "wattle-")
}
