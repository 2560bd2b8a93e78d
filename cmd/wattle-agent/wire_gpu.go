package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/meters"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/owners"
	"github.com/wattle-project/wattle/telemetry/attribution"
	"github.com/wattle-project/wattle/telemetry/cgroup"
	"github.com/wattle-project/wattle/telemetry/gpu"
)

// joined finds the containers behind what the meters say of boards.
type joined struct {
	meters []meters.User
	join   *owners.GPUs

	asked     map[string]int // board to the meter that is believed
	uses      []gpu.Use
	instances []gpu.Instance
}

// Uses believes, board by board, the first meter of the chain that knows who
// used it: what two meters say of one board must not be added up.
func (j *joined) Uses(dst []attribution.GPUUse, usage []cgroup.Usage) []attribution.GPUUse {
	clear(j.asked)
	j.choose(func(u gpu.Use) bool { return u.PID > 0 || u.Owner.Pod != "" })
	j.choose(func(gpu.Use) bool { return true })
	j.uses, j.instances = j.uses[:0], j.instances[:0]
	for i, m := range j.meters {
		for _, u := range m.Uses() {
			if j.asked[u.Board] == i {
				j.uses = append(j.uses, u)
			}
		}
		j.instances = append(j.instances, m.Instances()...)
	}
	return j.join.Join(dst, j.uses, j.instances, usage)
}

// choose picks a meter for boards that have none yet.
func (j *joined) choose(tells func(gpu.Use) bool) {
	for i, m := range j.meters {
		for _, u := range m.Uses() {
			if _, done := j.asked[u.Board]; !done && tells(u) {
				j.asked[u.Board] = i
			}
		}
	}
}

// memory reads the machine's memory from meminfo.
func memory(proc string) (wattle.Bytes, error) {
	f, err := os.Open(filepath.Join(proc, "meminfo"))
	if err != nil {
		return 0, fmt.Errorf("memory of the node: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) >= 2 && words[0] == "MemTotal:" {
			kib, err := strconv.ParseInt(words[1], 10, 64)
			return wattle.Bytes(kib) * wattle.KiB, err
		}
	}
	return 0, fmt.Errorf("memory of the node: %s has no MemTotal", f.Name())
}
