package wattle

import "fmt"

// Accelerator describes a device, or a part of one, that a target offers.
// The zero value means "no accelerator".
type Accelerator struct {
	Vendor  string // "nvidia"
	Product string // "A100-SXM4-80GB"
	Family  string // "ampere"; functions ask for a family or a product
	Memory  Bytes  // of this part
	// Compute is the CUDA compute capability times ten (80 for 8.0), 0 if unknown.
	Compute int
	// Profile is the MIG profile ("1g.10gb") when Sharing is SharingMIG.
	Profile string
	// Slices is the number of compute slices of this part and OfSlices that of
	// the whole device (1 of 7 for 1g on an A100); both 1 for a whole device.
	Slices, OfSlices int
	// MemorySlices and OfMemorySlices say the same of its memory (2 of 8 for
	// 1g.20gb on an A100 of 80 GB); 0 where memory is cut as compute is.
	MemorySlices, OfMemorySlices int
	Sharing                      Sharing
	// Idle and Max are the watts of the whole device at rest and at full load.
	Idle, Max Watts
}

// Present reports whether there is an accelerator at all.
func (a Accelerator) Present() bool { return a.Product != "" }

// Share is the part of the whole device's compute in (0, 1].
func (a Accelerator) Share() float64 {
	if a.OfSlices <= 0 || a.Slices <= 0 {
		return 1
	}
	return float64(a.Slices) / float64(a.OfSlices)
}

// Sharing is the way in which an accelerator is divided.
type Sharing uint8

// The ways of sharing an accelerator, weakest isolation last.
const (
	SharingNone Sharing = iota // whole device
	SharingPassthrough
	SharingVGPU
	SharingMIG
	SharingMPS
	SharingTimeSlice
)

func sharingNames() []string {
	return []string{"exclusive", "passthrough", "vgpu", "mig", "mps", "time-slice"}
}

// String returns the name used in experiment files and policies.
func (s Sharing) String() string { return nameOf(sharingNames(), int(s)) }

// UnmarshalText reads a name printed by String.
func (s *Sharing) UnmarshalText(b []byte) error {
	i, err := indexOf("sharing", sharingNames(), string(b))
	*s = Sharing(i)
	return err
}

// Isolation is an ordered level: higher isolates tenants better.
type Isolation uint8

// Levels of isolation between tenants on one machine.
const (
	IsolationUnknown   Isolation = iota
	IsolationTimeSlice           // 1: time-sliced GPU
	IsolationMPS                 // 2: MPS partitions
	IsolationMIG                 // 3: MIG instances
	IsolationGPU                 // 4: whole GPU
	IsolationNode                // 5: whole node or passthrough VM
)

func isolationNames() []string {
	return []string{"unknown", "time-slice", "mps", "mig", "gpu", "node"}
}

// String returns the name used in policies.
func (i Isolation) String() string { return nameOf(isolationNames(), int(i)) }

// UnmarshalText reads a name printed by String.
func (i *Isolation) UnmarshalText(b []byte) error {
	n, err := indexOf("isolation", isolationNames(), string(b))
	*i = Isolation(n)
	return err
}

// Isolation returns the level that this way of sharing gives.
func (a Accelerator) Isolation() Isolation {
	switch a.Sharing {
	case SharingPassthrough:
		return IsolationNode
	case SharingMIG, SharingVGPU:
		return IsolationMIG
	case SharingMPS:
		return IsolationMPS
	case SharingTimeSlice:
		return IsolationTimeSlice
	}
	return IsolationGPU
}

func nameOf(names []string, i int) string {
	if i < 0 || i >= len(names) {
		return fmt.Sprintf("invalid(%d)", i)
	}
	return names[i]
}

func indexOf(what string, names []string, s string) (int, error) {
	for i, n := range names {
		if n == s {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%s %q: want one of %q", what, s, names)
}
