package agent

import (
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/attribution"
	"github.com/wattle-project/wattle/telemetry/exporter"
)

// Embodied is the carbon of making a machine, by component, spread evenly over
// its lifetime. Processor and memory are shared by what functions reserve of
// them (SCI v1.1: M = TE · TiR/EL · RR/ToR); the rest stays with the node.
type Embodied struct {
	Package, DRAM, Other wattle.GramsCO2e
	Lifetime             time.Duration
}

func (e Embodied) sum() wattle.GramsCO2e { return e.Package + e.DRAM + e.Other }

// books are the grams of functions.
type books struct {
	of       map[functionKey]*grams
	owners   map[uint64]attribution.Owner // of cgroups that are there
	embodied wattle.GramsCO2e             // of the node
}

type functionKey struct{ namespace, function string }

type grams struct {
	energy                wattle.Microjoules // that was booked so far
	operational, embodied wattle.GramsCO2e
}

func (b *books) init() {
	b.of, b.owners = map[functionKey]*grams{}, map[uint64]attribution.Owner{}
}

func (b *books) function(namespace, function string) *grams {
	k := functionKey{namespace, function}
	g := b.of[k]
	if g == nil {
		g = &grams{}
		b.of[k] = g
	}
	return g
}

// emit books the grams of the round. A function pays for the energy that it was
// charged at the mean intensity of the node's energy since it paid last.
func (a *Agent) emit() {
	a.embody()
	if a.cfg.Carbon == nil {
		return
	}
	intensity, known := a.cfg.Carbon.Add(a.samples, a.now)
	for i := range a.accounts {
		acc := &a.accounts[i]
		g := a.books.function(acc.Namespace, acc.Function)
		total := a.shareOf(i).total(acc)
		if known { // otherwise its energy waits like the node's
			g.operational += (total - g.energy).Joules().At(intensity)
			g.energy = total
		}
	}
}

// emissions lists all grams.
func (a *Agent) emissions() {
	s := &a.snap
	s.Emissions, s.FunctionEmissions, s.Signals = s.Emissions[:0], s.FunctionEmissions[:0], s.Signals[:0]
	if a.cfg.Carbon != nil {
		for _, t := range a.cfg.Carbon.Totals() {
			s.Emissions = append(s.Emissions, exporter.Emissions{Scope: exporter.Operational, Zone: t.Zone, Kind: t.Kind, Quality: t.Quality, Total: t.Grams})
		}
		if signal, ok := a.cfg.Carbon.Latest(); ok {
			s.Signals = append(s.Signals, signal)
		}
	}
	if a.cfg.Embodied.sum() > 0 {
		s.Emissions = append(s.Emissions, exporter.Emissions{Scope: exporter.Embodied, Total: a.books.embodied})
	}
	for i := range a.accounts {
		acc := &a.accounts[i]
		g, ok := a.books.of[functionKey{acc.Namespace, acc.Function}]
		if !ok {
			continue
		}
		row := exporter.FunctionEmissions{Namespace: acc.Namespace, Function: acc.Function}
		if g.operational > 0 {
			row.Scope, row.Total = exporter.Operational, g.operational
			s.FunctionEmissions = append(s.FunctionEmissions, row)
		}
		if g.embodied > 0 {
			row.Scope, row.Total = exporter.Embodied, g.embodied
			s.FunctionEmissions = append(s.FunctionEmissions, row)
		}
	}
}

// embody books the round's part of what making the machine emitted.
func (a *Agent) embody() {
	e := a.cfg.Embodied
	if e.sum() > 0 && !a.last.IsZero() {
		part := float64(max(a.now.Sub(a.last), 0)) / float64(e.Lifetime)
		a.books.embodied += wattle.GramsCO2e(float64(e.sum()) * part)
		for i := range a.usage {
			a.reserve(a.usage[i].ID, part)
		}
	}
	for i := range a.usage {
		if a.usage[i].Gone {
			a.noteHeld(&a.usage[i])
			delete(a.books.owners, a.usage[i].ID)
			delete(a.control, a.usage[i].ID)
		}
	}
}

// reserve charges a container for what it reserved during part of the lifetime.
func (a *Agent) reserve(id uint64, part float64) {
	o, ok := a.books.owners[id]
	if !ok {
		return
	}
	e, d := a.cfg.Embodied, &a.cfg.Divide
	var sum wattle.GramsCO2e
	if d.CPU > 0 {
		sum += wattle.GramsCO2e(float64(e.Package) * min(float64(o.CPU)/float64(d.CPU), 1) * part)
	}
	if d.Memory > 0 {
		sum += wattle.GramsCO2e(float64(e.DRAM) * min(float64(o.Memory)/float64(d.Memory), 1) * part)
	}
	if sum > 0 {
		a.books.function(o.Namespace, o.Function).embodied += sum
	}
}
