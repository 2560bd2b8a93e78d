package disaggregate

import (
	"math"

	"github.com/wattle-project/wattle"
)

// Split makes a Run of what platforms count: count invocations that ran for
// seconds, cold of them with coldSeconds of start-up that is not part of
// seconds. Platforms do not tell apart how long warm and cold ones ran, so each
// is taken to have run equally long. Of untold ones the platform does not tell how
// they began.
func Split(function wattle.FunctionID, count, seconds, cold, coldSeconds, untold float64) Run {
	cold = math.Min(cold, count)
	r := Run{Function: function, Warm: count - cold, Cold: cold, Untold: math.Min(untold, count-cold), WarmBusy: seconds, ColdBusy: coldSeconds}
	if count > 0 {
		share := float64(seconds * float64(cold/count))
		r.WarmBusy, r.ColdBusy = math.Max(seconds-share, 0), coldSeconds+share
	}
	return r
}

// Add adds what o did to r, which is of the same function.
func (r *Run) Add(o *Run) {
	r.Warm, r.Cold, r.Untold = r.Warm+o.Warm, r.Cold+o.Cold, r.Untold+o.Untold
	r.WarmBusy, r.ColdBusy = r.WarmBusy+o.WarmBusy, r.ColdBusy+o.ColdBusy
}
