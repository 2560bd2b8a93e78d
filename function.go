package wattle

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// Function is what is constant for one function: its owner, its needs and how
// it behaves on hardware. A Function is immutable once a State holds it.
type Function struct {
	// Index is the position in the State's function table, set by the State.
	// What every invocation reads stands together.
	Index int32
	// Concurrency is how many requests one instance serves at a time (≥ 1).
	Concurrency int32
	// MaxInstances bounds the instances alive at a time; 0 means no bound.
	MaxInstances int32
	// MinIsolation is the least isolation level accepted on an accelerator.
	MinIsolation Isolation
	// Deterministic functions must not be split or re-batched by a device.
	Deterministic bool
	// Interruptible work that may wait may also pause: it runs in stretches.
	Interruptible bool
	// Needs is what one instance reserves for as long as it lives.
	Needs Resources
	// Params are the request parameters used where a request states none.
	Params Params
	// In and Out are bytes moved from and to the caller's region per invocation.
	In, Out Bytes

	ID FunctionID
	// Tenant, Class and TrustGroup are what policies tell functions apart by.
	Tenant     TenantID
	Class      string
	TrustGroup string
	// Residency lists the jurisdictions ("EU", "US") that may process its data;
	// empty means any.
	Residency []string
	// Home is the cluster that limits such as "within 10 % of home" refer to.
	Home ClusterID
	// Accelerator is the family or product asked for; empty means none.
	Accelerator string
	Profile     Profile
}

// Resources is what an instance reserves.
type Resources struct {
	CPU    MilliCPU
	Memory Bytes
	// Slices is the number of accelerator parts (devices, MIG instances or
	// shares of the target's profile) held, normally 0 or 1.
	Slices int32
}

// Profile says how long a function takes and what it draws. Times are for the
// reference hardware (speed 1.0) unless Measured has the target's hardware.
type Profile struct {
	// Exec is the mean warm execution time; Sigma the σ of its lognormal spread.
	Exec  time.Duration
	Sigma float64
	// Start-up stages of a cold start. Init is CPU time and is divided by the
	// instance's CPU share and the hardware's speed; the others are wall time.
	Provision, Image, Runtime, Init time.Duration
	// Restore is the time to resume from a snapshot; 0 means no snapshot exists.
	Restore time.Duration
	// Utilisation is the mean share in [0, 1] of the reserved CPU that is busy
	// while an instance executes as many requests as it serves at a time, each of
	// which takes an equal part; AcceleratorUtilisation likewise for the accelerator.
	Utilisation            float64
	AcceleratorUtilisation float64
	// Measured holds what was metered per hardware name and overrides the model.
	Measured map[string]Measurement
}

// Measurement is what a meter saw on one hardware.
type Measurement struct {
	Cold, Exec             time.Duration // start-up alone, execution alone
	ColdEnergy, ExecEnergy Joules        // dynamic energy of each
}

// P95Ratio is the ratio of the 95th percentile to the mean of a lognormal with
// spread σ: exp(z·σ − σ²/2) with z = 1.6448536 (the 95 % normal quantile).
func (p Profile) P95Ratio() float64 {
	return math.Exp(float64(1.6448536269514722*p.Sigma) - float64(p.Sigma*p.Sigma)/2)
}

