package model

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
)

// Level chooses one of the three estimates.
type Level uint8

// Levels of an estimate.
const (
	Central Level = iota
	Low
	High
)

func levelNames() []string { return []string{"central", "low", "high"} }

// String returns the name used in configuration.
func (l Level) String() string { return nameOf(levelNames(), int(l)) }

// UnmarshalText reads a name printed by String.
func (l *Level) UnmarshalText(b []byte) error {
	i, err := indexOf("level", levelNames(), string(b))
	*l = Level(i)
	return err
}

// Table chooses the central estimate of a processor that both tables have.
type Table uint8

// Tables of processor families. A family that only one has is taken from there.
const (
	CCF       Table = iota // Families: processors alone
	SPECpower              // Servers: at the wall, with the memory of the server
)

func tableNames() []string { return []string{"ccf", "specpower"} }

// String returns the name used in configuration.
func (t Table) String() string { return nameOf(tableNames(), int(t)) }

// UnmarshalText reads a name printed by String.
func (t *Table) UnmarshalText(b []byte) error {
	i, err := indexOf("table", tableNames(), string(b))
	*t = Table(i)
	return err
}

func nameOf(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("invalid(%d)", i)
}

func indexOf(what string, names []string, s string) (int, error) {
	if i := slices.Index(names, s); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("%s %q: want one of %q", what, s, names)
}

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
	// Curve is the power of the machine at the wall, its memory included, at
	// rising loads from 0 to 1, as a SPECpower_ssj2008 report of its type or a
	// plug meter tells it. It goes before the tables and excludes a TDP.
	Curve []Point
	// Error is the relative error of the estimate, in (0, 1): a bound is that far
	// from what the tables or curves say. Default 0.3. A processor that is in no
	// table lies between the extremes of those that are, whatever Error says.
	Error float64
	// Share is the part of the machine that TDP or Curve stands for and that this
	// system has, in (0, 1]: 0.25 for 8 of 32 vCPUs. Default 1.
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
func DefaultConfig() Config {
	return Config{Share: 1, Error: DefaultError, Proc: "/proc", Now: time.Now}
}

// DefaultError is the relative error of the processor models. Where both tables
// have a row they differ by up to 56 % at rest and 35 % at full load, mostly by
// under 30 %; no interval is published for any of the models.
const DefaultError = 0.30

// most is above any single machine.
const most wattle.Watts = 20_000

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
	case !(c.TDP >= 0 && c.TDP <= most):
		return fmt.Errorf("model: TDP %g W is not within 0 to 20 kW", float64(c.TDP))
	case c.TDP > 0 && len(c.Curve) > 0:
		return errors.New("model: give a TDP or a curve, not both")
	case !(c.Error > 0 && c.Error < 1):
		return fmt.Errorf("model: error %g is not within (0, 1); 0.3 is 30 %%", c.Error)
	case !(c.Share > 0 && c.Share <= 1):
		return fmt.Errorf("model: share %g is not within (0, 1]", c.Share)
	case c.Table > SPECpower:
		return fmt.Errorf("model: table %d is not CCF or SPECpower", c.Table)
	case c.Level > High:
		return fmt.Errorf("model: level %d is not Central, Low or High", c.Level)
	}
	return checkCurve(c.Curve)
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
