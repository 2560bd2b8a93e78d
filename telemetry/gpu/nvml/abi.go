package nvml

import "fmt"

// Layouts and numbers of nvml.h (NVML API reference). A test compares them
// with github.com/NVIDIA/go-nvml, which is generated from that header.

// device and sample are opaque pointers of the library.
type (
	device uintptr
	sample uintptr
)

// code is an nvmlReturn_t.
type code uint32

const (
	success          code = 0
	notSupported     code = 3
	noPermission     code = 4
	notFound         code = 6
	insufficientSize code = 7
	driverNotLoaded  code = 9
	gpuIsLost        code = 15
	unknownError     code = 999
	// missingSymbol is ours: the driver is older than the function.
	missingSymbol code = 1000
)

// Error says what the code means.
func (c code) Error() string {
	switch c {
	case success:
		return "no value"
	case notSupported:
		return "not supported by this GPU or driver"
	case noPermission:
		return "no permission"
	case notFound:
		return "not found"
	case insufficientSize:
		return "insufficient size"
	case driverNotLoaded:
		return "the NVIDIA driver is not loaded"
	case gpuIsLost:
		return "the GPU has fallen off the bus"
	case missingSymbol:
		return "the driver's library lacks the function"
	}
	return fmt.Sprintf("nvml error %d", uint32(c))
}

// utilization is nvmlUtilization_t, percent.
type utilization struct{ GPU, Memory uint32 }

// memoryInfo is nvmlMemory_t, bytes.
type memoryInfo struct{ Total, Free, Used uint64 }

// attributes is nvmlDeviceAttributes_t.
type attributes struct {
	Multiprocessors, CopyEngines, Decoders, Encoders, JPEG, OFA uint32
	GPUSlices, ComputeSlices                                    uint32
	MemoryMB                                                    uint64
}

// processSample is nvmlProcessUtilizationSample_t.
type processSample struct {
	PID                uint32
	Time               uint64 // µs
	SM, Memory, Enc, _ uint32 // percent
}

// gpmSupport is nvmlGpmSupport_t.
type gpmSupport struct{ Version, Supported uint32 }

// gpmMetric is nvmlGpmMetric_t.
type gpmMetric struct {
	ID, Code                uint32
	Value                   float64
	Short, Long, UnitString uintptr
}

// gpmMetricsGet is nvmlGpmMetricsGet_t. The header's array has room for every
// metric and grows with the driver; the library reads Count entries only.
type gpmMetricsGet struct {
	Version, Count uint32
	First, Second  sample
	Metrics        [gpmRoom]gpmMetric
}

const (
	gpmRoom     = 512
	gpmVersion  = 1
	gpmGraphics = 1 // NVML_GPM_METRIC_GRAPHICS_UTIL, percent
	gpmSM       = 2 // NVML_GPM_METRIC_SM_UTIL, percent
)

// bufferSize holds the longest name or UUID (NVML_DEVICE_UUID_V2_BUFFER_SIZE
// and NVML_DEVICE_NAME_V2_BUFFER_SIZE are 96).
const bufferSize = 96
