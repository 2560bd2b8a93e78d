//go:build cgo && linux

package nvml

import (
	"testing"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// TestLayouts compares with the types that go-nvml generates from nvml.h.
func TestLayouts(t *testing.T) {
	type pair struct {
		name       string
		ours, want uintptr
	}
	var q gpmMetricsGet
	for _, p := range []pair{
		{"utilization", unsafe.Sizeof(utilization{}), unsafe.Sizeof(nvml.Utilization{})},
		{"memory", unsafe.Sizeof(memoryInfo{}), unsafe.Sizeof(nvml.Memory{})},
		{"attributes", unsafe.Sizeof(attributes{}), unsafe.Sizeof(nvml.DeviceAttributes{})},
		{"compute slices", unsafe.Offsetof(attributes{}.ComputeSlices), unsafe.Offsetof(nvml.DeviceAttributes{}.ComputeInstanceSliceCount)},
		{"process sample", unsafe.Sizeof(processSample{}), unsafe.Sizeof(nvml.ProcessUtilizationSample{})},
		{"process sample time", unsafe.Offsetof(processSample{}.Time), unsafe.Offsetof(nvml.ProcessUtilizationSample{}.TimeStamp)},
		{"process sample sm", unsafe.Offsetof(processSample{}.SM), unsafe.Offsetof(nvml.ProcessUtilizationSample{}.SmUtil)},
		{"gpm support", unsafe.Sizeof(gpmSupport{}), unsafe.Sizeof(nvml.GpmSupport{})},
		{"gpm metric", unsafe.Sizeof(gpmMetric{}), unsafe.Sizeof(nvml.GpmMetric{})},
		{"gpm metric value", unsafe.Offsetof(gpmMetric{}.Value), unsafe.Offsetof(nvml.GpmMetric{}.Value)},
		{"gpm first metric", unsafe.Offsetof(q.Metrics), 24},
	} {
		if p.ours != p.want {
			t.Errorf("%s: %d bytes, nvml.h has %d", p.name, p.ours, p.want)
		}
	}
	if gpmRoom < nvml.GPM_METRIC_MAX {
		t.Errorf("room for %d GPM metrics, nvml.h has %d", gpmRoom, nvml.GPM_METRIC_MAX)
	}
}

func TestNumbers(t *testing.T) {
	for ours, want := range map[code]nvml.Return{
		success: nvml.SUCCESS, notSupported: nvml.ERROR_NOT_SUPPORTED, noPermission: nvml.ERROR_NO_PERMISSION,
		notFound: nvml.ERROR_NOT_FOUND, insufficientSize: nvml.ERROR_INSUFFICIENT_SIZE,
		driverNotLoaded: nvml.ERROR_DRIVER_NOT_LOADED, gpuIsLost: nvml.ERROR_GPU_IS_LOST, unknownError: nvml.ERROR_UNKNOWN,
	} {
		if int(ours) != int(want) {
			t.Errorf("code %d, nvml.h has %d", ours, want)
		}
	}
	if gpmGraphics != nvml.GPM_METRIC_GRAPHICS_UTIL || gpmSM != nvml.GPM_METRIC_SM_UTIL || gpmVersion != nvml.GPM_METRICS_GET_VERSION {
		t.Error("GPM numbers differ from nvml.h")
	}
	if longest := max(nvml.DEVICE_UUID_V2_BUFFER_SIZE, nvml.DEVICE_NAME_V2_BUFFER_SIZE); bufferSize < longest {
		t.Errorf("buffer of %d bytes, nvml.h wants %d", bufferSize, longest)
	}
}
