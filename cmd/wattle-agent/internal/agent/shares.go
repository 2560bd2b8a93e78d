package agent

import (
	"math"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/learn"
	"github.com/wattle-project/wattle/telemetry/attribution"
	"github.com/wattle-project/wattle/telemetry/disaggregate"
	"github.com/wattle-project/wattle/telemetry/exporter"
)

// shares tells energy that was booked to functions further apart, by what the
// platform says of invocations: active energy by how they began, and the
// platform's own energy by whom it served. Nothing is lost or made by that: what
// is told apart is the growth of an account, in whole microjoules, and no total
// falls.
type shares struct {
	of     map[functionKey]*share
	ours   []*share // by account of the round; nil where nothing is told apart
	told   bool     // an invocation was ever counted
	served float64  // invocations since the pool was last dealt out
	pool   [components]wattle.Microjoules
	dealt  time.Time
}

// share is what is told apart of one function.
type share struct {
	// ended is the estimated energy in J of the invocations that ended, any of
	// those whose start is not told; served is their number since the pool was
	// dealt out, here whether it has an account.
	ended  starts[float64]
	served float64
	here   bool
	active [components]starts[wattle.Microjoules]
	// before is of active.any what was booked before anything was known.
	before [components]wattle.Microjoules
	// platform is its part of the platform's energy.
	platform [components]wattle.Microjoules
	// own of a function of the platform stays with it, put is in the pool, seen is
	// its account.
	control        bool
	own, put, seen attribution.Charges
}

// starts is an amount by how invocations began; any where that is not known.
type starts[T float64 | wattle.Microjoules] struct{ any, warm, cold T }

// unserved is how long the platform's energy waits for an invocation before it
// stays with the platform.
const unserved = time.Minute

// count notes invocations that ended.
func (s *shares) count(r *disaggregate.Run, t *tally) {
	s.told = true
	namespace, function := learn.Parts(r.Function)
	x := s.share(functionKey{namespace, function})
	x.ended.any += float64(r.Untold * t.active[finishedKey{r.Function, false}])
	x.ended.warm += float64((r.Warm - r.Untold) * t.active[finishedKey{r.Function, false}])
	x.ended.cold += float64(r.Cold * t.active[finishedKey{r.Function, true}])
	if x.here {
		x.served += r.Warm + r.Cold
	}
}

func (s *shares) share(k functionKey) *share {
	x := s.of[k]
	if x == nil {
		x = &share{}
		s.of[k] = x
	}
	return x
}

// divide tells the growth of all accounts since the last round apart.
func (s *shares) divide(accounts []attribution.Account, control func(namespace, function string) bool, now time.Time) {
	s.ours, s.served = s.ours[:0], 0
	for i := range accounts {
		acc := &accounts[i]
		x := s.find(acc, control)
		s.ours = append(s.ours, x)
		switch {
		case x == nil:
		case x.control:
			s.gather(x, &acc.Charges)
		default:
			x.begin(&acc.Charges)
			x.here = true
			s.served += x.served
		}
	}
	s.deal(now)
}

// find is the share of an account that anything is told apart of.
func (s *shares) find(acc *attribution.Account, control func(namespace, function string) bool) *share {
	k := functionKey{acc.Namespace, acc.Function}
	x := s.of[k]
	if control != nil && (x == nil || !x.control && !x.here) && control(k.namespace, k.function) {
		x = s.share(k)
		x.control = true
	}
	return x
}

// gather takes the growth of a function of the platform into the pool, if
// anybody tells whom it serves.
func (s *shares) gather(x *share, c *attribution.Charges) {
	for i := range c {
		to := &x.own[i]
		if s.told {
			to = &x.put[i]
			s.pool[i] += c[i].Sum() - x.seen[i].Sum()
		}
		to.Active += c[i].Active - x.seen[i].Active
		to.Idle += c[i].Idle - x.seen[i].Idle
	}
	x.seen = *c
}

