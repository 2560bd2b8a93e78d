package known

import (
	"context"
	"fmt"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/simulator"
	"github.com/wattle-project/wattle/simulator/analytic"
	"github.com/wattle-project/wattle/simulator/trace"
	"github.com/wattle-project/wattle/simulator/workload/random"
)

// partitions are A100s cut into MIG instances: as many calls are served at once as
// NVIDIA's table of placements allows, each draws its part of the compute slices,
// and random calls are lost as Erlang says.
func partitions(ctx context.Context, _ string, yield func(Case) bool) bool {
	var scenes []scene
	most := map[string]float64{"1g.10gb": 7, "1g.20gb": 4, "2g.20gb": 3, "3g.40gb": 2, "4g.40gb": 1, "7g.80gb": 1}
	slices := map[string]float64{"1g.10gb": 1, "1g.20gb": 1, "2g.20gb": 2, "3g.40gb": 3, "4g.40gb": 4, "7g.80gb": 7}
	for _, p := range power.MIGProfiles("A100-80GB") {
		s := partitioned("ten calls at once on an A100 in "+p.Name, p)
		s.arrivals, s.horizon = moments(make([]float64, 10)...), 1000*time.Second
		device := float64(s.machine.Accelerator.Max-s.machine.Accelerator.Idle) * 100
		s.answers = []answer{
			{"served", "", most[p.Name], 0, func(r *simulator.Result) float64 { return float64(r.Invocations) }},
			{"above rest", "J", device * most[p.Name] * slices[p.Name] / 7, 1e-4, func(r *simulator.Result) float64 { return float64(r.Energy.Exec.Joules()) }},
		}
		if p.Name == "1g.10gb" || p.Name == "2g.20gb" {
			scenes = append(scenes, lossy(p, int(most[p.Name])))
		}
		scenes = append(scenes, s)
	}
	return play(ctx, "partition", scenes, yield)
}

// partitioned has one A100 in instances of a profile and calls of 100 s on it that
// leave the vCPUs alone.
func partitioned(name string, p power.MIGProfile) scene {
	gpu, _ := power.Accelerator("A100-80GB")
	f := function(0, 100*time.Second, 0)
	f.Accelerator, f.Needs = gpu.Family, wattle.Resources{CPU: 1, Memory: wattle.MiB, Slices: 1}
	f.Profile.Utilisation, f.Profile.AcceleratorUtilisation = 0, 1
	return scene{
		name: name, mig: &p, functions: []wattle.Function{f}, keeper: &scheduler.Fixed{},
		machine: power.Machine{VCPU: 64, Memory: 256 * wattle.GiB, IdlePerVCPU: 1, MaxPerVCPU: 3, Accelerators: 1, Accelerator: gpu},
	}
}

// lossy sends a Poisson stream of calls that would keep all instances busy, without
// a queue.
func lossy(p power.MIGProfile, servers int) scene {
	const n = 60_000
	load := float64(servers)
	s := partitioned(fmt.Sprintf("Erlang B, an A100 in %s at %g", p.Name, load), p)
	r, at := random.New(1, p.Name), 0.0
	for range n {
		at += r.Exponential() * 100 / load
		s.arrivals = append(s.arrivals, trace.Arrival{At: int64(at * 1e9), Scale: 1})
	}
	s.horizon = time.Duration(at+1000) * time.Second
	s.answers = []answer{{"loss", "", analytic.ErlangB(servers, load), 0.007, func(r *simulator.Result) float64 { return float64(r.Rejected) / n }}}
	return s
}
