package simulator

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/lifecycle"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/stage"
	"github.com/wattle-project/wattle/scheduler/state"
	"github.com/wattle-project/wattle/simulator/signal"
	"github.com/wattle-project/wattle/simulator/trace"
)

// TestStories runs whole simulations from text. Commands:
//
//	cluster ID grid=G[,G…] [past= vcpu= nodes= speed= pue= lon= gpu= mig=]   one intensity per slot, the last one lasts; past is
//	           what the grid did in the slots of each of the 7 days before, unknown if absent
//	function ID [cpu= memory= exec= cold= home= concurrency= max= gpu= deadline= slo= residency= interruptible]
//	config [horizon= slot= queue= order= keep= once= defer= deferral= threshold= max-delay= pick= seen=ID:G[,G…] ahead=N epochs ends]
//	fault CLUSTER KIND from=D to=D [by=N] [delay=D]   from then on the scheduler sees every grid through its feed, and the quality is printed
//	prewarm FUNCTION on=TARGET at=D until=D [copies=N]
//	run        input lines "AT FUNCTION [SCALE]"; prints what the core was told, then the account
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := &experiment{t: t, cfg: Config{
			Start: time.Date(2026, 6, 15, 0, 0, 0, 0, time.UTC), Horizon: time.Hour, Slot: time.Hour, Core: scheduler.DefaultConfig(),
		}}
		s.log.keep, s.patience = &scheduler.Fixed{}, lifecycle.DefaultDeferralConfig()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return s.command(d) })
	})
}

// experiment is the world of one story.
type experiment struct {
	t        *testing.T
	cfg      Config
	clusters []state.Cluster
	grid     map[wattle.ClusterID][]wattle.GramsPerKWh
	past     map[wattle.ClusterID][]wattle.GramsPerKWh
	seenBy   map[wattle.ClusterID][]wattle.GramsPerKWh
	faults   map[wattle.ClusterID][]signal.Fault
	ahead    int
	ends     bool // say what follows the horizon
	deferral string
	patience lifecycle.DeferralConfig
	log      recorder
}

func (s *experiment) command(d *datadriven.TestData) string {
	switch d.Cmd {
	case "cluster":
		s.cluster(d)
	case "function":
		s.function(d)
	case "config":
		s.configure(d)
	case "fault":
		s.fault(d)
	case "prewarm":
		s.log.prewarm(s.t, d)
	case "run":
		return s.run(d)
	default:
		s.t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
	}
	return ""
}

