// Package experiment reads experiment files: what is simulated, on which
// fleet, with which functions, workload, signals and policies.
package experiment

import (
	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/simulator/trace"
)

// Short names for quantities that occur often.
type (
	joules    = Quantity[wattle.Joules, *wattle.Joules]
	watts     = Quantity[wattle.Watts, *wattle.Watts]
	bytes     = Quantity[wattle.Bytes, *wattle.Bytes]
	cpu       = Quantity[wattle.MilliCPU, *wattle.MilliCPU]
	usd       = Quantity[wattle.USD, *wattle.USD]
	grams     = Quantity[wattle.GramsCO2e, *wattle.GramsCO2e]
	perGB     = Quantity[wattle.KWhPerGB, *wattle.KWhPerGB]
	gPerKWh   = Quantity[wattle.GramsPerKWh, *wattle.GramsPerKWh]
	isolation = Quantity[wattle.Isolation, *wattle.Isolation]
	sharing   = Quantity[wattle.Sharing, *wattle.Sharing]
	scope     = Quantity[wattle.SignalScope, *wattle.SignalScope]
	set       = Quantity[power.Set, *power.Set]
	format    = Quantity[trace.Format, *trace.Format]
	placement = Quantity[trace.Placement, *trace.Placement]
	choice    = Quantity[trace.Choice, *trace.Choice]
)

// File is an experiment file. The doc tags are the reference documentation.
type File struct {
	Name        string     `yaml:"name" doc:"short name, printed in every report"`
	Description string     `yaml:"description" doc:"one paragraph for the report"`
	Start       Time       `yaml:"start" doc:"simulated time of the first instant, RFC 3339" default:"2026-01-01T00:00:00Z"`
	Duration    Duration   `yaml:"duration" doc:"length of the run" default:"the length of the trace, or 24h"`
	Drain       Duration   `yaml:"drain" doc:"how much longer the run lasts without arrivals, so that deferred work can end in it" default:"0s"`
	Seed        uint64     `yaml:"seed" doc:"starts every random choice" default:"1"`
	Seeds       []uint64   `yaml:"seeds" doc:"several seeds: every policy runs on each, paired, and means with 95 % intervals are reported"`
	Slot        Duration   `yaml:"slot" doc:"accounting period; intensities are constant within one" default:"1h"`
	Accounting  Accounting `yaml:"accounting"`
	Instances   Instances  `yaml:"instances"`
	Fleet       Fleet      `yaml:"fleet"`
	Functions   Functions  `yaml:"functions"`
	Workload    Workload   `yaml:"workload"`
	Signals     Signals    `yaml:"signals"`
	Policies    []Policy   `yaml:"policies" doc:"what is compared, side by side; at least one"`
	Bounds      Bounds     `yaml:"bounds"`
	Explain     []uint64   `yaml:"explain" doc:"sequence numbers of decisions whose table goes into the report"`

	path string
}

// Accounting says how energy and carbon are counted.
type Accounting struct {
	Profile      string   `yaml:"profile" doc:"attribution rule; \"standard\" charges execution, start-up and keep-alive alike" default:"standard"`
	Coefficients set      `yaml:"coefficients" doc:"low, central or high values of the model coefficients" default:"central"`
	Network      perGB    `yaml:"network" doc:"energy of moving data, in reports" default:"0.001kWh/GB"`
	NetworkInG   perGB    `yaml:"network_in_decisions" doc:"energy of moving data as decisions see it" default:"0kWh/GB"`
	Robustness   bool     `yaml:"robustness" doc:"run nine coefficient sets (all low, central, high; memory power, PUE and network low and high alone) and report how often the order of policies holds" default:"false"`
	Lifetime     Duration `yaml:"lifetime" doc:"service life of servers for embodied carbon" default:"35040h (4 years)"`
}

