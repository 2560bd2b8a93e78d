package exporter

// Type is the type of a family.
type Type uint8

// Types of families.
const (
	CounterType Type = iota
	GaugeType
	HistogramType
)

// String returns the name that Prometheus uses.
func (t Type) String() string { return nameOf(t, "counter", "gauge", "histogram") }

// Stability says what an upgrade may do to a family.
type Stability uint8

// Stabilities.
const (
	Stable       Stability = iota // kept within a major version
	Experimental                  // may change, with a note in the change log
)

// String returns the word used in the documentation.
func (s Stability) String() string { return nameOf(s, "stable", "experimental") }

// Family describes one metric.
type Family struct {
	Name string
	Help string
	Type Type
	// Unit is the base unit that the name ends with (before "_total"); empty for
	// a number of things.
	Unit string
	// Labels in the order of the documentation; an empty value is no label.
	Labels    []string
	Stability Stability

	// scale divides the integer that a counter is kept in: 1e6 for µJ.
	scale float64
	// sparse leaves out series that were never above 0.
	sparse bool
}

// id is a position in the catalogue.
type id int

const (
	nodeEnergy id = iota
	zoneEnergy
	functionEnergy
	unattributedEnergy
	waitingEnergy
	functionInvocations
	invocationEnergy
	gridIntensity
	gridIntensityAge
	price
	priceAge
	nodeEmissions
	functionEmissions
	functionEmbodied
	fallbackStep
	feedFetches
	counterResets
	counterWraps
	counterGaps
	counterStuck
	samplesMissed
	roundsMissed
	collectorUp
	collectorFailures
	collectCPU
	snapshotTime
	functionsFolded
	functionsSummed
	buildInfo
	nodeInfo
	families
)

const (
	micro = 1e6
	nano  = 1e9
)

// Catalogue lists every family of the agent, in the order of the documentation.
// The metrics of the process (process_*) and of the Go runtime (go_*) come from
// client_golang and are not in it.
func Catalogue() []Family {
	out := make([]Family, families)
	energyFamilies(out)
	carbonFamilies(out)
	selfFamilies(out)
	return out
}

func energyFamilies(out []Family) {
	out[nodeEnergy] = Family{Name: "wattle_node_energy_joules_total", Unit: "joules", scale: micro,
		Labels: []string{"component", "source", "socket"},
		Help:   "Energy of the machine over a disjoint cover of its meters: every joule once, safe to sum."}
	out[zoneEnergy] = Family{Name: "wattle_zone_energy_joules_total", Unit: "joules", scale: micro,
		Labels: []string{"zone", "parent", "source"},
		Help:   "Energy of views that overlap the cover, such as cores inside a package or the whole platform: never to be summed."}
	out[functionEnergy] = Family{Name: "wattle_function_energy_joules_total", Unit: "joules", scale: micro, sparse: true,
		Labels: []string{"namespace", "function", "component", "share", "start"},
		Help:   "Energy of the cover booked to functions; of those past the number that is told apart, one sum."}
	out[unattributedEnergy] = Family{Name: "wattle_unattributed_energy_joules_total", Unit: "joules", scale: micro,
		Labels: []string{"component", "reason"},
		Help:   "Energy of the cover that no function has."}
	out[waitingEnergy] = Family{Name: "wattle_waiting_energy_joules", Type: GaugeType, Unit: "joules",
		Labels: []string{"component"},
		Help:   "Energy of the cover that waits for the name of its owner, for a reading of use, or, if it is of the platform, for an invocation."}
	out[functionInvocations] = Family{Name: "wattle_function_invocations_total", scale: 1, sparse: true,
		Labels: []string{"namespace", "function", "start"},
		Help:   "Invocations that ended, as the platform counts them."}
	out[invocationEnergy] = Family{Name: "wattle_invocation_energy_joules", Type: HistogramType, Unit: "joules", Stability: Experimental,
		Labels: []string{"namespace", "start"},
		Help:   "Energy of one invocation with its shares of idle and control plane, as estimated; native and, for text scrapers, in decades."}
}

