package cgroup

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"
)

// Mode selects the hierarchy that processor time is read from.
type Mode string

// Modes. Auto takes the unified hierarchy where the root is one, and on a
// hybrid host the hierarchy that holds more cgroups, v2 when they are equal.
const (
	Auto    Mode = "auto"
	Unified Mode = "v2"
	Hybrid  Mode = "hybrid"
	Legacy  Mode = "v1"
)

// Config of a Tree.
type Config struct {
	// Root is where cgroups are mounted. Default /sys/fs/cgroup.
	Root string
	// Mode selects the hierarchy. Default Auto.
	Mode Mode
	// Containers turns on the recognition of container runtimes (docker,
	// containerd, CRI-O, podman) from paths. Default true.
	Containers bool
	// Patterns are regular expressions on the path below the root, such as
	// `^/faas\.slice/fn-(?P<function>[^/]+)\.service$`. The group "function", or
	// else the first group, names the function; the group "namespace" is
	// optional. The first pattern that matches wins, before Containers.
	Patterns []string
	// MemoryEvery is the least time between two reads of memory.current of one
	// cgroup; memory moves slowly and the read costs as much as that of
	// processor time. Default 5 s.
	MemoryEvery time.Duration
	// Rescan is the time between two full walks while the kernel notifies
	// changes; without notification every Read walks. Default 60 s.
	Rescan time.Duration
	// MaxDepth bounds the walk below the root. Default 16.
	MaxDepth int
	// Log receives what is skipped and why. Default: discard.
	Log *slog.Logger
}

// DefaultConfig returns the defaults named in Config.
func DefaultConfig() Config {
	return Config{
		Root: "/sys/fs/cgroup", Mode: Auto, Containers: true,
		MemoryEvery: 5 * time.Second, Rescan: time.Minute, MaxDepth: 16,
		Log: slog.New(slog.DiscardHandler),
	}
}

// Validate says what cannot work.
func (c Config) Validate() error {
	switch {
	case c.Root == "":
		return errors.New("cgroup: root is empty: name the mount point, for example /sys/fs/cgroup")
	case c.Mode != Auto && c.Mode != Unified && c.Mode != Hybrid && c.Mode != Legacy:
		return fmt.Errorf("cgroup: mode %q: want auto, v2, hybrid or v1", c.Mode)
	case c.MemoryEvery < 0 || c.Rescan <= 0:
		return fmt.Errorf("cgroup: memory interval %s and rescan %s must not be negative, rescan not zero", c.MemoryEvery, c.Rescan)
	case c.MaxDepth < 1:
		return fmt.Errorf("cgroup: max depth %d: want at least 1", c.MaxDepth)
	case !c.Containers && len(c.Patterns) == 0:
		return errors.New("cgroup: containers are off and there is no pattern: nothing would be charged")
	case c.Log == nil:
		return errors.New("cgroup: no logger: start from DefaultConfig")
	}
	_, err := compile(c.Patterns)
	return err
}

// rule is a compiled pattern and where its groups are.
type rule struct {
	re                  *regexp.Regexp
	function, namespace int
}

func compile(patterns []string) ([]rule, error) {
	rules := make([]rule, 0, len(patterns))
	for _, p := range patterns {
		re, err := regexp.Compile(p)
		if err != nil {
			return nil, fmt.Errorf("cgroup: pattern %q: %w", p, err)
		}
		r := rule{re: re, function: re.SubexpIndex("function"), namespace: re.SubexpIndex("namespace")}
		if r.function < 0 {
			r.function = 1
		}
		if re.NumSubexp() < 1 || r.function == r.namespace {
			return nil, fmt.Errorf("cgroup: pattern %q has no group for the function: write (?P<function>…)", p)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// match returns the function and namespace that the first matching rule names.
func match(rules []rule, key string) (function, namespace string, ok bool) {
	for _, r := range rules {
		m := r.re.FindStringSubmatch(key)
		if m == nil || m[r.function] == "" {
			continue
		}
		if r.namespace > 0 {
			namespace = m[r.namespace]
		}
		return m[r.function], namespace, true
	}
	return "", "", false
}
