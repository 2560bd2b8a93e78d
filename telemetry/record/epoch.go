package record

import (
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
)

// Version is that of the format. A Reader refuses any other.
const Version = 1

// Header is the first line of a recording.
type Header struct {
	// Node is the machine that was recorded.
	Node wattle.NodeID
	// Begun is the wall-clock time that all instants count from. A Writer sets
	// it to the first epoch's when it is zero.
	Begun time.Time
	// Interval is the usual time between two epochs.
	Interval time.Duration
	// Program says what wrote the recording.
	Program string
	// CPU and Memory are the capacity of the node, 0 if not known.
	CPU    wattle.MilliCPU
	Memory wattle.Bytes
	// Meters are those of the node, in the order in which they are read.
	Meters []MeterInfo
	// Settings are further settings that replay needs, by name.
	Settings map[string]string
}

// MeterInfo names a meter.
type MeterInfo struct {
	// Name is that of telemetry.Meter.
	Name string `json:"name"`
	// Fallback meters are read only while no other is.
	Fallback bool `json:"fallback,omitempty"`
}

// Epoch is what one turn of the agent's loop read. Parts that were not read in
// it are nil.
type Epoch struct {
	At          time.Time
	Meters      []MeterRound
	Usage       *UsageRound
	GPU         []GPUUse
	Owners      []Owner
	Invocations []Batch
	Signals     []wattle.Signal
	Prices      []Price
	// Fetches and Collectors are whole lists, nil where they are as before.
	Fetches    []Fetch
	Collectors []Collector
}

// MeterRound is one round of one meter.
type MeterRound struct {
	// Meter is the index in Header.Meters.
	Meter    int
	Zones    []telemetry.Zone
	Readings []telemetry.Reading
	// Err is the error of the whole round, nil if there was none.
	Err error
}

// UsageRound is one reading of all cgroups.
type UsageRound struct {
	Of []Usage
	// Err is the error of the whole reading, nil if there was none.
	Err error
}

// Usage is what one cgroup has used, as telemetry/cgroup reports it.
type Usage struct {
	// ID is unique in a recording.
	ID uint64
	Identity
	CPU       time.Duration
	Memory    wattle.Bytes
	HasMemory bool
	// Gone marks the last report.
	Gone bool
	Err  error
}

// Identity is what the path of a cgroup says of it. It does not change.
type Identity struct {
	Key       string `json:"key,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Function  string `json:"function,omitempty"`
	Runtime   string `json:"runtime,omitempty"`
	Container string `json:"container,omitempty"`
	PodUID    string `json:"pod_uid,omitempty"`
	// Remainder marks a slice: its processor time is what no child accounts for.
	Remainder bool `json:"remainder,omitempty"`
}

// Owner is whom a cgroup belongs to and what it reserves.
type Owner struct {
	// ID is that of the Usage.
	ID        uint64
	Namespace string
	Pod       string
	Function  string
	CPU       wattle.MilliCPU
	Memory    wattle.Bytes
}

// GPUUse is the use of a part of a GPU by one cgroup.
type GPUUse struct {
	ID       uint64          `json:"id"`
	Device   wattle.DeviceID `json:"device"`
	Activity float64         `json:"activity"`
	Slices   int             `json:"slices,omitempty"`
	OfSlices int             `json:"of_slices,omitempty"`
}

// Batch is what all functions did between two readings of the platform.
type Batch struct {
	From, To time.Time
	Runs     []Run
	// ControlPlane is the processor time of the platform itself, in seconds.
	ControlPlane float64
	// Failed counts sources that did not answer.
	Failed int
	// Late says that what was counted before From is among Runs.
	Late bool
}

// Run is what one function did in a Batch. Cold invocations are among Count;
// ColdSeconds is the time of starting alone and is not part of Seconds. Of Untold
// ones among Count the platform does not tell how they began.
type Run struct {
	Namespace   string  `json:"namespace,omitempty"`
	Function    string  `json:"function"`
	Count       float64 `json:"count,omitempty"`
	Seconds     float64 `json:"seconds,omitempty"`
	Cold        float64 `json:"cold,omitempty"`
	ColdSeconds float64 `json:"cold_seconds,omitempty"`
	Untold      float64 `json:"untold,omitempty"`
}

// Fetch counts the answers of one provider of a feed that ended in one way.
type Fetch struct {
	Feed     string `json:"feed"`
	Provider string `json:"provider"`
	Outcome  string `json:"outcome"`
	Count    int64  `json:"count"`
}

// Collector is a reader beside the meters and whether it works.
type Collector struct {
	Name string `json:"name"`
	Up   bool   `json:"up"`
}

// Price is one price of electricity.
type Price struct {
	Zone      wattle.ZoneID
	PerMWh    float64
	Currency  string
	Quality   wattle.Quality
	From, To  time.Time
	FetchedAt time.Time
	Provider  string
}
