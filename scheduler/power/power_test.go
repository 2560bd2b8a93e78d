package power

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wattle-project/wattle"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9*math.Max(math.Abs(want), 1) {
		t.Errorf("%s is %g, want %g", what, got, want)
	}
}

// node is 16 vCPUs of 0.61 to 4.10 W, 64 GiB at 0.392 W/GiB and two T4.
func node() Machine {
	t4, _ := Accelerator("T4")
	return Machine{VCPU: 16, Memory: 64 * wattle.GiB, IdlePerVCPU: 0.61, MaxPerVCPU: 4.10, DRAMPerGiB: 0.392, Accelerators: 2, Accelerator: t4}
}

func TestIdleNode(t *testing.T) {
	m := node()
	near(t, "packages", float64(m.IdleCPU()), 9.76)  // 16·0.61
	near(t, "memory", float64(m.IdleDRAM()), 25.088) // 64·0.392
	near(t, "devices", float64(m.IdleDevices()), 16) // 2·8
	near(t, "node", float64(m.Idle()), 9.76+25.088+16)
}

// Cloud Carbon Footprint: average watts = min + utilisation·(max − min).
func TestAverageWattsOfCloudCarbonFootprint(t *testing.T) {
	m := node()
	for _, u := range []float64{0, 0.5, 1} {
		r := wattle.Resources{CPU: 16000}
		got := m.IdlePerVCPU.Times(r.CPU.VCPU()) + m.Dynamic(r, u, 0)
		near(t, "a whole node's packages", float64(got), 16*(0.61+u*(4.10-0.61)))
	}
	half := wattle.Resources{CPU: 500, Memory: 2 * wattle.GiB, Slices: 1}
	near(t, "dynamic", float64(m.Dynamic(half, 0.8, 0.5)), 0.8*0.5*3.49+0.5*(71-8))
	near(t, "reserved", float64(m.Reserved(half)), 0.5*0.61+2*0.392+8)
	m.Accelerator = wattle.Accelerator{}
	near(t, "without a device", float64(m.Dynamic(half, 0.8, 0.5)), 0.8*0.5*3.49)
}

func TestPartsOfADevice(t *testing.T) {
	m := node()
	m.Accelerator, _ = Accelerator("A100-80GB")
	m.Accelerator.Slices, m.Accelerator.OfSlices = 2, 7
	r := wattle.Resources{Slices: 1}
	near(t, "idle of 2 of 7 slices", float64(m.Reserved(r)), 46*2.0/7)
	near(t, "dynamic of 2 of 7 slices", float64(m.Dynamic(r, 0, 1)), (407-46)*2.0/7)
}

// The SCI specification's shape: 1,000 kg over 4 years are 28.5 g an hour.
func TestEmbodiedOfAnHour(t *testing.T) {
	m := Machine{VCPU: 8, Memory: 16 * wattle.GiB, Embodied: Embodied{Rest: 1e6, Lifetime: 4 * 365 * 24 * time.Hour}}
	whole := wattle.Resources{CPU: 8000, Memory: 16 * wattle.GiB}
	near(t, "a server's hour", float64(m.Embodied.Share(m, whole, time.Hour)), 1e6/35040)
	if g := float64(m.Embodied.Share(m, whole, time.Hour)); math.Abs(g-28.5) > 0.05 {
		t.Errorf("%g g, want about 28.5 g", g)
	}
	near(t, "a quarter's hour", float64(m.Embodied.Share(m, wattle.Resources{CPU: 2000}, time.Hour)), 1e6/35040/4)
	if m.Embodied.Lifetime = 0; m.Embodied.Share(m, whole, time.Hour) != 0 {
		t.Error("without a lifetime there is no share")
	}
}

