package owners

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/attribution"
	"github.com/wattle-project/wattle/telemetry/cgroup"
	"github.com/wattle-project/wattle/telemetry/gpu"
	"github.com/wattle-project/wattle/telemetry/kube"
)

// GPUs finds the container behind each use of a board. It is for one goroutine.
type GPUs struct {
	proc  string
	pods  Pods
	byKey map[string]uint64 // cgroup path to ID
	byID  map[string]uint64 // container id to ID
	parts map[string]part   // MIG instance to its slices
	want  map[string]float64
}

// part is a number of compute slices of a board.
type part struct{ slices, of int }

// NewGPUs returns a GPUs that reads process cgroups below proc; pods is nil on
// hosts without Kubernetes.
func NewGPUs(proc string, pods Pods) *GPUs {
	return &GPUs{proc: proc, pods: pods, byKey: map[string]uint64{}, byID: map[string]uint64{}, parts: map[string]part{}, want: map[string]float64{}}
}

// Join appends who used which board. What the driver says of processes is
// finest; else the container that the meter names; else those to which the
// kubelet gave the board or MIG instance, in equal parts. A use whose container
// is unknown stays with the node.
func (g *GPUs) Join(dst []attribution.GPUUse, uses []gpu.Use, instances []gpu.Instance, usage []cgroup.Usage) []attribution.GPUUse {
	if len(uses) == 0 {
		return dst
	}
	g.index(instances, usage)
	start := len(dst)
	for _, u := range uses {
		ids := g.containers(u)
		p := g.part(u.Instance)
		for _, id := range ids {
			dst = append(dst, attribution.GPUUse{
				ID: id, Device: wattle.DeviceID(u.Board), Activity: u.Share / float64(len(ids)), Slices: p.slices, OfSlices: p.of,
			})
		}
	}
	g.scale(dst[start:])
	return dst
}

func (g *GPUs) index(instances []gpu.Instance, usage []cgroup.Usage) {
	clear(g.byKey)
	clear(g.byID)
	clear(g.parts)
	for i := range usage {
		u := &usage[i]
		g.byKey[u.Key] = u.ID
		if u.Container != "" {
			g.byID[u.Container] = u.ID
		}
	}
	for _, in := range instances {
		if in.Slices > 0 && in.OfSlices > 0 {
			g.parts[in.Key] = part{in.Slices, in.OfSlices}
		}
	}
	if g.pods != nil {
		g.indexDevices()
	}
}

// indexDevices takes the slices of instances from the names of the kubelet's
// resources where the meter does not tell them.
func (g *GPUs) indexDevices() {
	for _, c := range g.pods.Current().Containers() {
		for _, d := range c.Devices {
			p, err := gpu.ParseProfile(d.Profile)
			if _, known := g.parts[string(d.ID)]; !known && d.Profile != "" && err == nil {
				g.parts[string(d.ID)] = part{p.GPU, gpu.BoardSlices("")}
			}
		}
	}
}

func (g *GPUs) part(instance string) part {
	if p, ok := g.parts[instance]; ok {
		return p
	}
	return part{1, 1}
}

// scale turns shares of a board into activities of the parts of it: activity ×
// slices keeps the proportion of the shares, and no activity exceeds 1.
func (g *GPUs) scale(uses []attribution.GPUUse) {
	clear(g.want)
	for i := range uses {
		u := &uses[i]
		u.Activity *= float64(u.OfSlices) / float64(u.Slices)
		g.want[string(u.Device)] = max(g.want[string(u.Device)], u.Activity)
	}
	for i := range uses {
		if top := g.want[string(uses[i].Device)]; top > 0 {
			uses[i].Activity /= top
		}
	}
}

func (g *GPUs) containers(u gpu.Use) []uint64 {
	if u.PID > 0 {
		if id, ok := g.process(u.PID); ok {
			return []uint64{id}
		}
		return nil
	}
	if g.pods == nil {
		return nil
	}
	var ids []uint64
	for _, c := range g.pods.Current().Containers() {
		id, known := g.byID[c.ID]
		if known && (named(u.Owner, c) || u.Owner.Pod == "" && holds(c, u)) {
			ids = append(ids, id)
		}
	}
	return ids
}

func named(o gpu.Owner, c *kube.Container) bool {
	return o.Pod != "" && o.Pod == c.Pod && o.Namespace == c.PodNamespace && (o.Container == "" || o.Container == c.Name)
}

func holds(c *kube.Container, u gpu.Use) bool {
	for _, d := range c.Devices {
		if string(d.ID) == u.Instance && u.Instance != "" || string(d.ID) == u.Board && u.Instance == "" {
			return true
		}
	}
	return false
}

// process finds the cgroup of a process, or of the nearest charged parent.
func (g *GPUs) process(pid int) (uint64, bool) {
	text, err := os.ReadFile(filepath.Join(g.proc, strconv.Itoa(pid), "cgroup"))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		_, path, ok := strings.Cut(rest, ":")
		if !ok {
			continue
		}
		if id, ok := g.nearest(path); ok {
			return id, true
		}
	}
	return 0, false
}

func (g *GPUs) nearest(path string) (uint64, bool) {
	if id, ok := g.byID[cgroup.Identify(path).Container]; ok {
		return id, true
	}
	for len(path) > 1 {
		if id, ok := g.byKey[path]; ok {
			return id, true
		}
		path = filepath.Dir(path)
	}
	return 0, false
}
