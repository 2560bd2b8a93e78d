package experiment

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wattle-project/wattle/policies"
	"github.com/wattle-project/wattle/simulator"
)

// Job is one simulation: a policy on a seed under a coefficient set.
type Job struct {
	Policy, Seed int
	Set          Assignment
}

// Outcome is what a job came to.
type Outcome struct {
	Job
	Result *simulator.Result
	Wall   time.Duration
	Digest string // of the policy's text, empty for baselines
	Rego   policies.Stats
}

// Jobs lists the simulations of the experiment in a fixed order: the
// experiment's own coefficient set first, then the others if robustness is asked.
func (e *Experiment) Jobs() []Job {
	var jobs []Job
	for _, set := range e.assignments() {
		for p := range e.File.Policies {
			for seed := range e.Seeds {
				jobs = append(jobs, Job{p, seed, set})
			}
		}
	}
	return jobs
}

// Run simulates every job on up to workers goroutines (0: one per processor).
// The outcomes are in the order of Jobs and do not depend on workers. progress
// receives the share done of all jobs in [0, 1]; it may be nil.
func (e *Experiment) Run(ctx context.Context, workers int, progress func(float64)) ([]Outcome, error) {
	jobs := e.Jobs()
	out := make([]Outcome, len(jobs))
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	p := newProgress(len(jobs), progress)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for i, j := range jobs {
		g.Go(func() error {
			o, err := e.run(ctx, j, func(v float64) { p.set(i, v) })
			if err != nil {
				return fmt.Errorf("policy %s, seed %d: %w", e.File.Policies[j.Policy].Title(), e.Seeds[j.Seed], err)
			}
			out[i] = o
			p.set(i, 1)
			return nil
		})
	}
	return out, g.Wait()
}

func (e *Experiment) run(ctx context.Context, j Job, progress func(float64)) (Outcome, error) {
	first := &failure{}
	c, engine, err := e.config(&e.File.Policies[j.Policy], j.Seed, j.Set, first)
	if err != nil {
		return Outcome{}, err
	}
	c.Progress = progress
	o := Outcome{Job: j}
	began := time.Now()
	if o.Result, err = simulator.Run(ctx, c); err != nil {
		return o, err
	}
	o.Wall = time.Since(began)
	if engine != nil {
		o.Digest, o.Rego = engine.Digest(), engine.Stats()
		if err := first.error(); err != nil {
			return o, fmt.Errorf("%s: %w", e.File.path, err)
		}
	}
	return o, nil
}

// progressTally adds up the progress of concurrent jobs.
type progressTally struct {
	mu   sync.Mutex
	part []float64
	tell func(float64)
}

func newProgress(n int, tell func(float64)) *progressTally {
	return &progressTally{part: make([]float64, n), tell: tell}
}

func (p *progressTally) set(i int, v float64) {
	if p.tell == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.part[i] = v
	sum := 0.0
	for _, x := range p.part {
		sum += x
	}
	p.tell(sum / float64(len(p.part)))
}
