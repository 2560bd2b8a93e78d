package model

import (
	"strings"

	"github.com/wattle-project/wattle"
)

// Family is the power of one vCPU (hardware thread) of a processor family at
// rest and at full load.
type Family struct {
	Name     string
	Min, Max wattle.Watts // per vCPU
	Source   string
}

// Average is the name of the row for processors that are not in the table.
const Average = "average"

// Families is the table of the Cloud Carbon Footprint methodology, which
// derives it from SPECpower_ssj2008 results.
func Families() []Family {
	const (
		csv = "Cloud Carbon Footprint, coefficients-aws-use.csv (from SPECpower_ssj2008)"
		doc = "Cloud Carbon Footprint, Methodology, appendix I"
	)
	return []Family{
		{Average, 0.74, 3.5, doc + ": AWS average"},
		{"haswell", 1.0, 4.74, doc},
		{"broadwell", 0.71, 3.69, doc},
		{"skylake", 0.61, 4.10, csv},
		{"cascadelake", 0.69, 4.06, csv},
		{"icelake", 0.77, 3.76, csv},
		{"sapphirerapids", 1.04, 4.16, csv},
		{"epyc1", 0.82, 2.55, doc},
		{"epyc2", 0.47, 1.69, csv},
		{"epyc3", 0.46, 1.96, csv},
		{"epyc4", 0.74, 2.28, csv},
		{"neoverse-n1", 0.47, 1.69, csv + ": Graviton2, copied there from EPYC 2"},
	}
}

// Server is the power at the wall of a two-socket server, at rest and at full
// load: the median of the SPECpower_ssj2008 results of its processor family.
type Server struct {
	Name       string
	Threads    int // hardware threads of the server
	Idle, Full wattle.Watts
}

// line is the share of one thread at a load, with its power supplies, fans and
// the little DRAM that these servers have.
func (s Server) line(load float64) wattle.Watts {
	return (s.Idle + (s.Full - s.Idle).Times(clamp(load))).Times(1 / float64(s.Threads))
}

// serverSource is where the rows of Servers are from.
const serverSource = "SPECpower_ssj2008, median of two-socket servers, results up to March 2026"

// Servers is the table of SPECpower_ssj2008 medians. It has younger families
// than the other one; names that both have mean the same processors.
func Servers() []Server {
	return []Server{
		{"broadwell", 88, 45, 254},
		{"skylake", 112, 52, 448},
		{"cascadelake", 112, 50, 414},
		{"icelake", 160, 121, 620},
		{"sapphirerapids", 240, 179, 832},
		{"emeraldrapids", 256, 196, 783},
		{"graniterapids", 512, 284, 1230},
		{"sierraforest", 288, 196, 675},
		{"epyc2", 256, 93, 400},
		{"epyc3", 256, 102, 455},
		{"epyc4", 384, 124, 697},
		{"epyc4c", 512, 118, 674},
		{"epyc5", 768, 150, 844},
		{"neoverse-n1", 256, 143, 282},
	}
}

// lookup returns the rows of a family in either table, and whether there is any.
func lookup(name string) (f *Family, s *Server) {
	for i, row := range Families()[1:] {
		if row.Name == name {
			f = &Families()[i+1]
		}
	}
	for i, row := range Servers() {
		if row.Name == name {
			s = &Servers()[i]
		}
	}
	return f, s
}

// DRAM power per decimal gigabyte. The central value is Cloud Carbon
// Footprint's mean of Crucial (0.375) and Micron (0.4083); the low one is RAPL's
// figure for idle servers of the EcoLife artifact (4 W on 192 GB), an
// order of magnitude below: memory power follows traffic, which is not known here.
const (
	dramLow     wattle.Watts = 0.02
	dramCentral wattle.Watts = 0.392
	dramHigh    wattle.Watts = 0.4083
)

// teads is the load curve that Teads published for cloud instances and the
// Green Software Foundation's Impact Framework uses: 0, 10, 50, 100 % of load
// draw 12, 32, 75, 102 % of TDP, here of 1 W.
func teads() []Point {
	return []Point{{0, 0.12}, {0.1, 0.32}, {0.5, 0.75}, {1, 1.02}}
}

// Curve returns the share of TDP that a load in [0, 1] draws, linear between
// the points of the Teads curve.
func Curve(load float64) float64 { return float64(between(teads(), load)) }

func clamp(u float64) float64 {
	if !(u > 0) {
		return 0
	}
	return min(u, 1)
}

// signature identifies a family by the numbers of /proc/cpuinfo.
type signature struct {
	vendor        string
	family, model string
	steppings     string // "" for any
	name          string
}

// signatures is from Linux' arch/x86/include/asm/intel-family.h and
// arch/arm64/include/asm/cputype.h, and AMD's revision guides.
func signatures() []signature {
	return []signature{
		{"GenuineIntel", "6", "63", "", "haswell"},
		{"GenuineIntel", "6", "79", "", "broadwell"}, {"GenuineIntel", "6", "86", "", "broadwell"},
		{"GenuineIntel", "6", "85", "5 6 7", "cascadelake"}, {"GenuineIntel", "6", "85", "", "skylake"},
		{"GenuineIntel", "6", "106", "", "icelake"}, {"GenuineIntel", "6", "108", "", "icelake"},
		{"GenuineIntel", "6", "143", "", "sapphirerapids"}, {"GenuineIntel", "6", "207", "", "emeraldrapids"},
		{"GenuineIntel", "6", "173", "", "graniterapids"}, {"GenuineIntel", "6", "175", "", "sierraforest"},
		{"AuthenticAMD", "23", "1", "", "epyc1"}, {"AuthenticAMD", "23", "49", "", "epyc2"},
		{"AuthenticAMD", "25", "1", "", "epyc3"}, {"AuthenticAMD", "25", "17", "", "epyc4"}, {"AuthenticAMD", "25", "160", "", "epyc4c"},
		{"AuthenticAMD", "26", "2", "", "epyc5"}, {"AuthenticAMD", "26", "17", "", "epyc5"},
		{"0x41", "8", "0xd0c", "", "neoverse-n1"},
	}
}

// Identify reads the text of /proc/cpuinfo: the family of the first processor,
// Average if it is not in the table, and the number of processors.
func Identify(cpuinfo string) (family string, vcpus int) {
	first := map[string]string{}
	for line := range strings.Lines(cpuinfo) {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if name == "processor" {
			vcpus++
		}
		if _, seen := first[name]; !seen {
			first[name] = value
		}
	}
	vendor := first["vendor_id"] + first["CPU implementer"]
	number := first["cpu family"] + first["CPU architecture"]
	model := first["model"] + first["CPU part"]
	for _, s := range signatures() {
		if s.vendor == vendor && s.family == number && s.model == model && s.admits(first["stepping"]) {
			return s.name, vcpus
		}
	}
	return Average, vcpus
}

func (s signature) admits(stepping string) bool {
	if s.steppings == "" {
		return true
	}
	for want := range strings.FieldsSeq(s.steppings) {
		if want == stepping {
			return true
		}
	}
	return false
}
