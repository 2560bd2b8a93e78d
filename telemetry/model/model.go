// Package model estimates the power of a machine without a meter from its
// utilisation, with low, central and high values.
//
// Processors follow the line between the rest and full-load power of their
// family, by Cloud Carbon Footprint's table or by the medians of
// SPECpower_ssj2008, or the Teads curve where their TDP is given; DRAM is a
// constant per gigabyte. The bounds hold what both tables say, with 30 % to
// either side. Samples carry the source "model", so that nobody takes them for
// measurements.
package model

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
)

// Level chooses one of the three estimates.
type Level uint8

// Levels of an estimate.
const (
	Central Level = iota
	Low
	High
)

// Table chooses the central estimate of a processor that both tables have.
type Table uint8

// Tables of processor families. A family that only one has is taken from there.
const (
	CCF       Table = iota // Families: processors alone
	SPECpower              // Servers: at the wall, with the memory of the server
)

// Config configures a Meter. What is zero is read from /proc at the first Read.
type Config struct {
	// VCPUs is the number of hardware threads.
	VCPUs int
	// Family is a name of Families or Servers; empty finds it in /proc/cpuinfo.
	Family string
	// Table is where the central estimate is from. Default CCF.
	Table Table
	// TDP is the thermal design power of all sockets together; when given, the
	// Teads curve is used instead of the family's line.
	TDP wattle.Watts
	// Share is the part of the machine that TDP stands for and that this system
	// has, in (0, 1]: 0.25 for 8 of 32 vCPUs. Default 1.
	Share float64
	// Memory is the amount of DRAM.
	Memory wattle.Bytes
	// Level is what Read counts. Default Central.
	Level Level
	// Busy returns cumulative busy and total processor time in any common unit.
	// Default: /proc/stat.
	Busy func() (busy, total uint64, err error)
	// Proc is the directory in place of /proc.
	Proc string
	// Now stamps readings. Default time.Now.
	Now func() time.Time
}

// DefaultConfig describes this machine.
func DefaultConfig() Config { return Config{Share: 1, Proc: "/proc", Now: time.Now} }

// Validate checks the configuration.
func (c Config) Validate() error {
	f, server := lookup(c.Family)
	switch {
	case c.Now == nil || c.Proc == "":
		return errors.New("model: clock and proc directory are required; start from DefaultConfig")
	case c.VCPUs < 0 || c.Memory < 0:
		return errors.New("model: vCPUs and memory cannot be negative")
	case c.Family != "" && c.Family != Average && f == nil && server == nil:
		return fmt.Errorf("model: unknown processor family %q: want one of %s", c.Family, names())
	case !(c.TDP >= 0 && c.TDP <= 20_000):
		return fmt.Errorf("model: TDP %g W is not within 0 to 20 kW", float64(c.TDP))
	case !(c.Share > 0 && c.Share <= 1):
		return fmt.Errorf("model: share %g is not within (0, 1]", c.Share)
	case c.Table > SPECpower:
		return fmt.Errorf("model: table %d is not CCF or SPECpower", c.Table)
	case c.Level > High:
		return fmt.Errorf("model: level %d is not Central, Low or High", c.Level)
	}
	return nil
}

func names() string {
	var out []string
	for _, f := range Families() {
		out = append(out, f.Name)
	}
	for _, s := range Servers() {
		if !slices.Contains(out, s.Name) {
			out = append(out, s.Name)
		}
	}
	return strings.Join(out, ", ")
}

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
// the package has the memory in it and there is no zone for that. It implements telemetry.Meter and telemetry.Prober.
type Meter struct {
	cfg         Config
	ready       bool
	family      *Family // rows of cfg.Family, nil where a table has none
	server      *Server
	zones       []telemetry.Zone
	last        time.Time
	busy, total uint64
	load        float64
	spent       [2]float64 // µJ since the first Read, by zone
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

// Zones lists "package" and "dram" after the first Read.
func (m *Meter) Zones() []telemetry.Zone { return m.zones }

// Estimates returns the bounds of the last interval by zone key.
func (m *Meter) Estimates() map[string]Estimate {
	out := map[string]Estimate{}
	for i, z := range m.zones {
		out[z.Key] = m.now[i]
	}
	return out
}

// Probes says which rows of the tables are used.
func (m *Meter) Probes() []telemetry.Probe {
	if !m.ready {
		return nil
	}
	out := []telemetry.Probe{{Name: "model/package", Used: true, Reason: m.how(), Mend: "set the family or the TDP if that is not this processor"}}
	if !m.bySPECpower() {
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
	case m.bySPECpower():
		return fmt.Sprintf("%d vCPUs of family %s, of a server of %d at %g to %g W: %s", m.cfg.VCPUs, s.Name, s.Threads, float64(s.Idle), float64(s.Full), serverSource)
	case f == nil:
		f = &Families()[0]
	}
	return fmt.Sprintf("%d vCPUs of family %s at %g to %g W each: %s", m.cfg.VCPUs, f.Name, float64(f.Min), float64(f.Max), f.Source)
}

// bySPECpower reports whether the central estimate is SPECpower's.
func (m *Meter) bySPECpower() bool {
	return m.cfg.TDP == 0 && m.server != nil && (m.family == nil || m.cfg.Table == SPECpower)
}

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
	for i := range m.zones {
		dst = append(dst, telemetry.Reading{Zone: i, At: at, Energy: uint64(m.spent[i]), HasEnergy: true})
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
		m.spent[i] += float64(e.at(m.cfg.Level).For(dt)) * 1e6
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
	if m.bySPECpower() {
		m.zones = m.zones[:1]
	}
	m.ready = true
	return nil
}

// bound leaves room for the rounding of intervals.
func (m *Meter) bound(e Estimate) wattle.Watts { return max(e.High.Times(2), 1) }

// processor estimates the packages at a load in [0, 1]. The bounds hold every
// row that the family has in the tables, or all rows if it has none.
func (m *Meter) processor(load float64) Estimate {
	if m.cfg.TDP > 0 {
		return around(m.cfg.TDP.Times(Curve(load)).Times(m.cfg.Share), curveError)
	}
	f, s := m.family, m.server
	if f == nil && s == nil {
		return m.anyFamily(load)
	}
	var e Estimate
	if s != nil {
		e = around(s.line(load).Times(float64(m.cfg.VCPUs)), familyError)
	}
	if f != nil {
		e = e.with(around(line(*f, load).Times(float64(m.cfg.VCPUs)), familyError), !m.bySPECpower())
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

func around(w wattle.Watts, relative float64) Estimate {
	return Estimate{Low: w.Times(1 - relative), Central: w, High: w.Times(1 + relative)}
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
