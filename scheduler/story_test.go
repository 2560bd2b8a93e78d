package scheduler_test

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/stage"
	"github.com/wattle-project/wattle/scheduler/state"
)

// story is the world of one story file.
type story struct {
	t        *testing.T
	now      time.Time
	clusters []state.Cluster
	grid     map[wattle.ZoneID]state.ZoneSignal
	marginal map[wattle.ZoneID]state.ZoneSignal
	fns      []wattle.Function
	intent   wattle.Intent
	deny     map[string]string // cluster → code
	cfg      scheduler.Config
	store    *state.Store
	core     *scheduler.Core
	ids      []wattle.InstanceID
	pick     state.Pick
	sequence uint64
	prices   []wattle.GramsCO2e
}

// stated is the policy of a story.
type stated struct{ s *story }

func (stated) Digest() string                                          { return "story" }
func (p stated) Intent(*wattle.Function, *wattle.Params) wattle.Intent { return p.s.intent }
func (p stated) Judge(_ *wattle.Function, _ *wattle.Params, attrs []wattle.Attributes, c *wattle.Columns, v *wattle.Verdicts) {
	for i, t := range c.Target {
		if code, ok := p.s.deny[string(attrs[t].Cluster)]; ok {
			v.Denied[i] = []wattle.Denial{{Code: code, Msg: "denied by the story"}}
		}
	}
}

func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := &story{
			t: t, now: time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC), grid: map[wattle.ZoneID]state.ZoneSignal{}, marginal: map[wattle.ZoneID]state.ZoneSignal{},
			intent: scheduler.DefaultIntent(), deny: map[string]string{}, cfg: scheduler.DefaultConfig(),
		}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return s.run(d) })
	})
}

func (s *story) run(d *datadriven.TestData) string {
	switch d.Cmd {
	case "cluster":
		return s.cluster(d)
	case "function":
		return s.function(d)
	case "policy":
		return s.policy(d)
	case "signal":
		return s.signal(d)
	case "core":
		return s.configure(d)
	case "down", "up":
		s.begin()
		s.store.SetHealthy(s.store.View().Fleet.ClusterIndex(wattle.ClusterID(d.CmdArgs[0].Key)), d.Cmd == "up")
		return ""
	case "advance":
		s.begin()
		s.now = s.now.Add(duration(s.t, d.CmdArgs[0].Key))
		return fmt.Sprintf("%s, %d assumed expired", s.now.Format("15:04:05"), s.store.ExpireAssumed(s.now))
	case "arrive":
		s.begin()
		return s.arrive(d)
	case "place":
		return s.place(d)
	case "explain":
		return s.explain(d)
	case "confirm":
		s.store.Confirm(s.ids[number(s.t, d.CmdArgs[0].Key)])
		return ""
	case "finish":
		return s.finish(d)
	case "evict":
		return strconv.FormatBool(s.store.Evict(s.ids[number(s.t, d.CmdArgs[0].Key)]))
	case "congest":
		s.begin()
		s.prices = scheduler.DefaultCongestion().Update(s.prices, s.store.View())
		s.store.SetPrices(s.prices)
		return fmt.Sprintf("%.2g", s.prices)
	}
	s.t.Fatalf("unknown command %q", d.Cmd)
	return ""
}

// args reads key=value arguments into the given readers; an unknown key fails.
func args(t *testing.T, d *datadriven.TestData, from int, read map[string]func(string)) {
	for _, a := range d.CmdArgs[from:] {
		f, ok := read[a.Key]
		if !ok {
			t.Fatalf("%s: unknown argument %q", d.Pos, a.Key)
		}
		f(strings.Join(a.Vals, ","))
	}
}

