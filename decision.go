package wattle

import "time"

// Decision is the answer to a Request. "No feasible place" is a Decision with
// Placed false and Reasons set; errors mean failure.
type Decision struct {
	Sequence uint64
	Function *Function
	Placed   bool
	// Target is the index of the chosen target in the fleet, -1 if not placed.
	Target  int32
	Sandbox Sandbox
	Start   time.Time
	// Run is how long it runs, start-up included, until it pauses and is placed
	// again; 0 is to the end.
	Run time.Duration
	// Estimate is the chosen candidate's row.
	Estimate Estimate
	// G is the minimised scalar in grams: carbon + seconds + dollars at the
	// policy's exchange rates + capacity price + penalty + policy score.
	G GramsCO2e
	// Considered is the number of candidates. Feasible is how many policy, devices,
	// residency, health and absolute limits left; room and limits relative to
	// other candidates are looked at in order of G, only until one fits.
	Considered, Feasible int32
	// Reasons says which checks refused candidates when none was left.
	Reasons Reasons
	// Wait is the target to queue at when capacity alone stands in the way, or -1.
	Wait int32
	// Lifecycle holds the policy's bounds for the instance.
	Lifecycle LifecycleBounds
	// Policy is the digest of the deciding policy, Revision that of the State.
	Policy   string
	Revision uint64
}

// Estimate is what a candidate is expected to take and cost.
type Estimate struct {
	Network, Start, Exec    time.Duration
	Mean, P95               time.Duration
	StartEnergy, ExecEnergy Joules
	NetEnergy, Energy       Joules
	Carbon, Embodied        GramsCO2e
	Cost                    USD
}

// Reasons is a set of causes for which candidates were refused.
type Reasons uint16

// Causes of refusal.
const (
	ReasonPolicy Reasons = 1 << iota
	ReasonAccelerator
	ReasonIsolation
	ReasonResidency
	ReasonLatency
	ReasonCost
	ReasonCarbon
	ReasonDeadline
	ReasonCapacity
	ReasonConcurrency
	ReasonUnhealthy
	ReasonDeferral
)

func reasonNames() []string {
	return []string{
		"policy", "accelerator", "isolation", "residency", "latency limit", "cost limit",
		"carbon limit", "start deadline", "capacity", "concurrency limit", "cluster unhealthy", "deferral policy",
	}
}

// Has reports whether r contains all of x.
func (r Reasons) Has(x Reasons) bool { return r&x == x }

// Names lists the causes in r.
func (r Reasons) Names() []string {
	var out []string
	for i, n := range reasonNames() {
		if r&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}

// Explanation is the full table behind a decision.
type Explanation struct {
	Decision Decision
	Now      time.Time
	Intent   Intent
	Columns  *Columns
	// Chooser is the name of the rule that chose, empty for the least G.
	Chooser string
	// Caller is the region that the caller is taken to be in, empty where the fleet
	// does not know it: every candidate is then as far as the farthest region.
	Caller RegionID
	// Serves is how many requests a fresh instance is expected to serve: in G
	// its start counts to that part only. 0 and 1 count it whole.
	Serves float64
	Rows   []ExplainedRow // one per candidate, in column order
}

// ExplainedRow is what the core made of one candidate.
type ExplainedRow struct {
	Attributes    *Attributes
	Available     bool // a warm instance exists, or capacity for a new one
	Denials       []Denial
	Refused       Reasons
	Score         int64     // µg-equivalent from the policy
	CapacityPrice GramsCO2e // congestion price of the target
	G             GramsCO2e
	Chosen        bool
}
