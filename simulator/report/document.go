package report

import "time"

// Schema names the version of the JSON form. A change that readers could
// stumble over gets a new name.
const Schema = "wattle.report/v1"

// Document is the complete outcome of one experiment: what was run and what
// each policy came to. Slices indexed by cluster follow Clusters; slices
// indexed by slot cover the window from Run.Start in steps of Run.SlotS.
type Document struct {
	Schema   string         `json:"schema"`
	Run      Run            `json:"run"`
	Clusters []Cluster      `json:"clusters"`
	Policies []PolicyResult `json:"policies"`
	// Bounds are the least that any policy could have reached, one per action
	// space. The first is the one that charts show.
	Bounds []Bound `json:"bounds,omitempty"`
	// Pairs says how firm the order of two policies is over coefficient sets.
	Pairs []Pair `json:"pairs,omitempty"`
	// Samples are decisions worth looking at, with their candidates.
	Samples []Sample `json:"samples,omitempty"`
	// Notes are caveats that a reader must know before quoting a figure.
	Notes []string `json:"notes,omitempty"`
}

// Run describes the experiment. It holds no wall-clock date, so that two runs
// of one experiment describe themselves alike.
type Run struct {
	Experiment  string     `json:"experiment"`
	Description string     `json:"description,omitempty"`
	Seeds       []uint64   `json:"seeds"`
	Start       time.Time  `json:"start"`
	WindowS     float64    `json:"window_s"`
	SlotS       float64    `json:"slot_s"`
	Trace       Trace      `json:"trace"`
	Fleet       Fleet      `json:"fleet"`
	Accounting  Accounting `json:"accounting"`
	// Baseline names the policy that differences refer to; empty means the first.
	Baseline string   `json:"baseline,omitempty"`
	Versions Versions `json:"versions"`
	// ConfigHash and ResultHash identify the experiment as decoded and the
	// integer sums of its outcome.
	ConfigHash string `json:"config_hash,omitempty"`
	ResultHash string `json:"result_hash,omitempty"`
}

// Trace says which invocations were replayed.
type Trace struct {
	Name        string `json:"name"`
	Source      string `json:"source,omitempty"`
	Functions   int64  `json:"functions"`
	Invocations int64  `json:"invocations"`
}

// Fleet sums up the machines.
type Fleet struct {
	Clusters     int64   `json:"clusters"`
	Nodes        int64   `json:"nodes"`
	VCPUs        float64 `json:"vcpus"`
	MemoryGiB    float64 `json:"memory_gib"`
	Accelerators int64   `json:"accelerators"`
}

// Accounting says by which rules energy, carbon and money were attributed. No
// figure is shown without Profile.
type Accounting struct {
	Profile string `json:"profile"`
	// Signal is "average" or "marginal", Scope "lifecycle" or "direct".
	Signal string `json:"signal,omitempty"`
	Scope  string `json:"scope,omitempty"`
	// Coefficients is the set in use: "low", "central" or "high".
	Coefficients string `json:"coefficients,omitempty"`
	Description  string `json:"description,omitempty"`
	// HorizonRule says what becomes of instances alive at the end of the window.
	HorizonRule string `json:"horizon_rule,omitempty"`
}

// Versions says what computed the figures.
type Versions struct {
	Wattle string `json:"wattle"`
	Go     string `json:"go,omitempty"`
	Rego   string `json:"rego,omitempty"`
}

// Cluster is one place that work could go to.
type Cluster struct {
	Name string `json:"name"`
	Zone string `json:"zone"`
	// PUE is total over IT energy.
	PUE float64 `json:"pue,omitempty"`
	// Summary is one line on its machines, for people.
	Summary string `json:"summary,omitempty"`
	// IntensityGPerKWh is the mean grid intensity of each slot.
	IntensityGPerKWh []float64 `json:"intensity_g_per_kwh"`
	// Signal names the provider and quality of the intensities.
	Signal string `json:"signal,omitempty"`
}