func number(t *testing.T, v string) int {
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func duration(t *testing.T, v string) time.Duration {
	x, err := wattle.ParseDuration(v)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func float(t *testing.T, v string) float64 {
	x, err := strconv.ParseFloat(v, 64)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// cluster fr grid=52 [marginal=600] [vcpu=4] [nodes=1] [pue=1] [jurisdiction=EU] [region=r] [lon=3] [price=1e-5] [gpu=A100-80GB] [mig=1g.10gb] [share=4] [speed=1]
func (s *story) cluster(d *datadriven.TestData) string {
	id := d.CmdArgs[0].Key
	c := state.Cluster{ID: wattle.ClusterID(id), Zone: wattle.ZoneID("Z-" + id), Region: wattle.RegionID(id), PUE: 1, Jurisdiction: "EU", Price: state.Price{PerGBSecond: 1e-5}}
	p := state.Pool{Name: "cpu", Nodes: 1, Hardware: "test", Speed: 1, Machine: power.Machine{VCPU: 4, Memory: 16 * wattle.GiB, IdlePerVCPU: 1, MaxPerVCPU: 4}}
	z := state.ZoneSignal{Current: wattle.Signal{Zone: c.Zone, From: s.now, To: s.now.Add(time.Hour), FetchedAt: s.now, Provider: "story"}, Period: time.Hour}
	args(s.t, d, 1, map[string]func(string){
		"grid": func(v string) { z.Current.Intensity = wattle.GramsPerKWh(float(s.t, v)) },
		"marginal": func(v string) {
			m := z
			m.Current.Intensity, m.Current.Kind = wattle.GramsPerKWh(float(s.t, v)), wattle.Marginal
			s.marginal[c.Zone] = m
		},
		"ahead":        func(v string) { z.Ahead = append(z.Ahead, wattle.GramsPerKWh(float(s.t, v))) },
		"vcpu":         func(v string) { p.Machine.VCPU = number(s.t, v) },
		"nodes":        func(v string) { p.Nodes = number(s.t, v) },
		"speed":        func(v string) { p.Speed = float(s.t, v) },
		"pue":          func(v string) { c.PUE = float(s.t, v) },
		"jurisdiction": func(v string) { c.Jurisdiction = v },
		"region":       func(v string) { c.Region = wattle.RegionID(v) },
		"lon":          func(v string) { c.Longitude = float(s.t, v) },
		"price":        func(v string) { c.Price.PerGBSecond = wattle.USD(float(s.t, v)) },
		"gpu": func(v string) {
			a, ok := power.Accelerator(v)
			if !ok {
				s.t.Fatalf("no accelerator %q", v)
			}
			p.Machine.Accelerator, p.Machine.Accelerators = a, 1
		},
		"mig": func(v string) {
			for _, m := range power.MIGProfiles(p.Machine.Accelerator.Product) {
				if m.Name == v {
					p.Profile = &m
				}
			}
		},
		"share": func(v string) { p.Sharing, p.Shares = wattle.SharingTimeSlice, number(s.t, v) },
	})
	c.Pools = []state.Pool{p}
	s.clusters = append(s.clusters, c)
	s.grid[c.Zone] = z
	return ""
}

// function f [cpu=1000] [memory=1GiB] [exec=1s] [cold=1s] [init=0s] [home=fr] [residency=EU] [gpu=any] [isolation=mig] [concurrency=1] [max=0] [restore=0] [cap=g] [budget=usd] [deadline=d] [sigma=0]
func (s *story) function(d *datadriven.TestData) string {
	f := wattle.Function{
		ID: wattle.FunctionID(d.CmdArgs[0].Key), Concurrency: 1, Needs: wattle.Resources{CPU: 1000, Memory: wattle.GiB},
		Profile: wattle.Profile{Exec: time.Second, Provision: time.Second, Utilisation: 1},
	}
	text := func(u interface{ UnmarshalText([]byte) error }) func(string) {
		return func(v string) {
			if err := u.UnmarshalText([]byte(v)); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	args(s.t, d, 1, map[string]func(string){
		"cpu":         func(v string) { f.Needs.CPU = wattle.MilliCPU(number(s.t, v)) },
		"memory":      text(&f.Needs.Memory),
		"exec":        func(v string) { f.Profile.Exec = duration(s.t, v) },
		"cold":        func(v string) { f.Profile.Provision = duration(s.t, v) },
		"init":        func(v string) { f.Profile.Init = duration(s.t, v) },
		"restore":     func(v string) { f.Profile.Restore = duration(s.t, v) },
		"sigma":       func(v string) { f.Profile.Sigma = float(s.t, v) },
		"home":        func(v string) { f.Home = wattle.ClusterID(v) },
		"residency":   func(v string) { f.Residency = strings.Split(v, ",") },
		"gpu":         func(v string) { f.Accelerator, f.Needs.Slices = v, 1 },
		"isolation":   text(&f.MinIsolation),
		"concurrency": func(v string) { f.Concurrency = int32(number(s.t, v)) },
		"max":         func(v string) { f.MaxInstances = int32(number(s.t, v)) },
		"cap":         text(&f.Params.Cap),
		"budget":      text(&f.Params.Budget),
		"deadline":    func(v string) { f.Params.Deadline = duration(s.t, v) },
	})
	s.fns = append(s.fns, f)
	return ""
}

// policy [p95=d] [mean=d] [p95_over_home=1100] [cost=usd] [cost_over_cheapest=1050] [carbon=g] [start=d] [seconds=g/s] [dollars=g/USD] [weight=1] [signal=marginal] [deny=cluster:code]
func (s *story) policy(d *datadriven.TestData) string {
	l, o := &s.intent.Limits, &s.intent.Objective
	args(s.t, d, 0, map[string]func(string){
		"p95":                func(v string) { l.P95 = duration(s.t, v) },
		"mean":               func(v string) { l.Mean = duration(s.t, v) },
		"p95_over_home":      func(v string) { l.P95OverHome = int64(number(s.t, v)) },
		"cost":               func(v string) { l.Cost = wattle.USD(float(s.t, v)) },
		"cost_over_cheapest": func(v string) { l.CostOverCheapest = int64(number(s.t, v)) },
		"carbon":             func(v string) { l.Carbon = wattle.GramsCO2e(float(s.t, v)) },
		"start":              func(v string) { l.StartWithin = duration(s.t, v) },
		"seconds":            func(v string) { o.Seconds = wattle.GramsPerSecond(float(s.t, v)) },
		"dollars":            func(v string) { o.Dollars = wattle.GramsPerUSD(float(s.t, v)) },
		"signal":             func(v string) { _ = o.Signal.UnmarshalText([]byte(v)) },
		"weight":             func(v string) { o.Carbon = float(s.t, v) },
		"deny": func(v string) {
			id, code, _ := strings.Cut(v, ":")
			s.deny[id] = code
		},
	})
	return ""
}

// core [keep=10m] [slot=1h] [pick=oldest]
func (s *story) configure(d *datadriven.TestData) string {
	args(s.t, d, 0, map[string]func(string){
		"keep": func(v string) {
			s.cfg.Hold = duration(s.t, v)
			s.cfg.Keeper = &scheduler.Fixed{T: s.cfg.Hold}
		},
		"once": func(v string) { s.cfg.Keeper = &scheduler.Fixed{T: duration(s.t, v), Once: true} },
		"slot": func(v string) { s.cfg.Slot = duration(s.t, v) },
		"pick": func(v string) { s.pick = map[string]state.Pick{"oldest": state.Oldest, "random": state.Random}[v] },
	})
	return ""
}

// signal fr value=52 | none | zero | nan [quality=static]
func (s *story) signal(d *datadriven.TestData) string {
	zone := wattle.ZoneID("Z-" + d.CmdArgs[0].Key)
	z := s.grid[zone]
	z.Current.From, z.Current.To, z.Current.FetchedAt = s.now, s.now.Add(time.Hour), s.now
	args(s.t, d, 1, map[string]func(string){
		"value":   func(v string) { z.Current.Intensity = wattle.GramsPerKWh(float(s.t, v)) },
		"zero":    func(string) { z.Current.Intensity = 0 },
		"nan":     func(string) { z.Current.Intensity = wattle.GramsPerKWh(math.NaN()) },
		"none":    func(string) { z.Current = wattle.Signal{Zone: zone} },
		"quality": func(v string) { _ = z.Current.Quality.UnmarshalText([]byte(v)) },
		"age":     func(v string) { z.Current.FetchedAt = s.now.Add(-duration(s.t, v)) },
	})
	s.grid[zone] = z
	if s.store != nil {
		s.publish()
	}
	return ""
}

// begin builds store and core at the first command that needs them.
func (s *story) begin() {
	if s.store != nil {
		return
	}
	fleet, err := state.NewFleet(s.clusters)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.store, err = state.NewStore(fleet, s.fns); err != nil {
		s.t.Fatal(err)
	}
	for _, st := range stage.Default(stage.DefaultConfig()) {
		s.cfg.Stages = append(s.cfg.Stages, st)
	}
	s.cfg.Policy = stated{s}
	if s.core, err = scheduler.New(s.cfg); err != nil {
		s.t.Fatal(err)
	}
	s.publish()
}

func (s *story) publish() {
	var zones, marginal []state.ZoneSignal
	for _, c := range s.store.View().Fleet.Clusters {
		zones, marginal = append(zones, s.grid[c.Zone]), append(marginal, s.marginal[c.Zone])
	}
	s.store.SetSignals(state.NewSignals(zones, s.now).WithMarginal(marginal))
}

func (s *story) fn(id string) *wattle.Function {
	f, ok := s.store.Function(wattle.FunctionID(id))
	if !ok {
		s.t.Fatalf("no function %q", id)
	}
	return f
}

// arrive f [n=1] [every=1s]: tells of arrivals that are not placed.
func (s *story) arrive(d *datadriven.TestData) string {
	n, every := 1, time.Duration(0)
	args(s.t, d, 1, map[string]func(string){
		"n":     func(v string) { n = number(s.t, v) },
		"every": func(v string) { every = duration(s.t, v) },
	})
	for range n {
		s.now = s.now.Add(every)
		s.core.Step(s.now, s.store.View(), wattle.Event{Kind: wattle.Arrived, Function: s.fn(d.CmdArgs[0].Key)})
	}
	return ""
}

// place f [n=1] [assume=1m]: decides and reserves; instances are numbered from 0.
func (s *story) place(d *datadriven.TestData) string {
	s.begin()
	var b strings.Builder
	n, deadline := 1, time.Time{}
	args(s.t, d, 1, map[string]func(string){
		"n":      func(v string) { n = number(s.t, v) },
		"assume": func(v string) { deadline = s.now.Add(duration(s.t, v)) },
	})
	for range n {
		r := wattle.Request{Sequence: s.sequence, Function: s.fn(d.CmdArgs[0].Key)}
		s.sequence++
		dec := s.core.Place(s.now, s.store.View(), &r)
		if !dec.Placed {
			fmt.Fprintf(&b, "no place: %s", strings.Join(dec.Reasons.Names(), ", "))
			if dec.Wait >= 0 {
				fmt.Fprintf(&b, "; wait for %s", s.target(dec.Wait))
			}
			b.WriteByte('\n')
			continue
		}
		fmt.Fprintf(&b, "%s %s G=%s", s.target(dec.Target), dec.Sandbox, dec.G)
		if dec.Start.After(s.now) {
			fmt.Fprintf(&b, " at %s\n", dec.Start.Format("15:04"))
			continue
		}
		id, err := s.store.Assume(&dec, s.pick, s.now, deadline)
		if err != nil {
			s.t.Fatal(err)
		}
		s.core.Step(s.now, s.store.View(), wattle.Event{Kind: wattle.Started, Function: dec.Function, Target: dec.Target, Instance: id, Sandbox: dec.Sandbox})
		fmt.Fprintf(&b, " #%d%s\n", s.remember(id), s.relieve(dec.Target))
	}
	return b.String()
}

func (s *story) target(i int32) wattle.TargetID {
	return s.store.View().Fleet.Targets[i].Attributes.Target
}

func (s *story) remember(id wattle.InstanceID) int {
	for i, known := range s.ids {
		if known == id {
			return i
		}
	}
	s.ids = append(s.ids, id)
	return len(s.ids) - 1
}

// relieve evicts the longest idle while a pool is over its capacity.
func (s *story) relieve(target int32) (out string) {
	for s.store.View().Load.Over(s.store.View().Fleet, target) {
		id := s.store.LongestIdle(target)
		out += fmt.Sprintf(", evicts #%d", s.remember(id))
		if !s.store.Evict(id) {
			s.t.Fatal("nothing idle to evict")
		}
	}
	return out
}

func (s *story) finish(d *datadriven.TestData) string {
	id := s.ids[number(s.t, d.CmdArgs[0].Key)]
	in := s.store.Instance(id)
	if in == nil {
		return "gone"
	}
	f, target := in.Function, in.Target
	if !s.store.Finish(id, s.now.UnixNano()) {
		return "still busy"
	}
	actions := s.core.Step(s.now, s.store.View(), wattle.Event{Kind: wattle.Finished, Function: f, Target: target, Instance: id})
	if len(actions) != 1 {
		s.t.Fatalf("the end of a use was answered with %d actions", len(actions))
	}
	a := &actions[0]
	if a.Kind == wattle.Evict {
		s.store.Evict(id)
		return "evicted"
	}
	s.store.Keep(id, a.At.UnixNano())
	return "idle until " + a.At.UTC().Format("15:04:05")
}

func (s *story) explain(d *datadriven.TestData) string {
	s.begin()
	r := wattle.Request{Sequence: s.sequence, Function: s.fn(d.CmdArgs[0].Key)}
	dec := s.core.Place(s.now, s.store.View(), &r)
	e := s.core.Explain(s.now, s.store.View(), &r)
	if e.Decision != dec {
		s.t.Errorf("explained %+v, placed %+v", e.Decision, dec)
	}
	var b strings.Builder
	for i := range e.Rows {
		x := &e.Rows[i]
		mark := " "
		if x.Chosen {
			mark = "*"
		}
		fmt.Fprintf(&b, "%s %-10s %-5s +%s mean=%s p95=%s %s %s quality=%s G=%s", mark, x.Attributes.Target, e.Columns.Sandbox[i], e.Columns.Delay[i],
			e.Columns.Mean[i].Round(time.Millisecond), e.Columns.P95[i].Round(time.Millisecond), e.Columns.Carbon[i], e.Columns.Cost[i], e.Columns.Quality[i], x.G)
		if x.Refused != 0 {
			fmt.Fprintf(&b, " refused: %s", strings.Join(x.Refused.Names(), ", "))
		}
		b.WriteByte('\n')
	}
	return b.String()
}
