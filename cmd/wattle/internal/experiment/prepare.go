package experiment

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/policies"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/lifecycle"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/stage"
	"github.com/wattle-project/wattle/scheduler/state"
	"github.com/wattle-project/wattle/simulator"
	"github.com/wattle-project/wattle/simulator/baseline"
	"github.com/wattle-project/wattle/simulator/trace"
	"github.com/wattle-project/wattle/simulator/workload"
)

// Options are what the command line adds to a file.
type Options struct {
	// Data is a directory in which relative paths are sought.
	Data string
}

// Experiment is a file whose inputs have been read: ready to run.
type Experiment struct {
	File    *File
	options Options
	Start   time.Time
	Horizon time.Duration
	Slot    time.Duration
	Seeds   []uint64
	// Traces holds one workload per seed.
	Traces   []trace.Trace
	measured *measurements
	// functions is shared by all runs of a seed, which only read it.
	functions [][]wattle.Function
	grids     *grids
	filled    []string // gaps of series that were filled
	fleets    map[Assignment]*state.Fleet
}

// Prepare checks a file and reads everything that it names.
func Prepare(f *File, o Options) (*Experiment, error) {
	e := &Experiment{File: f, options: o, Start: f.Start.V, Slot: f.Slot.Or(time.Hour), Seeds: f.Seeds, fleets: map[Assignment]*state.Fleet{}}
	if err := e.check(); err != nil {
		return nil, err
	}
	for _, s := range append(e.assignments(), uniform(power.Central)) {
		fleet, err := f.fleet(s)
		if err != nil {
			return nil, err
		}
		e.fleets[s] = fleet
	}
	if err := e.readWorkload(); err != nil {
		return nil, fmt.Errorf("%s: workload: %w", f.path, err)
	}
	var err error
	if e.measured, err = f.measurements(o.Data); err != nil {
		return nil, fmt.Errorf("%s: functions: %w", f.path, err)
	}
	for _, t := range e.Traces {
		fns, err := f.functions(t.Functions(), e.fleets[e.own()], e.measured)
		if err != nil {
			return nil, err
		}
		e.functions = append(e.functions, fns)
	}
	if e.grids, err = e.readSignals(); err != nil {
		return nil, fmt.Errorf("%s: signals: %w", f.path, err)
	}
	return e, nil
}

