package known

import (
	"context"
	"fmt"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/lifecycle"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/state"
	"github.com/wattle-project/wattle/simulator"
)

// schedules are runs of even arrivals whose cold starts, idle and busy seconds
// follow by hand.
func schedules(ctx context.Context, _ string, yield func(Case) bool) bool {
	return play(ctx, "schedule", append(append(append(picks(), alternating()...), ahead()...), places()...), yield)
}

// picks keeps two instances, both free at 10 s, for 100 s after each use; ten
// single uses of 10 s follow, 40 s apart. The newest serves all ten, and the
// other waits its 100 s in vain; the oldest alternate, 70 s between their uses.
func picks() []scene {
	base := scene{
		functions: []wattle.Function{function(0, 10*time.Second, 0)}, arrivals: moments(append([]float64{0, 0}, every(50, 40, 10)...)...),
		horizon: time.Hour,
	}
	newest, oldest := base, base
	newest.name, newest.keeper, newest.answers = "the newest of two serves", &scheduler.Fixed{T: 100 * time.Second}, []answer{
		{"cold starts", "", 2, 0, coldStarts}, {"idle", "s", 100 + 40 + 9*30 + 100, 0, idleSeconds},
	}
	oldest.name, oldest.pick, oldest.keeper, oldest.answers = "the oldest of two serves", state.Oldest, &scheduler.Fixed{T: 100 * time.Second}, []answer{
		{"cold starts", "", 2, 0, coldStarts}, {"idle", "s", 40 + 80 + 8*70 + 2*100, 0, idleSeconds},
	}
	return []scene{newest, oldest}
}

// alternating has gaps of 60 s, 10 s of work and 5 s of cold start. 45 s of
// keep-alive after a cold start end just at the next arrival, which is warm and
// done 5 s sooner: too soon for the one after it.
func alternating() (out []scene) {
	for _, c := range []struct {
		keep       time.Duration
		cold, idle float64
	}{
		{44 * time.Second, 100, 100 * 44}, {45 * time.Second, 50, 100 * 45}, {49 * time.Second, 50, 50*45 + 50*49},
		{50 * time.Second, 1, 45 + 99*50},
	} {
		out = append(out, scene{
			name: fmt.Sprintf("every 60 s, 10 s of work, cold start 5 s, keep-alive %s", c.keep), functions: []wattle.Function{function(0, 10*time.Second, 5*time.Second)},
			arrivals: moments(every(0, 60, 100)...), horizon: 3 * time.Hour, keeper: &scheduler.Fixed{T: c.keep},
			answers: []answer{
				{"cold starts", "", c.cold, 0, coldStarts}, {"idle", "s", c.idle, 0, idleSeconds},
				{"busy", "s", 100*10 + c.cold*5, 0, busySeconds},
			},
		})
	}
	return out
}

// prepare evicts after each use and has the next instance ready so long before
// the next of even arrivals, until so long after it.
type prepare struct {
	gap, start, lead, hold time.Duration
	n, last                int
}

// Step answers the end of work.
func (k *prepare) Step(now time.Time, _ *state.Snapshot, e wattle.Event, out []wattle.Action) []wattle.Action {
	if e.Kind != wattle.Finished {
		return out
	}
	out = append(out, wattle.Action{Kind: wattle.Evict, Instance: e.Instance, Function: e.Function, Target: e.Target})
	if k.n++; k.n >= k.last {
		return out
	}
	next := now.Truncate(k.gap).Add(k.gap)
	return append(out, wattle.Action{Kind: wattle.Prewarm, Function: e.Function, Target: e.Target, At: next.Add(-k.lead - k.start), Until: next.Add(k.hold), Copies: 1})
}

