package gpu

// Gauge is how busy a board or an instance was, as a profiler saw it.
type Gauge struct {
	Zone  string  // UUID of the board or key of the instance
	Name  string  // "utilisation", "engine", "sm", "tensor", "dram"
	Ratio float64 // in [0, 1]
}

// Gauges lists what is known of the activity of boards and instances as of the
// last Read. Missing values are left out.
func (m *Meter) Gauges() []Gauge {
	var gs []Gauge
	for _, b := range m.boards {
		gs = appendGauges(gs, b.UUID, b.Utilisation, b.Graphics, b.SM, b.Tensor, b.DRAM)
		for _, in := range b.Instances {
			gs = appendGauges(gs, in.Key, Ratio{}, in.Graphics, in.SM, in.Tensor, in.DRAM)
		}
	}
	return gs
}

func appendGauges(dst []Gauge, zone string, ratios ...Ratio) []Gauge {
	for i, name := range []string{"utilisation", "engine", "sm", "tensor", "dram"} {
		if r := ratios[i]; r.Known {
			dst = append(dst, Gauge{Zone: zone, Name: name, Ratio: r.Value})
		}
	}
	return dst
}