func carbonFamilies(out []Family) {
	out[gridIntensity] = Family{Name: "wattle_grid_carbon_intensity_grams_per_kilowatt_hour", Type: GaugeType, Unit: "grams_per_kilowatt_hour",
		Labels: []string{"zone", "provider", "kind", "scope", "quality"},
		Help:   "Carbon intensity of the grid that is reckoned with now, in grams of CO2 equivalent."}
	out[gridIntensityAge] = Family{Name: "wattle_grid_carbon_intensity_age_seconds", Type: GaugeType, Unit: "seconds",
		Labels: []string{"zone", "provider", "kind", "scope"},
		Help:   "Time since the intensity was fetched; absent for figures that were never fetched."}
	out[price] = Family{Name: "wattle_electricity_price_per_kilowatt_hour", Type: GaugeType, Unit: "per_kilowatt_hour",
		Labels: []string{"zone", "provider", "currency", "quality"},
		Help:   "Price of electricity now, in units of its currency; may be negative."}
	out[priceAge] = Family{Name: "wattle_electricity_price_age_seconds", Type: GaugeType, Unit: "seconds",
		Labels: []string{"zone", "provider", "currency"},
		Help:   "Time since the price was fetched; absent for figures that were never fetched."}
	out[nodeEmissions] = Family{Name: "wattle_emissions_grams_total", Unit: "grams", scale: micro,
		Labels: []string{"zone", "kind", "quality", "scope"},
		Help:   "Emissions of the machine in grams of CO2 equivalent, energy times intensity integrated over time; embodied emissions are apart."}
	out[functionEmissions] = Family{Name: "wattle_function_emissions_grams_total", Unit: "grams", scale: micro, sparse: true,
		Labels: []string{"namespace", "function"},
		Help:   "Operational emissions of functions in grams of CO2 equivalent; part of wattle_emissions_grams_total, not to be added to it."}
	out[functionEmbodied] = Family{Name: "wattle_function_embodied_emissions_grams_total", Unit: "grams", scale: micro, sparse: true,
		Labels: []string{"namespace", "function"},
		Help:   "Embodied emissions of what functions reserve in grams of CO2 equivalent; part of wattle_emissions_grams_total, not to be added to it."}
	out[fallbackStep] = Family{Name: "wattle_feed_fallback_step", Type: GaugeType,
		Labels: []string{"feed", "zone", "kind", "scope"},
		Help:   "How far a feed has fallen back: 0 measured, 1 estimated, 2 forecast, 3 last good, 4 same hour of the last 7 days, 5 static, 6 nothing known."}
	out[feedFetches] = Family{Name: "wattle_feed_fetches_total", scale: 1,
		Labels: []string{"feed", "provider", "outcome"},
		Help:   "Answers of providers by outcome."}
}

func selfFamilies(out []Family) {
	zone := []string{"source", "zone"}
	out[counterResets] = Family{Name: "wattle_energy_register_resets_total", scale: 1, Labels: zone,
		Help: "Registers that jumped by more than the power bound allows; the energy of the interval is unknown."}
	out[counterWraps] = Family{Name: "wattle_energy_register_wraps_total", scale: 1, Labels: zone,
		Help: "Registers that passed their range once, which loses nothing."}
	out[counterGaps] = Family{Name: "wattle_energy_register_gaps_total", scale: 1, Labels: zone,
		Help: "Intervals too long to tell whether the register passed its range; their energy is unknown."}
	out[counterStuck] = Family{Name: "wattle_energy_register_stuck_total", scale: 1, Labels: zone,
		Help: "Times that a register froze."}
	out[samplesMissed] = Family{Name: "wattle_samples_missed_total", scale: 1, Labels: zone,
		Help: "Readings that failed or made no sense."}
	out[roundsMissed] = Family{Name: "wattle_rounds_missed_total", scale: 1,
		Help: "Rounds of the monitoring loop that came too late or failed as a whole."}
	out[collectorUp] = Family{Name: "wattle_collector_up", Type: GaugeType, Labels: []string{"collector"},
		Help: "Whether the last round of a collector worked: 1 yes, 0 no."}
	out[collectorFailures] = Family{Name: "wattle_collector_failures_total", scale: 1, Labels: []string{"collector"},
		Help: "Rounds in which a meter gave no reading."}
	out[collectCPU] = Family{Name: "wattle_collect_cpu_seconds_total", Unit: "seconds", scale: nano,
		Help: "Processor time of the monitoring loop."}
	out[snapshotTime] = Family{Name: "wattle_snapshot_timestamp_seconds", Type: GaugeType, Unit: "seconds",
		Help: "When the values of this page were taken, in seconds since 1970."}
	out[functionsFolded] = Family{Name: "wattle_functions_folded", Type: GaugeType, Stability: Experimental,
		Help: "Functions past the limit, which are counted together under function=\"(other)\"."}
	out[functionsSummed] = Family{Name: "wattle_functions_summed", Type: GaugeType, Stability: Experimental,
		Help: "Functions past the number that is told apart, whose energy has one series, without component, share and start."}
	out[buildInfo] = Family{Name: "wattle_build_info", Type: GaugeType, Labels: []string{"version", "goversion"},
		Help: "1, with the build in its labels."}
	out[nodeInfo] = Family{Name: "wattle_node_info", Type: GaugeType, Labels: []string{"node"},
		Help: "1, with the name of the machine in its label."}
}
