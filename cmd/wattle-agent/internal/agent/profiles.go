package agent

import (
	"errors"
	"slices"

	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/learn"
	"github.com/wattle-project/wattle/telemetry/attribution"
	"github.com/wattle-project/wattle/telemetry/cgroup"
	"github.com/wattle-project/wattle/telemetry/disaggregate/profile"
)

// ErrNothingLearned says that no invocation ended yet in a time whose energy is
// known.
var ErrNothingLearned = errors.New("nothing is learned yet: name the platform's metrics by --invocations or push counts to /v1/invocations, and wait for invocations to end")

// learned is what profiles are made of beside the estimates.
type learned struct {
	collector *profile.Collector
	sources   []string // meters whose energy was learned from
	idle      bool     // so was the power at rest of a zone
}

// Profiles is what was learned of each function since the start, in the form that
// "wattle profile learn" gives a recording. about needs no node and no sources.
// It is a copy, and waits for the round that runs now at most.
func (a *Agent) Profiles(about profile.About) (*profile.Document, error) {
	a.work.Lock()
	defer a.work.Unlock()
	if a.cfg.Learn == nil {
		return nil, ErrNothingLearned
	}
	for i := range a.usage {
		a.noteHeld(&a.usage[i])
	}
	about.Node, about.Sources, about.IdleStated = string(a.cfg.Node), a.learned.sources, !a.learned.idle
	d := a.learned.collector.Document(a.cfg.Learn.Filter(), about)
	if len(d.Functions) == 0 {
		return nil, ErrNothingLearned
	}
	return d, nil
}

// noteSources notes the meters of the round, and whether they teach what is drawn
// at rest.
func (a *Agent) noteSources() {
	for i := range a.samples {
		if s := a.samples[i].Source; !slices.Contains(a.learned.sources, s) {
			a.learned.sources = append(a.learned.sources, s)
		}
		if z := a.samples[i]; !a.learned.idle {
			_, stated := a.cfg.Divide.IdleOf(attribution.Zone{Component: z.Component, Device: z.Device})
			a.learned.idle = !stated
		}
	}
}

// noteHeld notes the memory of an instance that is or was there.
func (a *Agent) noteHeld(u *cgroup.Usage) {
	if o, ok := a.books.owners[u.ID]; ok && o.Function != "" && u.HasMemory {
		a.learned.collector.Holds(learn.Name(o.Namespace, o.Function), u.Memory)
	}
}
