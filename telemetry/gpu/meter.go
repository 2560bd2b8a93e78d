package gpu

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
)

// ErrNoBoard is returned by Read when the source sees no GPU at all.
var ErrNoBoard = errors.New("no GPU found")

// Config tunes a Meter.
type Config struct {
	// BoundFactor × the enforced power limit is the highest plausible power of
	// a board. Limits are held over tens of milliseconds and counters are
	// refreshed every 20–100 ms, so short intervals overshoot. Default 2.
	BoundFactor float64
	// MaxGap is the longest interval over which power is integrated or the
	// energy of a board divided over its instances. Default 1 min.
	MaxGap time.Duration
	// Idle is the power of a board at rest. It is divided over MIG instances by
	// slices, of which free ones leave their part to the board; the rest of the
	// energy follows activity. 0 (the default) learns it: the lowest power seen,
	// at most 11.5 % of the limit.
	Idle wattle.Watts
}

// DefaultConfig returns the defaults stated at the fields.
func DefaultConfig() Config { return Config{BoundFactor: 2, MaxGap: time.Minute} }

// Validate checks ranges.
func (c Config) Validate() error {
	switch {
	case !(c.BoundFactor >= 1):
		return fmt.Errorf("gpu bound factor %g: want at least 1", c.BoundFactor)
	case c.MaxGap <= 0:
		return fmt.Errorf("gpu max gap %s: want a positive duration", c.MaxGap)
	case !(c.Idle >= 0):
		return fmt.Errorf("gpu idle power %s: want 0 or more", c.Idle)
	}
	return nil
}

var (
	_ telemetry.Meter  = (*Meter)(nil)
	_ telemetry.Prober = (*Meter)(nil)
)

// Meter is a telemetry.Meter over a Source. It is not safe for concurrent use.
type Meter struct {
	name    string
	source  Source
	config  Config
	boards  []Board
	zones   []telemetry.Zone
	uses    []Use
	ledgers map[string]*ledger
}

// NewMeter returns a meter that reports under name ("nvml" or "dcgm").
func NewMeter(name string, s Source, c Config) (*Meter, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &Meter{name: name, source: s, config: c, ledgers: map[string]*ledger{}}, nil
}

// Name implements telemetry.Meter.
func (m *Meter) Name() string { return m.name }

// Zones implements telemetry.Meter: boards by UUID, each followed by its MIG
// instances. It is empty before the first Read.
func (m *Meter) Zones() []telemetry.Zone { return m.zones }

// Uses lists who used the boards in the interval that ended with the last
// Read. The slice is the meter's own and valid until the next Read.
func (m *Meter) Uses() []Use { return m.uses }

// Boards returns the observation behind the last Read, sorted by UUID. The
// slice is the meter's own and valid until the next Read.
func (m *Meter) Boards() []Board { return m.boards }

// Close releases the source.
func (m *Meter) Close() error { return m.source.Close() }

// Read implements telemetry.Meter.
func (m *Meter) Read(ctx context.Context, dst []telemetry.Reading) ([]telemetry.Reading, error) {
	boards, err := m.source.Boards(ctx, m.boards[:0])
	if err != nil {
		m.boards, m.zones, m.uses = m.boards[:0], m.zones[:0], m.uses[:0]
		return dst, err
	}
	m.boards = tidy(boards)
	m.zones, m.uses = m.zones[:0], m.uses[:0]
	if len(m.boards) == 0 {
		return dst, ErrNoBoard
	}
	for i := range m.boards {
		dst = m.readBoard(&m.boards[i], dst)
	}
	m.forget()
	return dst, m.allFailed()
}

// tidy drops boards without identity and repeated ones, and sorts the rest.
func tidy(boards []Board) []Board {
	boards = slices.DeleteFunc(boards, func(b Board) bool { return MissingText(b.UUID) })
	slices.SortStableFunc(boards, func(a, b Board) int { return strings.Compare(a.UUID, b.UUID) })
	return slices.CompactFunc(boards, func(a, b Board) bool { return a.UUID == b.UUID })
}

func (m *Meter) allFailed() error {
	for _, b := range m.boards {
		if b.Err == nil {
			return nil
		}
	}
	return fmt.Errorf("no GPU could be read, first %s: %w", m.boards[0].UUID, m.boards[0].Err)
}

func (m *Meter) readBoard(b *Board, dst []telemetry.Reading) []telemetry.Reading {
	zone := telemetry.Zone{Key: b.UUID, Component: wattle.GPU, Socket: -1, Bound: b.Limit.Times(m.config.BoundFactor)}
	if b.Err == nil && !b.HasEnergy && !b.HasPower {
		b.Err = fmt.Errorf("gpu %s reports neither energy nor power", b.UUID)
	}
	m.zones = append(m.zones, zone)
	dst = append(dst, telemetry.Reading{
		Zone: len(m.zones) - 1, At: b.At, Err: b.Err,
		Energy: b.Energy, HasEnergy: b.HasEnergy && b.Err == nil,
		Power: b.Power, HasPower: b.HasPower && !b.HasEnergy && b.Err == nil,
	})
	if b.Err != nil {
		return dst
	}
	shares, basis := Shares(b.Instances)
	m.uses = appendUses(m.uses, b, shares, basis)
	return m.readInstances(b, zone, shares, dst)
}

// readInstances appends one overlapping zone and reading per MIG instance.
func (m *Meter) readInstances(b *Board, board telemetry.Zone, shares []float64, dst []telemetry.Reading) []telemetry.Reading {
	l := m.ledgers[b.UUID]
	if l == nil {
		l = &ledger{instances: map[string]uint64{}}
		m.ledgers[b.UUID] = l
	}
	l.advance(b, board.Bound, shares, m.config)
	for _, in := range b.Instances {
		zone := board
		zone.Key, zone.Parent, zone.Overlap = in.Key, b.UUID, true
		m.zones = append(m.zones, zone)
		dst = append(dst, telemetry.Reading{Zone: len(m.zones) - 1, At: b.At, Energy: l.instances[in.Key], HasEnergy: true})
	}
	return dst
}

// forget drops the ledgers of boards that are gone.
func (m *Meter) forget() {
	for uuid := range m.ledgers {
		if !slices.ContainsFunc(m.boards, func(b Board) bool { return b.UUID == uuid }) {
			delete(m.ledgers, uuid)
		}
	}
}
