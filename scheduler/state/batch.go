package state

import (
	"time"

	"github.com/wattle-project/wattle"
)

// Batch is the candidates of one request against one snapshot, as the stages
// of the core see it: filters set bits in Refused, measures fill Columns.
type Batch struct {
	Now      time.Time
	State    *Snapshot
	Function *wattle.Function
	Params   *wattle.Params
	Intent   *wattle.Intent
	// Keep is how long an instance is expected to idle after this use.
	Keep time.Duration
	// Origin is the index in Fleet.Regions of the caller's region, or -1.
	Origin  int
	Columns *wattle.Columns
	// Targets, if not 0, says that candidates i and i+Targets are on the same
	// target, so that stages look at each target once.
	Targets int
	// Refused has one entry per candidate; 0 means feasible so far.
	Refused []wattle.Reasons
}

// Measurer tells what running f on a target takes, without deciding; the core
// is one. Keep-alive is left out.
type Measurer interface {
	Estimate(now time.Time, s *Snapshot, f *wattle.Function, target int32, box wattle.Sandbox) wattle.Estimate
}

// Signals is the table of intensities of the kind that the policy asks for.
func (b *Batch) Signals() *Signals { return b.State.Signals.Of(b.Intent.Objective.Signal) }

// Stride is the distance between candidates of one target: those before it are
// all on different ones, or nothing is known of them.
func (b *Batch) Stride() int {
	if b.Targets > 0 {
		return min(b.Targets, len(b.Refused))
	}
	return len(b.Refused)
}

// Target returns the target of candidate i.
func (b *Batch) Target(i int) *Target { return &b.State.Fleet.Targets[b.Columns.Target[i]] }
