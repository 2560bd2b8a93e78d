package experiment

import (
	"cmp"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/lifecycle"
	"github.com/wattle-project/wattle/scheduler/stage"
	"github.com/wattle-project/wattle/scheduler/state"
)

// leastG is the deferral that ranks places and start slots together by G.
const leastG = "least-g"

// deferral is the name of a contender's deferral policy.
func deferral(p *Policy, in *Instances) string {
	usual := "run-now"
	if in.Defer.V > 0 {
		usual = leastG
	}
	return cmp.Or(p.Deferral, in.Deferral, usual)
}

// patience is the configuration of a contender's deferral policy.
func patience(p *Policy, in *Instances) lifecycle.DeferralConfig {
	c := lifecycle.DefaultDeferralConfig()
	c.Threshold = p.Threshold.Or(in.Threshold.Or(c.Threshold))
	c.MaxDelay = p.MaxDelay.Or(in.MaxDelay.Or(c.MaxDelay))
	return c
}

// deferrer puts a contender's deferral policy into its core.
func (e *Experiment) deferrer(p *Policy, c *scheduler.Config) error {
	in := &e.File.Instances
	switch name := deferral(p, in); name {
	case "run-now":
		return nil
	case leastG:
		c.Slot = in.Defer.Or(e.Slot)
		return nil
	default:
		d, err := lifecycle.NewShift(name, patience(p, in))
		if err != nil {
			return err // a nil *Shift must not become a Deferrer
		}
		c.Deferrer = d
		return nil
	}
}

// slackWithin is what is left of a deadline of the end after a cold start and the
// mean execution on the slowest target that fits.
func slackWithin(d time.Duration, fn *wattle.Function, fleet *state.Fleet) time.Duration {
	longest := time.Duration(0)
	for i := range fleet.Targets {
		t := &fleet.Targets[i]
		if offers(&t.Attributes.Accelerator, fn.Accelerator) && fleet.Holds(int32(i), fn.Needs) {
			cold, exec := stage.Times(fn, t)
			longest = max(longest, cold+exec)
		}
	}
	return max(d-longest, 0)
}

// deferrable reports whether any function of a seed may wait.
func (e *Experiment) deferrable() bool {
	for i := range e.functions[0] {
		if e.functions[0][i].Params.Deadline > 0 {
			return true
		}
	}
	return false
}
