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

// lookup returns the row of a family, the average for names it does not have.
func lookup(name string) (f Family, known bool) {
	all := Families()
	for _, f := range all[1:] {
		if f.Name == name {
			return f, true
		}
	}
	return all[0], false
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

// Relative error of the processor models. SPECpower's median for two-socket
// Broadwell machines (45 W at rest, 254 W at full load on 88 threads) lies 28 %
// below the table's row; no interval is published for either model.
const (
	familyError = 0.30
	curveError  = 0.30
)

// knot is a point of a load curve: utilisation and share of TDP.
type knot struct{ u, share float64 }

// teads is the load curve that Teads published for cloud instances and the
// Green Software Foundation's Impact Framework uses: 0, 10, 50, 100 % of load
// draw 12, 32, 75, 102 % of TDP.
func teads() [4]knot {
	return [4]knot{{0, 0.12}, {0.1, 0.32}, {0.5, 0.75}, {1, 1.02}}
}

// Curve returns the share of TDP that a load in [0, 1] draws, linear between
// the points of the Teads curve.
func Curve(load float64) float64 {
	k := teads()
	load = clamp(load)
	for i := 1; i < len(k); i++ {
		if load <= k[i].u {
			t := (load - k[i-1].u) / (k[i].u - k[i-1].u)
			return k[i-1].share + float64(t*(k[i].share-k[i-1].share))
		}
	}
	return k[len(k)-1].share
}

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
		{"GenuineIntel", "6", "143", "", "sapphirerapids"},
		{"AuthenticAMD", "23", "1", "", "epyc1"}, {"AuthenticAMD", "23", "49", "", "epyc2"},
		{"AuthenticAMD", "25", "1", "", "epyc3"}, {"AuthenticAMD", "25", "17", "", "epyc4"}, {"AuthenticAMD", "25", "160", "", "epyc4"},
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
