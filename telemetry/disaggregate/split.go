package disaggregate

import (
	"math"

	"github.com/wattle-project/wattle"
)

// Split makes a Run of what platforms count: count invocations that ran for
// seconds, cold of them with coldSeconds of start-up that is not part of
// seconds. Platforms do not tell apart how long warm and cold ones ran, so each
// is taken to have run equally long.
func Split(function wattle.FunctionID, count, seconds, cold, coldSeconds float64) Run {
	cold = math.Min(cold, count)
	r := Run{Function: function, Warm: count - cold, Cold: cold, WarmBusy: seconds, ColdBusy: coldSeconds}
	if count > 0 {
		share := float64(seconds * float64(cold/count))
		r.WarmBusy, r.ColdBusy = math.Max(seconds-share, 0), coldSeconds+share
	}
	return r
}
