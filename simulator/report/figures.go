package report

// figure is one number of a PolicyResult: the key is its name for machines and
// ends in the base unit, name is for people.
type figure struct {
	key, name string
	dim       dimension
	value     func(*PolicyResult) float64
	// less marks figures of which less is better.
	less bool
}

// figures lists every scalar of a policy in the order of the CSV columns.
func figures() []figure {
	var out []figure
	for _, g := range [][]figure{service(), outcome(), energy(), carbonParts(), deciding()} {
		for _, f := range g {
			if !has(out, f.key) {
				out = append(out, f)
			}
		}
	}
	return out
}

func has(fs []figure, key string) bool {
	for _, f := range fs {
		if f.key == key {
			return true
		}
	}
	return false
}

func whole(key, name string, v func(*PolicyResult) int64) figure {
	return figure{key: key, name: name, dim: count, value: func(p *PolicyResult) float64 { return float64(v(p)) }}
}

func service() []figure {
	return []figure{
		whole("invocations", "invocations", func(p *PolicyResult) int64 { return p.Invocations }),
		whole("completed", "completed", func(p *PolicyResult) int64 { return p.Completed }),
		{key: "cold_share", name: "cold", dim: share, less: true, value: func(p *PolicyResult) float64 { return p.ColdShare }},
		{key: "latency_mean_s", name: "mean", dim: seconds, less: true, value: func(p *PolicyResult) float64 { return p.Latency.MeanS }},
		{key: "latency_p50_s", name: "p50", dim: seconds, less: true, value: func(p *PolicyResult) float64 { return p.Latency.P50S }},
		{key: "latency_p95_s", name: "p95", dim: seconds, less: true, value: func(p *PolicyResult) float64 { return p.Latency.P95S }},
		{key: "latency_p99_s", name: "p99", dim: seconds, less: true, value: func(p *PolicyResult) float64 { return p.Latency.P99S }},
		whole("slo_misses", "SLO misses", func(p *PolicyResult) int64 { return p.SLOMisses }),
		{key: "delay_mean_s", name: "delay", dim: delays, value: func(p *PolicyResult) float64 { return p.DelayMeanS }},
		whole("deadline_misses", "late", func(p *PolicyResult) int64 { return p.DeadlineMisses }),
		whole("queued", "queued", func(p *PolicyResult) int64 { return p.Queued }),
		whole("rejected", "rejected", func(p *PolicyResult) int64 { return p.Rejected }),
	}
}

func outcome() []figure {
	return []figure{
		{key: "carbon_operational_g", name: "operational", dim: grams, less: true, value: func(p *PolicyResult) float64 { return p.Carbon.OperationalG }},
		{key: "carbon_embodied_g", name: "embodied", dim: grams, less: true, value: func(p *PolicyResult) float64 { return p.Carbon.EmbodiedG }},
		{key: "sci_g_per_invocation", name: "SCI/invoc.", dim: grams, less: true, value: func(p *PolicyResult) float64 { return p.SCIGPerInvocation }},
		{key: "cost_usd", name: "cost", dim: dollars, less: true, value: func(p *PolicyResult) float64 { return p.CostUSD }},
	}
}

func energy() []figure {
	j := func(key, name string, v func(*Energy) float64) figure {
		return figure{key: key, name: name, dim: joules, less: true, value: func(p *PolicyResult) float64 { return v(&p.Energy) }}
	}
	return []figure{
		j("energy_execution_j", "execution", func(e *Energy) float64 { return e.ExecutionJ }),
		j("energy_startup_j", "start-up", func(e *Energy) float64 { return e.StartupJ }),
		j("energy_keepalive_j", "keep-alive", func(e *Energy) float64 { return e.KeepAliveJ }),
		j("energy_idle_j", "idle share", func(e *Energy) float64 { return e.IdleJ }),
		j("energy_network_j", "network", func(e *Energy) float64 { return e.NetworkJ }),
		j("energy_attributed_j", "attributed", func(e *Energy) float64 { return e.AttributedJ() }),
		j("energy_unallocated_j", "unalloc.", func(e *Energy) float64 { return e.UnallocatedJ }),
		j("energy_metered_j", "metered", func(e *Energy) float64 { return e.MeteredJ }),
	}
}

func carbonParts() []figure {
	g := func(key, name string, v func(*Carbon) float64) figure {
		return figure{key: key, name: name, dim: grams, less: true, value: func(p *PolicyResult) float64 { return v(&p.Carbon) }}
	}
	return []figure{
		g("carbon_execution_g", "execution", func(c *Carbon) float64 { return c.ExecutionG }),
		g("carbon_startup_g", "start-up", func(c *Carbon) float64 { return c.StartupG }),
		g("carbon_keepalive_g", "keep-alive", func(c *Carbon) float64 { return c.KeepAliveG }),
		g("carbon_idle_g", "idle share", func(c *Carbon) float64 { return c.IdleG }),
		g("carbon_network_g", "network", func(c *Carbon) float64 { return c.NetworkG }),
		g("carbon_operational_g", "operational", func(c *Carbon) float64 { return c.OperationalG }),
		g("carbon_embodied_g", "embodied", func(c *Carbon) float64 { return c.EmbodiedG }),
		g("carbon_unallocated_g", "unalloc.", func(c *Carbon) float64 { return c.UnallocatedG }),
	}
}

func deciding() []figure {
	return []figure{
		whole("decisions", "decisions", func(p *PolicyResult) int64 { return p.Speed.Decisions }),
		whole("rego_evaluations", "Rego evals", func(p *PolicyResult) int64 { return p.Speed.RegoEvaluations }),
		{key: "decisions_per_s", name: "decisions/s", dim: perSec, value: func(p *PolicyResult) float64 { return p.Speed.DecisionsPerSec }},
		{key: "invocations_per_s", name: "invoc./s", dim: perSec, value: func(p *PolicyResult) float64 { return p.Speed.InvocationsPerS }},
		{key: "policy_cache_share", name: "cached", dim: share, value: func(p *PolicyResult) float64 { return p.Speed.PolicyCacheShare }},
		whole("moves", "moves", func(p *PolicyResult) int64 { return p.Moves }),
		{key: "wall_s", name: "wall", dim: seconds, value: func(p *PolicyResult) float64 { return p.Speed.WallS }},
		{key: "peak_memory_mib", name: "memory", dim: mebibyte, value: func(p *PolicyResult) float64 { return p.Speed.PeakMemoryMiB }},
	}
}