// PolicyResult is what one policy came to. With several seeds every figure is
// the mean over them.
type PolicyResult struct {
	Name string `json:"name"`
	// Kind is "rego", "go" or "keepalive".
	Kind string `json:"kind"`
	// Lifecycle names the keep-alive policy it was combined with.
	Lifecycle string `json:"lifecycle,omitempty"`
	// Deferral names the policy that decided when deferrable work ran, and the
	// forecast that it saw.
	Deferral string `json:"deferral,omitempty"`
	// Digest identifies the policy's text.
	Digest string `json:"digest,omitempty"`

	Invocations int64 `json:"invocations"`
	Completed   int64 `json:"completed"`
	Rejected    int64 `json:"rejected"`
	Queued      int64 `json:"queued"`
	ColdStarts  int64 `json:"cold_starts"`
	SLOMisses   int64 `json:"slo_misses"`
	// Deferrable counts invocations that may wait, DeadlineMisses those that
	// waited longer than they may, and DelayMeanS is how long deferrable ones
	// waited on average within what they may, which is no latency.
	Deferrable     int64   `json:"deferrable,omitempty"`
	DeadlineMisses int64   `json:"deadline_misses,omitempty"`
	DelayMeanS     float64 `json:"delay_mean_s,omitempty"`
	// Moves counts invocations placed elsewhere than the one before of the same function.
	Moves int64 `json:"moves"`

	ColdShare float64 `json:"cold_share"` // of completed, in [0, 1]
	Latency   Latency `json:"latency"`
	Energy    Energy  `json:"energy"`
	Carbon    Carbon  `json:"carbon"`
	CostUSD   float64 `json:"cost_usd"`
	// SCIGPerInvocation is (O + M) per R of the Software Carbon Intensity
	// specification 1.1, R being one completed invocation.
	SCIGPerInvocation float64 `json:"sci_g_per_invocation"`

	Speed  Speed  `json:"speed"`
	Series Series `json:"series"`

	Regrets   []Regret   `json:"regrets,omitempty"`
	Intervals *Intervals `json:"intervals,omitempty"`
	Horizon   *Horizon   `json:"horizon,omitempty"`
}

// Latency is the end-to-end time of an invocation as its caller sees it.
type Latency struct {
	MeanS float64 `json:"mean_s"`
	P50S  float64 `json:"p50_s"`
	P95S  float64 `json:"p95_s"`
	P99S  float64 `json:"p99_s"`
}

// Energy is the electricity of one policy by cause, before PUE.
type Energy struct {
	ExecutionJ float64 `json:"execution_j"` // dynamic, while running
	StartupJ   float64 `json:"startup_j"`
	KeepAliveJ float64 `json:"keepalive_j"`
	// IdleJ is the share of idle power of what running work had reserved.
	IdleJ float64 `json:"idle_j"`
	// NetworkJ is modelled, not metered at a machine, and outside MeteredJ.
	NetworkJ float64 `json:"network_j"`
	// UnallocatedJ is idle energy that no function had reserved.
	UnallocatedJ float64 `json:"unallocated_j"`
	// MeteredJ is what the machines' meters would show: execution + start-up +
	// keep-alive + idle + unallocated. 0 means that the profile meters nothing.
	MeteredJ float64 `json:"metered_j"`
}

// AttributedJ is the energy charged to functions, network included.
func (e Energy) AttributedJ() float64 {
	return e.ExecutionJ + e.StartupJ + e.KeepAliveJ + e.IdleJ + e.NetworkJ
}

// Carbon is the emissions of one policy by cause. Operational parts are energy
// × PUE × intensity at the time.
type Carbon struct {
	ExecutionG float64 `json:"execution_g"`
	StartupG   float64 `json:"startup_g"`
	KeepAliveG float64 `json:"keepalive_g"`
	IdleG      float64 `json:"idle_g"`
	NetworkG   float64 `json:"network_g"`
	// OperationalG is the sum of the five parts above: what functions caused.
	OperationalG float64 `json:"operational_g"`
	// UnallocatedG is of idle energy that no function had reserved.
	UnallocatedG float64 `json:"unallocated_g"`
	EmbodiedG    float64 `json:"embodied_g"`
}

