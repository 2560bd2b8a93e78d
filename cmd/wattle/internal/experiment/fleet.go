package experiment

import (
	"cmp"
	"fmt"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/power"
	"github.com/wattle-project/wattle/scheduler/state"
)

// prices returns the built-in price models.
func prices() map[string]state.Price {
	return map[string]state.Price{
		// AWS Lambda, x86, us-east-1 list price; egress between regions.
		"lambda": {PerRequest: 2e-7, PerGBSecond: 1.66667e-5, EgressPerGB: 0.02, Round: time.Millisecond},
		// Google Cloud Functions, first generation, 100 ms steps (SeBS-Flow).
		"gcf": {PerRequest: 4e-7, PerGBSecond: 2.5e-6, PerCPUSecond: 2.4e-5, EgressPerGB: 0.12, Round: 100 * time.Millisecond, BillInit: true},
		// Owned nodes at 1.65 USD/h per 64 vCPU and 256 GiB over three years and
		// power at 0.12 USD/kWh, half to processors and half to memory; an
		// accelerator slice at a seventh of 1.5 USD/h (assumed).
		"owned": {PerGBSecond: 9e-7, PerCPUSecond: 3.6e-6, PerSlice: 6e-5, Round: time.Millisecond, BillInit: true},
	}
}

// fleet builds the clusters with the coefficients of an assignment.
func (f *File) fleet(s Assignment) (*state.Fleet, error) {
	coeff := f.coefficients()
	var out []state.Cluster
	for i := range f.Fleet.Clusters {
		c, err := f.cluster(&f.Fleet.Clusters[i], &coeff, s)
		if err != nil {
			return nil, fmt.Errorf("%s: fleet: %w", f.path, err)
		}
		out = append(out, c)
	}
	fleet, err := state.NewFleet(out)
	if err != nil {
		return nil, fmt.Errorf("%s: fleet: %w", f.path, err)
	}
	return fleet, nil
}

func (f *File) coefficients() power.Coefficients {
	c := power.DefaultCoefficients()
	if l := f.Accounting.Lifetime; l.Set {
		h := l.V.Hours()
		c.Lifetime.Low, c.Lifetime.Central, c.Lifetime.High = h, h, h
		c.Lifetime.Source = "experiment file"
	}
	return c
}

func (f *File) cluster(c *Cluster, coeff *power.Coefficients, s Assignment) (state.Cluster, error) {
	out := state.Cluster{
		ID: wattle.ClusterID(c.ID), Zone: wattle.ZoneID(c.Zone), Region: wattle.RegionID(cmp.Or(c.Region, c.ID)),
		Country: c.Country, Jurisdiction: c.Jurisdiction, Provider: cmp.Or(c.Provider, "on-prem"), PUE: c.PUE, Labels: c.Labels,
	}
	if len(c.Location) == 2 {
		out.Latitude, out.Longitude = c.Location[0], c.Location[1]
	} else if len(c.Location) != 0 {
		return out, fmt.Errorf("cluster %s: location wants latitude and longitude, has %d numbers", c.ID, len(c.Location))
	}
	if out.PUE == 0 {
		out.PUE = pue(out.Provider)
	}
	out.PUE = scaled(out.PUE, coeff.PUE, s.PUE)
	price, err := f.price(cmp.Or(c.Price, "lambda"))
	if err != nil {
		return out, fmt.Errorf("cluster %s: %w", c.ID, err)
	}
	out.Price = price
	for i := range c.Pools {
		p, err := f.pool(&c.Pools[i], coeff, s)
		if err != nil {
			return out, fmt.Errorf("cluster %s: %w", c.ID, err)
		}
		out.Pools = append(out.Pools, p)
	}
	return out, nil
}

// pue is Cloud Carbon Footprint's figure per provider.
func pue(provider string) float64 {
	switch provider {
	case "aws":
		return 1.135
	case "azure":
		return 1.185
	case "gcp":
		return 1.1
	}
	return 1.58
}