// begin divides the growth of active energy so that its totals come to stand
// like those of the invocations that ended. What was booked before anything was
// known of invocations stays as it was shown.
func (x *share) begin(c *attribution.Charges) {
	told := x.ended.cold + x.ended.warm
	untold := x.ended.any / (x.ended.any + told)
	for i := range c {
		a := &x.active[i]
		growth := c[i].Active - a.any - a.warm - a.cold
		if !x.here || math.IsNaN(untold) {
			a.any += growth
			x.before[i] += growth
			continue
		}
		any := due(a.any-x.before[i], a.warm+a.cold+growth, untold, growth)
		cold := wattle.Microjoules(0)
		if told > 0 {
			cold = due(a.cold, a.warm+growth-any, x.ended.cold/told, growth-any)
		}
		a.any += any
		a.cold += cold
		a.warm += growth - any - cold
	}
}

// due is what of growth goes to one of two amounts for it to be part of both and
// the growth: had is that one before, rest the other with the growth.
func due(had, rest wattle.Microjoules, part float64, growth wattle.Microjoules) wattle.Microjoules {
	want := wattle.Microjoules(math.Round(float64(had+rest)*part)) - had
	return min(max(want, 0), growth)
}

// deal divides the pool by invocations. What nobody was served by for a while
// stays with the platform.
func (s *shares) deal(now time.Time) {
	switch {
	case s.served > 0:
		s.toServed()
	case now.Sub(s.dealt) <= unserved:
		return
	}
	for _, x := range s.ours {
		if x != nil && x.control {
			x.settle(s.served > 0)
		}
	}
	s.pool, s.dealt = [components]wattle.Microjoules{}, now
}

// toServed gives each function its part to within a microjoule, all together
// the whole.
func (s *shares) toServed() {
	sum, given := 0.0, [components]wattle.Microjoules{}
	for _, x := range s.ours {
		if x == nil || x.control || x.served == 0 {
			continue
		}
		sum += x.served
		x.served = 0
		for i, pool := range s.pool {
			upto := wattle.Microjoules(float64(pool) * (sum / s.served)) // at the last, 1
			x.platform[i] += upto - given[i]
			given[i] = upto
		}
	}
}

// settle empties what x put into the pool: it was dealt out, or x keeps it.
func (x *share) settle(dealt bool) {
	for i := range x.put {
		if !dealt {
			x.own[i].Active += x.put[i].Active
			x.own[i].Idle += x.put[i].Idle
		}
	}
	x.put = attribution.Charges{}
}

// total is the energy of an account with its part of the platform's.
func (x *share) total(acc *attribution.Account) wattle.Microjoules {
	switch {
	case x == nil:
		return acc.Charges.Sum().Sum()
	case x.control:
		return x.own.Sum().Sum()
	}
	sum := acc.Charges.Sum().Sum()
	for _, e := range x.platform {
		sum += e
	}
	return sum
}

// append adds the rows of an account that are above 0.
func (x *share) append(dst []exporter.FunctionEnergy, acc *attribution.Account) []exporter.FunctionEnergy {
	for c := range acc.Charges {
		row := exporter.FunctionEnergy{Namespace: acc.Namespace, Function: acc.Function, Component: wattle.Component(c)}
		add := func(s exporter.Share, start exporter.Start, e wattle.Microjoules) {
			if e > 0 {
				row.Share, row.Start, row.Energy = s, start, e
				dst = append(dst, row)
			}
		}
		switch {
		case x == nil:
			add(exporter.Active, exporter.AnyStart, acc.Charges[c].Active)
			add(exporter.Idle, exporter.AnyStart, acc.Charges[c].Idle)
		case x.control:
			add(exporter.Active, exporter.AnyStart, x.own[c].Active)
			add(exporter.Idle, exporter.AnyStart, x.own[c].Idle)
		default:
			add(exporter.Active, exporter.AnyStart, x.active[c].any)
			add(exporter.Active, exporter.Warm, x.active[c].warm)
			add(exporter.Active, exporter.Cold, x.active[c].cold)
			add(exporter.Idle, exporter.AnyStart, acc.Charges[c].Idle)
			add(exporter.ControlPlane, exporter.AnyStart, x.platform[c])
		}
	}
	return dst
}