func TestServerEmbodied(t *testing.T) {
	c := DefaultCoefficients()
	e := c.ServerEmbodied(Central, 2, 256*wattle.GiB, 1)
	near(t, "total", float64(e.Total()), 1000*(1000+100+1.388*240+150))
	if e.Lifetime != 35040*time.Hour {
		t.Errorf("lifetime %s", e.Lifetime)
	}
	small := c.ServerEmbodied(Central, 0, 8*wattle.GiB, 0)
	near(t, "a small server", float64(small.Total()), 1e6)
	for _, k := range c.List() {
		lo, hi := math.Min(k.Low, k.High), math.Max(k.Low, k.High)
		if k.Central < lo || k.Central > hi || k.Source == "" || k.Unit == "" || k.Name == "" {
			t.Errorf("coefficient %+v", k)
		}
		for _, s := range []Set{Low, Central, High} {
			var back Set
			if err := back.UnmarshalText([]byte(s.String())); err != nil || back.Of(k) != s.Of(k) {
				t.Errorf("%s: %v", s, err)
			}
		}
	}
	if new(Set).UnmarshalText([]byte("middle")) == nil {
		t.Error("an unknown set is accepted")
	}
}

// The shares of what fills a node add up to the node.
func TestSharesOfAFullNodeAreTheNode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := node()
		m.Embodied = DefaultCoefficients().ServerEmbodied(Central, 2, m.Memory, m.Accelerators)
		cpu, memory, slices := wattle.MilliCPU(16000), m.Memory, int32(2)
		var watts wattle.Watts
		var grams wattle.GramsCO2e
		take := func(r wattle.Resources) {
			watts += m.Reserved(r)
			grams += m.Embodied.Share(m, r, m.Embodied.Lifetime)
		}
		for range rapid.IntRange(0, 20).Draw(t, "instances") {
			r := wattle.Resources{
				CPU: wattle.MilliCPU(rapid.Int64Range(0, int64(cpu)).Draw(t, "cpu")), Memory: wattle.Bytes(rapid.Int64Range(0, int64(memory)).Draw(t, "memory")),
				Slices: rapid.Int32Range(0, slices).Draw(t, "slices"),
			}
			cpu, memory, slices = cpu-r.CPU, memory-r.Memory, slices-r.Slices
			take(r)
		}
		take(wattle.Resources{CPU: cpu, Memory: memory, Slices: slices})
		if want := float64(m.Idle()); math.Abs(float64(watts)-want) > 1e-9*want {
			t.Fatalf("reserved %g W of %g W", float64(watts), want)
		}
		if want := float64(m.Embodied.Total()); math.Abs(float64(grams)-want) > 1e-9*want {
			t.Fatalf("embodied %g g of %g g", float64(grams), want)
		}
	})
}

func TestSCI(t *testing.T) {
	near(t, "SCI", float64(SCI(30, 10, 8)), 5)
	if SCI(30, 10, 0) != 0 {
		t.Error("nothing was run")
	}
}

func TestTablesAreSound(t *testing.T) {
	for _, h := range Processors() {
		if got, ok := Processor(h.Name); !ok || got != h || h.IdlePerVCPU <= 0 || h.MaxPerVCPU <= h.IdlePerVCPU || h.Speed <= 0 {
			t.Errorf("processor %+v", h)
		}
	}
	for _, a := range Accelerators() {
		if got, ok := Accelerator(a.Product); !ok || got != a || a.Idle <= 0 || a.Max <= a.Idle || !a.Present() || a.Share() != 1 {
			t.Errorf("accelerator %+v", a)
		}
		for _, p := range MIGProfiles(a.Product) {
			if p.Max*p.Slices > 7 || p.Max*p.MemorySlices > 8 || p.Memory*wattle.Bytes(p.Max) > a.Memory || p.Max < 1 {
				t.Errorf("%s %+v does not fit", a.Product, p)
			}
		}
	}
	if _, ok := Processor("abacus"); ok {
		t.Error("an abacus is known")
	}
	if _, ok := Accelerator("abacus"); ok || MIGProfiles("T4") != nil {
		t.Error("unknown devices are known")
	}
}
