// Command dcgm is a meter plugin over NVIDIA DCGM.
//
// It is thin on purpose: it watches fields by number and lists MIG instances
// and processes; decoding, units, blanks and shares are those of
// telemetry/gpu. It needs cgo and, at run time, libdcgm.so.4.
package main

import (
	"fmt"
	"os"

	"github.com/wattle-project/wattle/plugins/sdk"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	c, err := parse(args, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "dcgm plugin:", err)
		return 2
	}
	m, err := newMeter(c)
	if err != nil {
		fmt.Fprintln(os.Stderr, "dcgm plugin:", err)
		return 2
	}
	sdk.Serve(m)
	if err := m.meter.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "dcgm plugin:", err)
		return 1
	}
	return 0
}
