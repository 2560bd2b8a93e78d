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
)

// joined finds the containers behind what the first meter with an answer says.
type joined struct {
	meters []meters.User
	join   *owners.GPUs
}

// Uses asks the meters in the order of the chain: two that see the same boards
// must not be added up.
func (j *joined) Uses(dst []attribution.GPUUse, usage []cgroup.Usage) []attribution.GPUUse {
	for _, m := range j.meters {
		if uses := m.Uses(); len(uses) > 0 {
			return j.join.Join(dst, uses, m.Instances(), usage)
		}
	}
	return dst
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