// Instances says how sandboxes live.
type Instances struct {
	KeepAlive string   `yaml:"keep_alive" doc:"keep-alive policy: none, fixed, hybrid, expected, expected-prewarm, forecast, ski-rental, ecolife, ecolife-pso, lru, ttl or greedy-dual" default:"fixed"`
	For       Duration `yaml:"for" doc:"keep-alive time of the fixed policy" default:"10m"`
	Renew     *bool    `yaml:"renew" doc:"whether each use renews the keep-alive" default:"true"`
	Pick      string   `yaml:"pick" doc:"which idle instance serves: newest, oldest or random" default:"newest"`
	Rate      Rate     `yaml:"rate" doc:"what a second of service time is worth to learned keep-alive policies" default:"0.005g/s"`
	Step      Duration `yaml:"step" doc:"bin of the gap histograms of learned keep-alive policies, which look 60 steps ahead" default:"10s"`
	Queue     int      `yaml:"queue" doc:"how many requests may wait per target or function; 0 rejects at once, -1 is no bound" default:"0"`
	Order     string   `yaml:"order" doc:"whom a place with a queue serves: strict (whoever came first) or fitting (a newcomer that fits may pass a larger request)" default:"strict"`
	Price     grams    `yaml:"congestion_price" doc:"step of the congestion price in grams per vCPU·s, every 5 minutes, for each 100 % of a pool reserved above 90 %; 0g disables" default:"100µg"`
	Deferral  string   `yaml:"deferral" doc:"when functions with a deadline run: run-now, least-g (the place and start slot of least G together), threshold, lowest-window, cheapest-slots or carbon-time" default:"run-now; least-g if defer_slot is given"`
	Defer     Duration `yaml:"defer_slot" doc:"raster of start slots for least-g" default:"slot"`
	Threshold gPerKWh  `yaml:"threshold" doc:"intensity down to which the deferral policy threshold holds work back" default:"200g/kWh"`
	MaxDelay  Duration `yaml:"max_delay" doc:"longest time that the deferral policy threshold holds work back" default:"24h"`
}

// Rate reads "0.01g/s".
type Rate = Quantity[wattle.GramsPerSecond, *wattle.GramsPerSecond]

// Fleet is where functions can run.
type Fleet struct {
	Clusters []Cluster           `yaml:"clusters" doc:"at least one"`
	Hardware map[string]Hardware `yaml:"hardware" doc:"processor generations beside the built-in ones, by name"`
	Prices   map[string]Price    `yaml:"prices" doc:"price models beside the built-in ones, by name"`
}

// Cluster is one Kubernetes cluster or cloud region.
type Cluster struct {
	ID           string            `yaml:"id" doc:"unique name"`
	Zone         string            `yaml:"zone" doc:"grid zone as Electricity Maps spells it"`
	Region       string            `yaml:"region" doc:"place of users and data" default:"the cluster's id"`
	Country      string            `yaml:"country" doc:"ISO 3166 code, for policies"`
	Jurisdiction string            `yaml:"jurisdiction" doc:"for data residency: EU, US, …"`
	Provider     string            `yaml:"provider" doc:"aws, gcp, azure or on-prem; gives the default PUE" default:"on-prem"`
	Location     []float64         `yaml:"location" doc:"latitude and longitude in degrees, for network latency"`
	PUE          float64           `yaml:"pue" doc:"power usage effectiveness" default:"aws 1.135, azure 1.185, gcp 1.1, else 1.58"`
	Price        string            `yaml:"price" doc:"name of a price model" default:"lambda"`
	Labels       map[string]string `yaml:"labels" doc:"free attributes for policies"`
	Pools        []Pool            `yaml:"pools" doc:"at least one"`
}

// Pool is a set of equal nodes.
type Pool struct {
	Name         string  `yaml:"name" doc:"unique within the cluster"`
	Nodes        int     `yaml:"nodes" doc:"number of nodes" default:"1"`
	Hardware     string  `yaml:"hardware" doc:"processor generation" default:"skylake"`
	VCPU         int     `yaml:"vcpu" doc:"vCPUs of a node" default:"64"`
	Memory       bytes   `yaml:"memory" doc:"memory of a node" default:"256GiB"`
	Sockets      int     `yaml:"sockets" doc:"processors of a node, for embodied carbon" default:"2"`
	Accelerator  string  `yaml:"accelerator" doc:"product of the node's accelerators" default:"none"`
	Accelerators int     `yaml:"accelerators" doc:"accelerators in a node" default:"1 if a product is named"`
	MIG          string  `yaml:"mig" doc:"MIG profile that every accelerator is cut into" default:"whole devices"`
	Sharing      sharing `yaml:"sharing" doc:"exclusive, passthrough, vgpu, mps or time-slice" default:"exclusive"`
	Shares       int     `yaml:"shares" doc:"parts of a device under MPS or time slicing" default:"1"`
	Embodied     grams   `yaml:"embodied" doc:"footprint of making a node, spread over its components in the default's proportions" default:"from the coefficients"`
}