// Speed says how much work deciding was.
type Speed struct {
	Decisions        int64   `json:"decisions"`
	RegoEvaluations  int64   `json:"rego_evaluations"`
	DecisionsPerSec  float64 `json:"decisions_per_s"`
	InvocationsPerS  float64 `json:"invocations_per_s,omitempty"`
	WallS            float64 `json:"wall_s"`
	PeakMemoryMiB    float64 `json:"peak_memory_mib,omitempty"`
	PolicyCacheShare float64 `json:"policy_cache_share,omitempty"` // answered without evaluation, in [0, 1]
}

// Series follows one policy through the window, one value per slot.
type Series struct {
	// CarbonG is attributed operational carbon, EnergyJ attributed energy.
	CarbonG []float64 `json:"carbon_g"`
	EnergyJ []float64 `json:"energy_j"`
	// CarbonLoG and CarbonHiG bound CarbonG at 95 % over seeds.
	CarbonLoG []float64 `json:"carbon_lo_g,omitempty"`
	CarbonHiG []float64 `json:"carbon_hi_g,omitempty"`
	// CarbonSumLoG and CarbonSumHiG bound likewise what CarbonG sums to by the end of
	// each slot.
	CarbonSumLoG []float64 `json:"carbon_sum_lo_g,omitempty"`
	CarbonSumHiG []float64 `json:"carbon_sum_hi_g,omitempty"`
	// Invocations is indexed [cluster][slot] by where the work started.
	Invocations [][]int64 `json:"invocations"`
	// ClusterCarbonG and ClusterEnergyJ split the above, [cluster][slot].
	ClusterCarbonG [][]float64 `json:"cluster_carbon_g,omitempty"`
	ClusterEnergyJ [][]float64 `json:"cluster_energy_j,omitempty"`
}

// Bound is the least that an offline solver proved possible, within an action
// space that is stated: a bound says nothing about policies with more freedom.
type Bound struct {
	Name string `json:"name"`
	// ActionSpace says what the solver could choose and what was fixed.
	// Brief is the same in a few words, for tables.
	ActionSpace string `json:"action_space"`
	Brief       string `json:"brief,omitempty"`
	Method      string `json:"method,omitempty"`
	// CarbonG is comparable with Carbon.OperationalG.
	CarbonG float64 `json:"carbon_g"`
	// EnergyJ, LatencyMeanS and CostUSD are each the least of their own, be it at
	// more carbon. EnergyJ is comparable with Energy.AttributedJ.
	EnergyJ      float64 `json:"energy_j,omitempty"`
	LatencyMeanS float64 `json:"latency_mean_s,omitempty"`
	CostUSD      float64 `json:"cost_usd,omitempty"`
	// DualityGap is (feasible − bound) ÷ bound; 0 means proven optimal. GapTo says what
	// is feasible: "plan" is one that was built for the bound, "policy" the best of the
	// run that is in the action space, where no plan was. Unreached says that none is.
	DualityGap float64 `json:"duality_gap"`
	GapTo      string  `json:"gap_to,omitempty"`
	Unreached  bool    `json:"unreached,omitempty"`
	// PriceGap is the duality gap of Lagrangian prices alone, where room has such: how much
	// more than at the prices a choice takes that was repaired to fit, as a share, at the worst
	// point of the front.
	PriceGap *float64 `json:"price_gap,omitempty"`
	// Front holds points that no policy of the action space can beat in both figures.
	Front []FrontPoint `json:"front,omitempty"`
	// CarbonSlotsG spreads CarbonG over the slots in which the plan that reaches it
	// emits. What no policy stays below is the sum, not the part of any one slot.
	CarbonSlotsG []float64 `json:"carbon_slots_g,omitempty"`
}

