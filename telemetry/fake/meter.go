package fake

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
)

//go:embed demo.txt
var files embed.FS

// Demo returns the text of the default script: a two-socket server with DRAM
// and a GPU under a load that repeats every two minutes.
func Demo() string {
	b, err := files.ReadFile("demo.txt")
	if err != nil {
		panic("fake: the demo script is not embedded: " + err.Error())
	}
	return string(b)
}

// Meter plays a Script. It implements telemetry.Meter.
type Meter struct {
	script *Script
	now    func() time.Time
	begin  time.Time
	listed []telemetry.Zone
	index  []*zone
}

// New returns a meter that plays script from the first Read on, by the clock
// now (time.Now if nil).
func New(script *Script, now func() time.Time) (*Meter, error) {
	if script == nil || len(script.zones) == 0 {
		return nil, errors.New("fake: empty script")
	}
	if now == nil {
		now = time.Now
	}
	return &Meter{script: script, now: now}, nil
}

// NewFromText is New for the text of a script; the empty text is the demo.
func NewFromText(text string, now func() time.Time) (*Meter, error) {
	if strings.TrimSpace(text) == "" {
		text = Demo()
	}
	s, err := Parse(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	return New(s, now)
}

// Name returns "fake".
func (m *Meter) Name() string { return "fake" }

// Zones lists the zones that were plugged at the last Read.
func (m *Meter) Zones() []telemetry.Zone { return m.listed }

// Read appends the registers as the script has them now.
func (m *Meter) Read(_ context.Context, dst []telemetry.Reading) ([]telemetry.Reading, error) {
	at := m.now()
	if m.begin.IsZero() {
		m.begin = at
	}
	t := at.Sub(m.begin)
	m.listed, m.index = m.listed[:0], m.index[:0]
	for _, z := range m.script.zones {
		if !covers(z.away, t) {
			m.listed, m.index = append(m.listed, z.info), append(m.index, z)
		}
	}
	if len(m.index) == 0 {
		return dst, &telemetry.Unavailable{Reason: "every scripted zone is unplugged"}
	}
	for i, z := range m.index {
		dst = append(dst, z.read(i, at, t))
	}
	return dst, nil
}

func (z *zone) read(i int, at time.Time, t time.Duration) telemetry.Reading {
	r := telemetry.Reading{Zone: i, At: at}
	switch {
	case t < 0 || t > MaxScriptTime:
		r.Err = fmt.Errorf("fake: zone %s: %s is outside the script", z.info.Key, t)
	case covers(z.failing, t):
		r.Err = fmt.Errorf("fake: zone %s: scripted error", z.info.Key)
	case z.power:
		r.Power, r.HasPower = wattle.Microjoules(z.load.power(t)).Joules().Over(time.Second), true
	default:
		r.Energy, r.HasEnergy = z.register(t), true
	}
	return r
}

// register returns what the zone's counter shows at t.
func (z *zone) register(t time.Duration) uint64 {
	for _, w := range z.stuck {
		if w.has(t) {
			t = w.from
		}
	}
	energy := z.start + z.load.energy(t)
	for _, at := range z.resets {
		if t >= at {
			energy = z.load.energy(t) - z.load.energy(at)
		}
	}
	if z.info.Range > 0 {
		energy %= z.info.Range + 1
	}
	return energy
}

func covers(windows []window, t time.Duration) bool {
	for _, w := range windows {
		if w.has(t) {
			return true
		}
	}
	return false
}

// Truth returns the energy that the script spends in the zone named key from
// its begin up to t, whatever the register shows.
func (s *Script) Truth(key string, t time.Duration) (wattle.Microjoules, error) {
	if t < 0 || t > MaxScriptTime {
		return 0, fmt.Errorf("fake: %s is outside the script", t)
	}
	for _, z := range s.zones {
		if z.info.Key == key {
			return wattle.Microjoules(z.load.energy(t)), nil
		}
	}
	return 0, fmt.Errorf("fake: no zone %q in the script", key)
}

// Script returns what the meter plays.
func (m *Meter) Script() *Script { return m.script }
