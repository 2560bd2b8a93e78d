// Package model estimates the power of a machine without a meter from its
// utilisation, with low, central and high values.
//
// Processors follow the line between the rest and full-load power of their
// family, by Cloud Carbon Footprint's table or by the medians of
// SPECpower_ssj2008, the Teads curve where their TDP is given, or a curve of
// one's own; DRAM is a constant per gigabyte. The bounds hold what both tables
// say, with 30 % to either side, and are listed as zones that overlap the
// estimate. Samples carry the source "model", so that nobody takes them for
// measurements.
package model

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
)

// Estimate is a power with its bounds.
type Estimate struct {
	Low, Central, High wattle.Watts
}

func (e Estimate) at(l Level) wattle.Watts {
	switch l {
	case Low:
		return e.Low
	case High:
		return e.High
	}
	return e.Central
}

// Meter estimates a package and a DRAM zone for the whole machine; by SPECpower
// or a curve of one's own the package has the memory in it and there is no zone
// for that. Each has its bounds beside it as overlapping zones, "package/low" and
// "package/high", so that they are exported and recorded like any view. It
// implements telemetry.Meter and telemetry.Prober.
type Meter struct {
	cfg         Config
	ready       bool
	family      *Family // rows of cfg.Family, nil where a table has none
	server      *Server
	zones       []telemetry.Zone
	last        time.Time
	busy, total uint64
	load        float64
	spent       [2]Estimate // µJ in place of W since the first Read, by zone
	now         [2]Estimate
}

// New returns a meter that reads nothing yet.
func New(cfg Config) (*Meter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m := &Meter{cfg: cfg}
	m.family, m.server = lookup(cfg.Family)
	if cfg.Busy == nil {
		m.cfg.Busy = func() (uint64, uint64, error) { return readStat(filepath.Join(cfg.Proc, "stat")) }
	}
	return m, nil
}

// Name returns "model".
func (m *Meter) Name() string { return "model" }

// Zones lists "package" and "dram" after the first Read, each with its bounds.
func (m *Meter) Zones() []telemetry.Zone { return m.zones }

// Estimates returns the bounds of the last interval by zone key.
func (m *Meter) Estimates() map[string]Estimate {
	out := map[string]Estimate{}
	for i := range len(m.zones) / perEstimate {
		out[m.zones[i].Key] = m.now[i]
	}
	return out
}

// Probes says which rows of the tables are used.
func (m *Meter) Probes() []telemetry.Probe {
	if !m.ready {
		return nil
	}
	out := []telemetry.Probe{{Name: "model/package", Used: true, Reason: m.how(), Mend: "set the family or the TDP if that is not this processor"}}
	if !m.wall() {
		out = append(out, telemetry.Probe{Name: "model/dram", Used: true, Reason: fmt.Sprintf("%s at %g W/GB (%g to %g)", m.cfg.Memory, float64(dramCentral), float64(dramLow), float64(dramHigh))})
	}
	return out
}

// how says where the central estimate of the processors is from.
func (m *Meter) how() string {
	f, s := m.family, m.server
	switch {
	case m.cfg.TDP > 0:
		return fmt.Sprintf("Teads curve over %g of a TDP of %s", m.cfg.Share, m.cfg.TDP)
	case len(m.cfg.Curve) > 0:
		return fmt.Sprintf("%g of a configured curve of %s to %s", m.cfg.Share, m.cfg.Curve[0].Power, m.cfg.Curve[len(m.cfg.Curve)-1].Power)
	case m.bySPECpower():
		return fmt.Sprintf("%d vCPUs of family %s, of a server of %d at %g to %g W: %s", m.cfg.VCPUs, s.Name, s.Threads, float64(s.Idle), float64(s.Full), serverSource)
	case f == nil:
		f = &Families()[0]
	}
	return fmt.Sprintf("%d vCPUs of family %s at %g to %g W each: %s", m.cfg.VCPUs, f.Name, float64(f.Min), float64(f.Max), f.Source)
}