// Hardware describes a processor generation.
type Hardware struct {
	Idle   watts   `yaml:"idle" doc:"watts per vCPU at rest"`
	Max    watts   `yaml:"max" doc:"watts per vCPU at full load"`
	DRAM   watts   `yaml:"dram" doc:"watts per GiB installed" default:"from the coefficients"`
	Speed  float64 `yaml:"speed" doc:"relative to Skylake" default:"1"`
	Source string  `yaml:"source" doc:"where the figures come from"`
}

// Price is a price model.
type Price struct {
	PerRequest   usd      `yaml:"per_request" doc:"per invocation"`
	PerGBSecond  usd      `yaml:"per_gib_second" doc:"per GiB·s of reserved memory"`
	PerCPUSecond usd      `yaml:"per_vcpu_second" doc:"per vCPU·s reserved"`
	PerSlice     usd      `yaml:"per_slice_second" doc:"per accelerator slice and second"`
	Egress       usd      `yaml:"egress_per_gb" doc:"per 10^9 bytes leaving the region"`
	Round        Duration `yaml:"round" doc:"billing step" default:"1ms"`
	Minimum      Duration `yaml:"minimum" doc:"least billed time" default:"0s"`
	BillInit     bool     `yaml:"bill_init" doc:"whether start-up is billed" default:"false"`
}

// Functions says what the functions of the trace are.
type Functions struct {
	Defaults Function            `yaml:"defaults" doc:"applies to every function"`
	Profiles map[string]Function `yaml:"profiles" doc:"by the trace's profile name, over the defaults"`
	Measured string              `yaml:"measured" doc:"directory of measured profiles, <profile>_<hardware>.metal.json with cs, exe (s) and energies (J), or a file written by \"wattle profile import\""`
	Match    []Override          `yaml:"match" doc:"overrides for functions whose id matches a pattern, in order"`
}

// Override applies settings to matching functions.
type Override struct {
	ID       string  `yaml:"id" doc:"shell pattern over function ids"`
	Share    float64 `yaml:"share" doc:"part of the matching functions it applies to, chosen by a hash of the id" default:"1"`
	Function `yaml:",inline"`
}

