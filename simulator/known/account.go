package known

import (
	"context"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/state"
	"github.com/wattle-project/wattle/simulator"
	"github.com/wattle-project/wattle/simulator/trace"
)

// accounts are runs whose energy, carbon and money follow by hand.
func accounts(ctx context.Context, _ string, yield func(Case) bool) bool {
	return play(ctx, "account", slices.Concat(footprints(), intensities(), payments(), joules(), sharing()), yield)
}

// footprints is the worked number of the SCI specification: 1000 kg in use for 4
// years, reserved for an hour as a whole, by halves at once and by one half.
func footprints() (out []scene) {
	const hour = 1e6 / 35_040
	for _, c := range []struct {
		name  string
		share int
		n     int
		want  float64
	}{{"as a whole", 1, 1, hour}, {"by halves", 2, 2, hour}, {"by one half", 2, 1, hour / 2}} {
		f := function(0, time.Hour, 0)
		f.Needs = wattle.Resources{CPU: wattle.MilliCPU(32_000 / c.share), Memory: 16 * wattle.GiB / wattle.Bytes(c.share)}
		out = append(out, scene{
			name: "1000 kg in 4 years, an hour " + c.name, functions: []wattle.Function{f}, arrivals: moments(make([]float64, c.n)...), horizon: 2 * time.Hour,
			machine: power.Machine{VCPU: 32, Memory: 16 * wattle.GiB, IdlePerVCPU: 1, MaxPerVCPU: 2, Embodied: power.DefaultCoefficients().ServerEmbodied(power.Central, 1, 16*wattle.GiB, 0)},
			answers: []answer{
				{"embodied", "g", c.want, 1e-9, embodied},
				// 1 W at rest and 1 W of work for each of 32 vCPUs and hour, at 100 g/kWh.
				{"SCI", "g", c.want/float64(c.n) + 6.4/float64(c.share), 1e-9, func(r *simulator.Result) float64 { return float64(r.SCI) }},
			},
		})
	}
	return out
}

// intensities is a job of 100 W above 10 W at rest, from 0:20 to 3:50 and then warm
// for half an hour, at a PUE of 1.5, over slots of several lengths.
func intensities() (out []scene) {
	const begin, end, kept = 20 * time.Minute, 230 * time.Minute, 260 * time.Minute
	hourly := []wattle.GramsPerKWh{100, 400, 50, 250, 600, 10}
	scenes := []struct {
		name string
		slot time.Duration
		grid []wattle.GramsPerKWh
	}{{"hours", time.Hour, hourly}, {"5 min", 5 * time.Minute, nil}, {"7 min", 7 * time.Minute, nil}, {"1 h 17 min 3 s", 77*time.Minute + 3*time.Second, nil}}
	for _, c := range scenes {
		for i := 0; len(c.grid)*int(c.slot/time.Second) < 6*3600; i++ {
			c.grid = append(c.grid, wattle.GramsPerKWh(20+(i*37)%400))
		}
		// g of a kW: the integral of the intensity over hours.
		sum := func(from, to time.Duration) (g float64) {
			for i, v := range c.grid {
				a, b := max(from, time.Duration(i)*c.slot), min(to, time.Duration(i+1)*c.slot)
				g += max(b-a, 0).Hours() * float64(v)
			}
			return g
		}
		f := function(0, end-begin, 0)
		f.Needs = wattle.Resources{CPU: 1000, Memory: wattle.GiB}
		carbon := func(get func(*simulator.Carbon) wattle.GramsCO2e) func(*simulator.Result) float64 {
			return func(r *simulator.Result) float64 { return float64(get(&r.Carbon)) }
		}
		s := scene{
			name: "a job over slots of " + c.name, machine: power.Machine{VCPU: 1, Memory: wattle.GiB, IdlePerVCPU: 10, MaxPerVCPU: 110}, pue: 1.5,
			functions: []wattle.Function{f}, arrivals: moments(begin.Seconds()), grid: c.grid, slot: c.slot, horizon: 6 * time.Hour,
			keeper: &scheduler.Fixed{T: kept - end},
			answers: []answer{
				{"execution", "g", 0.15 * sum(begin, end), 1e-6, carbon(func(x *simulator.Carbon) wattle.GramsCO2e { return x.Exec })},
				{"idle share", "g", 0.015 * sum(begin, end), 1e-6, carbon(func(x *simulator.Carbon) wattle.GramsCO2e { return x.IdleShare })},
				{"keep-alive", "g", 0.015 * sum(end, kept), 1e-6, carbon(func(x *simulator.Carbon) wattle.GramsCO2e { return x.KeepAlive })},
				{"unallocated", "g", 0.015 * (sum(0, begin) + sum(kept, 6*time.Hour)), 1e-6, carbon(func(x *simulator.Carbon) wattle.GramsCO2e { return x.Unallocated })},
			},
		}
		if c.slot == time.Hour {
			// ⅔·100 + 400 + 50 + ⅚·250 = 725 g per kW.
			s.answers = append(s.answers, answer{"execution, written out", "g", 108.75, 1e-6, s.answers[0].get})
		}
		out = append(out, s)
	}
	return out
}

