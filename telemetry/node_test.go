package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/fake"
)

// named is a fake meter that answers as another source.
type named struct {
	*fake.Meter
	name string
}

func (n named) Name() string { return n.name }

// broken is a meter that never works.
type broken struct{ err error }

func (broken) Name() string            { return "hwmon" }
func (broken) Zones() []telemetry.Zone { return nil }
func (b broken) Read(context.Context, []telemetry.Reading) ([]telemetry.Reading, error) {
	return nil, b.err
}

// bench is a node on scripted meters with a clock that only moves when told.
type bench struct {
	t     *testing.T
	now   time.Time
	node  *telemetry.Node
	got   []wattle.Sample
	views []wattle.Sample
}

func newBench(t *testing.T) *bench {
	return &bench{t: t, now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
}

func (b *bench) meter(name, script string) telemetry.Meter {
	b.t.Helper()
	m, err := fake.NewFromText(script, func() time.Time { return b.now })
	if err != nil {
		b.t.Fatal(err)
	}
	return named{m, name}
}

func (b *bench) start(chain telemetry.Chain) *bench {
	b.t.Helper()
	cfg := telemetry.DefaultNodeConfig("n1")
	cfg.Views = func(s []wattle.Sample) { b.views = append(b.views, s...) }
	node, err := telemetry.NewNode(chain, cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.node = node
	return b
}

// run collects once a second for d, with a first round at once.
func (b *bench) run(d time.Duration) error {
	var last error
	for end := b.now.Add(d); !b.now.After(end); b.now = b.now.Add(time.Second) {
		last = b.node.Collect(b.t.Context(), func(s []wattle.Sample) { b.got = append(b.got, s...) })
	}
	return last
}

// table prints the zones as source/key total, with * for the cover.
func (b *bench) table() string {
	var s strings.Builder
	for _, z := range b.node.Zones() {
		mark, gone := "*", ""
		if z.Zone.Overlap {
			mark = "-"
		}
		if !z.Present {
			gone = " gone"
		}
		fmt.Fprintf(&s, "%s %s/%s %.0fJ%s\n", mark, z.Meter, z.Zone.Key, float64(z.Total.Joules()), gone)
	}
	return s.String()
}

func (b *bench) want(table string) {
	b.t.Helper()
	if got := b.table(); got != table {
		b.t.Fatalf("got\n%swant\n%s", got, table)
	}
}

const server = `
zone package-0 range=262143J bound=400W
at 0s 100W
zone package-0/core
at 0s 60W
zone package-0/dram range=65713J bound=80W
at 0s 10W
`

func TestNodeCountsTheCoverOnce(t *testing.T) {
	b := newBench(t)
	b.start(telemetry.Chain{Meters: []telemetry.Meter{
		b.meter("rapl", server), b.meter("ipmi", "zone platform power bound=2000W\nat 0s 200W"),
	}})
	if err := b.run(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	b.want("* rapl/package-0 1000J\n- rapl/package-0/core 600J\n* rapl/package-0/dram 100J\n- ipmi/platform 2000J\n")
	sum, sources := wattle.Microjoules(0), map[string]bool{}
	for _, s := range b.got {
		sum += s.Energy
		sources[s.Source+"/"+string(s.Device)] = true
		if s.Node != "n1" || !s.To.After(s.From) {
			t.Fatalf("bad sample %+v", s)
		}
	}
	if sum != 1100e6 || len(sources) != 2 {
		t.Fatalf("samples sum to %v from %v, want 1100 J from two zones", sum, sources)
	}
	if len(b.views) == 0 {
		t.Fatal("overlapping zones were not handed to Views")
	}
}

// Power is integrated by trapezoids and says so; a register counts.
func TestPowerIsIntegratedAndLabelled(t *testing.T) {
	b := newBench(t)
	b.start(telemetry.Chain{Meters: []telemetry.Meter{
		b.meter("nvml", "zone GPU-1 component=gpu socket=-1 power bound=600W\nat 0s 100W\nramp 10s 300W\nzone GPU-2 component=gpu socket=-1\nat 0s 50W"),
	}})
	if err := b.run(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	b.want("* nvml/GPU-1 2000J\n* nvml/GPU-2 500J\n")
	for i, z := range b.node.Zones() {
		if integrated := z.Zone.Key == "GPU-1"; z.Integrated != integrated || strings.Contains(b.node.Probes()[i+1].Reason, "integrated") != integrated {
			t.Errorf("%s: integrated %v, probe %+v", z.Zone.Key, z.Integrated, b.node.Probes()[i+1])
		}
	}
}

func TestNodeIsolatesFailures(t *testing.T) {
	b := newBench(t)
	b.start(telemetry.Chain{Meters: []telemetry.Meter{
		broken{&telemetry.Unavailable{Reason: "no sensor", Mend: "load the driver"}},
		b.meter("rapl", server+"zone package-1 range=262143J bound=400W\nat 0s 50W\nerror 3s 4s"),
	}})
	if err := b.run(10 * time.Second); err != nil {
		t.Fatalf("one failing meter must not fail the round: %v", err)
	}
	b.want("* rapl/package-0 1000J\n- rapl/package-0/core 600J\n* rapl/package-0/dram 100J\n* rapl/package-1 500J\n")
	for _, z := range b.node.Zones() {
		if want := uint64(0); z.Zone.Key == "package-1" && z.Stats.Missed != 4 || z.Zone.Key != "package-1" && z.Stats.Missed != want {
			t.Errorf("%s missed %d", z.Zone.Key, z.Stats.Missed)
		}
	}
	p := b.node.Probes()[0]
	if p != (telemetry.Probe{Name: "hwmon", Reason: "no sensor", Mend: "load the driver"}) {
		t.Fatalf("probe %+v", p)
	}
}

func TestNodeUnplugKeepsTotals(t *testing.T) {
	b := newBench(t)
	b.start(telemetry.Chain{Meters: []telemetry.Meter{
		b.meter("rapl", server+"zone package-1 range=262143J bound=400W\nat 0s 50W\nunplug 3s 4s"),
	}})
	if err := b.run(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	b.want("* rapl/package-0 500J\n- rapl/package-0/core 300J\n* rapl/package-0/dram 50J\n* rapl/package-1 100J gone\n")
	if err := b.run(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	b.want("* rapl/package-0 1100J\n- rapl/package-0/core 660J\n* rapl/package-0/dram 110J\n* rapl/package-1 550J\n")
}

// TestNodeTakesOverWhatComesBack: a zone that was unplugged may come back with
// another range and bound.
func TestNodeTakesOverWhatComesBack(t *testing.T) {
	b := newBench(t)
	z := &pluggable{now: func() time.Time { return b.now }}
	b.start(telemetry.Chain{Meters: []telemetry.Meter{z}})
	step := func(zones []telemetry.Zone, energy uint64) {
		z.zones, z.energy = zones, energy
		_ = b.run(0)
	}
	zone := func(span uint64, bound wattle.Watts) []telemetry.Zone {
		return []telemetry.Zone{{Key: "package-0", Component: wattle.Package, Range: span, Bound: bound}}
	}
	step(zone(10e9, 400), 9500e6)
	step(zone(10e9, 400), 9900e6)
	step(nil, 0)
	step(zone(11e9, 1000), 100e6) // 1.2 kJ in 2 s, past the top of the larger range
	if got := b.node.Zones()[0]; got.Total != 400e6+1200e6+1 || got.Stats.Wraps != 1 {
		t.Errorf("%d µJ, %+v", got.Total, got.Stats)
	}
	step(nil, 0)
	step(zone(11e9, 0), 2500e6) // 2.4 kJ in 2 s, plausible without a bound
	if got := b.node.Zones()[0]; got.Total != 4000e6+1 || got.Stats.Resets != 0 {
		t.Errorf("%d µJ, %+v", got.Total, got.Stats)
	}
}

// pluggable is a meter whose zones change.
type pluggable struct {
	zones  []telemetry.Zone
	energy uint64
	now    func() time.Time
}

func (*pluggable) Name() string              { return "rapl" }
func (p *pluggable) Zones() []telemetry.Zone { return p.zones }
func (p *pluggable) Read(_ context.Context, dst []telemetry.Reading) ([]telemetry.Reading, error) {
	for i := range p.zones {
		dst = append(dst, telemetry.Reading{Zone: i, At: p.now(), Energy: p.energy, HasEnergy: true})
	}
	return dst, nil
}

// stray also answers for zones that it does not list.
type stray struct{ *pluggable }

func (p stray) Read(ctx context.Context, dst []telemetry.Reading) ([]telemetry.Reading, error) {
	dst, err := p.pluggable.Read(ctx, dst)
	for _, zone := range []int{-1, len(p.zones), 1 << 40} {
		dst = append(dst, telemetry.Reading{Zone: zone, At: p.now(), Energy: 1e9, HasEnergy: true})
	}
	return dst, err
}

// TestReadingsOfNoZone are left out; a meter that gives no other is not there.
func TestReadingsOfNoZone(t *testing.T) {
	b := newBench(t)
	z := &pluggable{now: func() time.Time { return b.now }}
	b.start(telemetry.Chain{Meters: []telemetry.Meter{stray{z}}})
	if err := b.run(0); err == nil || !strings.Contains(err.Error(), "rapl: shows no sensor of power or energy") {
		t.Errorf("err = %v", err)
	}
	z.zones = []telemetry.Zone{{Key: "package-0", Component: wattle.Package}}
	for range 3 {
		z.energy += 50e6
		if err := b.run(0); err != nil {
			t.Error(err)
		}
	}
	b.want("* rapl/package-0 100J\n")
}

// TestFallbackBesideAnUnreadableMeter: a zone that is listed and cannot be read
// does not meter the processors.
func TestFallbackBesideAnUnreadableMeter(t *testing.T) {
	b := newBench(t)
	b.start(telemetry.Chain{
		Meters:   []telemetry.Meter{b.meter("rapl", "zone package-0 range=262143J bound=400W\nat 0s 100W\nerror 0s 1h")},
		Fallback: []telemetry.Meter{b.meter("model", "zone package component=package socket=-1\nat 0s 70W")},
	})
	if err := b.run(3 * time.Second); err != nil {
		t.Fatal(err)
	}
	b.want("- rapl/package-0 0J\n* model/package 210J\n")
}

func TestNodeFallback(t *testing.T) {
	b := newBench(t)
	b.start(telemetry.Chain{
		Meters:   []telemetry.Meter{b.meter("rapl", server)},
		Fallback: []telemetry.Meter{b.meter("model", "zone package-0\nat 0s 70W")},
	})
	if err := b.run(3 * time.Second); err != nil {
		t.Fatal(err)
	}
	for _, m := range b.node.Meters() {
		if m.Used != (m.Name == "rapl") {
			t.Errorf("%+v", m)
		}
	}
	alone := newBench(t)
	alone.start(telemetry.Chain{
		Meters:   []telemetry.Meter{broken{errors.New("none")}},
		Fallback: []telemetry.Meter{alone.meter("model", "zone package-0\nat 0s 70W")},
	})
	if err := alone.run(3 * time.Second); err != nil {
		t.Fatal(err)
	}
	alone.want("* model/package-0 210J\n")
}

// A virtual machine with a GPU has no RAPL: its processors are modelled, and the
// model goes when a real meter of them appears.
func TestFallbackBesideAGPU(t *testing.T) {
	b := newBench(t)
	b.start(telemetry.Chain{
		Meters: []telemetry.Meter{
			b.meter("nvml", "zone GPU-1 component=gpu socket=-1\nat 0s 300W"),
			b.meter("rapl", "zone package-0 socket=0\nat 0s 50W\nunplug 0s 5s"),
		},
		Fallback: []telemetry.Meter{b.meter("model", "zone package component=package socket=-1\nat 0s 70W\nzone dram component=dram socket=-1\nat 0s 10W")},
	})
	if err := b.run(4 * time.Second); err != nil {
		t.Fatal(err)
	}
	b.want("* nvml/GPU-1 1200J\n* model/package 280J\n* model/dram 40J\n")
	if err := b.run(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	b.want("* nvml/GPU-1 3000J\n- model/package 700J\n* model/dram 100J\n* rapl/package-0 250J\n")
	var parts wattle.Microjoules
	for _, s := range b.got {
		if s.Component == wattle.Package {
			parts += s.Energy
		}
	}
	// The model's interval in which the meter appeared is left out, not counted
	// beside it.
	if want := wattle.Joules(4*70 + 5*50).Micro(); parts != want {
		t.Errorf("processors add up to %v, want %v: 4 s of the model, then 5 s of the meter", parts, want)
	}
}

func TestNodeWithoutAnyMeterSaysWhy(t *testing.T) {
	b := newBench(t)
	b.start(telemetry.Chain{Meters: []telemetry.Meter{broken{errors.New("no such device")}}})
	if err := b.run(0); err == nil || !strings.Contains(err.Error(), "hwmon: no such device") {
		t.Fatalf("got %v", err)
	}
}

func TestNodeReset(t *testing.T) {
	b := newBench(t)
	b.start(telemetry.Chain{Meters: []telemetry.Meter{b.meter("fake", "zone package-0 range=262143J bound=400W start=200000J\nat 0s 100W\nreset at 5s\nstuck 20s 15s")}})
	if err := b.run(18 * time.Second); err != nil {
		t.Fatal(err)
	}
	b.want("* fake/package-0 1700J\n") // 18 s at 100 W, less the second of the reset
	if err := b.run(25 * time.Second); err != nil {
		t.Fatal(err)
	}
	z := b.node.Zones()[0]
	if z.Stats.Resets < 1 || z.Stats.Stuck != 1 {
		t.Fatalf("stats %+v", z.Stats)
	}
	unknown := 0
	for _, s := range b.got {
		if s.Unknown {
			unknown++
			if s.Energy != 0 {
				t.Fatalf("unknown sample with energy: %+v", s)
			}
		}
	}
	if unknown < 2 {
		t.Fatalf("%d unknown intervals, want the reset and the stuck one", unknown)
	}
}

func TestNodeConfigValidate(t *testing.T) {
	for name, edit := range map[string]func(*telemetry.NodeConfig){
		"no name":  func(c *telemetry.NodeConfig) { c.Node = "" },
		"too fast": func(c *telemetry.NodeConfig) { c.Interval = time.Millisecond },
		"too slow": func(c *telemetry.NodeConfig) { c.Interval = time.Hour },
		"no log":   func(c *telemetry.NodeConfig) { c.Log = nil },
	} {
		cfg := telemetry.DefaultNodeConfig("n1")
		edit(&cfg)
		if _, err := telemetry.NewNode(telemetry.Chain{Meters: []telemetry.Meter{broken{}}}, cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := telemetry.NewNode(telemetry.Chain{}, telemetry.DefaultNodeConfig("n1")); err == nil {
		t.Error("an empty chain is accepted")
	}
}

// polled is a meter with a background loop.
type polled struct {
	broken
	ran chan struct{}
}

func (p polled) Run(ctx context.Context) error {
	close(p.ran)
	<-ctx.Done()
	return ctx.Err()
}

func TestNodeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := fake.NewFromText("zone package-0\nat 0s 100W", time.Now)
		if err != nil {
			t.Fatal(err)
		}
		p := polled{broken{errors.New("slow BMC")}, make(chan struct{})}
		var log bytes.Buffer
		cfg := telemetry.DefaultNodeConfig("n1")
		cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
		n, err := telemetry.NewNode(telemetry.Chain{Meters: []telemetry.Meter{m, p}}, cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second+time.Millisecond)
		defer cancel()
		var sum wattle.Microjoules
		err = n.Run(ctx, func(s []wattle.Sample) {
			for _, x := range s {
				sum += x.Energy
			}
		})
		if !errors.Is(err, context.DeadlineExceeded) || sum != 6000e6 {
			t.Fatalf("ran to %v with %v, want 6 kJ in 60 s", err, sum)
		}
		<-p.ran
		if strings.Count(log.String(), "slow BMC") != 1 {
			t.Errorf("a meter that stays down is logged once, not at every round:\n%s", log.String())
		}
	})
}

func TestCollectDoesNotAllocateWhenSteady(t *testing.T) {
	b := newBench(t)
	b.start(telemetry.Chain{Meters: []telemetry.Meter{b.meter("rapl", server)}})
	sink := func([]wattle.Sample) {}
	n := testing.AllocsPerRun(200, func() {
		b.now = b.now.Add(time.Second)
		if err := b.node.Collect(context.Background(), sink); err != nil {
			t.Fatal(err)
		}
	})
	if n > 1 {
		t.Errorf("%v allocations per round", n)
	}
}
