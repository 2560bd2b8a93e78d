// Package learn brings the energy of the node and the invocations of its
// functions to the same intervals, and learns from them what one invocation
// costs.
//
// Meters and platforms tell their amounts for intervals of their own. Both are
// kept as amounts over time; a step of learning is the interval of one batch of
// invocations, or of several where a meter is slower than they come.
package learn

import (
	"slices"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/attribution"
	"github.com/wattle-project/wattle/telemetry/disaggregate"
	"github.com/wattle-project/wattle/telemetry/invocations"
)

// Batch is what all functions did in an interval.
type Batch = invocations.Batch

// Learner learns joules per invocation. It is for one goroutine.
type Learner struct {
	filter  *disaggregate.Filter
	zones   map[attribution.Zone]*timeline
	order   []attribution.Zone
	control timeline // processor seconds of the platform itself
	waiting []Batch
	silence invocations.Silence
	step    disaggregate.Step
	names   map[invocations.Key]wattle.FunctionID
	// Watch, if set, sees every step that was learned from.
	Watch func(*disaggregate.Step)
}

// New returns a Learner that knows nothing.
func New(c disaggregate.Config) (*Learner, error) {
	f, err := disaggregate.New(c)
	if err != nil {
		return nil, err
	}
	return &Learner{filter: f, zones: map[attribution.Zone]*timeline{}, names: map[invocations.Key]wattle.FunctionID{}}, nil
}

// Energy takes the samples of a round.
func (l *Learner) Energy(samples []wattle.Sample) {
	for i := range samples {
		s := &samples[i]
		z := attribution.Zone{Component: s.Component, Device: s.Device}
		line := l.zones[z]
		if line == nil {
			line = &timeline{}
			l.zones[z] = line
			l.order = append(l.order, z)
		}
		line.add(span{from: s.From, to: s.To, amount: float64(s.Energy.Joules()), unknown: s.Unknown})
	}
}

// ControlPlane takes the processor time that the platform itself used.
func (l *Learner) ControlPlane(from, to time.Time, used time.Duration) {
	if to.After(from) {
		l.control.add(span{from: from, to: to, amount: used.Seconds()})
	}
}

// maxWaiting bounds the batches that wait for energy.
const maxWaiting = 600

// Batch takes what a platform counted. Batches of one source follow each other;
// those of several sources for one interval are added up.
func (l *Learner) Batch(b Batch) {
	b.Runs = slices.Clone(b.Runs)
	if len(l.waiting) >= maxWaiting {
		l.waiting = slices.Delete(l.waiting, 0, maxWaiting/10)
	}
	l.waiting = append(l.waiting, b)
}

// Done is a step that was learned from.
type Done struct {
	From, To time.Time
	Runs     []disaggregate.Run // valid until the next Learn
}

// lost is how long a zone may be without a figure before it is left out.
const lost = time.Minute

// Learn learns from the batches whose energy has come in by now, and calls
// finished for each step.
func (l *Learner) Learn(now time.Time, idle func(attribution.Zone) (wattle.Watts, bool), finished func(Done)) {
	for len(l.waiting) > 0 {
		n := l.ready(now)
		if n == 0 {
			return
		}
		l.fill(l.waiting[:n], now, idle)
		l.waiting = slices.Delete(l.waiting, 0, n)
		if l.filter.Update(&l.step) == nil {
			if l.Watch != nil {
				l.Watch(&l.step)
			}
			finished(Done{l.step.From, l.step.To, l.step.Runs})
		}
	}
}

// ready is the number of batches that make the next step, 0 while energy of it
// is still to come.
func (l *Learner) ready(now time.Time) int {
	least := time.Duration(0)
	horizon := now
	for _, z := range l.order {
		line := l.zones[z]
		if now.Sub(line.end()) > lost {
			continue
		}
		least = max(least, line.length)
		horizon = earlier(horizon, line.end())
	}
	from := l.waiting[0].From
	for i := range l.waiting {
		to := l.waiting[i].To
		if to.After(horizon) {
			return 0
		}
		if to.Sub(from) >= least-least/4 {
			return i + 1
		}
	}
	return 0
}

// fill makes the step of some batches.
func (l *Learner) fill(batches []Batch, now time.Time, idle func(attribution.Zone) (wattle.Watts, bool)) {
	s := &l.step
	*s = disaggregate.Step{From: batches[0].From, To: batches[0].To, Runs: s.Runs[:0]}
	for i := range batches {
		s.From, s.To = earlier(s.From, batches[i].From), later(s.To, batches[i].To)
		s.Unknown = l.silence.Partial(batches[i].From, batches[i].To, batches[i].Failed, batches[i].Late) || s.Unknown
		for _, r := range batches[i].Runs {
			s.Runs = append(s.Runs, l.run(r))
		}
	}
	s.Runs = merge(s.Runs)
	length := s.To.Sub(s.From)
	for _, z := range l.order {
		line := l.zones[z]
		if now.Sub(line.end()) > lost {
			continue
		}
		joules, known := line.between(s.From, s.To)
		rest := 0.0
		if w, ok := idle(z); ok {
			rest = min(float64(w.For(length)), joules)
		}
		s.Unknown = s.Unknown || !known
		s.Dynamic += wattle.Joules(joules - rest)
		s.Idle += wattle.Joules(rest)
	}
	s.Unknown = s.Unknown || len(l.order) == 0
	s.ControlPlane, _ = l.control.between(s.From, s.To)
}

func (l *Learner) run(r invocations.Run) disaggregate.Run {
	id, ok := l.names[r.Key]
	if !ok {
		id = Name(r.Namespace, r.Function)
		l.names[r.Key] = id
	}
	return disaggregate.Split(id, r.Count, r.Seconds, r.Cold, r.ColdSeconds, r.Untold)
}

// Name is the identity of a function of a namespace.
func Name(namespace, function string) wattle.FunctionID {
	if namespace == "" {
		return wattle.FunctionID(function)
	}
	return wattle.FunctionID(namespace + "/" + function)
}

// Parts are the namespace and the function of an identity that Name made.
func Parts(id wattle.FunctionID) (namespace, function string) {
	if ns, f, ok := strings.Cut(string(id), "/"); ok {
		return ns, f
	}
	return "", string(id)
}

// merge adds up the runs of each function, ordered by it.
func merge(runs []disaggregate.Run) []disaggregate.Run {
	slices.SortStableFunc(runs, func(a, b disaggregate.Run) int { return strings.Compare(string(a.Function), string(b.Function)) })
	out := runs[:0]
	for _, r := range runs {
		if n := len(out); n > 0 && out[n-1].Function == r.Function {
			out[n-1].Add(&r)
			continue
		}
		out = append(out, r)
	}
	return out
}

// Filter is the estimator, to be read between two calls of Learn.
func (l *Learner) Filter() *disaggregate.Filter { return l.filter }