// bySPECpower reports whether the central estimate is SPECpower's.
func (m *Meter) bySPECpower() bool {
	return m.cfg.TDP == 0 && len(m.cfg.Curve) == 0 && m.server != nil && (m.family == nil || m.cfg.Table == SPECpower)
}

// wall reports whether the package is the whole machine with its memory.
func (m *Meter) wall() bool { return len(m.cfg.Curve) > 0 || m.bySPECpower() }

// Read appends the energy since the first Read, from the mean utilisation
// between two Reads. An interval whose utilisation cannot be read is accounted
// for by the next.
func (m *Meter) Read(_ context.Context, dst []telemetry.Reading) ([]telemetry.Reading, error) {
	if !m.ready {
		if err := m.describe(); err != nil {
			return dst, err
		}
	}
	busy, total, err := m.cfg.Busy()
	if err != nil {
		return dst, &telemetry.Unavailable{Reason: "utilisation cannot be read", Err: err}
	}
	at := m.cfg.Now()
	m.advance(at, busy, total)
	n := len(m.zones) / perEstimate
	for i := range m.zones {
		of, level := i, m.cfg.Level
		if i >= n {
			of, level = (i-n)/2, Low+Level((i-n)%2)
		}
		dst = append(dst, telemetry.Reading{Zone: i, At: at, Energy: uint64(m.spent[of].at(level)), HasEnergy: true})
	}
	return dst, nil
}

func (m *Meter) advance(at time.Time, busy, total uint64) {
	dt := at.Sub(m.last)
	if m.last.IsZero() || dt < 0 {
		dt = 0
	}
	if total > m.total {
		m.load = clamp(float64(busy-min(busy, m.busy)) / float64(total-m.total))
	}
	m.last, m.busy, m.total = at, busy, total
	m.now = [2]Estimate{m.processor(m.load), m.memory()}
	for i, e := range m.now {
		s, us := &m.spent[i], dt.Seconds()*1e6
		s.Low, s.Central, s.High = s.Low+e.Low.Times(us), s.Central+e.Central.Times(us), s.High+e.High.Times(us)
	}
}

// describe fills what the configuration leaves open from /proc.
func (m *Meter) describe() error {
	family, vcpus := Average, 0
	if b, err := os.ReadFile(filepath.Join(m.cfg.Proc, "cpuinfo")); err == nil {
		family, vcpus = Identify(string(b))
	} else if m.cfg.VCPUs == 0 {
		return &telemetry.Unavailable{Reason: "the processor is not known", Err: err, Mend: "set the number of vCPUs"}
	}
	if m.cfg.VCPUs == 0 {
		m.cfg.VCPUs = vcpus
	}
	if m.cfg.Family == "" {
		m.cfg.Family = family
		m.family, m.server = lookup(family)
	}
	if m.cfg.VCPUs == 0 {
		return &telemetry.Unavailable{Reason: "no processor in cpuinfo", Mend: "set the number of vCPUs"}
	}
	if m.cfg.Memory == 0 {
		m.cfg.Memory = readMemory(filepath.Join(m.cfg.Proc, "meminfo"))
	}
	m.zones = []telemetry.Zone{
		{Key: "package", Component: wattle.Package, Socket: -1, Bound: m.bound(m.processor(1))},
		{Key: "dram", Component: wattle.DRAM, Socket: -1, Bound: m.bound(m.memory())},
	}
	if m.wall() {
		m.zones = m.zones[:1]
	}
	for _, z := range m.zones {
		for _, l := range []Level{Low, High} {
			bound := z
			bound.Key, bound.Parent, bound.Overlap = z.Key+"/"+l.String(), z.Key, true
			m.zones = append(m.zones, bound)
		}
	}
	m.ready = true
	return nil
}

// perEstimate is the number of zones of an estimate: itself and its bounds.
const perEstimate = 3