// options reads key=value arguments; an unknown key fails.
func options(t *testing.T, d *datadriven.TestData, from int, read map[string]func([]string)) {
	t.Helper()
	for _, a := range d.CmdArgs[from:] {
		f, ok := read[a.Key]
		if !ok {
			t.Fatalf("%s: unknown argument %q", d.Pos, a.Key)
		}
		f(strings.Split(strings.Join(a.Vals, ","), ","))
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func whole(v []string) int { return must(strconv.Atoi(v[0])) }

func span(v []string) time.Duration { return must(wattle.ParseDuration(v[0])) }

func decimal(v []string) float64 { return must(strconv.ParseFloat(v[0], 64)) }

func intensities(v []string) (out []wattle.GramsPerKWh) {
	for _, x := range v {
		out = append(out, wattle.GramsPerKWh(must(strconv.ParseFloat(x, 64))))
	}
	return out
}

func (s *experiment) cluster(d *datadriven.TestData) {
	id := wattle.ClusterID(d.CmdArgs[0].Key)
	c := state.Cluster{ID: id, Zone: wattle.ZoneID("Z-" + id), Region: wattle.RegionID(id), PUE: 1, Jurisdiction: "EU", Price: state.Price{PerGBSecond: 1e-5}}
	p := state.Pool{Name: "cpu", Nodes: 1, Hardware: "test", Speed: 1, Machine: power.Machine{VCPU: 4, Memory: 16 * wattle.GiB, IdlePerVCPU: 1, MaxPerVCPU: 4}}
	if s.grid == nil {
		s.grid, s.past = make(map[wattle.ClusterID][]wattle.GramsPerKWh), make(map[wattle.ClusterID][]wattle.GramsPerKWh)
	}
	options(s.t, d, 1, map[string]func([]string){
		"grid":         func(v []string) { s.grid[id] = intensities(v) },
		"past":         func(v []string) { s.past[id] = intensities(v) },
		"vcpu":         func(v []string) { p.Machine.VCPU = whole(v) },
		"nodes":        func(v []string) { p.Nodes = whole(v) },
		"speed":        func(v []string) { p.Speed = decimal(v) },
		"pue":          func(v []string) { c.PUE = decimal(v) },
		"lon":          func(v []string) { c.Longitude = decimal(v) },
		"jurisdiction": func(v []string) { c.Jurisdiction = v[0] },
		"gpu": func(v []string) {
			p.Machine.Accelerator, _ = power.Accelerator(v[0])
			p.Machine.Accelerators = 1
		},
	})
	c.Pools = []state.Pool{p}
	s.clusters = append(s.clusters, c)
}

func (s *experiment) function(d *datadriven.TestData) {
	f := wattle.Function{
		ID: wattle.FunctionID(d.CmdArgs[0].Key), Concurrency: 1, Needs: wattle.Resources{CPU: 1000, Memory: wattle.GiB},
		Profile: wattle.Profile{Exec: time.Second, Provision: time.Second, Utilisation: 1},
	}
	options(s.t, d, 1, map[string]func([]string){
		"cpu":           func(v []string) { f.Needs.CPU = wattle.MilliCPU(whole(v)) },
		"memory":        func(v []string) { _ = must(0, f.Needs.Memory.UnmarshalText([]byte(v[0]))) },
		"exec":          func(v []string) { f.Profile.Exec = span(v) },
		"cold":          func(v []string) { f.Profile.Provision = span(v) },
		"home":          func(v []string) { f.Home = wattle.ClusterID(v[0]) },
		"concurrency":   func(v []string) { f.Concurrency = int32(whole(v)) },
		"max":           func(v []string) { f.MaxInstances = int32(whole(v)) },
		"gpu":           func(v []string) { f.Accelerator, f.Needs.Slices = v[0], 1 },
		"deadline":      func(v []string) { f.Params.Deadline = span(v) },
		"slo":           func(v []string) { f.Params.SLO = span(v) },
		"residency":     func(v []string) { f.Residency = v },
		"interruptible": func([]string) { f.Interruptible = true },
	})
	s.cfg.Functions = append(s.cfg.Functions, f)
}

func (s *experiment) configure(d *datadriven.TestData) {
	options(s.t, d, 0, map[string]func([]string){
		"horizon":   func(v []string) { s.cfg.Horizon = span(v) },
		"slot":      func(v []string) { s.cfg.Slot = span(v) },
		"queue":     func(v []string) { s.cfg.Queue = whole(v) },
		"order":     func(v []string) { s.cfg.Order = map[string]Order{"strict": Strict, "fitting": Fitting}[v[0]] },
		"keep":      func(v []string) { s.log.keep = &scheduler.Fixed{T: span(v)} },
		"once":      func(v []string) { s.log.keep = &scheduler.Fixed{T: span(v), Once: true} },
		"defer":     func(v []string) { s.cfg.Core.Slot = span(v) },
		"deferral":  func(v []string) { s.deferral = v[0] },
		"threshold": func(v []string) { s.patience.Threshold = intensities(v)[0] },
		"max-delay": func(v []string) { s.patience.MaxDelay = span(v) },
		"pick": func(v []string) {
			s.cfg.Pick = map[string]state.Pick{"oldest": state.Oldest, "random": state.Random}[v[0]]
		},
		// A forecast of so many slots, which is right.
		"ahead":  func(v []string) { s.ahead = whole(v) },
		"epochs": func([]string) { s.log.epochs = true },
		"ends":   func([]string) { s.ends = true },
		// What the scheduler sees of a cluster's grid instead of the truth, slot by slot.
		"seen": func(v []string) {
			id, first, _ := strings.Cut(v[0], ":")
			if s.seenBy == nil {
				s.seenBy = make(map[wattle.ClusterID][]wattle.GramsPerKWh)
			}
			s.seenBy[wattle.ClusterID(id)] = intensities(append([]string{first}, v[1:]...))
		},
	})
}

func (s *experiment) fault(d *datadriven.TestData) {
	f := signal.Fault{}
	_ = must(0, f.Kind.UnmarshalText([]byte(d.CmdArgs[1].Key)))
	options(s.t, d, 2, map[string]func([]string){
		"from":  func(v []string) { f.From = s.cfg.Start.Add(span(v)) },
		"to":    func(v []string) { f.To = s.cfg.Start.Add(span(v)) },
		"by":    func(v []string) { f.Factor = decimal(v) },
		"delay": func(v []string) { f.Delay = span(v) },
	})
	if s.faults == nil {
		s.faults = make(map[wattle.ClusterID][]signal.Fault)
	}
	id := wattle.ClusterID(d.CmdArgs[0].Key)
	s.faults[id] = append(s.faults[id], f)
}

// feed puts signal.Observed between what the grids do and what the scheduler sees.
func (s *experiment) feed(c *Config) (f through) {
	for i := range c.Fleet.Clusters {
		id, start := c.Fleet.Clusters[i].ID, c.Start
		var values []float64
		if past := s.past[id]; past != nil {
			start = start.Add(-7 * 24 * time.Hour)
			for range 7 {
				for k := range int(24 * time.Hour / c.Slot) {
					values = append(values, float64(past[min(k, len(past)-1)]))
				}
			}
		}
		for _, v := range c.Grid[i] {
			values = append(values, float64(v))
		}
		a := must(signal.NewActual(c.Fleet.Clusters[i].Zone, wattle.Lifecycle, start, c.Slot, values))
		f = append(f, must(signal.NewObserved(a, signal.View{Faults: s.faults[id]})))
	}
	return f
}

// through shows the scheduler the grids as their feeds do.
type through []*signal.Observed

func (f through) Observe(cluster int, now time.Time) state.ZoneSignal {
	return state.ZoneSignal{Current: f[cluster].At(now)}
}

func (s *experiment) run(d *datadriven.TestData) string {
	c := &s.cfg
	c.Fleet = must(state.NewFleet(s.clusters))
	for _, cl := range c.Fleet.Clusters {
		g := s.grid[cl.ID]
		for len(g) < c.slots() {
			g = append(g, g[len(g)-1])
		}
		c.Grid = append(c.Grid, g)
	}
	for _, st := range stage.Default(stage.DefaultConfig()) {
		c.Core.Stages = append(c.Core.Stages, st)
	}
	c.Trace = s.script(d)
	if s.deferral != "" {
		c.Core.Deferrer = must(lifecycle.NewShift(s.deferral, s.patience))
	}
	if s.seenBy != nil || s.ahead > 0 {
		c.Feed = distorted{c, s.seenBy, s.ahead}
	}
	if s.faults != nil {
		c.Feed, s.log.signals = s.feed(c), true
	}
	s.log.cfg, c.Core.Keeper = c, &s.log
	s.log.bind()
	r := must(Run(context.Background(), c))
	out := s.log.b.String() + account(r)
	if s.ends {
		out += fmt.Sprintf("after the end %s, %s\n", r.TailEnergy, r.TailCarbon)
	}
	return out
}

// account prints what a run cost.
func account(r *Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d invocations, %d cold, %d queued, %d waiting, %d rejected, %d deferred, %d evictions, %d prewarms (%d refused), %d misses\n",
		r.Invocations, r.Cold, r.Queued, r.Waiting, r.Rejected, r.Deferred, r.Evictions, r.Prewarms, r.PrewarmsRefused, r.Misses)
	for _, why := range slices.Sorted(maps.Keys(r.Reasons)) {
		fmt.Fprintf(&b, "  rejected for %s: %d\n", why, r.Reasons[why])
	}
	fmt.Fprintf(&b, "latency mean %s, max %s; busy %s, idle %s; at the end %d idle, %d busy\n",
		r.Latency.Mean(), r.Latency.Quantile(1), r.BusyTime, r.IdleTime, r.IdleAtEnd, r.BusyAtEnd)
	if r.Deferrable+r.Paused+r.Late > 0 {
		fmt.Fprintf(&b, "deferrable %d, delay %s, %d late, %d resumed, %d paused at the end\n", r.Deferrable, r.Delay, r.Late, r.Resumes, r.Paused)
	}
	e := r.Energy
	fmt.Fprintf(&b, "exec %s, start %s, keep-alive %s, idle share %s, unallocated %s, beyond %s; %s\n",
		e.Exec, e.Startup, e.KeepAlive, e.IdleShare, e.Unallocated, r.Beyond, r.Carbon.Operational())
	if sum := e.Exec + e.Startup + e.KeepAlive + e.IdleShare + e.Unallocated; sum != e.Metered {
		fmt.Fprintf(&b, "the parts sum to %d µJ, the meter shows %d µJ\n", sum, e.Metered)
	}
	return b.String()
}

// script is the trace of the lines "AT FUNCTION [SCALE]".
func (s *experiment) script(d *datadriven.TestData) scripted {
	tr := scripted{functions: len(s.cfg.Functions), length: s.cfg.Horizon}
	for _, line := range strings.Split(strings.TrimSpace(d.Input), "\n") {
		w := strings.Fields(line)
		if len(w) < 2 {
			continue
		}
		fn := slices.IndexFunc(s.cfg.Functions, func(f wattle.Function) bool { return string(f.ID) == w[1] })
		if fn < 0 {
			s.t.Fatalf("%s: no function %q", d.Pos, w[1])
		}
		a := trace.Arrival{At: int64(span(w)), Function: int32(fn), Scale: 1}
		if len(w) > 2 {
			a.Scale = decimal(w[2:])
		}
		tr.arrivals = append(tr.arrivals, a)
	}
	slices.SortStableFunc(tr.arrivals, func(a, b trace.Arrival) int { return cmp.Compare(a.At, b.At) })
	return tr
}

// scripted is a trace of given arrivals.
type scripted struct {
	functions int
	length    time.Duration
	arrivals  []trace.Arrival
}

func (s scripted) Functions() []trace.Function { return make([]trace.Function, s.functions) }
func (s scripted) Length() time.Duration       { return s.length }
func (s scripted) Open() (trace.Source, error) { return &scriptSource{s.arrivals}, nil }

type scriptSource struct{ left []trace.Arrival }

func (*scriptSource) Close() error { return nil }
func (s *scriptSource) Next(buf []trace.Arrival) ([]trace.Arrival, error) {
	if s.left == nil {
		return buf[:0], io.EOF
	}
	buf, s.left = append(buf[:0], s.left...), nil
	return buf, nil
}

// distorted shows the scheduler other intensities than the true ones.
type distorted struct {
	cfg  *Config
	seen map[wattle.ClusterID][]wattle.GramsPerKWh
	// ahead is the number of slots of the forecast.
	ahead int
}

func (f distorted) Observe(cluster int, now time.Time) state.ZoneSignal {
	c := &f.cfg.Fleet.Clusters[cluster]
	k := int(now.Sub(f.cfg.Start) / f.cfg.Slot)
	v := f.cfg.Grid[cluster][k]
	if seen, ok := f.seen[c.ID]; ok {
		v = seen[min(k, len(seen)-1)]
	}
	grid := f.cfg.Grid[cluster]
	ahead := slices.Clone(grid[min(k+1, len(grid)):min(k+1+f.ahead, len(grid))])
	return state.ZoneSignal{Ahead: ahead, Period: f.cfg.Slot, Current: wattle.Signal{Zone: c.Zone, Intensity: v, From: now, To: now.Add(f.cfg.Slot), FetchedAt: now, Provider: "story"}}
}

// recorder is a Keeper that writes down what the core is told and asks for
// scripted pre-warms at the first arrival.
type recorder struct {
	cfg      *Config
	keep     *scheduler.Fixed
	b        strings.Builder
	names    map[wattle.InstanceID]int
	wanted   []wattle.Action
	prewarms []func()
	epochs   bool
	// signals asks for what was known of the grids at each start.
	signals bool
}

func (k *recorder) prewarm(t *testing.T, d *datadriven.TestData) {
	a := wattle.Action{Kind: wattle.Prewarm}
	fn, on := d.CmdArgs[0].Key, ""
	var at, until time.Duration
	options(t, d, 1, map[string]func([]string){
		"on":     func(v []string) { on = v[0] },
		"at":     func(v []string) { at = span(v) },
		"until":  func(v []string) { until = span(v) },
		"copies": func(v []string) { a.Copies = int32(whole(v)) },
	})
	k.prewarms = append(k.prewarms, func() {
		for i := range k.cfg.Functions {
			if string(k.cfg.Functions[i].ID) == fn {
				a.Function = &k.cfg.Functions[i]
			}
		}
		for i := range k.cfg.Fleet.Targets {
			if string(k.cfg.Fleet.Targets[i].Attributes.Target) == on {
				a.Target = int32(i)
			}
		}
		a.At, a.Until = k.cfg.Start.Add(at), k.cfg.Start.Add(until)
		k.wanted = append(k.wanted, a)
	})
}

func (k *recorder) bind() {
	k.names = make(map[wattle.InstanceID]int)
	for _, f := range k.prewarms {
		f()
	}
}

func (k *recorder) name(id wattle.InstanceID) int {
	if _, ok := k.names[id]; !ok {
		k.names[id] = len(k.names)
	}
	return k.names[id]
}

func (k *recorder) Step(now time.Time, s *state.Snapshot, e wattle.Event, out []wattle.Action) []wattle.Action {
	if e.Kind == wattle.Epoch && !k.epochs {
		return out
	}
	fmt.Fprintf(&k.b, "%8s %s", now.Sub(k.cfg.Start), e.Kind)
	if e.Function != nil {
		fmt.Fprintf(&k.b, " %s", e.Function.ID)
	}
	if e.Kind == wattle.Started {
		fmt.Fprintf(&k.b, " %s on %s", e.Sandbox, s.Fleet.Targets[e.Target].Attributes.Target)
	}
	if e.Instance != 0 {
		fmt.Fprintf(&k.b, " #%d", k.name(e.Instance))
	}
	if e.Kind == wattle.Pressure {
		s.Load.Idle(s.Fleet, e.Target, func(id wattle.InstanceID, in *state.Instance) bool {
			fmt.Fprintf(&k.b, ", longest idle is %s #%d", in.Function.ID, k.name(id))
			return false
		})
	}
	if e.Kind == wattle.Started && k.signals {
		k.saw(now, s)
	}
	k.b.WriteByte('\n')
	if e.Kind == wattle.Arrived && len(k.wanted) > 0 {
		out, k.wanted = append(out, k.wanted...), nil
	}
	return k.keep.Step(now, s, e, out)
}

// saw writes down what is known of every grid: intensity, quality and age.
func (k *recorder) saw(now time.Time, s *state.Snapshot) {
	sep := ", seeing"
	for i := range s.Fleet.Clusters {
		z, q := s.Signals.Zone(i, now)
		fmt.Fprintf(&k.b, "%s %s %.4g %s", sep, s.Fleet.Clusters[i].ID, float64(z.Current.Intensity), q)
		if age := now.Sub(z.Current.FetchedAt); age > 0 && q != wattle.Prior {
			fmt.Fprintf(&k.b, " %s old", age)
		}
		sep = ","
	}
}
