package power

import (
	"fmt"
	"time"

	"github.com/wattle-project/wattle"
)

// Coefficient is a model parameter with its spread and where it comes from.
type Coefficient struct {
	Name               string
	Unit               string
	Low, Central, High float64
	Source             string
}

// Set chooses one value of every coefficient.
type Set uint8

// Coefficient sets.
const (
	Central Set = iota
	Low
	High
)

// String returns "central", "low" or "high".
func (s Set) String() string {
	switch s {
	case Low:
		return "low"
	case High:
		return "high"
	}
	return "central"
}

// UnmarshalText reads a name printed by String.
func (s *Set) UnmarshalText(b []byte) error {
	for _, c := range []Set{Central, Low, High} {
		if c.String() == string(b) {
			*s = c
			return nil
		}
	}
	return fmt.Errorf("coefficient set %q: want low, central or high", b)
}

// Of returns the value of c in the set.
func (s Set) Of(c Coefficient) float64 {
	switch s {
	case Low:
		return c.Low
	case High:
		return c.High
	}
	return c.Central
}

// Coefficients are the model parameters that hold for a whole fleet.
type Coefficients struct {
	DRAM     Coefficient // W/GiB installed
	Network  Coefficient // kWh/GB moved
	PUE      Coefficient // unit-less
	Lifetime Coefficient // hours in service
	Server   Coefficient // kgCO2e of a server without memory over 16 GiB, extra CPUs, devices
	Memory   Coefficient // kgCO2e/GiB above 16 GiB
	Socket   Coefficient // kgCO2e per processor beyond the first
	Device   Coefficient // kgCO2e per accelerator
	Unknown  Coefficient // g/kWh of a zone without any signal
}

// DefaultCoefficients returns the published parameters that every figure rests
// on unless an experiment says otherwise.
func DefaultCoefficients() Coefficients {
	const ccf = "Cloud Carbon Footprint methodology and ccf-coefficients"
	return Coefficients{
		DRAM: Coefficient{"dram-power", "W/GiB", 0.0215, 0.392, 0.392,
			ccf + " 0.392; Caribou 0.3725; low: RAPL idle of the servers measured by EcoLife (SC'24)"},
		Network: Coefficient{"network-energy", "kWh/GB", 0, 0.001, 0.005,
			ccf + " and Caribou (SOSP'24) 0.001-0.005; Aslan et al. 2018 0.06 for 2015, halving every two years"},
		PUE:      Coefficient{"pue", "1", 1.1, 1.185, 1.58, ccf + ": GCP 1.1, AWS 1.135, Azure 1.185, on-premises 1.58"},
		Lifetime: Coefficient{"lifetime", "h", 52560, 35040, 26280, ccf + " 4 y; Boavizta 3 y; Scaleway 6 y"},
		Server:   Coefficient{"server-embodied", "kgCO2e", 700, 1000, 1300, ccf + " (Dell R740 life-cycle assessment); spread assumed ±30 %"},
		Memory:   Coefficient{"memory-embodied", "kgCO2e/GiB", 0.065, 1.388, 3.5, "ACT (ISCA'22) 0.065 for DDR4 10 nm; " + ccf + " 1.388; Boavizta up to 3.5"},
		Socket:   Coefficient{"cpu-embodied", "kgCO2e", 18, 100, 100, "Boavizta 9.14 + 0.0197 kg/mm2; " + ccf + " 100 per extra CPU"},
		Device:   Coefficient{"accelerator-embodied", "kgCO2e", 114, 150, 575, "Boavizta formula: L4 114, A100 273, H100 575; " + ccf + " 150"},
		Unknown:  Coefficient{"unknown-intensity", "g/kWh", 410, 475, 800, "world mean 475, US 410 (Cloud Carbon Footprint, Caribou); high assumed"},
	}
}

// List returns the coefficients in a fixed order for printing.
func (c Coefficients) List() []Coefficient {
	return []Coefficient{c.DRAM, c.Network, c.PUE, c.Lifetime, c.Server, c.Memory, c.Socket, c.Device, c.Unknown}
}

// ServerEmbodied is Cloud Carbon Footprint's sum for one server: base +
// memory above 16 GiB + processors beyond the first + devices.
func (c Coefficients) ServerEmbodied(s Set, sockets int, memory wattle.Bytes, devices int) Embodied {
	kg := func(v float64) wattle.GramsCO2e { return wattle.GramsCO2e(v * 1000) }
	extra := memory.GiB() - 16
	if extra < 0 {
		extra = 0
	}
	return Embodied{
		CPU:      kg(s.Of(c.Socket) * float64(max(sockets-1, 0))),
		DRAM:     kg(s.Of(c.Memory) * extra),
		Devices:  kg(s.Of(c.Device) * float64(devices)),
		Rest:     kg(s.Of(c.Server)),
		Lifetime: time.Duration(s.Of(c.Lifetime) * float64(time.Hour)),
	}
}
