package power

import (
	"github.com/wattle-project/wattle"
)

// Hardware is a processor generation: watts per vCPU and speed relative to
// Skylake, the reference that function profiles are given for.
type Hardware struct {
	Name string
	// IdlePerVCPU and MaxPerVCPU are W per vCPU (hardware thread).
	IdlePerVCPU, MaxPerVCPU float64
	// Speed divides execution and initialisation time; 1 is Skylake.
	Speed  float64
	Source string
}

// Processors returns the built-in processor generations.
func Processors() []Hardware {
	const ccf = "Cloud Carbon Footprint coefficients-aws-use (SPECpower min/max per vCPU)"
	const speed = "; speed from SPECpower ssj_ops per thread, rounded (assumed)"
	return []Hardware{
		{"broadwell", 0.71, 3.69, 0.90, ccf + speed},
		{"skylake", 0.61, 4.10, 1.00, ccf + speed},
		{"cascade-lake", 0.69, 4.06, 1.05, ccf + speed},
		{"ice-lake", 0.77, 3.76, 1.15, ccf + speed},
		{"sapphire-rapids", 1.04, 4.16, 1.30, ccf + speed},
		{"epyc-2", 0.47, 1.69, 1.05, ccf + speed},
		{"epyc-3", 0.46, 1.96, 1.20, ccf + speed},
		{"epyc-4", 0.74, 2.28, 1.40, ccf + speed},
		{"graviton-2", 0.47, 1.69, 0.95, ccf + ", copied there from EPYC 2" + speed},
	}
}

// Processor finds a generation by name.
func Processor(name string) (Hardware, bool) {
	for _, h := range Processors() {
		if h.Name == name {
			return h, true
		}
	}
	return Hardware{}, false
}

// Accelerators returns the built-in accelerators, whole devices.
func Accelerators() []wattle.Accelerator {
	gib := func(n int64) wattle.Bytes { return wattle.Bytes(n) * wattle.GiB }
	whole := func(product, family string, memory wattle.Bytes, compute int, idle, peak wattle.Watts) wattle.Accelerator {
		return wattle.Accelerator{
			Vendor: "nvidia", Product: product, Family: family, Memory: memory, Compute: compute,
			Slices: 1, OfSlices: 1, Idle: idle, Max: peak,
		}
	}
	// Idle and maximum from Cloud Carbon Footprint (T4, V100, A100, A10G); L4,
	// L40S and H100 maxima are board TDPs, idle values unverified public readings.
	return []wattle.Accelerator{
		whole("T4", "turing", gib(16), 75, 8, 71),
		whole("V100", "volta", gib(16), 70, 35, 306),
		whole("A10G", "ampere", gib(24), 86, 18, 153),
		whole("A100-40GB", "ampere", gib(40), 80, 46, 407),
		whole("A100-80GB", "ampere", gib(80), 80, 46, 407),
		whole("L4", "ada", gib(24), 89, 16, 72),
		whole("L40S", "ada", gib(48), 89, 33, 350),
		whole("H100-80GB", "hopper", gib(80), 90, 70, 700),
	}
}

// Accelerator finds a device by product name.
func Accelerator(product string) (wattle.Accelerator, bool) {
	for _, a := range Accelerators() {
		if a.Product == product {
			return a, true
		}
	}
	return wattle.Accelerator{}, false
}

// MIGProfile is one way of cutting a device: how many of it fit and its part.
type MIGProfile struct {
	Name   string
	Max    int // instances of this profile that fit on an otherwise empty device
	Slices int // compute slices of 7
	// MemorySlices is the memory slices of 8, which placements are counted in.
	MemorySlices int
	Memory       wattle.Bytes
}

// MIGProfiles lists the profiles of a product (NVIDIA MIG user guide; counts
// and sizes as in go-nvml's A100 tables), or nil where MIG is not supported.
func MIGProfiles(product string) []MIGProfile {
	switch product {
	case "A100-40GB":
		return profiles("5gb", "10gb", "20gb", "40gb", 4864, 9856, 19968, 40192)
	case "A100-80GB", "H100-80GB":
		return profiles("10gb", "20gb", "40gb", "80gb", 9856, 19968, 40192, 80384)
	}
	return nil
}

func profiles(m1, m2, m4, m8 string, b1, b2, b4, b8 int64) []MIGProfile {
	mib := func(n int64) wattle.Bytes { return wattle.Bytes(n) * wattle.MiB }
	return []MIGProfile{
		{"1g." + m1, 7, 1, 1, mib(b1)},
		{"1g." + m2, 4, 1, 2, mib(b2)},
		{"2g." + m2, 3, 2, 2, mib(b2)},
		{"3g." + m4, 2, 3, 4, mib(b4)},
		{"4g." + m4, 1, 4, 4, mib(b4)},
		{"7g." + m8, 1, 7, 8, mib(b8)},
	}
}
