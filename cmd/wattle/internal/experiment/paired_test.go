package experiment

import (
	"context"
	"slices"
	"testing"

	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/simulator"
	"github.com/wattle-project/wattle/simulator/trace"
)

// witness is a trace that notes every arrival that is taken from it.
type witness struct {
	trace.Trace
	seen []trace.Arrival
}

func (w *witness) Open() (trace.Source, error) {
	src, err := w.Trace.Open()
	return &watched{src, w}, err
}

type watched struct {
	trace.Source
	by *witness
}

func (s *watched) Next(buf []trace.Arrival) ([]trace.Arrival, error) {
	out, err := s.Source.Next(buf)
	if err == nil {
		s.by.seen = append(s.by.seen, out...)
	}
	return out, err
}

// Common random numbers: in a seed every policy, under every coefficient set,
// meets the same functions with the same work at the same times, though it places,
// keeps and defers as it likes; another seed draws all of them anew.
func TestPoliciesOfASeedMeetTheSameArrivals(t *testing.T) {
	e := mustPrepare(t, `
start: 2026-06-15T00:00:00Z
duration: 2h
drain: 1h
seeds: [3, 4, 5]
accounting: {robustness: true}
instances: {queue: 3}
functions: {match: [{id: "*", share: 0.4, deadline: 30m, interruptible: true}]}
workload: {generate: {functions: 40, invocations: 2000}}
policies:
  - {library: least_carbon, keep_alive: expected-prewarm}
  - {library: balanced, keep_alive: none, deferral: cheapest-slots}
  - {baseline: random, keep_alive: lru}
fleet:
  clusters:
    - {id: paris, zone: FR, jurisdiction: EU, pools: [{name: p, nodes: 1, vcpu: 4}]}
    - {id: texas, zone: US-TEX-ERCO, jurisdiction: US, pools: [{name: p}]}
`)
	first := make([][]trace.Arrival, len(e.Seeds))
	for _, j := range e.Jobs() {
		c, _, err := e.Config(&e.File.Policies[j.Policy], j.Seed, j.Set)
		if err != nil {
			t.Fatal(err)
		}
		w := &witness{Trace: c.Trace}
		c.Trace = w
		if _, err := simulator.Run(context.Background(), c); err != nil {
			t.Fatal(err)
		}
		if first[j.Seed] == nil {
			first[j.Seed] = w.seen
		} else if !slices.Equal(first[j.Seed], w.seen) {
			t.Errorf("%s, seed %d, %+v: met other arrivals than the first policy", e.File.Policies[j.Policy].Title(), e.Seeds[j.Seed], j.Set)
		}
	}
	for i, a := range first {
		if len(a) < 1000 {
			t.Errorf("seed %d has %d arrivals", e.Seeds[i], len(a))
		}
		for _, b := range first[:i] {
			same := 0
			for n := range min(len(a), len(b)) {
				if a[n].At == b[n].At || a[n].Scale == b[n].Scale && a[n].Scale != 1 {
					same++
				}
			}
			if same > len(a)/50 {
				t.Errorf("seed %d has %d of %d times or amounts of work in common with an earlier one", e.Seeds[i], same, len(a))
			}
		}
	}
}

// The sets of a robustness run, by hand: the experiment's own first, once, then all
// low, all high and all central, and each group that moves operational carbon alone
// at either end.
func TestAssignmentsByHand(t *testing.T) {
	const l, c, h = power.Low, power.Central, power.High
	around := []Assignment{
		{l, l, l, l}, {l, c, c, c}, {c, l, c, c}, {c, c, l, c},
		{h, h, h, h}, {h, c, c, c}, {c, h, c, c}, {c, c, h, c},
		{c, c, c, c},
	}
	for _, own := range []power.Set{l, c, h} {
		e := &Experiment{File: &File{}}
		e.File.Accounting.Coefficients.V = own
		mine := Assignment{own, own, own, own}
		if got := e.assignments(); !slices.Equal(got, []Assignment{mine}) {
			t.Errorf("%s without robustness: %v, want its own alone", own, got)
		}
		e.File.Accounting.Robustness = true
		want := append([]Assignment{mine}, slices.DeleteFunc(slices.Clone(around), func(a Assignment) bool { return a == mine })...)
		if got := e.assignments(); !slices.Equal(got, want) {
			t.Errorf("%s:\n got %v\nwant %v", own, got, want)
		}
	}
}