// Validate says which field of f is unusable.
func (f *Function) Validate() error {
	switch {
	case f.ID == "":
		return fmt.Errorf("function without an id")
	case f.Needs.CPU <= 0 || f.Needs.Memory <= 0 || f.Needs.Slices < 0:
		return fmt.Errorf("function %s: needs cpu and memory above 0, has %s and %s", f.ID, f.Needs.CPU, f.Needs.Memory)
	case f.Concurrency < 1 || f.MaxInstances < 0:
		return fmt.Errorf("function %s: concurrency %d must be at least 1 and max instances %d at least 0", f.ID, f.Concurrency, f.MaxInstances)
	case f.In < 0 || f.Out < 0:
		return fmt.Errorf("function %s: data in %s and out %s must not be negative", f.ID, f.In, f.Out)
	case min(f.Params.SLO, f.Params.Deadline) < 0 || !(f.Params.Budget >= 0) || !(f.Params.Cap >= 0):
		return fmt.Errorf("function %s: slo, deadline, budget and cap must not be negative; 0 is none", f.ID)
	case f.Accelerator != "" && f.Needs.Slices < 1:
		return fmt.Errorf("function %s: asks for accelerator %q but for no slices", f.ID, f.Accelerator)
	}
	if err := f.Profile.validate(); err != nil {
		return fmt.Errorf("function %s: %w", f.ID, err)
	}
	return nil
}

// validate is so written that what is not a number fails, too.
func (p *Profile) validate() error {
	share := func(v float64) bool { return v >= 0 && v <= 1 }
	switch {
	case p.Exec < 0 || !(p.Sigma >= 0 && p.Sigma <= 4):
		return fmt.Errorf("exec %s must not be negative and sigma %g must be in [0, 4]", p.Exec, p.Sigma)
	case min(p.Provision, p.Image, p.Runtime, p.Init, p.Restore) < 0:
		return fmt.Errorf("provision %s, image %s, runtime %s, init %s and restore %s must not be negative", p.Provision, p.Image, p.Runtime, p.Init, p.Restore)
	case !share(p.Utilisation) || !share(p.AcceleratorUtilisation):
		return fmt.Errorf("utilisation %g and that of the accelerator %g must be in [0, 1]", p.Utilisation, p.AcceleratorUtilisation)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Measured)) {
		if m := p.Measured[name]; min(m.Cold, m.Exec) < 0 || !(m.ColdEnergy >= 0) || !(m.ExecEnergy >= 0) {
			return fmt.Errorf("measured on %s: times and energies must not be negative", name)
		}
	}
	return nil
}

// Params are the values of one request that a policy may read. They are
// comparable, so that equal requests share one cached plan.
type Params struct {
	SLO    time.Duration // end-to-end latency wanted; 0 means none
	Budget USD           // most money per invocation; 0 means none
	Cap    GramsCO2e     // most emissions per invocation; 0 means none
	Region RegionID      // where the caller and its data are; empty means home, unknown the farthest
	// Deadline is the slack: it may start at most this much later, or, where it is
	// interruptible, wait this long in all; 0 means now. What is waited within it
	// is no latency: not in limits, not in the objective, not in what is reported.
	Deadline time.Duration
}

// Request asks for a place for one invocation.
type Request struct {
	// Sequence numbers requests; it seeds every random choice made for them.
	Sequence uint64
	Function *Function
	Params   Params
	// Scale multiplies the mean execution time of this invocation. It is known
	// only to the simulator, which uses it after the decision; 0 means 1.
	Scale float64
	// Waited is how long it has waited already, and Done the share of the mean
	// execution that earlier stretches have done, 0 at first. Params.Deadline is
	// what is left of the slack.
	Waited time.Duration
	Done   float64
}

// Task is deferrable work as one place would run it.
type Task struct {
	// Start and Exec are the expected start-up and the expected rest of the work.
	Start, Exec time.Duration
	// Slack is how much longer it may wait in all, Waited how long it has waited.
	Slack, Waited time.Duration
	// Holds is how long the present intensity is known to hold; 0 if unknown.
	Holds time.Duration
	// Interruptible work may run in several stretches.
	Interruptible bool
}

// Stretch is the next time in which a task runs.
type Stretch struct {
	// Wait is from now to its start, at most the slack.
	Wait time.Duration
	// Run is how long it runs, start-up included, until it pauses; 0 is to the end.
	Run time.Duration
	// Intensity is what is expected on average of all the time that the task will
	// run; 0 if nothing is known.
	Intensity GramsPerKWh
}
