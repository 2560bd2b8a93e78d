// Package baseline holds placement rules to compare with: what schedulers do
// without carbon, and what published carbon-aware ones do. They choose among
// the same feasible candidates as the core, so capacity, residency and device
// needs hold for them too.
package baseline

import (
	"fmt"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/state"
)

// Config parametrises the baselines that need it.
type Config struct {
	// Seed starts the random ones. Default 1.
	Seed uint64
	// Functions is the length of the function table.
	Functions int
	// Region is the cluster of "static-region".
	Region wattle.ClusterID
	// Weights of "weighted-sum" for latency, cost and carbon. Default 1 each.
	Weights [3]float64
}

// Names lists the baselines.
func Names() []string {
	return []string{"round-robin", "random", "least-loaded", "power-of-two", "home-only", "static-region", "greencourier", "weighted-sum"}
}

// New returns a fresh baseline, or an error that lists the names.
func New(name string, c Config) (scheduler.Chooser, error) {
	switch name {
	case "round-robin":
		return &roundRobin{next: make([]int32, c.Functions)}, nil
	case "random":
		return random{c.Seed}, nil
	case "least-loaded":
		return leastLoaded{}, nil
	case "power-of-two":
		return powerOfTwo{c.Seed}, nil
	case "home-only":
		return homeOnly{}, nil
	case "static-region":
		return static{c.Region}, nil
	case "greencourier":
		return greenCourier{}, nil
	case "weighted-sum":
		if c.Weights == ([3]float64{}) {
			c.Weights = [3]float64{1, 1, 1}
		}
		return weighted{c.Weights}, nil
	}
	return nil, fmt.Errorf("baseline %q: want one of %q", name, Names())
}

// roundRobin sends each function's invocations to its feasible targets in turn.
type roundRobin struct{ next []int32 }

func (*roundRobin) Name() string { return "round-robin" }

func (b *roundRobin) Choose(_ *state.Snapshot, r *wattle.Request, o []scheduler.Option) int {
	n := &b.next[r.Function.Index]
	chosen := 0
	for i := range o {
		if o[i].Target >= *n {
			chosen = i
			break
		}
	}
	*n = o[chosen].Target + 1
	return chosen
}

// random chooses uniformly, seeded by the request.
type random struct{ seed uint64 }

func (random) Name() string { return "random" }

func (b random) Choose(_ *state.Snapshot, r *wattle.Request, o []scheduler.Option) int {
	return int(mix(b.seed, r.Sequence, 0) % uint64(len(o)))
}

// leastLoaded chooses the target whose pool has the smallest busy share.
type leastLoaded struct{}

func (leastLoaded) Name() string { return "least-loaded" }

func (leastLoaded) Choose(s *state.Snapshot, _ *wattle.Request, o []scheduler.Option) int {
	best := 0
	for i := range o {
		if busy(s, o[i].Target) < busy(s, o[best].Target) {
			best = i
		}
	}
	return best
}

func busy(s *state.Snapshot, target int32) float64 {
	return s.Load.Busy(s.Fleet, s.Fleet.Targets[target].Pool)
}

// powerOfTwo draws two targets and takes the less busy one (Mitzenmacher, 2001).
type powerOfTwo struct{ seed uint64 }

func (powerOfTwo) Name() string { return "power-of-two" }

func (b powerOfTwo) Choose(s *state.Snapshot, r *wattle.Request, o []scheduler.Option) int {
	i := int(mix(b.seed, r.Sequence, 0) % uint64(len(o)))
	j := int(mix(b.seed, r.Sequence, 1) % uint64(len(o)))
	if busy(s, o[j].Target) < busy(s, o[i].Target) {
		return j
	}
	return i
}

// homeOnly stays at home while home has room and goes to the nearest target
// by latency otherwise.
type homeOnly struct{}

func (homeOnly) Name() string { return "home-only" }

func (homeOnly) Choose(s *state.Snapshot, r *wattle.Request, o []scheduler.Option) int {
	return prefer(s, o, r.Function.Home)
}

// static sends everything to one cluster while it has room.
type static struct{ cluster wattle.ClusterID }

func (static) Name() string { return "static-region" }

func (b static) Choose(s *state.Snapshot, _ *wattle.Request, o []scheduler.Option) int {
	return prefer(s, o, b.cluster)
}

// prefer is the fastest option of a cluster, or of all when it has none.
func prefer(s *state.Snapshot, o []scheduler.Option, cluster wattle.ClusterID) int {
	best, here := -1, false
	for i := range o {
		at := s.Fleet.Targets[o[i].Target].Attributes.Cluster == cluster
		if best < 0 || at && !here || at == here && o[i].Estimate.Mean < o[best].Estimate.Mean {
			best, here = i, at
		}
	}
	return best
}

// mix is SplitMix64 over a seed, a sequence number and a draw.
func mix(seed, sequence, draw uint64) uint64 {
	z := seed*0xD1342543DE82EF95 + sequence*0x9E3779B97F4A7C15 + draw*0xBF58476D1CE4E5B9 + 0x9E3779B97F4A7C15
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
	z = (z ^ (z >> 27)) * 0x94D049BB133111EB
	return z ^ (z >> 31)
}
