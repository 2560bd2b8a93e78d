package bound

import (
	"time"

	"github.com/wattle-project/wattle/simulator"
)

// Contender is what a run must be known by to say whether a bound is one for it.
type Contender struct {
	Result *simulator.Result
	// Fixed says that every instance is kept for Keep after each use.
	Fixed bool
	Keep  time.Duration
}

// Covers reports whether a run stayed within the bound's action space, so that
// it cannot lie below. One that leaves invocations out, lets them wait longer than
// they may, or lets them wait on arrival has more freedom; so has one that
// starts instances ahead of use, or of whose instances some left early or served
// twice, where the bound lets nobody.
func (b *PlacementBound) Covers(c Contender) bool {
	r := c.Result
	if r.Rejected > 0 || r.Waiting > 0 || r.Paused > 0 || r.Late > 0 || r.Stalled > 0 {
		return false
	}
	if b.rule.still && r.Prewarms > 0 || b.rule.alone && r.Cold+r.Prewarms < r.Invocations {
		return false
	}
	return !b.rule.fixed || c.Fixed && c.Keep == b.rule.keep && r.Evictions == 0
}
