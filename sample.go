package wattle

import "time"

// Component is the part of a machine that a meter measures.
type Component uint8

// Components. Platform contains all others.
const (
	Platform Component = iota
	Package
	Core
	Uncore
	DRAM
	GPU
	OtherComponent
)

func componentNames() []string {
	return []string{"platform", "package", "core", "uncore", "dram", "gpu", "other"}
}

// String returns the label value used in metrics.
func (c Component) String() string { return nameOf(componentNames(), int(c)) }

// UnmarshalText reads a name printed by String.
func (c *Component) UnmarshalText(b []byte) error {
	i, err := indexOf("component", componentNames(), string(b))
	*c = Component(i)
	return err
}

// Sample is energy that was spent by Component on Node between From and To.
// Samples of one (Node, Source, Device, Component) never overlap in time.
type Sample struct {
	Node      NodeID
	Source    string // "rapl", "hwmon", "redfish", "ipmi", "nvml", "dcgm", "model", "fake"
	Component Component
	Device    DeviceID // zone key such as "package-0" or a GPU UUID
	Function  FunctionID
	From, To  time.Time
	Energy    Microjoules
	// Unknown marks an interval whose energy could not be told (a gap of more
	// than half a wrap period): Energy is 0 and must not be read as "none".
	Unknown bool
}