// bound leaves room for the rounding of intervals.
func (m *Meter) bound(e Estimate) wattle.Watts { return max(e.High.Times(2), 1) }

// processor estimates the packages at a load in [0, 1]. The bounds hold every
// row that the family has in the tables, or all rows if it has none.
func (m *Meter) processor(load float64) Estimate {
	switch {
	case m.cfg.TDP > 0:
		return m.around(m.cfg.TDP.Times(Curve(load)).Times(m.cfg.Share))
	case len(m.cfg.Curve) > 0:
		return m.around(between(m.cfg.Curve, load).Times(m.cfg.Share))
	}
	f, s := m.family, m.server
	if f == nil && s == nil {
		return m.anyFamily(load)
	}
	var e Estimate
	if s != nil {
		e = m.around(s.line(load).Times(float64(m.cfg.VCPUs)))
	}
	if f != nil {
		e = e.with(m.around(line(*f, load).Times(float64(m.cfg.VCPUs))), !m.bySPECpower())
	}
	return e
}

// with widens e to hold o; central takes o's central value over too.
func (e Estimate) with(o Estimate, central bool) Estimate {
	if e == (Estimate{}) {
		return o
	}
	e.Low, e.High = min(e.Low, o.Low), max(e.High, o.High)
	if central {
		e.Central = o.Central
	}
	return e
}

// anyFamily is the average of processors that are not known, within the
// extremes of those that are.
func (m *Meter) anyFamily(load float64) Estimate {
	n := float64(m.cfg.VCPUs)
	central := line(Families()[0], load).Times(n)
	e := Estimate{Low: central, Central: central, High: central}
	for _, f := range Families() {
		w := line(f, load).Times(n)
		e.Low, e.High = min(e.Low, w), max(e.High, w)
	}
	for _, s := range Servers() {
		w := s.line(load).Times(n)
		e.Low, e.High = min(e.Low, w), max(e.High, w)
	}
	return e
}

// line is min + load·(max − min), the formula of Cloud Carbon Footprint.
func line(f Family, load float64) wattle.Watts {
	return f.Min + (f.Max - f.Min).Times(clamp(load))
}

func (m *Meter) around(w wattle.Watts) Estimate {
	return Estimate{Low: w.Times(1 - m.cfg.Error), Central: w, High: w.Times(1 + m.cfg.Error)}
}

func (m *Meter) memory() Estimate {
	gb := m.cfg.Memory.GB()
	return Estimate{Low: dramLow.Times(gb), Central: dramCentral.Times(gb), High: dramHigh.Times(gb)}
}

func readStat(path string) (busy, total uint64, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, err
	}
	return ParseStat(string(b))
}

// ParseStat reads the first line of /proc/stat and returns busy and total
// clock ticks of all processors. Idle, iowait and stolen time are not busy;
// guest time is part of user time already (proc_stat(5)).
func ParseStat(text string) (busy, total uint64, err error) {
	line, _, _ := strings.Cut(text, "\n")
	f := strings.Fields(line)
	if len(f) < 5 || f[0] != "cpu" {
		return 0, 0, fmt.Errorf("%.40q is not the first line of /proc/stat", line)
	}
	for i, word := range f[1:min(len(f), 9)] {
		v, err := strconv.ParseUint(word, 10, 64)
		if err != nil || v > math.MaxUint64/16 {
			return 0, 0, fmt.Errorf("/proc/stat: %q is not a number of ticks", word)
		}
		total += v
		if i != 3 && i != 4 && i != 7 {
			busy += v
		}
	}
	return busy, total, nil
}

// readMemory returns MemTotal, 0 if that cannot be read: DRAM is then left out
// of the estimate.
func readMemory(path string) wattle.Bytes {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) >= 2 && f[0] == "MemTotal:" {
			if kib, err := strconv.ParseInt(f[1], 10, 64); err == nil && kib > 0 && kib < math.MaxInt64/1024 {
				return wattle.Bytes(kib) * wattle.KiB
			}
		}
	}
	return 0
}