// check finds what is missing or contradictory in the file itself.
func (e *Experiment) check() error {
	f := e.File
	if e.Start.IsZero() {
		e.Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if len(e.Seeds) == 0 {
		e.Seeds = []uint64{cmp.Or(f.Seed, 1)}
	}
	switch {
	case len(f.Policies) == 0:
		return fmt.Errorf("%s: policies: name at least one, such as \"- library: latency_within\"", f.path)
	case (f.Workload.Trace == nil) == (f.Workload.Generate == nil):
		return fmt.Errorf("%s: workload: give either trace or generate", f.path)
	case e.Slot <= 0 || (24*time.Hour)%e.Slot != 0:
		return fmt.Errorf("%s: slot: %s does not divide a day", f.path, e.Slot)
	case cmp.Or(f.Accounting.Profile, "standard") != "standard":
		return fmt.Errorf("%s: accounting.profile: %q is unknown, want \"standard\"; the profile \"ecolife\" is replayed by \"wattle validate\"", f.path, f.Accounting.Profile)
	}
	seen := map[string]bool{}
	for i := range f.Policies {
		p := &f.Policies[i]
		given := 0
		for _, s := range []string{p.Library, p.Rego, p.Baseline} {
			if s != "" {
				given++
			}
		}
		if given != 1 {
			return fmt.Errorf("%s: policies[%d]: give exactly one of library, rego and baseline", f.path, i)
		}
		if name := p.Title(); seen[name] {
			return fmt.Errorf("%s: policies[%d]: the name %q is taken, set name", f.path, i, name)
		}
		seen[p.Title()] = true
		if err := p.known(&f.Instances); err != nil {
			return fmt.Errorf("%s: policies[%d]: %w", f.path, i, err)
		}
	}
	return nil
}

// known finds misspelt names before any data is read.
func (p *Policy) known(in *Instances) error {
	if p.Library != "" {
		if _, err := policies.LibrarySource(p.Library); err != nil {
			return err
		}
	}
	if p.Baseline != "" {
		if _, err := baseline.New(p.Baseline, baseline.Config{}); err != nil {
			return err
		}
	}
	if name := deferral(p, in); name != leastG {
		if _, err := lifecycle.NewDeferral(name, patience(p, in)); err != nil {
			return fmt.Errorf("%w, %s", err, leastG)
		}
	}
	switch name := cmp.Or(p.KeepAlive, in.KeepAlive, "fixed"); name {
	case "none", "fixed":
		return nil
	default:
		_, err := lifecycle.New(name, keeping(p, in))
		return err
	}
}

// Title is the name that a policy is printed under.
func (p *Policy) Title() string { return cmp.Or(p.Name, p.Library, p.Baseline, p.Rego) }

// readWorkload reads or draws the trace once per seed and fixes the horizon.
func (e *Experiment) readWorkload() error {
	for _, seed := range e.Seeds {
		t, err := e.workload(seed)
		if err != nil {
			return err
		}
		e.Traces = append(e.Traces, t)
	}
	e.Horizon = e.File.Duration.Or(e.Traces[0].Length())
	if e.Horizon <= 0 || e.Horizon > e.Traces[0].Length() {
		return fmt.Errorf("duration %s is not within the workload's length of %s", e.Horizon, e.Traces[0].Length())
	}
	if e.File.Drain.V > 0 {
		if e.Horizon < e.Traces[0].Length() {
			return fmt.Errorf("drain %s: arrivals must end before it, but the workload lasts %s beyond the duration", e.File.Drain.V, e.Traces[0].Length()-e.Horizon)
		}
		e.Horizon += e.File.Drain.V
	}
	return nil
}

func (e *Experiment) workload(seed uint64) (trace.Trace, error) {
	if g := e.File.Workload.Generate; g != nil {
		return e.generate(g, seed)
	}
	t := e.File.Workload.Trace
	c := trace.DefaultConfig()
	c.Seed, c.Offset, c.Length = seed, t.Offset.V, e.File.Duration.V
	c.Match, c.Limit, c.Choice, c.Placement, c.Sigma = t.Match, t.Limit, t.Choice.V, t.Placement.V, t.Sigma
	return trace.Read(t.Format.V, e.File.find(t.Path, e.options.Data), c)
}

func (e *Experiment) generate(g *Generate, seed uint64) (trace.Trace, error) {
	p := workload.DefaultPopulation()
	p.Functions, p.Invocations = cmp.Or(g.Functions, p.Functions), cmp.Or(g.Invocations, p.Invocations)
	p.Length = e.File.Duration.Or(24 * time.Hour)
	p.Exec = g.Median.Or(p.Exec)
	for _, v := range []struct {
		given *float64
		into  *float64
	}{{g.Zipf, &p.Zipf}, {g.Spread, &p.ExecSigma}, {g.Sigma, &p.Sigma}} {
		if v.given != nil {
			*v.into = *v.given
		}
	}
	if len(g.Mix) > 0 {
		p.Mix = [5]float64{}
		for name, share := range g.Mix {
			var kind workload.Process
			if err := kind.UnmarshalText([]byte(name)); err != nil {
				return nil, err
			}
			p.Mix[kind] = share
		}
	}
	for _, z := range g.Zones {
		p.Zones = append(p.Zones, z.V)
	}
	// One population for all seeds: they differ in when it is invoked.
	specs, err := p.Draw(cmp.Or(e.File.Seed, 1))
	if err != nil {
		return nil, err
	}
	day := e.Start.Sub(e.Start.Truncate(24 * time.Hour))
	return workload.New(specs, workload.Config{Seed: seed, Length: p.Length, Start: day})
}

// Config is the simulation of one policy on one seed under one assignment of
// coefficients. The engine is nil for baselines.
func (e *Experiment) Config(p *Policy, seed int, s Assignment) (*simulator.Config, *policies.Engine, error) {
	return e.config(p, seed, s, &failure{})
}

// config is Config; failed takes what goes wrong with the policy during the run.
func (e *Experiment) config(p *Policy, seed int, s Assignment, failed *failure) (*simulator.Config, *policies.Engine, error) {
	f := e.File
	c := &simulator.Config{
		Fleet: e.fleets[s], Trace: e.Traces[seed], Start: e.Start, Horizon: e.Horizon, Slot: e.Slot,
		Grid: e.grids.actual, Core: scheduler.DefaultConfig(),
		Queue: f.Instances.Queue, PriceEpoch: 5 * time.Minute, Congestion: scheduler.DefaultCongestion(),
		Network: f.Accounting.Network.Or(wattle.KWhPerGB(s.Network.Of(f.coefficients().Network))), Explain: f.Explain,
	}
	wanted, small := e.bounded()
	c.Held = wanted && small
	view, err := e.newFeed(e.forecast(p), e.Seeds[seed])
	if err != nil {
		return nil, nil, err
	}
	c.Feed = view
	c.Congestion.Step = f.Instances.Price.Or(c.Congestion.Step)
	c.Functions = e.functions[seed]
	if c.Pick, err = pick(f.Instances.Pick); err != nil {
		return nil, nil, err
	}
	if c.Order, err = order(f.Instances.Order); err != nil {
		return nil, nil, err
	}
	sc := stage.DefaultConfig()
	sc.Network = f.Accounting.NetworkInG.V
	c.Core.Hold = hold(p, &f.Instances)
	for _, st := range stage.Default(sc) {
		c.Core.Stages = append(c.Core.Stages, st)
	}
	if err = e.deferrer(p, &c.Core); err != nil {
		return nil, nil, fmt.Errorf("%s: policy %s: %w", f.path, p.Title(), err)
	}
	if c.Core.Keeper, err = e.keeper(p, c); err != nil {
		return nil, nil, fmt.Errorf("%s: policy %s: %w", f.path, p.Title(), err)
	}
	engine, err := e.decide(p, e.Seeds[seed], c, failed)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: policy %s: %w", f.path, p.Title(), err)
	}
	return c, engine, nil
}

