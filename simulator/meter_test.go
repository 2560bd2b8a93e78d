package simulator

import (
	"math"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/stage"
	"github.com/wattle-project/wattle/scheduler/state"
)

// What the ledger charges for holding a part of a device is what decisions
// reckon with: one rule, for every way of cutting a device.
func TestLedgerAndDecisionsShareDevicesAlike(t *testing.T) {
	device, _ := power.Accelerator("A100-80GB")
	pool := func() state.Pool {
		return state.Pool{Name: "p", Nodes: 2, Speed: 1, Machine: power.Machine{
			VCPU: 8, Memory: 32 * wattle.GiB, IdlePerVCPU: 1, MaxPerVCPU: 4, DRAMPerGiB: 0.4, Accelerators: 2, Accelerator: device,
			Embodied: power.DefaultCoefficients().ServerEmbodied(power.Central, 2, 32*wattle.GiB, 2),
		}}
	}
	cut := map[string]state.Pool{"whole": pool()}
	for _, m := range power.MIGProfiles("A100-80GB") {
		p := pool()
		p.Profile = &m
		cut[m.Name] = p
	}
	shared := pool()
	shared.Sharing, shared.Shares = wattle.SharingTimeSlice, 3
	cut["time-slice"] = shared
	for name, p := range cut {
		fleet, err := state.NewFleet([]state.Cluster{{ID: "a", Zone: "a", Region: "a", PUE: 1, Pools: []state.Pool{p}}})
		if err != nil {
			t.Fatal(err)
		}
		needs := wattle.Resources{CPU: 500, Memory: wattle.GiB, Slices: 1}
		m, capacity := newMeter(&fleet.Pools[0], 1), &fleet.Pools[0]
		second := hold{cpu: 500e6, memory: 1024e6, slices: 1e6}
		machine := &capacity.Machine
		if got, want := m.share(&second).Joules(), machine.Reserved(needs).For(time.Second); math.Abs(float64(got-want)) > 3e-6 {
			t.Errorf("%s: the ledger charges %s a second, decisions reckon with %s", name, got, want)
		}
		if got, want := float64(m.making(&second)), float64(machine.Embodied.Share(*machine, needs, time.Second)); math.Abs(got-want) > 1e-9*want {
			t.Errorf("%s: the ledger charges %g g embodied a second, decisions reckon with %g", name, got, want)
		}
		full := hold{slices: uint64(capacity.Capacity.Slices) * 1e6}
		if idle := m.share(&full).Joules(); idle > machine.IdleDevices().Times(float64(p.Nodes)).For(time.Second)+1e-6 {
			t.Errorf("%s: all parts together are charged %s, more than the devices draw", name, idle)
		}
	}
}

// The carbon of moving data is that of both ends, in the ledger as in decisions.
func TestLedgerAndDecisionsMoveDataAlike(t *testing.T) {
	core := scheduler.DefaultConfig()
	for _, s := range stage.Default(stage.Config{Network: 0.001}) {
		core.Stages = append(core.Stages, s)
	}
	cluster := func(id wattle.ClusterID, lon float64) state.Cluster {
		return state.Cluster{ID: id, Zone: wattle.ZoneID(id), Region: wattle.RegionID(id), PUE: 1.2, Longitude: lon, Pools: []state.Pool{{
			Name: "p", Nodes: 1, Speed: 1, Machine: power.Machine{VCPU: 8, Memory: wattle.GiB, MaxPerVCPU: 1e-9},
		}}}
	}
	fleet, err := state.NewFleet([]state.Cluster{cluster("clean", 0), cluster("dirty", 90)})
	if err != nil {
		t.Fatal(err)
	}
	cfg := &Config{
		Fleet: fleet, Start: time.Unix(0, 0), Horizon: time.Hour, Slot: time.Hour, Network: 0.001, Core: core,
		Functions: []wattle.Function{{ID: "f", Home: "dirty", Concurrency: 1, Needs: wattle.Resources{CPU: 1000, Memory: wattle.MiB}, In: 3e6, Out: 4e6}},
		Trace:     &poisson{rates: []float64{0.1}, length: time.Hour, seed: 1},
		Grid:      [][]wattle.GramsPerKWh{{20}, {800}}, Explain: []uint64{0},
	}
	r := mustRun(t, cfg)
	e := r.Explained[0]
	if at := fleet.Targets[e.Decision.Target].Attributes.Cluster; at != "clean" {
		t.Fatalf("placed on %s", at)
	}
	got, want := r.Carbon.Network/wattle.GramsCO2e(r.Invocations), e.Decision.Estimate.Carbon
	if math.Abs(float64(got-want)) > 1e-6*float64(want) || math.Abs(float64(want)-0.001*0.007*410) > 1e-9 {
		t.Errorf("the ledger charges %g g a call, the decision reckoned with %g, both ends make %g", float64(got), float64(want), 0.001*0.007*410)
	}
	if here, there := r.Series[0][0].Carbon.Network, r.Series[1][0].Carbon.Network; math.Abs(float64(there/here)-40) > 1e-6 {
		t.Errorf("the ends are charged %g and %g g, want them by their grids", float64(here), float64(there))
	}
}