// FrontPoint is one trade-off between mean latency and operational carbon.
type FrontPoint struct {
	LatencyMeanS float64 `json:"latency_mean_s"`
	CarbonG      float64 `json:"carbon_g"`
	// Label names the point, for example the price of a second.
	Label string `json:"label,omitempty"`
}

// Regret is how far a policy lies above a bound.
type Regret struct {
	// Bound is the Name of an entry of Document.Bounds.
	Bound string `json:"bound"`
	// Figure is what is compared: "carbon", "latency", "cost" or "energy".
	Figure string `json:"figure"`
	// Share is (policy − bound) ÷ bound.
	Share float64 `json:"share"`
}

// Intervals are 95 % confidence intervals over seeds, nil where not computed.
type Intervals struct {
	Seeds        int       `json:"seeds"`
	CarbonG      *Interval `json:"carbon_g,omitempty"`
	LatencyMeanS *Interval `json:"latency_mean_s,omitempty"`
	LatencyP95S  *Interval `json:"latency_p95_s,omitempty"`
	EnergyJ      *Interval `json:"energy_j,omitempty"` // attributed
	CostUSD      *Interval `json:"cost_usd,omitempty"`
	ColdShare    *Interval `json:"cold_share,omitempty"`
	RegretShare  *Interval `json:"regret_share,omitempty"`
}

// Interval is a mean with the ends of its 95 % confidence interval.
type Interval struct {
	Lo   float64 `json:"lo"`
	Mean float64 `json:"mean"`
	Hi   float64 `json:"hi"`
}

// Horizon tells what the instances alive at the end of the window change.
type Horizon struct {
	Instances int64 `json:"instances"`
	// With counts them to the end of their keep-alive, Without stops at the window's end.
	CarbonWithG    float64 `json:"carbon_with_g"`
	CarbonWithoutG float64 `json:"carbon_without_g"`
	EnergyWithJ    float64 `json:"energy_with_j"`
	EnergyWithoutJ float64 `json:"energy_without_j"`
}

// Pair says how firm the order of two policies is.
type Pair struct {
	A string `json:"a"`
	B string `json:"b"`
	// Figure is what is compared, for example "carbon".
	Figure string `json:"figure"`
	// BelowShare is the share of sets, in [0, 1], in which A stays below B.
	BelowShare float64 `json:"below_share"`
	Sets       int     `json:"sets"`
	// Difference is the 95 % interval of B − A over paired seeds, in the figure's
	// unit; nil with a single seed.
	Difference *Interval `json:"difference,omitempty"`
}

// RobustShare is the share of coefficient sets from which on an order is claimed.
const RobustShare = 0.9

// Robust reports whether A may be said to lie below B: in enough sets, and where
// there are several seeds, by a difference that is told from 0.
func (p Pair) Robust() bool {
	return p.BelowShare >= RobustShare && (p.Difference == nil || p.Difference.Lo > 0)
}

// Sample is one decision with its table of candidates, rendered beforehand.
type Sample struct {
	Sequence uint64    `json:"sequence"`
	Policy   string    `json:"policy"`
	Function string    `json:"function"`
	At       time.Time `json:"at"`
	// Outcome says in one sentence what was chosen and why.
	Outcome string `json:"outcome"`
	// Facts are labelled values such as exchange rates, limits and digests.
	Facts   []Fact         `json:"facts,omitempty"`
	Columns []SampleColumn `json:"columns"`
	Rows    []SampleRow    `json:"rows"`
}

// Fact is a labelled value.
type Fact struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

// SampleColumn heads one column of a Sample. Unit is empty for text.
type SampleColumn struct {
	Name string `json:"name"`
	Unit string `json:"unit,omitempty"`
}

// SampleRow is one candidate: a cell per column.
type SampleRow struct {
	Cells  []string `json:"cells"`
	Chosen bool     `json:"chosen,omitempty"`
	// Refused says why the candidate could not be chosen; empty means feasible.
	Refused string `json:"refused,omitempty"`
}
