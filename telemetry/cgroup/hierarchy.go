package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// ErrNone says that there is no cgroup hierarchy at the root.
var ErrNone = errors.New("no cgroup hierarchy")

// hierarchy says where and how a mode keeps its counters.
type hierarchy struct {
	mode      Mode
	cpuRoot   string // walked
	memRoot   string // same relative paths; empty when memory is not known
	cpuFile   string
	memFile   string
	eventFile string // changes when a cgroup empties; empty in v1
	parse     func([]byte) (time.Duration, error)
}

func detect(root string, mode Mode) (hierarchy, error) {
	unified := exists(filepath.Join(root, "cgroup.controllers"))
	hybridRoot := filepath.Join(root, "unified")
	hybrid := exists(filepath.Join(hybridRoot, "cgroup.controllers"))
	legacyRoot := legacyRoot(root)
	switch {
	case (mode == Auto || mode == Unified) && unified:
		return v2(Unified, root, root), nil
	case mode == Hybrid && hybrid,
		mode == Auto && hybrid && (legacyRoot == "" || children(hybridRoot) >= children(legacyRoot)):
		return v2(Hybrid, hybridRoot, filepath.Join(root, "memory")), nil
	case (mode == Auto || mode == Legacy) && legacyRoot != "":
		return v1(root, legacyRoot), nil
	}
	return hierarchy{}, fmt.Errorf("%w of mode %s at %s: mount cgroup2 there or set the root and mode", ErrNone, mode, root)
}

func v2(mode Mode, root, memory string) hierarchy {
	h := hierarchy{
		mode: mode, cpuRoot: root, memRoot: memory, parse: parseStat,
		cpuFile: "cpu.stat", memFile: "memory.current", eventFile: "cgroup.events",
	}
	if mode == Hybrid {
		h.memFile = "memory.usage_in_bytes"
	}
	return h
}

func v1(root, cpu string) hierarchy {
	return hierarchy{
		mode: Legacy, cpuRoot: cpu, memRoot: filepath.Join(root, "memory"), parse: parseNanos,
		cpuFile: "cpuacct.usage", memFile: "memory.usage_in_bytes",
	}
}

// legacyRoot finds the mount of the v1 cpuacct controller.
func legacyRoot(root string) string {
	for _, n := range []string{"cpuacct", "cpu,cpuacct", "cpu"} {
		if p := filepath.Join(root, n); exists(filepath.Join(p, "cpuacct.usage")) {
			return p
		}
	}
	return ""
}

// children counts the directories in the two levels below dir.
func children(dir string) int {
	n := 0
	for _, name := range directories(dir) {
		n += 1 + len(directories(filepath.Join(dir, name)))
	}
	return n
}

func directories(dir string) []string {
	var names []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
