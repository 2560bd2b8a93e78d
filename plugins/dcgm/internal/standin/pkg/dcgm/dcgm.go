// Package dcgm is a stand-in for github.com/NVIDIA/go-dcgm/pkg/dcgm: the
// signatures that the plugin uses, with scripted answers instead of a driver.
// It is written by hand from the public signatures of version
// v0.0.0-20260422145128-ec245c09fe3e and needs neither cgo nor a GPU.
//
// The node that it plays has an A100 with three MIG instances that draws 300 W,
// an L40S that draws 100 W and reports its energy as field 1611 only, and a
// P100 that has no energy counter. WATTLE_STANDIN=absent plays a node without
// DCGM, noprofiling one that forbids profiling fields, old one whose DCGM does
// not know field 1611, lost one whose host engine has ended.
package dcgm

import (
	"errors"
	"os"
	"time"
)

type mode int

// Modes of Init.
const (
	Embedded mode = iota
	Standalone
	StartHostengine
)

// Short is the type of field numbers.
type Short uint16

// FieldHandle names a field group.
type FieldHandle struct{ fields []Short }

// GroupHandle names a group of entities.
type GroupHandle struct{ handle uintptr }

func script() string { return os.Getenv("WATTLE_STANDIN") }

// Init starts DCGM.
func Init(m mode, args ...string) (cleanup func(), err error) {
	if script() == "absent" {
		return func() {}, errors.New("libdcgm.so.4 not found")
	}
	if m == Standalone && len(args) != 2 {
		return func() {}, errors.New("missing dcgm address and / or port")
	}
	return func() {}, nil
}

// GetSupportedDevices lists GPU numbers.
func GetSupportedDevices() ([]uint, error) {
	if script() == "lost" {
		return nil, errLost
	}
	return []uint{0, 1, 2}, nil
}

var errLost = errors.New("Error: The connection to the host engine is not valid any longer")

// PCIInfo is part of Device.
type PCIInfo struct {
	BusID     string
	BAR1      uint
	FBTotal   uint
	Bandwidth int64
}

// DeviceIdentifiers is part of Device.
type DeviceIdentifiers struct {
	Brand, Model, Serial, Vbios, InforomImageVersion, DriverVersion string
}

// Device describes a GPU.
type Device struct {
	GPU           uint
	DCGMSupported string
	UUID          string
	Power         uint
	PCI           PCIInfo
	Identifiers   DeviceIdentifiers
}

// GetDeviceInfo describes one GPU.
func GetDeviceInfo(gpuID uint) (Device, error) {
	switch gpuID {
	case 0:
		return Device{GPU: 0, UUID: "GPU-a100", Power: 400, Identifiers: DeviceIdentifiers{Model: "NVIDIA A100-SXM4-80GB"}}, nil
	case 1:
		return Device{GPU: 1, UUID: "GPU-l40s", Power: 350, Identifiers: DeviceIdentifiers{Model: "NVIDIA L40S"}}, nil
	case 2:
		return Device{GPU: 2, UUID: "GPU-p100", Power: 250, Identifiers: DeviceIdentifiers{Model: "Tesla P100"}}, nil
	}
	return Device{}, errors.New("bad parameter passed")
}

// FieldGroupCreate names a list of fields.
func FieldGroupCreate(_ string, fields []Short) (FieldHandle, error) {
	for _, f := range fields {
		if f == 1611 && script() == "old" {
			return FieldHandle{}, errors.New("Error creating DCGM fields group: Unknown field")
		}
	}
	return FieldHandle{fields}, nil
}

// FieldGroupDestroy undoes FieldGroupCreate.
func FieldGroupDestroy(FieldHandle) error { return nil }

// CreateGroup makes an empty group.
func CreateGroup(string) (GroupHandle, error) { return GroupHandle{1}, nil }

// DestroyGroup undoes CreateGroup.
func DestroyGroup(GroupHandle) error { return nil }

// AddToGroup adds a GPU.
func AddToGroup(GroupHandle, uint) error { return nil }

// AddEntityToGroup adds a part of a GPU.
func AddEntityToGroup(GroupHandle, Field_Entity_Group, uint) error { return nil }

// WatchFieldsWithGroupEx starts sampling.
func WatchFieldsWithGroupEx(f FieldHandle, _ GroupHandle, _ int64, _ float64, _ int32) error {
	for _, n := range f.fields {
		if n >= 1001 && n <= 1015 && script() == "noprofiling" {
			return errors.New("Error watching fields: This request is not supported: profiling needs root")
		}
	}
	return nil
}

// UnwatchFields undoes WatchFieldsWithGroupEx.
func UnwatchFields(FieldHandle, GroupHandle) error { return nil }

// UpdateAllFields waits for a sample.
func UpdateAllFields() error { return nil }

// WatchPidFieldsEx starts accounting.
func WatchPidFieldsEx(time.Duration, time.Duration, int, ...uint) (GroupHandle, error) {
	return GroupHandle{2}, nil
}

// ProcessUtilInfo is part of ProcessInfo.
type ProcessUtilInfo struct {
	EnergyConsumed *uint64
	SmUtil         *float64
	MemUtil        *float64
}

// ProcessInfo is what one process did on one GPU.
type ProcessInfo struct {
	GPU                uint
	PID                uint
	Name               string
	ProcessUtilization ProcessUtilInfo
}

// GetProcessInfo knows processes 41 (30 %), 42 (10 %) and 43 (blank) on GPU 1.
func GetProcessInfo(_ GroupHandle, pid uint) ([]ProcessInfo, error) {
	util, ok := map[uint]float64{41: 30, 42: 10, 43: 140737488355328}[pid]
	if !ok {
		return nil, errors.New("This data is not available")
	}
	joules := uint64(7)
	return []ProcessInfo{{GPU: 1, PID: pid, ProcessUtilization: ProcessUtilInfo{SmUtil: &util, EnergyConsumed: &joules}}}, nil
}