// Function is what is known of a function beyond its trace.
type Function struct {
	CPU         cpu       `yaml:"cpu" doc:"vCPUs of an instance" default:"memory ÷ 1769 MiB, as AWS Lambda"`
	Memory      bytes     `yaml:"memory" doc:"memory of an instance" default:"the trace's, or 256MiB"`
	Accelerator string    `yaml:"accelerator" doc:"product, family, vendor or \"any\"" default:"none"`
	Slices      int32     `yaml:"slices" doc:"accelerator parts of an instance" default:"1 if an accelerator is named"`
	Isolation   isolation `yaml:"min_isolation" doc:"time-slice, mps, mig, gpu or node"`
	Exec        Duration  `yaml:"exec" doc:"mean warm execution on the reference hardware" default:"the trace's, or 100ms"`
	Sigma       *float64  `yaml:"sigma" doc:"σ of the lognormal spread of execution" default:"the trace's"`
	Provision   Duration  `yaml:"provision" doc:"start-up: sandbox" default:"125ms (Firecracker boot, SPECIFICATION.md)"`
	Image       Duration  `yaml:"image" doc:"start-up: image" default:"0s"`
	Runtime     Duration  `yaml:"runtime" doc:"start-up: language runtime" default:"100ms (assumed)"`
	Init        Duration  `yaml:"init" doc:"start-up: CPU time of initialisation at one vCPU" default:"226ms (small Python on AWS Lambda, SeBS-Flow 2024)"`
	Restore     Duration  `yaml:"restore" doc:"resume from a snapshot; 0s is no snapshot" default:"0s"`
	Utilisation *float64  `yaml:"utilisation" doc:"busy share of the reserved CPU while as many requests execute as an instance serves at a time" default:"0.7 (assumed)"`
	GPUBusy     *float64  `yaml:"accelerator_utilisation" doc:"busy share of the accelerator part while executing" default:"0.6 (assumed)"`
	Concurrency int32     `yaml:"concurrency" doc:"requests that one instance serves at a time" default:"1"`
	Max         int32     `yaml:"max_instances" doc:"instances alive at a time; 0 is no bound" default:"0"`
	In          bytes     `yaml:"in" doc:"bytes received per invocation" default:"0B"`
	Out         bytes     `yaml:"out" doc:"bytes sent per invocation" default:"0B"`
	Tenant      string    `yaml:"tenant" doc:"owner" default:"the trace's"`
	Class       string    `yaml:"class" doc:"free class name for policies"`
	TrustGroup  string    `yaml:"trust_group" doc:"functions that may share a device"`
	Residency   []string  `yaml:"residency" doc:"jurisdictions that may process the data" default:"any"`
	Homes       []string  `yaml:"homes" doc:"clusters that callers are at; a function's home is one of them, chosen by a hash of its id" default:"all clusters with a fitting device"`
	SLO         Duration  `yaml:"slo" doc:"latency wanted, end to end; 0s is none" default:"0s"`
	Deadline    Duration  `yaml:"deadline" doc:"slack: it may start at most this much later or, if interruptible, pause this long in all; waiting within it is delay and not latency" default:"0s"`
	FinishIn    Duration  `yaml:"finish_within" doc:"deadline of its end instead: the slack is what remains of it after a cold start and the mean execution on the slowest hardware that fits" default:"none"`
	Pausable    *bool     `yaml:"interruptible" doc:"whether deferrable work may run in several stretches" default:"false"`
	Cap         grams     `yaml:"cap" doc:"most emissions per invocation; 0g is none" default:"0g"`
	Budget      usd       `yaml:"budget" doc:"most money per invocation; 0USD is none" default:"0USD"`

	Measurements map[string]Measurement `yaml:"measurements" doc:"what was metered of it, by hardware; written by \"wattle profile import\""`
}

// Measurement is what was metered of a function on one hardware.
type Measurement struct {
	Exec       Duration `yaml:"exec" doc:"mean execution time"`
	ExecEnergy joules   `yaml:"exec_energy" doc:"dynamic energy of an execution"`
	Cold       Duration `yaml:"cold" doc:"start-up alone" default:"0s"`
	ColdEnergy joules   `yaml:"cold_energy" doc:"dynamic energy of a start-up" default:"0J"`
}

// Workload says what is invoked when: a trace or a generated population.
type Workload struct {
	Trace    *Trace    `yaml:"trace"`
	Generate *Generate `yaml:"generate"`
}

// Trace reads invocations from files.
type Trace struct {
	Format    format    `yaml:"format" doc:"counts, azure-2019, azure-2021 or events"`
	Path      string    `yaml:"path" doc:"file, directory, glob or zip; relative paths are sought beside the experiment file, then under --data"`
	Offset    Duration  `yaml:"offset" doc:"where in the trace the replay begins, whole minutes" default:"0s"`
	Limit     int       `yaml:"limit" doc:"largest number of functions; 0 is all" default:"0"`
	Choice    choice    `yaml:"choice" doc:"which functions a limit keeps: first, busiest or random" default:"first"`
	Match     []string  `yaml:"match" doc:"patterns of function ids to keep" default:"all"`
	Placement placement `yaml:"placement" doc:"where in its minute a counted invocation falls: uniform, even, start, phased or burst" default:"uniform"`
	Sigma     float64   `yaml:"sigma" doc:"σ of lognormal execution times where the trace has none" default:"0"`
}

