package stage_test

import (
	"math"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/stage"
	"github.com/wattle-project/wattle/scheduler/state"
)

const (
	ms   = time.Millisecond
	kWh  = 3.6e6
	warm = 0
	cold = 1
)

// batch applies all stages to a warm and a cold candidate of f on each target
// of the clusters; candidate 2t is warm, 2t+1 cold.
func batch(t *testing.T, f *wattle.Function, c stage.Config, clusters []state.Cluster, zones []state.ZoneSignal, keep time.Duration) (*wattle.Columns, []wattle.Reasons, *state.Fleet) {
	t.Helper()
	fleet, err := state.NewFleet(clusters)
	if err != nil {
		t.Fatal(err)
	}
	store, err := state.NewStore(fleet, []wattle.Function{*f})
	if err != nil {
		t.Fatal(err)
	}
	store.SetSignals(state.NewSignals(zones, noon()))
	cols := new(wattle.Columns)
	cols.Reset(2 * len(fleet.Targets))
	for i := range cols.Target {
		cols.Target[i], cols.Sandbox[i] = int32(i/2), wattle.Warm
		if i%2 == cold {
			cols.Sandbox[i] = wattle.Cold
		}
	}
	origin := -1
	if i := fleet.ClusterIndex(f.Home); i >= 0 && f.Params.Region == "" {
		origin = fleet.RegionIndex(fleet.Clusters[i].Region)
	}
	b := &state.Batch{
		Now: noon(), State: store.View(), Function: store.Functions()[0], Params: &f.Params, Intent: &wattle.Intent{}, Keep: keep,
		Origin: origin, Columns: cols, Refused: make([]wattle.Reasons, cols.Len()),
	}
	for _, s := range stage.Default(c) {
		if s.Name() == "" {
			t.Error("a stage has no name")
		}
		s.Apply(b)
	}
	return cols, b.Refused, fleet
}

func noon() time.Time { return time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC) }

func cluster(id wattle.ClusterID, lon float64) state.Cluster {
	return state.Cluster{
		ID: id, Zone: wattle.ZoneID("Z-" + id), Region: wattle.RegionID(id), PUE: 1.5, Longitude: lon, Jurisdiction: "EU",
		Price: state.Price{PerRequest: 2e-7, PerGBSecond: 1e-5, PerCPUSecond: 2e-5, PerSlice: 1e-3, EgressPerGB: 0.09, Round: 100 * ms},
		Pools: []state.Pool{{Name: "p", Nodes: 1, Hardware: "skylake", Speed: 2, Machine: power.Machine{
			VCPU: 8, Memory: 32 * wattle.GiB, IdlePerVCPU: 1, MaxPerVCPU: 5, DRAMPerGiB: 0.5,
			Embodied: power.Embodied{Rest: 1e6, Lifetime: 35040 * time.Hour},
		}}},
	}
}

func signal(v wattle.GramsPerKWh) state.ZoneSignal {
	return state.ZoneSignal{Current: wattle.Signal{Zone: "z", Intensity: v, From: noon(), To: noon().Add(time.Hour), FetchedAt: noon().Add(-time.Minute)}}
}

func function() *wattle.Function {
	return &wattle.Function{
		ID: "f", Home: "aa", Concurrency: 1, Needs: wattle.Resources{CPU: 500, Memory: 2 * wattle.GiB},
		Profile: wattle.Profile{Exec: 400 * ms, Provision: 30 * ms, Image: 50 * ms, Runtime: 20 * ms, Init: 200 * ms, Utilisation: 0.5},
	}
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-12+1e-9*math.Abs(want) {
		t.Errorf("%s is %g, want %g", what, got, want)
	}
}