// ahead starts instances in time for the next of 50 arrivals, 600 s apart, of 10 s
// of work and 5 s of start: 49 pre-warms. Ready in time they serve after the lead,
// also if just in time; ready later they wait for nobody, until the hold ends.
func ahead() (out []scene) {
	const n, gap, work, start = 50, 600, 10, 5
	for _, c := range []struct {
		name             string
		lead, hold       int
		cold, idle, busy float64
	}{
		{"ready 7 s before", 7, 0, 1, 49 * 7, n*work + n*start},
		{"ready just in time", 0, 0, 1, 0, n*work + n*start},
		{"ready 1 s late, kept for 19 s", -1, 20, n, 49 * 19, n*work + (2*n-1)*start},
		{"gone 1 s before", 8, -1, n, 49 * 7, n*work + (2*n-1)*start},
	} {
		k := &prepare{gap: gap * time.Second, start: start * time.Second, lead: time.Duration(c.lead) * time.Second, hold: time.Duration(c.hold) * time.Second, last: n}
		out = append(out, scene{
			name: "pre-warmed, " + c.name, functions: []wattle.Function{function(0, work*time.Second, start*time.Second)}, arrivals: moments(every(0, gap, n)...),
			horizon: 10 * time.Hour, keeper: k,
			answers: []answer{
				{"cold starts", "", c.cold, 0, coldStarts}, {"idle", "s", c.idle, 0, idleSeconds}, {"busy", "s", c.busy, 0, busySeconds},
				{"pre-warms", "", 49, 0, func(r *simulator.Result) float64 { return float64(r.Prewarms) }},
			},
		})
	}
	return out
}

// rentals keep one vCPU of 10 W at rest and 110 W at work until that has cost a
// cold start of 10 s at 60 W and 10 W: 700 J, or 70 s. A start also takes 10 s, which
// at 5 mg/s are worth 180 s more on a grid of 100 g/kWh.
func rentals(ctx context.Context, _ string, yield func(Case) bool) bool {
	const n = 20
	var scenes []scene
	for _, c := range []struct {
		rate wattle.GramsPerSecond
		keep float64
		gap  float64
		cold float64
		idle float64
	}{
		{0, 70, 69, 1, (n-1)*69 + 70}, {0, 70, 71, n, n * 70}, {0.005, 250, 249, 1, (n-1)*249 + 250}, {0.005, 250, 251, n, n * 250},
	} {
		cfg := lifecycle.DefaultConfig()
		cfg.Rate = c.rate
		k, err := lifecycle.NewInstances("ski-rental", cfg)
		if err != nil {
			panic(err) // a policy of the registry
		}
		f := function(0, 10*time.Second, 10*time.Second)
		f.Needs = wattle.Resources{CPU: 1000, Memory: wattle.GiB}
		next := 10 + c.gap
		if c.cold > 1 {
			next += 10
		}
		scenes = append(scenes, scene{
			name:      fmt.Sprintf("ski-rental at %g g/s, idle for %g s at most, gaps of %g s", float64(c.rate), c.keep, c.gap),
			functions: []wattle.Function{f}, arrivals: moments(append([]float64{0}, every(20+c.gap, next, n-1)...)...), horizon: 10 * time.Hour, keeper: k,
			machine: power.Machine{VCPU: 1, Memory: wattle.GiB, IdlePerVCPU: 10, MaxPerVCPU: 110},
			answers: []answer{{"cold starts", "", c.cold, 0, coldStarts}, {"idle", "s", c.idle, 1e-6, idleSeconds}},
		})
	}
	return play(ctx, "schedule", scenes, yield)
}

// places has an arrival every second, each of 3.5 s: four at a time, on as many
// instances as these need at so many places each.
func places() (out []scene) {
	const n = 200
	for _, c := range []struct {
		concurrency     int32
		instances, busy float64
	}{{1, 4, n * 3.5}, {2, 2, 0}, {3, 2, 0}, {4, 1, n - 1 + 3.5}, {5, 1, n - 1 + 3.5}} {
		f := function(0, 3500*time.Millisecond, 0)
		f.Concurrency = c.concurrency
		s := scene{
			name: fmt.Sprintf("four at a time, %d on an instance", c.concurrency), functions: []wattle.Function{f}, arrivals: moments(every(0, 1, n)...),
			horizon: time.Hour, keeper: &scheduler.Fixed{T: time.Minute}, answers: []answer{{"instances", "", c.instances, 0, coldStarts}},
		}
		if c.busy > 0 {
			s.answers = append(s.answers, answer{"busy", "s", c.busy, 0, busySeconds})
		}
		out = append(out, s)
	}
	return out
}