// Generate draws a synthetic population.
type Generate struct {
	Functions   int                `yaml:"functions" doc:"number of functions" default:"300"`
	Invocations float64            `yaml:"invocations" doc:"expected number over whole days; a shorter run has the share of its hours" default:"1200000"`
	Zipf        *float64           `yaml:"zipf" doc:"exponent of the popularity" default:"1.1 (assumed)"`
	Mix         map[string]float64 `yaml:"mix" doc:"shares of arrival processes: poisson, mmpp, diurnal, timer, weibull" default:"poisson 0.4, mmpp 0.2, diurnal 0.25, timer 0.15 (assumed, after the triggers of Azure Functions 2019)"`
	Zones       []Duration         `yaml:"zones" doc:"offsets from UTC that diurnal functions live in" default:"0h"`
	Median      Duration           `yaml:"median" doc:"median of the functions' mean execution times" default:"400ms (of the order of Azure Functions 2019, Shahrad et al., USENIX ATC 2020)"`
	Spread      *float64           `yaml:"spread" doc:"σ of the lognormal over functions" default:"1.3 (as median)"`
	Sigma       *float64           `yaml:"sigma" doc:"σ of the lognormal within a function" default:"0.4 (assumed)"`
}

// Signals says what the grids do and what the scheduler sees of them.
type Signals struct {
	Source   string             `yaml:"source" doc:"profiles (built-in hour × month means) or files" default:"profiles"`
	Path     string             `yaml:"path" doc:"Electricity Maps CSV files or a wide CSV with a column per zone"`
	Scope    scope              `yaml:"scope" doc:"lifecycle or direct emission factors" default:"lifecycle"`
	Shift    *int               `yaml:"year" doc:"year of the files that the run's dates are mapped to" default:"the files' own"`
	Fixed    map[string]gPerKWh `yaml:"fixed" doc:"constant intensity by zone, over the source"`
	Forecast string             `yaml:"forecast" doc:"what the scheduler knows of later slots: none, persistence, holt-winters, provider (with error) or perfect" default:"persistence"`
	Delay    Duration           `yaml:"delay" doc:"how late values are published" default:"0s"`
	Marginal Marginal           `yaml:"marginal"`
	Faults   []Fault            `yaml:"faults" doc:"what goes wrong with the feed"`
}

// Marginal says what is known of marginal intensities. They decide for policies
// whose objective asks for them; accounts are kept by average intensities.
type Marginal struct {
	Path  string             `yaml:"path" doc:"CSV files of marginal intensities, in the formats of signals.path; zones without any have a flagged prior"`
	Fixed map[string]gPerKWh `yaml:"fixed" doc:"constant marginal intensity by zone, over the files"`
}

// Fault breaks the feed for a time; the grid itself goes on.
type Fault struct {
	Kind  string   `yaml:"kind" doc:"dead, zeros, nulls, spikes, stale, frozen, quota or delay"`
	Zones []string `yaml:"zones" doc:"affected zones" default:"all"`
	From  Duration `yaml:"from" doc:"start of the fault after the start of the run"`
	For   Duration `yaml:"for" doc:"length of the fault" default:"to the end"`
	By    float64  `yaml:"by" doc:"factor of a spike" default:"10"`
	Delay Duration `yaml:"delay" doc:"how late values come under a delay"`
}

// Policy is one contender.
type Policy struct {
	Name      string         `yaml:"name" doc:"printed name" default:"the library's or baseline's name"`
	Library   string         `yaml:"library" doc:"shipped Rego policy"`
	Rego      string         `yaml:"rego" doc:"file or directory of Rego modules"`
	Baseline  string         `yaml:"baseline" doc:"built-in Go baseline"`
	Data      map[string]any `yaml:"data" doc:"data.params of the policy"`
	KeepAlive string         `yaml:"keep_alive" doc:"keep-alive policy of this contender" default:"instances.keep_alive"`
	For       Duration       `yaml:"for" doc:"keep-alive time of this contender" default:"instances.for"`
	Rate      Rate           `yaml:"rate" doc:"what a second is worth to a learned keep-alive policy" default:"instances.rate"`
	Deferral  string         `yaml:"deferral" doc:"deferral policy of this contender" default:"instances.deferral"`
	Forecast  string         `yaml:"forecast" doc:"what this contender knows of later slots: none, persistence, holt-winters, provider (with error) or perfect" default:"signals.forecast"`
	Threshold gPerKWh        `yaml:"threshold" doc:"of the deferral policy threshold" default:"instances.threshold"`
	MaxDelay  Duration       `yaml:"max_delay" doc:"of the deferral policy threshold" default:"instances.max_delay"`
}

// Bounds says which lower bounds are computed.
type Bounds struct {
	Placement *bool `yaml:"placement" doc:"compute the offline placement bound" default:"true"`
}
