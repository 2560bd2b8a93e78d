// Package tape stands between the agent's loop and its sources: it notes what
// they answer in a recording, and answers from one in their place.
package tape

import (
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/attribution"
	"github.com/wattle-project/wattle/telemetry/cgroup"
	"github.com/wattle-project/wattle/telemetry/invocations"
	"github.com/wattle-project/wattle/telemetry/record"
)

// Usages reads the processor time of cgroups.
type Usages interface {
	Read(now time.Time, dst []cgroup.Usage) ([]cgroup.Usage, error)
}

// Namer names the owner of a cgroup.
type Namer interface {
	Owner(u *cgroup.Usage, now time.Time) (attribution.Owner, bool)
}

// Accelerators tells which containers used which GPU.
type Accelerators interface {
	Uses(dst []attribution.GPUUse, usage []cgroup.Usage) []attribution.GPUUse
}

// Signals tells the carbon intensities that hold within [from, to).
type Signals interface {
	Walk(from, to time.Time, note func(wattle.Signal))
}

// Noted passes on what the sources answer and notes it. A source that is nil
// must not be asked.
type Noted struct {
	Recorder *record.Recorder
	Usage    Usages
	Owners   Namer
	GPUs     Accelerators
	Signals  Signals
	Batches  func() []invocations.Batch

	usage []record.Usage
	gpus  []record.GPUUse
}

// Walk implements Signals.
func (n *Noted) Walk(from, to time.Time, note func(wattle.Signal)) {
	n.Signals.Walk(from, to, func(s wattle.Signal) {
		n.Recorder.Signal(s)
		note(s)
	})
}

// Drain passes on and notes what Batches gives.
func (n *Noted) Drain() []invocations.Batch {
	out := n.Batches()
	for i := range out {
		b := record.Batch{From: out[i].From, To: out[i].To, Failed: out[i].Failed, Late: out[i].Late}
		for _, r := range out[i].Runs {
			b.Runs = append(b.Runs, record.Run{
				Namespace: r.Namespace, Function: r.Function, Count: r.Count, Seconds: r.Seconds, Cold: r.Cold, ColdSeconds: r.ColdSeconds, Untold: r.Untold,
			})
		}
		n.Recorder.Invocations(b)
	}
	return out
}

// Read implements Usages.
func (n *Noted) Read(now time.Time, dst []cgroup.Usage) ([]cgroup.Usage, error) {
	start := len(dst)
	dst, err := n.Usage.Read(now, dst)
	n.usage = n.usage[:0]
	for i := range dst[start:] {
		n.usage = append(n.usage, toRecord(&dst[start+i]))
	}
	n.Recorder.Usage(n.usage, err)
	return dst, err
}

// Owner implements Namer.
func (n *Noted) Owner(u *cgroup.Usage, now time.Time) (attribution.Owner, bool) {
	o, ok := n.Owners.Owner(u, now)
	if ok {
		n.Recorder.Owner(record.Owner{ID: u.ID, Namespace: o.Namespace, Pod: o.Pod, Function: o.Function, CPU: o.CPU, Memory: o.Memory})
	}
	return o, ok
}

// Uses implements Accelerators.
func (n *Noted) Uses(dst []attribution.GPUUse, usage []cgroup.Usage) []attribution.GPUUse {
	start := len(dst)
	dst = n.GPUs.Uses(dst, usage)
	n.gpus = n.gpus[:0]
	for _, g := range dst[start:] {
		n.gpus = append(n.gpus, record.GPUUse(g))
	}
	n.Recorder.GPU(n.gpus)
	return dst
}

// Played answers from a recording.
type Played struct {
	Player *record.Player
	usage  []record.Usage
}

// Read implements Usages with the reading of the present epoch.
func (p *Played) Read(_ time.Time, dst []cgroup.Usage) ([]cgroup.Usage, error) {
	var err error
	p.usage, _, err = p.Player.Usage(p.usage[:0])
	for i := range p.usage {
		dst = append(dst, fromRecord(&p.usage[i]))
	}
	return dst, err
}

// Owner implements Namer with what was known in the present epoch.
func (p *Played) Owner(u *cgroup.Usage, _ time.Time) (attribution.Owner, bool) {
	o, ok := p.Player.Owner(u.ID)
	return attribution.Owner{Namespace: o.Namespace, Pod: o.Pod, Function: o.Function, CPU: o.CPU, Memory: o.Memory}, ok
}

// Uses implements Accelerators.
func (p *Played) Uses(dst []attribution.GPUUse, _ []cgroup.Usage) []attribution.GPUUse {
	for _, g := range p.Player.GPU() {
		dst = append(dst, attribution.GPUUse(g))
	}
	return dst
}

// Walk implements Signals with those that were news in the present epoch.
func (p *Played) Walk(_, _ time.Time, note func(wattle.Signal)) {
	for _, s := range p.Player.News() {
		note(s)
	}
}

// Drain gives the batches of the present epoch.
func (p *Played) Drain() []invocations.Batch {
	var out []invocations.Batch
	for _, b := range p.Player.Invocations() {
		x := invocations.Batch{From: b.From, To: b.To, Failed: b.Failed, Late: b.Late}
		for _, r := range b.Runs {
			x.Runs = append(x.Runs, invocations.Run{
				Key:    invocations.Key{Namespace: r.Namespace, Function: r.Function},
				Counts: invocations.Counts{Count: r.Count, Seconds: r.Seconds, Cold: r.Cold, ColdSeconds: r.ColdSeconds, Untold: r.Untold},
			})
		}
		out = append(out, x)
	}
	return out
}

func toRecord(u *cgroup.Usage) record.Usage {
	return record.Usage{
		ID: u.ID, CPU: u.CPU, Memory: u.Memory, HasMemory: u.HasMemory, Gone: u.Gone, Err: u.Err,
		Identity: record.Identity{
			Key: u.Key, Namespace: u.Namespace, Function: u.Function, Remainder: u.Remainder,
			Runtime: u.Runtime, Container: u.Container, PodUID: u.PodUID,
		},
	}
}

func fromRecord(u *record.Usage) cgroup.Usage {
	return cgroup.Usage{
		ID: u.ID, Key: u.Key, CPU: u.CPU, Memory: u.Memory, HasMemory: u.HasMemory, Gone: u.Gone, Err: u.Err,
		Namespace: u.Namespace, Function: u.Function, Remainder: u.Remainder,
		Identity: cgroup.Identity{Runtime: u.Runtime, Container: u.Container, PodUID: u.PodUID},
	}
}