func TestAColumnByHand(t *testing.T) {
	c, refused, _ := batch(t, function(), stage.DefaultConfig(), []state.Cluster{cluster("aa", 0)}, []state.ZoneSignal{signal(360)}, 10*time.Second)
	// Twice the speed halves execution and initialisation, and so does half a vCPU double the latter.
	if c.Exec[cold] != 200*ms || c.Start[cold] != (30+50+20+200)*ms || c.Start[warm] != 0 {
		t.Errorf("exec %s, start %s warm %s", c.Exec[cold], c.Start[cold], c.Start[warm])
	}
	if c.Network[cold] != 2*ms || c.Mean[cold] != 502*ms || c.Mean[warm] != 202*ms {
		t.Errorf("network %s, mean %s and %s", c.Network[cold], c.Mean[cold], c.Mean[warm])
	}
	if want := 2*ms + 200*ms + 450*ms; c.P95[cold] != want || c.P95[warm] != 202*ms {
		t.Errorf("p95 %s and %s, want %s", c.P95[cold], c.P95[warm], want)
	}
	near(t, "exec energy", float64(c.ExecEnergy[cold]), 0.5*0.5*4*0.2)
	near(t, "start energy", float64(c.StartEnergy[cold]), 0.6*0.5*4*0.3)
	reserved := 0.5*1 + 2*0.5
	near(t, "idle energy", float64(c.IdleEnergy[cold]), reserved*0.5)
	near(t, "keep energy", float64(c.KeepEnergy[cold]), reserved*10)
	near(t, "energy", float64(c.Energy[cold]), 0.2+0.36+reserved*10.5)
	near(t, "carbon", float64(c.Carbon[cold]), (0.2+0.36+reserved*10.5)*1.5/kWh*360)
	near(t, "embodied", float64(c.Embodied[cold]), 1e6*(0.5/8)*0.5/(35040*3600))
	near(t, "cost", float64(c.Cost[cold]), 2e-7+(2*1e-5+0.5*2e-5)*0.2)
	if c.Age[cold] != time.Minute || c.Quality[cold] != wattle.Measured || c.Penalty[cold] != 0 || refused[cold] != 0 {
		t.Errorf("age %s, quality %s, penalty %g, refused %v", c.Age[cold], c.Quality[cold], float64(c.Penalty[cold]), refused[cold])
	}
}

func TestStartUpIsBilledWhereThePlatformDoes(t *testing.T) {
	a := cluster("aa", 0)
	a.Price.BillInit = true
	c, _, _ := batch(t, function(), stage.DefaultConfig(), []state.Cluster{a}, []state.ZoneSignal{signal(360)}, 0)
	near(t, "cold cost", float64(c.Cost[cold]), 2e-7+3e-5*0.5)
	near(t, "warm cost", float64(c.Cost[warm]), 2e-7+3e-5*0.2)
	a.Price.Round, a.Price.Minimum = time.Second, 3*time.Second
	c, _, _ = batch(t, function(), stage.DefaultConfig(), []state.Cluster{a}, []state.ZoneSignal{signal(360)}, 0)
	near(t, "least cost", float64(c.Cost[warm]), 2e-7+3e-5*3)
}

func TestDataCostsTimeMoneyAndGrams(t *testing.T) {
	f, cfg := function(), stage.DefaultConfig()
	f.In, f.Out, cfg.Network = 1_000_000, 5_000_000, 0.001
	c, _, fleet := batch(t, f, cfg, []state.Cluster{cluster("aa", 0), cluster("bb", 30)}, []state.ZoneSignal{signal(100), signal(500)}, 0)
	rtt := fleet.RTT[0][1]
	if want := 2*ms + 181*ms; c.Network[warm] != want { // 6 MB at 33 MB/s, whole ms
		t.Errorf("within the region %s, want %s", c.Network[warm], want)
	}
	if want := 3 * rtt; c.Network[2+warm] != want { // 6 MB in windows of 3 MB
		t.Errorf("to the other region %s, want %s", c.Network[2+warm], want)
	}
	near(t, "network energy", float64(c.NetEnergy[warm]), 0.001*0.006*kWh)
	machine := (c.ExecEnergy[2] + c.IdleEnergy[2]).Times(1.5).At(500)
	near(t, "carbon of both ends", float64(c.Carbon[2]), float64(machine)+0.001*0.006*(100+500)/2)
	near(t, "egress", float64(c.Cost[2]-c.Cost[0]), 0.09*0.005)
}

func TestMeasurementsReplaceTheModel(t *testing.T) {
	f := function()
	f.Profile.Measured = map[string]wattle.Measurement{"skylake": {Cold: time.Second, Exec: 70 * ms, ColdEnergy: 9, ExecEnergy: 4}}
	c, _, _ := batch(t, f, stage.DefaultConfig(), []state.Cluster{cluster("aa", 0)}, []state.ZoneSignal{signal(100)}, 0)
	if c.Start[cold] != time.Second || c.Exec[cold] != 70*ms || c.StartEnergy[cold] != 9 || c.ExecEnergy[cold] != 4 || c.StartEnergy[warm] != 0 {
		t.Errorf("start %s %s, exec %s %s", c.Start[cold], c.StartEnergy[cold], c.Exec[cold], c.ExecEnergy[cold])
	}
}

