package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/wattle-project/wattle/plugins/proto"
)

// ErrNotServing is wrapped by Read while there is no process and no reading
// that is young enough.
var ErrNotServing = errors.New("does not serve")

// session is one process.
type session interface {
	capabilities() proto.Capabilities
	// read fails with a meterError when the process is well but its meter is not.
	read(ctx context.Context, known uint64) (*answer, error)
	alive() bool
	pid() int
	kill()
}

// answer is one checked answer of a plugin.
type answer struct {
	revision uint64
	zones    []proto.Zone // nil when the known revision holds
	readings []proto.Stamped
	uses     []proto.Use
	gauges   []proto.Gauge
}

// meterError is an error that the plugin's meter reported.
type meterError string

func (e meterError) Error() string { return string(e) }

// Meter is a plugin as a meter. Run keeps the process alive; Read, Zones and
// Uses are for one caller beside it, Status for any.
type Meter struct {
	cfg    Config
	launch func(context.Context) (session, error)
	kick   chan struct{}

	mu      sync.Mutex
	current session
	caps    proto.Capabilities
	status  Status

	// Below belongs to the caller of Read.
	from     session // that the zones came from
	revision uint64
	zones    []proto.Zone
	readings []proto.Reading
	uses     []proto.Use
	gauges   []proto.Gauge
	stamps   map[string]stamp
}

// stamp dates an observation on the host's clock.
type stamp struct {
	name int64
	at   time.Time
}

// New returns the Meter of a plugin; nothing is started before Run.
func New(c Config) (*Meter, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	m := &Meter{cfg: c, kick: make(chan struct{}, 1), stamps: map[string]stamp{}}
	m.launch = func(ctx context.Context) (session, error) { return launch(ctx, c) }
	return m, nil
}

// Name is what the plugin calls itself, and the configured name before it served.
func (m *Meter) Name() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.caps.Name != "" {
		return m.caps.Name
	}
	return m.cfg.Name
}

// Capabilities is what the plugin said of itself at its last start.
func (m *Meter) Capabilities() proto.Capabilities {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.caps
}

// Status returns the state of the process.
func (m *Meter) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.status
}

// Zones lists the zones as of the last good Read. The slice is the meter's own.
func (m *Meter) Zones() []proto.Zone { return m.zones }

// Uses lists who used the zones as of the last good Read; nil when that is too
// old. The slice is the meter's own.
func (m *Meter) Uses() []proto.Use { return m.uses }

// Gauges lists how busy the zones were, as Uses does.
func (m *Meter) Gauges() []proto.Gauge { return m.gauges }

// Read asks the plugin. When it does not answer, the readings of the last good
// answer are returned with their old times, up to MaxAge; then an error is.
func (m *Meter) Read(ctx context.Context, dst []proto.Reading) ([]proto.Reading, error) {
	m.mu.Lock()
	s, last := m.current, m.status.LastError
	m.mu.Unlock()
	err := fmt.Errorf("plugin %s: %w: %w", m.cfg.Name, ErrNotServing, orNew(last))
	if s != nil {
		if err = m.ask(ctx, s); err == nil {
			return append(dst, m.readings...), nil
		}
		err = fmt.Errorf("plugin %s: %w", m.cfg.Name, err)
	}
	m.uses, m.gauges = nil, nil
	if at := m.Status().LastRead; !at.IsZero() && time.Since(at) <= m.cfg.MaxAge {
		return append(dst, m.readings...), nil
	}
	return dst, err
}

// orNew is the reason of a plugin that has none yet.
func orNew(err error) error {
	if err == nil {
		return errors.New("not started yet")
	}
	return err
}

// ask reads the process and keeps what it answers. A process that fails the
// call, or answers nonsense, is given up; a meter that fails is not.
func (m *Meter) ask(ctx context.Context, s session) error {
	if s != m.from {
		m.from, m.revision = s, 0
	}
	call, cancel := context.WithTimeout(ctx, m.cfg.ReadTimeout)
	defer cancel()
	a, err := s.read(call, m.revision)
	var sick meterError
	switch {
	case err == nil:
		m.keep(a)
		return nil
	case errors.As(err, &sick), ctx.Err() != nil:
		return err
	}
	m.giveUp(s, err)
	return err
}

func (m *Meter) keep(a *answer) {
	if a.zones != nil || a.revision != m.revision {
		m.zones, m.revision = a.zones, a.revision
		maps.DeleteFunc(m.stamps, func(key string, _ stamp) bool {
			return !slices.ContainsFunc(m.zones, func(z proto.Zone) bool { return z.Key == key })
		})
	}
	m.readings = m.readings[:0]
	for _, r := range a.readings {
		m.readings = append(m.readings, m.date(r))
	}
	m.uses, m.gauges = a.uses, a.gauges
	m.mu.Lock()
	m.status.LastRead = time.Now()
	m.mu.Unlock()
}

// date gives a repeated observation the time it had before, so that the jitter
// of the call does not move it.
func (m *Meter) date(r proto.Stamped) proto.Reading {
	key := m.zones[r.Zone].Key
	if old, ok := m.stamps[key]; ok && old.name == r.Stamp {
		r.At = old.at
	}
	m.stamps[key] = stamp{name: r.Stamp, at: r.At}
	return r.Reading
}

// giveUp makes Run end the process s.
func (m *Meter) giveUp(s session, err error) {
	m.mu.Lock()
	if m.current == s {
		m.current = nil
		m.status.LastError = err
	}
	m.mu.Unlock()
	select {
	case m.kick <- struct{}{}:
	default:
	}
}
