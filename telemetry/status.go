package telemetry

import "cmp"

// Zones returns what is known of every zone ever seen, in the order in which
// they appeared. The slice is the caller's.
func (n *Node) Zones() []ZoneStatus {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]ZoneStatus, len(n.zones))
	for i, z := range n.zones {
		out[i] = z.status
	}
	return out
}

// Meters returns what is known of every meter, in the order of the chain.
func (n *Node) Meters() []MeterStatus {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]MeterStatus, len(n.meters))
	for i, m := range n.meters {
		out[i] = m.status
	}
	return out
}

// Probes explains, meter by meter and zone by zone, what is used and why the
// rest is not. It is complete after the first Collect; call it from the
// goroutine that collects, because meters explain themselves too.
func (n *Node) Probes() []Probe {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []Probe
	for _, m := range n.meters {
		out = append(out, m.probe())
		for _, z := range m.zones {
			out = append(out, z.probe())
		}
		if p, ok := m.meter.(Prober); ok {
			out = append(out, p.Probes()...)
		}
	}
	return out
}

func (m *meterState) probe() Probe {
	p := Probe{Name: m.status.Name, Used: m.status.Used, Reason: "is read"}
	switch {
	case m.status.Reads == 0 && m.fallback:
		p.Reason = "not needed: another meter is read"
	case m.status.Reads == 0:
		p.Reason = "was not tried yet"
	case m.status.Err != nil:
		p.Reason, p.Mend = explain(m.status.Err)
	}
	return p
}

func (z *zoneState) probe() Probe {
	s := z.status
	p := Probe{Name: s.Meter + "/" + s.Zone.Key, Used: !s.Zone.Overlap, Reason: cmp.Or(s.Reason, "part of the cover")}
	if s.Integrated {
		p.Reason += "; it shows power, which is integrated between readings"
	}
	if s.Err != nil {
		p.Reason, p.Mend = explain(s.Err)
		p.Used = p.Used && z.ever
	}
	return p
}
