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
	// Refused has one entry per candidate; 0 means feasible so far.
	Refused []wattle.Reasons
}

// Measurer tells what running f on a target takes, without deciding; the core
// is one. Keep-alive is left out.
type Measurer interface {
	Estimate(now time.Time, s *Snapshot, f *wattle.Function, target int32, box wattle.Sandbox) wattle.Estimate
}

// Target returns the target of candidate i.
func (b *Batch) Target(i int) *Target { return &b.State.Fleet.Targets[b.Columns.Target[i]] }