func pick(name string) (state.Pick, error) {
	switch name {
	case "", "newest":
		return state.Newest, nil
	case "oldest":
		return state.Oldest, nil
	case "random":
		return state.Random, nil
	}
	return 0, fmt.Errorf("instances.pick: %q is unknown, want newest, oldest or random", name)
}

func order(name string) (simulator.Order, error) {
	switch name {
	case "", "strict":
		return simulator.Strict, nil
	case "fitting":
		return simulator.Fitting, nil
	}
	return 0, fmt.Errorf("instances.order: %q is unknown, want strict or fitting", name)
}

// decide puts the policy or the baseline into the core. What it draws is drawn
// from seed.
func (e *Experiment) decide(p *Policy, seed uint64, c *simulator.Config, failed *failure) (*policies.Engine, error) {
	if p.Baseline != "" {
		if p.Baseline == "static-region" {
			return nil, e.staticRegion(p, c)
		}
		b := baseline.Config{Seed: seed, Functions: len(c.Functions)}
		chooser, err := baseline.New(p.Baseline, b)
		c.Core.Chooser = chooser
		return nil, err
	}
	cfg := policies.DefaultConfig()
	cfg.Deadline = 0 // results must not depend on how fast this machine is
	cfg.FailClosed = true
	cfg.Logger = slog.New(failed)
	if p.Data != nil {
		cfg.Data = map[string]any{"params": p.Data}
	}
	engine, err := e.compile(p, cfg)
	if err != nil {
		return nil, err
	}
	c.Core.Policy = engine
	revision := uint64(0)
	var refused error
	c.OnEpoch = func(now time.Time) {
		revision++
		refused = errors.Join(refused, engine.SetData(policies.ClockData(now, e.grids.local), revision))
		if refused != nil {
			panic("experiment: clock data was refused: " + refused.Error())
		}
	}
	return engine, nil
}

func (e *Experiment) compile(p *Policy, cfg policies.Config) (*policies.Engine, error) {
	if p.Library != "" {
		return policies.Library(p.Library, cfg)
	}
	return policies.Load(e.File.find(p.Rego, e.options.Data), cfg)
}

// staticRegion is the baseline's cluster: the one stated in data.cluster, else
// the one with the lowest mean intensity over the run, known in hindsight.
func (e *Experiment) staticRegion(p *Policy, c *simulator.Config) error {
	best := 0
	for i := range c.Grid {
		if mean(c.Grid[i]) < mean(c.Grid[best]) {
			best = i
		}
	}
	id := c.Fleet.Clusters[best].ID
	if v, ok := p.Data["cluster"].(string); ok {
		id = wattle.ClusterID(v)
		if c.Fleet.ClusterIndex(id) < 0 {
			return fmt.Errorf("data.cluster: the fleet has no cluster %q", v)
		}
	}
	chooser, err := baseline.New(p.Baseline, baseline.Config{Region: id})
	c.Core.Chooser = chooser
	return err
}

func mean(g []wattle.GramsPerKWh) float64 {
	sum := 0.0
	for _, v := range g {
		sum += float64(v)
	}
	return sum / float64(len(g))
}

// hold is the keep-alive that decisions reckon with.
func hold(p *Policy, in *Instances) time.Duration {
	name := cmp.Or(p.KeepAlive, in.KeepAlive, "fixed")
	if name == "none" {
		return 0
	}
	return lifecycle.Hold(name, keeping(p, in))
}

// keeping is the configuration of a contender's keep-alive policy.
func keeping(p *Policy, in *Instances) lifecycle.Config {
	c := lifecycle.DefaultConfig()
	c.Keep = p.For.Or(in.For.Or(c.Keep))
	c.Rate = p.Rate.Or(in.Rate.Or(c.Rate))
	c.Step = in.Step.Or(10 * time.Second)
	return c
}

// keeper builds the keep-alive policy of one contender.
func (e *Experiment) keeper(p *Policy, _ *simulator.Config) (scheduler.Keeper, error) {
	in := &e.File.Instances
	name := cmp.Or(p.KeepAlive, in.KeepAlive, "fixed")
	switch name {
	case "none":
		return nil, nil
	case "fixed":
		t := in.For.Or(10 * time.Minute)
		return &scheduler.Fixed{T: p.For.Or(t), Once: in.Renew != nil && !*in.Renew}, nil
	}
	return lifecycle.NewInstances(name, keeping(p, in))
}