// payments are bills. Seven of ten calls of 61 s and 2 s of start-up are warm.
func payments() (out []scene) {
	gpu, _ := power.Accelerator("A100-80GB")
	machine := power.Machine{VCPU: 8, Memory: 32 * wattle.GiB, IdlePerVCPU: 1, MaxPerVCPU: 3, Accelerators: 2, Accelerator: gpu}
	for _, c := range []struct {
		name  string
		price state.Price
		want  float64
	}{
		{"0.001 USD per device and second", state.Price{PerSlice: 0.001}, 10 * 61 * 0.001},
		{"with start-up", state.Price{PerSlice: 0.001, BillInit: true}, (10*61 + 3*2) * 0.001},
		{"by the minute", state.Price{PerSlice: 0.001, Round: time.Minute}, 10 * 120 * 0.001},
		{"by the minute, with start-up", state.Price{PerSlice: 0.001, Round: time.Minute, BillInit: true}, 10 * 120 * 0.001},
		{"at least 100 s", state.Price{PerSlice: 0.001, Minimum: 100 * time.Second}, 10 * 100 * 0.001},
		{"per request", state.Price{PerRequest: 2e-7}, 10 * 2e-7},
		{"per GiB and second", state.Price{PerGBSecond: 1.66667e-5}, 10 * 61 * 4 * 1.66667e-5},
		{"per vCPU and second", state.Price{PerCPUSecond: 1e-5}, 10 * 61 * 0.5 * 1e-5},
		{"all of it", state.Price{PerSlice: 0.001, PerRequest: 2e-7, PerGBSecond: 1.66667e-5, PerCPUSecond: 1e-5, BillInit: true}, (10*61+3*2)*(0.001+4*1.66667e-5+0.5*1e-5) + 10*2e-7},
	} {
		f := function(0, 61*time.Second, 2*time.Second)
		f.Accelerator, f.Needs = gpu.Family, wattle.Resources{CPU: 500, Memory: 4 * wattle.GiB, Slices: 1}
		out = append(out, scene{
			name: "ten calls of 61 s, " + c.name, machine: machine, price: c.price, functions: []wattle.Function{f},
			arrivals: moments(0, 100, 200, 300, 1000, 1100, 1200, 2000, 2100, 2200), horizon: time.Hour, keeper: &scheduler.Fixed{T: time.Minute},
			answers: []answer{{"cost", "USD", c.want, 1e-9, dollars}},
		})
	}
	return out
}

// joules is an A100 of which one seventh works for 100 s at half of its activity,
// twice, beside half a vCPU.
func joules() (out []scene) {
	whole, _ := power.Accelerator("A100-80GB")
	f := function(0, 100*time.Second, 0)
	f.Accelerator, f.Needs = whole.Family, wattle.Resources{CPU: 500, Memory: wattle.GiB, Slices: 1}
	f.Profile.AcceleratorUtilisation = 0.5
	const cpu = 0.5 * (3 - 1) * 100 // J of one call above rest
	device := float64(whole.Max-whole.Idle) * 0.5 * 100
	s := scene{
		name: "two calls of 100 s on an A100", functions: []wattle.Function{f}, horizon: 1000 * time.Second, keeper: &scheduler.Fixed{T: 50 * time.Second},
		machine:  power.Machine{VCPU: 4, Memory: 8 * wattle.GiB, IdlePerVCPU: 1, MaxPerVCPU: 3, DRAMPerGiB: 0.5, Accelerators: 1, Accelerator: whole},
		arrivals: []trace.Arrival{{At: 0, Scale: 1}, {At: 120e9, Scale: 1}},
	}
	rest := float64(whole.Idle) + 0.5 + 0.5
	read := func(get func(*simulator.Energy) wattle.Microjoules) func(*simulator.Result) float64 {
		return func(r *simulator.Result) float64 { return float64(get(&r.Energy).Joules()) }
	}
	s.answers = []answer{
		{"execution", "J", 2 * (cpu + device), 1e-5, read(func(e *simulator.Energy) wattle.Microjoules { return e.Exec })},
		{"idle share", "J", 200 * rest, 1e-5, read(func(e *simulator.Energy) wattle.Microjoules { return e.IdleShare })},
		{"keep-alive", "J", 70 * rest, 1e-5, read(func(e *simulator.Energy) wattle.Microjoules { return e.KeepAlive })},
		{"metered", "J", 2*(cpu+device) + 1000*(float64(whole.Idle)+4+4), 1e-5, read(func(e *simulator.Energy) wattle.Microjoules { return e.Metered })},
	}
	return append(out, s)
}

// sharing is one vCPU of 10 W at rest and 110 W at work, whose instance serves four
// calls of 100 s at a time: at once they take what it can draw, and the instance is
// billed as long as it has any.
func sharing() (out []scene) {
	f := function(0, 100*time.Second, 0)
	f.Concurrency, f.Needs = 4, wattle.Resources{CPU: 1000, Memory: wattle.GiB}
	for _, c := range []struct {
		name       string
		at         []float64
		work, cost float64
	}{
		{"four at once", []float64{0, 0, 0, 0}, 10_000, 120},
		{"two that overlap", []float64{0, 50}, 5000, 180},
		{"two in turn", []float64{0, 200}, 5000, 240},
	} {
		out = append(out, scene{
			name: "four places on a vCPU, " + c.name, functions: []wattle.Function{f}, arrivals: moments(c.at...), horizon: 1000 * time.Second,
			machine: power.Machine{VCPU: 1, Memory: wattle.GiB, IdlePerVCPU: 10, MaxPerVCPU: 110}, price: state.Price{PerCPUSecond: 1, Round: time.Minute},
			keeper: &scheduler.Fixed{T: 150 * time.Second},
			answers: []answer{
				{"above rest", "J", c.work, 1e-5, func(r *simulator.Result) float64 { return float64(r.Energy.Exec.Joules()) }},
				{"cost", "USD", c.cost, 1e-9, dollars},
			},
		})
	}
	return out
}