func TestPenaltyGrowsWithEachStepOfQuality(t *testing.T) {
	for q, steps := range map[wattle.Quality]float64{wattle.Measured: 0, wattle.Estimated: 0, wattle.Forecast: 0, wattle.LastGood: 1, wattle.Historic: 2, wattle.Static: 3, wattle.Prior: 4} {
		s := signal(475)
		s.Current.Quality = q
		c, _, _ := batch(t, function(), stage.DefaultConfig(), []state.Cluster{cluster("aa", 0)}, []state.ZoneSignal{s}, 0)
		near(t, "penalty of "+q.String(), float64(c.Penalty[warm]), float64(c.Carbon[warm])*0.05*steps)
	}
}

func TestFiltersSayWhy(t *testing.T) {
	device := cluster("aa", 0)
	device.Pools[0].Machine.Accelerator, _ = power.Accelerator("A100-80GB")
	device.Pools[0].Machine.Accelerators = 1
	device.Pools[0].Sharing, device.Pools[0].Shares = wattle.SharingTimeSlice, 4
	for _, c := range []struct {
		name   string
		bend   func(*wattle.Function)
		cpu    wattle.Reasons
		device wattle.Reasons
	}{
		{"no device asked for", func(*wattle.Function) {}, 0, wattle.ReasonAccelerator},
		{"any device", func(f *wattle.Function) { f.Accelerator = "any" }, wattle.ReasonAccelerator, 0},
		{"the vendor", func(f *wattle.Function) { f.Accelerator = "nvidia" }, wattle.ReasonAccelerator, 0},
		{"the family", func(f *wattle.Function) { f.Accelerator = "ampere" }, wattle.ReasonAccelerator, 0},
		{"the product", func(f *wattle.Function) { f.Accelerator = "A100-80GB" }, wattle.ReasonAccelerator, 0},
		{"another", func(f *wattle.Function) { f.Accelerator = "hopper" }, wattle.ReasonAccelerator, wattle.ReasonAccelerator},
		{"isolated", func(f *wattle.Function) { f.Accelerator, f.MinIsolation = "any", wattle.IsolationMIG }, wattle.ReasonAccelerator, wattle.ReasonIsolation},
		{"elsewhere", func(f *wattle.Function) { f.Residency = []string{"US"} }, wattle.ReasonResidency, wattle.ReasonResidency | wattle.ReasonAccelerator},
		{"here", func(f *wattle.Function) { f.Residency = []string{"US", "EU"} }, 0, wattle.ReasonAccelerator},
	} {
		f := function()
		if c.bend(f); f.Accelerator != "" {
			f.Needs.Slices = 1
		}
		_, refused, _ := batch(t, f, stage.DefaultConfig(), []state.Cluster{device}, []state.ZoneSignal{signal(100)}, 0)
		if refused[0] != c.cpu || refused[2] != c.device {
			t.Errorf("%s: cpu %v, device %v", c.name, refused[0].Names(), refused[2].Names())
		}
	}
}

// A caller of whom nobody knows where it is is never near: each candidate is as
// far as the farthest region, and what leaves it is paid for.
func TestUnknownOriginIsTheFarthest(t *testing.T) {
	for _, bend := range []func(*wattle.Function){
		func(f *wattle.Function) { f.Home = "nowhere" },
		func(f *wattle.Function) { f.Params.Region = "atlantis" },
	} {
		f := function()
		f.Out = 1e9
		bend(f)
		c, _, fleet := batch(t, f, stage.DefaultConfig(), []state.Cluster{cluster("aa", 0), cluster("bb", 40), cluster("cc", 90)}, []state.ZoneSignal{signal(100), signal(100), signal(100)}, 0)
		near := function()
		near.Out = f.Out
		for target := range 3 {
			worst := time.Duration(0)
			for from := range 3 {
				worst = max(worst, stage.Network(fleet, from, target, f.Out))
			}
			if got := c.Network[2*target]; got != worst {
				t.Errorf("%s is %s away, want %s", fleet.Clusters[target].ID, got, worst)
			}
			if c.Cost[2*target] < 0.09 {
				t.Errorf("a GB from %s to nobody knows where costs %s", fleet.Clusters[target].ID, c.Cost[2*target])
			}
		}
	}
}
