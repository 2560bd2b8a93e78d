// Package demo is a scripted set of functions that goes with the fake meter, so
// that everything the agent does can be seen on a machine without meters,
// containers or functions. It is deterministic in the time since its start.
package demo

import (
	_ "embed"
	"fmt"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/attribution"
	"github.com/wattle-project/wattle/telemetry/cgroup"
	"github.com/wattle-project/wattle/telemetry/fake"
	"github.com/wattle-project/wattle/telemetry/invocations"
)

//go:embed load.txt
var load string

// Board is the GPU of the fake meter's demo.
const Board wattle.DeviceID = "GPU-00000000-0000-0000-0000-000000000001"

// Capacity of the machine that the demo plays.
const (
	CPU    wattle.MilliCPU = 32_000
	Memory                 = 128 * wattle.GiB
)

// function is a container of the demo with what it reserves.
type function struct {
	namespace, name string
	cpu             wattle.MilliCPU
	memory          wattle.Bytes
	seconds         float64 // an invocation runs on one core
	gpu             bool
}

func functions() []function {
	return []function{
		{"web", "checkout", 1000, 512 * wattle.MiB, 0.04, false},
		{"web", "thumbnail", 4000, 2 * wattle.GiB, 0.25, false},
		{"ml", "classify", 2000, 8 * wattle.GiB, 0.1, true},
		{"reports", "nightly", 500, 1 * wattle.GiB, 5, false},
	}
}

// Load plays the functions. It is for one goroutine.
type Load struct {
	script *fake.Script
	begin  time.Time
	now    time.Time
	told   time.Time // up to which invocations were told
}

// New returns a Load that begins at its first Read.
func New() (*Load, error) {
	s, err := fake.Parse(strings.NewReader(load))
	if err != nil {
		return nil, fmt.Errorf("load of the demo: %w", err)
	}
	return &Load{script: s}, nil
}

// cpu is the processor time that key used from the start to t after it.
func (l *Load) cpu(key string, t time.Duration) time.Duration {
	used, err := l.script.Truth(key, t)
	if err != nil {
		return 0
	}
	return time.Duration(used) * time.Microsecond
}

// Read appends what each function used, and what the system did beside them.
func (l *Load) Read(now time.Time, dst []cgroup.Usage) ([]cgroup.Usage, error) {
	if l.begin.IsZero() {
		l.begin = now
	}
	l.now = now
	t := now.Sub(l.begin)
	for i, f := range functions() {
		key := f.namespace + "/" + f.name
		dst = append(dst, cgroup.Usage{
			ID: uint64(i + 1), Key: "/demo/" + key, Namespace: f.namespace, Function: f.name,
			CPU: l.cpu(key, t), Memory: f.memory / 2, HasMemory: true,
		})
	}
	return append(dst, cgroup.Usage{ID: 100, Key: "/", CPU: l.cpu("system", t), Remainder: true, Memory: wattle.GiB, HasMemory: true}), nil
}

// Owner names the function of u with what it reserves.
func (l *Load) Owner(u *cgroup.Usage, _ time.Time) (attribution.Owner, bool) {
	for _, f := range functions() {
		if f.namespace == u.Namespace && f.name == u.Function {
			return attribution.Owner{Namespace: f.namespace, Function: f.name, CPU: f.cpu, Memory: f.memory}, true
		}
	}
	return attribution.Owner{}, false
}

// Drain tells the invocations since it was last asked: a function that used one
// core for a second has run one second of invocations.
func (l *Load) Drain() []invocations.Batch {
	from := l.told
	l.told = l.now
	if from.IsZero() || !l.now.After(from) {
		return nil
	}
	b := invocations.Batch{From: from, To: l.now}
	for _, f := range functions() {
		key := f.namespace + "/" + f.name
		busy := (l.cpu(key, l.now.Sub(l.begin)) - l.cpu(key, from.Sub(l.begin))).Seconds()
		count := busy / f.seconds
		b.Runs = append(b.Runs, invocations.Run{
			Key:    invocations.Key{Namespace: f.namespace, Function: f.name},
			Counts: invocations.Counts{Count: count, Seconds: busy},
		})
	}
	return []invocations.Batch{b}
}

// Uses says that the functions with a GPU have the board.
func (l *Load) Uses(dst []attribution.GPUUse, _ []cgroup.Usage) []attribution.GPUUse {
	for i, f := range functions() {
		if f.gpu {
			dst = append(dst, attribution.GPUUse{ID: uint64(i + 1), Device: Board, Activity: 1, Slices: 1, OfSlices: 1})
		}
	}
	return dst
}
