package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/meters"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/owners"
	"github.com/wattle-project/wattle/telemetry/cgroup"
	"github.com/wattle-project/wattle/telemetry/gpu"
)

// told is a meter that says this of boards.
type told struct {
	uses  []gpu.Use
	parts []gpu.Instance
}

func (t told) Uses() []gpu.Use           { return t.uses }
func (t told) Instances() []gpu.Instance { return t.parts }

// TestEachBoardIsBelievedOfOneMeter: of what several meters say of one board the
// first that knows who used it is taken, else the first that knows the board at
// all; never the sum. Process 1 is in container 1, process 2 in container 2.
func TestEachBoardIsBelievedOfOneMeter(t *testing.T) {
	proc, usage := t.TempDir(), []cgroup.Usage(nil)
	for i := 1; i <= 2; i++ {
		key := "/docker/" + strings.Repeat(fmt.Sprint(i), 64)
		usage = append(usage, cgroup.Usage{ID: uint64(i), Key: key, Identity: cgroup.Identify(key)})
		dir := filepath.Join(proc, fmt.Sprint(i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup"), []byte("0::"+key+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	whole := func(board string) gpu.Use { return gpu.Use{Board: board, Share: 1} }
	process := func(board string, pid int, share float64) gpu.Use {
		return gpu.Use{Board: board, PID: pid, Share: share}
	}
	pod := func(board, instance string) gpu.Use {
		return gpu.Use{Board: board, Instance: instance, Share: 0.5, Owner: gpu.Owner{Namespace: "faas", Pod: "p"}}
	}
	type paid map[string]string // board to who used it
	for name, tc := range map[string]struct {
		first, second []gpu.Use
		want          paid
	}{
		"both know the processes":               {[]gpu.Use{process("A", 1, 1)}, []gpu.Use{process("A", 2, 1)}, paid{"A": "1:1.0"}},
		"the second alone knows":                {[]gpu.Use{whole("A")}, []gpu.Use{process("A", 1, 0.5), process("A", 2, 0.5)}, paid{"A": "1:1.0 2:1.0"}},
		"each knows of another board":           {[]gpu.Use{process("A", 1, 1), whole("B")}, []gpu.Use{whole("A"), process("B", 2, 1)}, paid{"A": "1:1.0", "B": "2:1.0"}},
		"neither knows":                         {[]gpu.Use{whole("A")}, []gpu.Use{whole("A")}, paid{"A": "0:1.0"}},
		"the second alone has the board":        {nil, []gpu.Use{process("B", 2, 1)}, paid{"B": "2:1.0"}},
		"a pod that is named is knowledge":      {[]gpu.Use{whole("A")}, []gpu.Use{pod("A", "1"), pod("A", "2")}, paid{"A": "0:1.0 0:1.0"}},
		"processes before a pod that is second": {[]gpu.Use{process("A", 1, 1)}, []gpu.Use{pod("A", "1"), pod("A", "2")}, paid{"A": "1:1.0"}},
	} {
		t.Run(name, func(t *testing.T) {
			j := &joined{meters: []meters.User{told{uses: tc.first}, told{uses: tc.second}}, join: owners.NewGPUs(proc, nil), asked: map[string]int{}}
			for range 2 { // the choice is made anew each round
				got := paid{}
				for _, u := range j.Uses(nil, usage) {
					d := string(u.Device)
					got[d] = strings.TrimSpace(fmt.Sprintf("%s %d:%.1f", got[d], u.ID, u.Activity))
				}
				if !maps.Equal(got, tc.want) {
					t.Errorf("got %v, want %v", got, tc.want)
				}
			}
			j.meters[0] = told{} // it falls silent
			got, want := j.Uses(nil, usage), (&joined{meters: j.meters[1:], join: j.join, asked: map[string]int{}}).Uses(nil, usage)
			if !slices.Equal(got, want) {
				t.Errorf("without the first meter: %v, want %v", got, want)
			}
		})
	}
}
