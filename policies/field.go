package policies

import (
	"slices"
	"strings"
)

// kind is the type of an input field.
type kind uint8

const (
	kindInt kind = iota + 1
	kindText
	kindBool
	kindTexts  // array of strings
	kindLabels // object of strings
)

// fieldID numbers the input fields; it is the index into fields().
type fieldID uint8

// The order is that of fields(): request, params, slow candidate attributes,
// measured columns. The marks between the groups are not fields.
const (
	requestID fieldID = iota
	requestTenant
	requestClass
	requestTrustGroup
	requestResidency
	requestHome
	requestCPU
	requestMemory
	requestSlices
	requestAccelerator
	requestMinIsolation
	requestDeterministic
	requestExec
	requestConcurrency
	requestMaxInstances
	requestIn
	requestOut

	paramsSLO
	paramsBudget
	paramsCap
	paramsRegion
	paramsDeadline

	slowTarget
	slowCluster
	slowZone
	slowRegion
	slowCountry
	slowJurisdiction
	slowProvider
	slowPool
	slowHardware
	slowLabels
	slowVendor
	slowProduct
	slowFamily
	slowMemory
	slowCompute
	slowProfile
	slowSlices
	slowOfSlices
	slowSharing

	columnSandbox
	columnDelay
	columnNetwork
	columnStart
	columnExec
	columnMean
	columnP95
	columnStartEnergy
	columnExecEnergy
	columnIdleEnergy
	columnNetEnergy
	columnEnergy
	columnCarbon
	columnEmbodied
	columnCost
	columnIsolation
	columnQuality
	columnRank
	columnAge
	columnPenalty
	fieldCount
)

// field is one leaf of the input document.
type field struct {
	path string // below input
	kind kind
	unit string
	doc  string
}

// slow reports whether the field is constant for as long as the fleet is.
func (f fieldID) slow() bool { return f >= slowTarget && f < columnSandbox }

// fields is the whole input document, in fieldID order.
func fields() []field {
	return slices.Concat(requestFields(), paramsFields(), slowFields(), columnFields())
}

func requestFields() []field {
	return []field{
		{"request.id", kindText, "", "The function's id. A policy that reads it is evaluated once per function."},
		{"request.tenant", kindText, "", "The owner of the function."},
		{"request.class", kindText, "", "The function's class, for example \"interactive\" or \"batch\"."},
		{"request.trust_group", kindText, "", "Functions of one trust group may share a device."},
		{"request.residency", kindTexts, "", "Jurisdictions that may process its data; empty means any."},
		{"request.home", kindText, "", "The cluster that relative latency limits refer to."},
		{"request.cpu_milli", kindInt, "mvCPU", "CPU that one instance reserves, in thousandths of a vCPU."},
		{"request.memory_bytes", kindInt, "B", "Memory that one instance reserves."},
		{"request.slices", kindInt, "1", "Accelerator parts that one instance holds."},
		{"request.accelerator", kindText, "", "Accelerator family or product asked for; absent means none."},
		{"request.min_isolation", kindInt, "level", "Least isolation accepted: 0 any, 1 time-slice, 2 MPS, 3 MIG, 4 whole GPU, 5 whole node."},
		{"request.deterministic", kindBool, "", "The function must not be split or re-batched by a device."},
		{"request.exec_us", kindInt, "µs", "Mean warm execution time on the reference hardware."},
		{"request.concurrency", kindInt, "1", "Requests that one instance serves at a time."},
		{"request.max_instances", kindInt, "1", "Most instances alive at a time; absent means no bound."},
		{"request.in_bytes", kindInt, "B", "Bytes moved from the caller's region per invocation."},
		{"request.out_bytes", kindInt, "B", "Bytes moved to the caller's region per invocation."},
	}
}

func paramsFields() []field {
	return []field{
		{"params.slo_us", kindInt, "µs", "End-to-end latency wanted; absent means none."},
		{"params.budget_nusd", kindInt, "nUSD", "Most money per invocation; absent means none."},
		{"params.cap_ug", kindInt, "µg", "Most emissions per invocation, CO2e; absent means none."},
		{"params.region", kindText, "", "Where the caller and its data are; absent means home."},
		{"params.deadline_us", kindInt, "µs", "May start at most this much later; absent means now."},
	}
}

