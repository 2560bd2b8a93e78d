package exporter

import (
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
)

// Snapshot is what the monitoring loop knows at one moment. It is the caller's:
// Publish copies what it needs, so the slices may be filled again.
//
// All totals count from the start of the process. Rows that meet in one series
// are added up, and rows that are left out keep their last total: a series never
// falls. Rows of 0 that were never above it are not exported.
type Snapshot struct {
	// Node names the machine.
	Node wattle.NodeID
	// At is the moment of the values; ages are told against it.
	At time.Time
	// Zones and Meters are as telemetry.Node gives them.
	Zones  []telemetry.ZoneStatus
	Meters []telemetry.MeterStatus
	// Functions is the energy of the cover that was booked to functions; Other
	// is the rest of it. Together they are the metered energy.
	Functions []FunctionEnergy
	Other     []OtherEnergy
	// Finished are the invocations that ended since the last Publish.
	Finished []Invocations
	// Emissions are of the node, FunctionEmissions of its functions.
	Emissions         []Emissions
	FunctionEmissions []FunctionEmissions
	// Signals and Prices are what a lookup answers at At.
	Signals []wattle.Signal
	Prices  []Price
	// Fetches counts the answers of feeds.
	Fetches []Fetches
	// Collectors tells which readers other than meters work: cgroup, kubelet,
	// invocations. Meters are added by the exporter.
	Collectors []Collector
	// CollectCPU is the processor time of the monitoring loop so far.
	CollectCPU time.Duration
	// Missed counts rounds of the monitoring loop that came too late or failed.
	Missed uint64
}

// Share says for what reason energy is booked to a function.
type Share uint8

// Shares of energy.
const (
	Active       Share = iota // caused by the function's work
	Idle                      // idle power by what it reserves
	ControlPlane              // the platform's own work, by invocations
)

// String returns the label value.
func (s Share) String() string { return nameOf(s, "active", "idle", "control_plane") }

// Start says how invocations began.
type Start uint8

// Starts. AnyStart is where warm and cold are not told apart; its label is
// empty, which to Prometheus is no label.
const (
	AnyStart Start = iota
	Warm
	Cold
)

// String returns the label value.
func (s Start) String() string { return nameOf(s, "", "warm", "cold") }

// FunctionEnergy is energy of one function since the start of the process. The
// rows of one function should follow each other.
type FunctionEnergy struct {
	Namespace string
	// Function is empty for pods of the namespace that serve no function.
	Function  string
	Component wattle.Component
	Share     Share
	// Start is AnyStart unless the split of active energy is known.
	Start  Start
	Energy wattle.Microjoules
}

// Reason says why energy is not booked to a function.
type Reason uint8

// Reasons.
const (
	Unallocated Reason = iota // idle that nobody reserves, or nothing ran
	System                    // work outside containers, or without known owner
	Waiting                   // held or pending until an owner or a reading is known
)

// String returns the label value.
func (r Reason) String() string { return nameOf(r, "unallocated", "system", "waiting") }

// OtherEnergy is energy of the cover that no function has. Waiting rises and
// falls, the others only rise.
type OtherEnergy struct {
	Component wattle.Component
	Reason    Reason
	Energy    wattle.Microjoules
}

// Invocations of one function that ended in an epoch.
type Invocations struct {
	Namespace, Function string
	Start               Start
	Count               uint64
	// Energy is of one invocation with its shares; 0 where it is not known yet,
	// then only Count is used.
	Energy wattle.Joules
}

// Scope tells emissions of running from those of making.
type Scope uint8

// Scopes of emissions.
const (
	Operational Scope = iota
	Embodied
)

// String returns the label value.
func (s Scope) String() string { return nameOf(s, "operational", "embodied") }

// Emissions of the node since the start of the process.
type Emissions struct {
	Scope Scope
	// Zone, Kind and Quality tell by which signals operational emissions were
	// reckoned; embodied ones have none.
	Zone    wattle.ZoneID
	Kind    wattle.SignalKind
	Quality wattle.Quality
	Total   wattle.GramsCO2e
}

// FunctionEmissions of one function since the start of the process.
type FunctionEmissions struct {
	Namespace, Function string
	Scope               Scope
	Total               wattle.GramsCO2e
}

// Price is an electricity price.
type Price struct {
	Zone      wattle.ZoneID
	Provider  string
	Currency  string // ISO 4217
	Quality   wattle.Quality
	PerMWh    float64
	FetchedAt time.Time // zero for a configured figure
}

// Feed is a kind of feed.
type Feed uint8

// Feeds.
const (
	CarbonFeed Feed = iota
	PriceFeed
)

// String returns the label value.
func (f Feed) String() string { return nameOf(f, "carbon", "price") }

// Fetches counts the answers of one provider that ended in one way since the
// start of the process.
type Fetches struct {
	Feed     Feed
	Provider string
	Outcome  string
	Count    int64
}

// Collector is a reader of the monitoring loop.
type Collector struct {
	Name string
	Up   bool
}

func nameOf[T ~uint8](v T, names ...string) string {
	if int(v) < len(names) {
		return names[v]
	}
	return "invalid"
}