func (f *File) price(name string) (state.Price, error) {
	if p, ok := f.Fleet.Prices[name]; ok {
		return state.Price{
			PerRequest: p.PerRequest.V, PerGBSecond: p.PerGBSecond.V, PerCPUSecond: p.PerCPUSecond.V, PerSlice: p.PerSlice.V,
			EgressPerGB: p.Egress.V, Round: p.Round.Or(time.Millisecond), Minimum: p.Minimum.V, BillInit: p.BillInit,
		}, nil
	}
	if p, ok := prices()[name]; ok {
		return p, nil
	}
	return state.Price{}, fmt.Errorf("price %q is neither in fleet.prices nor one of %v", name, sortedKeys(prices()))
}

func (f *File) pool(p *Pool, coeff *power.Coefficients, s Assignment) (state.Pool, error) {
	name := cmp.Or(p.Hardware, "skylake")
	hw, dram, err := f.hardware(name, coeff, s.DRAM)
	if err != nil {
		return state.Pool{}, fmt.Errorf("pool %s: %w", p.Name, err)
	}
	out := state.Pool{
		Name: p.Name, Nodes: max(p.Nodes, 1), Hardware: name, Speed: hw.Speed, Sharing: p.Sharing.V, Shares: p.Shares,
		Machine: power.Machine{
			VCPU: cmp.Or(p.VCPU, 64), Memory: p.Memory.Or(256 * wattle.GiB),
			IdlePerVCPU: wattle.Watts(hw.IdlePerVCPU), MaxPerVCPU: wattle.Watts(hw.MaxPerVCPU), DRAMPerGiB: dram,
		},
	}
	if p.Accelerator != "" {
		a, ok := power.Accelerator(p.Accelerator)
		if !ok {
			return out, fmt.Errorf("pool %s: unknown accelerator %q, want one of %v", p.Name, p.Accelerator, products())
		}
		out.Machine.Accelerator, out.Machine.Accelerators = a, cmp.Or(p.Accelerators, 1)
		if out.Profile, err = mig(p); err != nil {
			return out, fmt.Errorf("pool %s: %w", p.Name, err)
		}
	}
	m := &out.Machine
	m.Embodied = coeff.ServerEmbodied(s.Embodied, cmp.Or(p.Sockets, 2), m.Memory, m.Accelerators)
	if p.Embodied.Set {
		scale := float64(p.Embodied.V / m.Embodied.Total())
		e := &m.Embodied
		e.CPU, e.DRAM, e.Devices, e.Rest = e.CPU.Times(scale), e.DRAM.Times(scale), e.Devices.Times(scale), e.Rest.Times(scale)
	}
	return out, nil
}

func (f *File) hardware(name string, coeff *power.Coefficients, s power.Set) (power.Hardware, wattle.Watts, error) {
	dram := wattle.Watts(s.Of(coeff.DRAM))
	if h, ok := f.Fleet.Hardware[name]; ok {
		return power.Hardware{
			Name: name, IdlePerVCPU: float64(h.Idle.V), MaxPerVCPU: float64(h.Max.V), Speed: cmp.Or(h.Speed, 1), Source: h.Source,
		}, h.DRAM.Or(dram), nil
	}
	if h, ok := power.Processor(name); ok {
		return h, dram, nil
	}
	var names []string
	for _, h := range power.Processors() {
		names = append(names, h.Name)
	}
	return power.Hardware{}, 0, fmt.Errorf("hardware %q is neither in fleet.hardware nor one of %v", name, names)
}

func mig(p *Pool) (*power.MIGProfile, error) {
	if p.MIG == "" {
		return nil, nil
	}
	var names []string
	for _, m := range power.MIGProfiles(p.Accelerator) {
		if m.Name == p.MIG {
			return &m, nil
		}
		names = append(names, m.Name)
	}
	return nil, fmt.Errorf("%s has no MIG profile %q, want one of %v", p.Accelerator, p.MIG, names)
}

func products() []string {
	var names []string
	for _, a := range power.Accelerators() {
		names = append(names, a.Product)
	}
	return names
}
