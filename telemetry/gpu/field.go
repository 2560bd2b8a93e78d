package gpu

import "strings"

// Field is a DCGM field identifier. Fields are known by number because their
// names changed with DCGM 4.6 (155 became BOARD_POWER_WATTS) and the numbers
// did not. Source: dcgm_fields.h of DCGM.
type Field uint16

// The fields that are read.
const (
	PowerUsage        Field = 155  // W, averaged by the driver
	EnergyMillijoules Field = 156  // mJ since the driver was loaded
	PowerInstant      Field = 157  // W
	Utilisation       Field = 203  // % of time a kernel was running
	FramebufferUsed   Field = 252  // MiB
	GraphicsActive    Field = 1001 // ratio of time the graphics or compute engine was active
	SMActive          Field = 1002 // ratio of cycles an SM had a warp, mean of all SMs
	TensorActive      Field = 1004 // ratio of cycles a tensor pipe was active
	DRAMActive        Field = 1005 // ratio of cycles the memory interface was active
	GraceCPUPower     Field = 1130 // W of a Grace CPU
	EnergyJoules      Field = 1611 // J since the driver was loaded; from DCGM 4.6 on
)

// Unit is the unit in which a field is reported.
type Unit uint8

// Units of fields.
const (
	Watts Unit = iota
	Millijoules
	Joules
	Percent
	Mebibytes
	Ratios
)

// Spec describes a field.
type Spec struct {
	Field Field
	Unit  Unit
	// Metric is the name without the "DCGM_FI_DEV_" or "DCGM_FI_PROF_" prefix;
	// Alias is the name in other versions, or empty.
	Metric, Alias string
}

// Specs lists the fields that are read, by number.
func Specs() []Spec {
	return []Spec{
		{PowerUsage, Watts, "POWER_USAGE", "BOARD_POWER_WATTS"},
		{EnergyMillijoules, Millijoules, "TOTAL_ENERGY_CONSUMPTION", ""},
		{PowerInstant, Watts, "POWER_USAGE_INSTANT", "BOARD_POWER_RAW_WATTS"},
		{Utilisation, Percent, "GPU_UTIL", "GPU_UTILIZATION"},
		{FramebufferUsed, Mebibytes, "FB_USED", ""},
		{GraphicsActive, Ratios, "GR_ENGINE_ACTIVE", ""},
		{SMActive, Ratios, "SM_ACTIVE", ""},
		{TensorActive, Ratios, "PIPE_TENSOR_ACTIVE", ""},
		{DRAMActive, Ratios, "DRAM_ACTIVE", ""},
		{GraceCPUPower, Watts, "CPU_POWER_UTIL_CURRENT", ""},
		{EnergyJoules, Joules, "GPU_ENERGY_JOULES_TOTAL", ""},
	}
}

// UnitOf returns the unit of f, and false for a field that is not read.
func UnitOf(f Field) (Unit, bool) {
	for _, s := range Specs() {
		if s.Field == f {
			return s.Unit, true
		}
	}
	return 0, false
}

// FieldOf returns the field that a metric name of dcgm-exporter means: new
// names ("DCGM_FI_DEV_POWER_USAGE"), names of DCGM 4.6 and the old namespace
// ("dcgm_power_usage").
func FieldOf(metric string) (Field, bool) {
	name := strings.ToUpper(metric)
	for _, prefix := range []string{"DCGM_FI_DEV_", "DCGM_FI_PROF_", "DCGM_FI_", "DCGM_"} {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		for _, s := range Specs() {
			if rest == s.Metric || rest == s.Alias {
				return s.Field, true
			}
		}
	}
	return 0, false
}
