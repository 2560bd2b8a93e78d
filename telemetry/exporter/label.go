package exporter

// Integrated is the source of energy that was integrated from power.
const Integrated = "integrated"

// Label describes a label that families use.
type Label struct {
	Name string
	// Values are all values there are, where that is known.
	Values []string
	Help   string
}

// Labels lists every label of the catalogue by name. "scope" and "zone" mean
// another thing for emissions or energy than for intensities; Help says so.
func Labels() []Label {
	return []Label{
		{"collector", nil, "a meter (rapl, hwmon, nvml, …) or another reader (cgroup, kubelet, invocations)"},
		{"component", []string{"platform", "package", "core", "uncore", "dram", "gpu", "other"}, "part of the machine"},
		{"currency", nil, "ISO 4217"},
		{"feed", []string{"carbon", "price"}, "kind of feed"},
		{"function", nil, "function; absent for pods that serve none, \"(other)\" for functions past the limit"},
		{"goversion", nil, "version of Go that built the agent"},
		{"kind", []string{"average", "marginal"}, "what an intensity means; never mix the two"},
		{"namespace", nil, "namespace of the function"},
		{"node", nil, "name of the machine"},
		{"outcome", nil, "ok, or how a fetch failed"},
		{"parent", nil, "zone whose energy includes this one"},
		{"provider", nil, "where a signal came from"},
		{"quality", []string{"measured", "estimated", "forecast", "last-good", "historic", "static", "prior"}, "how far a signal can be trusted, best first; of emissions: of the signals they were reckoned with"},
		{"reason", []string{"unallocated", "system"}, "unallocated: idle that nobody reserves; system: work outside containers or without known owner"},
		{"scope", []string{"lifecycle", "direct", "operational", "embodied"}, "of intensities: lifecycle or direct; of emissions: operational or embodied"},
		{"share", []string{"active", "idle", "control_plane"}, "why the energy is the function's: its work, what it reserves, or its part of the platform's work"},
		{"socket", nil, "physical package; absent where that has no meaning"},
		{"source", nil, "meter, or of energy \"integrated\" where the meter shows power alone: rapl, hwmon, redfish, ipmi, nvml, dcgm, dcgm-exporter, model or fake"},
		{"start", []string{"warm", "cold"}, "how invocations began; absent where the two cannot be told apart"},
		{"version", nil, "version of the agent"},
		{"zone", nil, "of energy: zone of a meter; of signals and emissions: grid zone as Electricity Maps spells it"},
	}
}