func slowFields() []field {
	return []field{
		{"candidate.target", kindText, "", "The placement target, \"cluster/pool\" or \"cluster/pool/profile\"."},
		{"candidate.cluster", kindText, "", "The cluster."},
		{"candidate.zone", kindText, "", "The grid zone, as Electricity Maps spells it."},
		{"candidate.region", kindText, "", "The region."},
		{"candidate.country", kindText, "", "The country."},
		{"candidate.jurisdiction", kindText, "", "The jurisdiction, for example \"EU\"; absent where it is unknown."},
		{"candidate.provider", kindText, "", "The provider, for example \"aws\" or \"on-prem\"."},
		{"candidate.pool", kindText, "", "The node pool."},
		{"candidate.hardware", kindText, "", "The CPU generation."},
		{"candidate.labels", kindLabels, "", "Free labels of the target, strings by name."},
		{"candidate.accelerator.vendor", kindText, "", "The accelerator's vendor. The whole object is absent where there is none."},
		{"candidate.accelerator.product", kindText, "", "Product name, for example \"A100-SXM4-80GB\"."},
		{"candidate.accelerator.family", kindText, "", "Family, for example \"ampere\"."},
		{"candidate.accelerator.memory_bytes", kindInt, "B", "Memory of this part."},
		{"candidate.accelerator.compute", kindInt, "1/10", "CUDA compute capability times ten; absent where it is unknown."},
		{"candidate.accelerator.profile", kindText, "", "MIG profile, for example \"1g.10gb\"."},
		{"candidate.accelerator.slices", kindInt, "1", "Compute slices of this part."},
		{"candidate.accelerator.of_slices", kindInt, "1", "Compute slices of the whole device."},
		{"candidate.accelerator.sharing", kindText, "", "exclusive, passthrough, vgpu, mig, mps or time-slice."},
	}
}

func columnFields() []field {
	return []field{
		{"candidate.sandbox", kindText, "", "warm, snapshot or cold."},
		{"candidate.delay_us", kindInt, "µs", "Start slot relative to now; 0 means now."},
		{"candidate.network_us", kindInt, "µs", "Mean network time."},
		{"candidate.start_us", kindInt, "µs", "Mean start-up time of the sandbox."},
		{"candidate.exec_us", kindInt, "µs", "Mean execution time on this device."},
		{"candidate.mean_us", kindInt, "µs", "Mean end-to-end latency."},
		{"candidate.p95_us", kindInt, "µs", "95th percentile of the end-to-end latency."},
		{"candidate.start_energy_uj", kindInt, "µJ", "Dynamic energy of the start-up, at the machine (no PUE)."},
		{"candidate.exec_energy_uj", kindInt, "µJ", "Dynamic energy of the execution."},
		{"candidate.idle_energy_uj", kindInt, "µJ", "Share of the idle power while resources are reserved."},
		{"candidate.net_energy_uj", kindInt, "µJ", "Energy of the network."},
		{"candidate.energy_uj", kindInt, "µJ", "Sum of the four energies."},
		{"candidate.carbon_ug", kindInt, "µg", "Operational emissions, CO2e: energy × PUE × intensity over the run."},
		{"candidate.embodied_ug", kindInt, "µg", "Embodied emissions, CO2e."},
		{"candidate.cost_nusd", kindInt, "nUSD", "What the platform bills."},
		{"candidate.isolation", kindInt, "level", "0 unknown, 1 time-slice, 2 MPS, 3 MIG, 4 whole GPU, 5 whole node."},
		{"candidate.signal_quality", kindText, "", "measured, estimated, forecast, last-good, historic, static or prior."},
		{"candidate.signal_rank", kindInt, "rank", "The quality as a number: 0 measured to 6 prior; lower is better."},
		{"candidate.signal_age_us", kindInt, "µs", "Age of the carbon signal."},
		{"candidate.penalty_ug", kindInt, "µg", "Penalty in G for a stale or missing signal."},
	}
}

// read is one field that an entry point can read; label narrows it to one key
// of a kindLabels field, and is empty for the whole field.
type read struct {
	id    fieldID
	label string
}

// lookup finds the fields that a path below input touches: the leaf itself, all
// leaves below an object, or none where the path is unknown. A path that goes
// on below a leaf touches the leaf.
func lookup(all []field, path []string) []read {
	joined := strings.Join(path, ".")
	var out []read
	for i, f := range all {
		id := fieldID(i)
		switch {
		case f.kind == kindLabels && len(path) > 2 && strings.HasPrefix(joined, f.path+"."):
			out = append(out, read{id, path[2]})
		case joined == "" || f.path == joined || strings.HasPrefix(f.path, joined+".") || strings.HasPrefix(joined, f.path+"."):
			out = append(out, read{id: id})
		}
	}
	return out
}
