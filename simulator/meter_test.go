package simulator

import (
	"math"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/power"
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
