package wattle

// Identities are distinct types so that one cannot be passed for another.
type (
	// FunctionID names a function, unique within a run or a control plane.
	FunctionID string
	// ClusterID names a Kubernetes cluster or a cloud region's FaaS endpoint.
	ClusterID string
	// TargetID names a placement target: "cluster/pool" or "cluster/pool/profile".
	TargetID string
	// NodeID names a machine.
	NodeID string
	// TenantID names the owner of functions.
	TenantID string
	// ZoneID names a grid zone as Electricity Maps spells it, for example "US-CAL-CISO".
	ZoneID string
	// RegionID names a place that data and users are in, for example "eu-west-1".
	RegionID string
	// DeviceID names an accelerator or a part of one, usually by UUID.
	DeviceID string
	// InstanceID numbers a sandbox within one State. Numbers are not reused in a run.
	InstanceID uint64
)
