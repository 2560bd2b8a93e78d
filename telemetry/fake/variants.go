package fake

import "fmt"

// Ranges of real registers, in µJ: a package and server DRAM.
const (
	PackageRange = 262_143_328_850
	DRAMRange    = 65_712_999_613
)

// Variants names the powercap layouts that Variant builds: those of real
// machines, and those that broke other readers.
func Variants() []string {
	return []string{
		"one-socket", "two-socket", "dies", "mirrored-dies", "mmio", "tpmi", "two-psys",
		"amd", "dtpm", "no-range", "no-energy", "client",
	}
}

// Variant returns the zones of a named layout.
func Variant(name string) ([]TreeZone, error) {
	switch name {
	case "one-socket":
		return socket("intel-rapl", 0, "package-0"), nil
	case "two-socket":
		return append(socket("intel-rapl", 0, "package-0"), socket("intel-rapl", 1, "package-1")...), nil
	case "dies", "mirrored-dies":
		return append(socket("intel-rapl", 0, "package-0-die-0"), socket("intel-rapl", 1, "package-0-die-1")...), nil
	case "mmio": // the MMIO interface repeats package and DRAM
		return append(socket("intel-rapl", 0, "package-0"), socket("intel-rapl-mmio", 0, "package-0")...), nil
	case "tpmi": // with TPMI the kernel spells dies out, and enumerates in another order
		zones := append(socket("intel-rapl-tpmi", 0, "package-1"), socket("intel-rapl-tpmi", 1, "package-0")...)
		return append(zones, socket("intel-rapl", 0, "package-0")...), nil
	case "two-psys":
		zones := append(socket("intel-rapl", 0, "package-0"), socket("intel-rapl", 1, "package-1")...)
		return append(zones, unit("intel-rapl:2", "psys", PackageRange), unit("intel-rapl:3", "psys", PackageRange)), nil
	case "amd":
		return []TreeZone{server("intel-rapl:0", "package-0"), unit("intel-rapl:0:0", "core", 65_532_610_987)}, nil
	case "dtpm": // neither control type meters RAPL
		return append(socket("intel-rapl", 0, "package-0"),
			TreeZone{ID: "dtpm:0", Name: "soc", NoRange: true}, TreeZone{ID: "idle_inject:0", Name: "cpu", NoEnergy: true, NoRange: true}), nil
	case "no-range":
		zones := socket("intel-rapl", 0, "package-0")
		zones[1].NoRange = true
		return zones, nil
	case "no-energy":
		zones := socket("intel-rapl", 0, "package-0")
		zones[1].NoEnergy = true
		return zones, nil
	case "client":
		return []TreeZone{
			{ID: "intel-rapl:0", Name: "package-0", Range: PackageRange, MaxPower: 28_000_000, Limit: 44_000_000},
			unit("intel-rapl:0:0", "core", PackageRange), unit("intel-rapl:0:1", "uncore", PackageRange),
			unit("intel-rapl:1", "psys", PackageRange),
		}, nil
	}
	return nil, fmt.Errorf("fake: unknown powercap variant %q: want one of %q", name, Variants())
}

// socket is a package with its DRAM.
func socket(control string, i int, name string) []TreeZone {
	id := fmt.Sprintf("%s:%d", control, i)
	return []TreeZone{server(id, name), unit(id+":0", "dram", DRAMRange)}
}

func server(id, name string) TreeZone {
	return TreeZone{ID: id, Name: name, Range: PackageRange, MaxPower: 205_000_000, Limit: 205_000_000}
}

func unit(id, name string, span uint64) TreeZone { return TreeZone{ID: id, Name: name, Range: span} }
