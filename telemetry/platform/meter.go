package platform

import "github.com/wattle-project/wattle/telemetry"

// Both meters satisfy what a Node expects of a slow source.
var (
	_ telemetry.Meter  = (*Redfish)(nil)
	_ telemetry.Runner = (*Redfish)(nil)
	_ telemetry.Poller = (*Redfish)(nil)
	_ telemetry.Prober = (*Redfish)(nil)
	_ telemetry.Meter  = (*DCMI)(nil)
	_ telemetry.Runner = (*DCMI)(nil)
	_ telemetry.Poller = (*DCMI)(nil)
)
