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
	proc   string
	pods   Pods
	byKey  map[string]uint64 // cgroup path to ID
	byID   map[string]uint64 // container id to ID
	parts  map[string]part   // MIG instance to its slices
	places map[string]string // UUID of a MIG instance to its place on a board
	top    map[string]float64
	claims []claim
}

// part is a number of compute slices of a board.
type part struct{ slices, of int }

// claim is what one container used of a board or of one of its instances.
type claim struct {
	id              uint64
	board, instance string
	share           float64 // of what all used of the board
}

// nobody is the ID of work outside containers; cgroups count from 1.
const nobody = 0

// NewGPUs returns a GPUs that reads process cgroups below proc; pods is nil on
// hosts without Kubernetes.
func NewGPUs(proc string, pods Pods) *GPUs {
	return &GPUs{proc: proc, pods: pods, byKey: map[string]uint64{}, byID: map[string]uint64{}, parts: map[string]part{}, places: map[string]string{}, top: map[string]float64{}}
}

// Join appends who used which board. What the driver says of processes is
// finest; else the container that the meter names; else those to which the
// kubelet gave the board or MIG instance, in equal parts. Work whose container
// is unknown is listed under the ID 0, so that no other container pays for it.
// A container that holds a part without using it is listed as idle. There is
// one entry for each container and part, and those of one part share its slices.
func (g *GPUs) Join(dst []attribution.GPUUse, uses []gpu.Use, instances []gpu.Instance, usage []cgroup.Usage) []attribution.GPUUse {
	if len(uses) == 0 {
		return dst
	}
	g.index(instances, usage)
	g.claims = g.claims[:0]
	for _, u := range uses {
		ids := g.containers(u)
		for _, id := range ids {
			g.claim(claim{id, u.Board, u.Instance, u.Share / float64(len(ids))})
		}
		if len(ids) == 0 {
			g.claim(claim{nobody, u.Board, u.Instance, u.Share})
		}
	}
	for _, u := range uses {
		for _, id := range g.holders(u) {
			g.claim(claim{id, u.Board, u.Instance, 0})
		}
	}
	start := len(dst)
	for _, c := range g.claims {
		p := g.part(c.instance)
		dst = append(dst, attribution.GPUUse{
			ID: c.id, Device: wattle.DeviceID(c.board), Activity: c.share, Slices: p.slices, OfSlices: p.of * g.claimants(c),
		})
	}
	g.scale(dst[start:])
	return dst
}

// claim adds to what a container used of a part already: it may run several
// processes there, and holds the part once.
func (g *GPUs) claim(c claim) {
	for i := range g.claims {
		x := &g.claims[i]
		if x.id == c.id && x.board == c.board && x.instance == c.instance {
			x.share += c.share
			return
		}
	}
	g.claims = append(g.claims, c)
}

// claimants is the number of containers that share the part of c.
func (g *GPUs) claimants(c claim) int {
	n := 0
	for _, x := range g.claims {
		if x.id != nobody && x.board == c.board && x.instance == c.instance {
			n++
		}
	}
	return max(n, 1)
}

func (g *GPUs) index(instances []gpu.Instance, usage []cgroup.Usage) {
	clear(g.byKey)
	clear(g.byID)
	clear(g.parts)
	clear(g.places)
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
		if in.Place != "" {
			g.places[in.Key] = in.Place
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
	clear(g.top)
	for i := range uses {
		u := &uses[i]
		u.Activity *= float64(u.OfSlices) / float64(u.Slices)
		g.top[string(u.Device)] = max(g.top[string(u.Device)], u.Activity)
	}
	for i := range uses {
		if top := g.top[string(uses[i].Device)]; top > 0 {
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
	if u.Owner.Pod == "" {
		return g.holders(u)
	}
	ids := g.known(func(c *kube.Container) bool { return named(u.Owner, c) })
	if len(ids) == 0 && g.pods != nil {
		g.pods.Unknown(u.Owner.Namespace + "/" + u.Owner.Pod)
	}
	return ids
}

// holders are the containers to which the kubelet gave the part that u is of.
func (g *GPUs) holders(u gpu.Use) []uint64 {
	return g.known(func(c *kube.Container) bool { return g.holds(c, u) })
}

// known lists the cgroups of the containers that match.
func (g *GPUs) known(match func(*kube.Container) bool) []uint64 {
	if g.pods == nil {
		return nil
	}
	var ids []uint64
	for _, c := range g.pods.Current().Containers() {
		if id, ok := g.byID[c.ID]; ok && match(c) {
			ids = append(ids, id)
		}
	}
	return ids
}

func named(o gpu.Owner, c *kube.Container) bool {
	return o.Pod == c.Pod && o.Namespace == c.PodNamespace && (o.Container == "" || o.Container == c.Name)
}

// holds says whether the kubelet gave the part that u is of to c. It names MIG
// instances by UUID. A meter that does too is taken at its word; of one that
// names the place on the board, the place of the UUID has to be known.
func (g *GPUs) holds(c *kube.Container, u gpu.Use) bool {
	for _, d := range c.Devices {
		id := string(d.ID)
		if u.Instance == "" && id == u.Board || u.Instance != "" && (id == u.Instance || g.place(id) == u.Instance) {
			return true
		}
	}
	return false
}

// place is "<board UUID>/gi-<n>" of a MIG instance, or empty. Drivers before 470
// wrote it into the name, "MIG-<board UUID>/<n>/<compute instance>"; later ones
// gave UUIDs of their own, of which NVML alone knows the place.
func (g *GPUs) place(id string) string {
	if p, ok := g.places[id]; ok {
		return p
	}
	rest, ok := strings.CutPrefix(id, "MIG-GPU-")
	board, numbers, cut := strings.Cut(rest, "/")
	gi, _, full := strings.Cut(numbers, "/")
	if !ok || !cut || !full {
		return ""
	}
	return "GPU-" + board + "/gi-" + gi
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
