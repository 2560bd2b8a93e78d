package hwmon

import (
	"strconv"
	"strings"

	"github.com/wattle-project/wattle"
)

// driver is what a hwmon driver of that name is known to measure.
type driver struct {
	name string
	// labelled says that the component follows from each channel's label.
	labelled bool
	// component of a channel that no label tells.
	component wattle.Component
}

// drivers lists the drivers that measure the machine's own supply.
func drivers() []driver {
	return []driver{
		{"power_meter", true, wattle.Platform}, // ACPI power meter: Grace, and some servers
		{"acpi_power_meter", true, wattle.Platform},
		{"ina209", true, wattle.OtherComponent}, {"ina2xx", true, wattle.OtherComponent},
		{"ina219", true, wattle.OtherComponent}, {"ina220", true, wattle.OtherComponent},
		{"ina226", true, wattle.OtherComponent}, {"ina230", true, wattle.OtherComponent},
		{"ina231", true, wattle.OtherComponent}, {"ina238", true, wattle.OtherComponent},
		{"ina228", true, wattle.OtherComponent}, {"ina260", true, wattle.OtherComponent},
		{"ina3221", true, wattle.OtherComponent}, {"ina3221x", true, wattle.OtherComponent},
		{"amd_energy", true, wattle.OtherComponent},
		{"amdgpu", false, wattle.GPU}, {"i915", false, wattle.GPU}, {"xe", true, wattle.GPU},
	}
}

func lookup(name string) (driver, bool) {
	for _, d := range drivers() {
		if d.name == name {
			return d, true
		}
	}
	return driver{}, false
}

// meaning is what a label says of its channel.
type meaning struct {
	component wattle.Component
	socket    int
	// inside says that the package zone of the socket, or for a graphics card
	// the card's own zone, contains this channel.
	inside bool
}

// interpret maps a label to a component.
//
// Grace labels are those of power1_oem_info: "Grace Power Socket N" is the
// whole socket with CPU rail, SoC and DRAM; "CPU Power" and "SysIO Power" lie
// in it; "Module Power" also holds a Hopper GPU (NVIDIA Grace Performance
// Tuning Guide, "Power and Thermals"). amd_energy shows Esocket and Ecore
// (Documentation/hwmon/amd_energy.rst). Rails of Jetson boards are those of
// the Jetson Linux Developer Guide: VDD_IN or VIN is the whole module. A monitor
// without a label may sit anywhere on the board, in front of other monitors too:
// it is taken for the whole machine, which is never added to parts. xe labels
// the card and the package on it (Documentation/ABI/testing/
// sysfs-driver-intel-xe-hwmon).
func interpret(d driver, label string) meaning {
	l := strings.ToLower(label)
	if m, ok := grace(l); ok {
		return m
	}
	if m, ok := amd(l); ok && d.name == "amd_energy" {
		return m
	}
	switch {
	case d.component == wattle.GPU:
		return meaning{component: wattle.GPU, socket: -1, inside: d.labelled && l != "card"}
	case !d.labelled:
		return meaning{component: d.component, socket: -1}
	case l == "":
		return meaning{component: wattle.Platform, socket: -1}
	}
	return rail(d, l)
}

func grace(l string) (meaning, bool) {
	head, socket, ok := strings.Cut(l, " power socket ")
	n, err := strconv.Atoi(strings.TrimSpace(socket))
	if !ok || err != nil || n < 0 {
		return meaning{}, false
	}
	switch head {
	case "grace":
		return meaning{component: wattle.Package, socket: n}, true
	case "cpu":
		return meaning{component: wattle.Core, socket: n, inside: true}, true
	case "sysio":
		return meaning{component: wattle.Uncore, socket: n, inside: true}, true
	case "module":
		return meaning{component: wattle.Platform, socket: n}, true
	}
	return meaning{}, false
}

func amd(l string) (meaning, bool) {
	if n, ok := strings.CutPrefix(l, "esocket"); ok {
		i, err := strconv.Atoi(n)
		return meaning{component: wattle.Package, socket: i}, err == nil
	}
	if strings.HasPrefix(l, "ecore") {
		return meaning{component: wattle.Core, socket: -1, inside: true}, true
	}
	return meaning{}, false
}

// rail maps the name of a supply rail; the first word that fits decides.
func rail(d driver, l string) meaning {
	for _, w := range []struct {
		part string
		c    wattle.Component
	}{
		{"vdd_in", wattle.Platform}, {"pom_5v_in", wattle.Platform}, {"vin_sys", wattle.Platform}, {"vin", wattle.Platform}, {"total", wattle.Platform},
		{"gpu", wattle.GPU}, {"cpu", wattle.Package},
		{"ddr", wattle.DRAM}, {"vddq", wattle.DRAM}, {"dram", wattle.DRAM}, {"mem", wattle.DRAM},
	} {
		if strings.Contains(l, w.part) {
			return meaning{component: w.c, socket: -1}
		}
	}
	return meaning{component: d.component, socket: -1}
}
