package record

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
)

// The types below are the JSON of a line.
type wireHeader struct {
	Version  int               `json:"wattle_recording"`
	Node     wattle.NodeID     `json:"node"`
	Begun    time.Time         `json:"begun"`
	Interval string            `json:"interval"`
	Program  string            `json:"program,omitempty"`
	CPU      int64             `json:"cpu,omitempty"`
	Memory   int64             `json:"memory,omitempty"`
	Meters   []MeterInfo       `json:"meters"`
	Settings map[string]string `json:"settings,omitempty"`
}

type wireEpoch struct {
	At          int64        `json:"at"`
	Meters      []wireRound  `json:"meters,omitempty"`
	Usage       *wireUsages  `json:"usage,omitempty"`
	GPU         []GPUUse     `json:"gpu,omitempty"`
	Owners      []wireOwner  `json:"owners,omitempty"`
	Invocations []wireBatch  `json:"invocations,omitempty"`
	Signals     []wireSignal `json:"signals,omitempty"`
	Prices      []wirePrice  `json:"prices,omitempty"`
	Fetches     []Fetch      `json:"fetches,omitempty"`
	Collectors  []Collector  `json:"collectors,omitempty"`
}

type wireRound struct {
	Meter    int           `json:"meter"`
	Zones    *[]wireZone   `json:"zones,omitempty"` // nil: as before
	Readings []wireReading `json:"readings,omitempty"`
	Err      string        `json:"error,omitempty"`
}

type wireZone struct {
	Key       string  `json:"key"`
	Component string  `json:"component"`
	Parent    string  `json:"parent,omitempty"`
	Socket    int     `json:"socket"`
	Range     uint64  `json:"range,omitempty"`
	Bound     float64 `json:"bound,omitempty"`
	Overlap   bool    `json:"overlap,omitempty"`
}

type wireReading struct {
	Zone   int      `json:"zone"`
	At     int64    `json:"at,omitempty"`
	Energy *uint64  `json:"energy,omitempty"`
	Power  *float64 `json:"power,omitempty"`
	Err    string   `json:"error,omitempty"`
}

type wireUsages struct {
	Of  []wireUsage `json:"of,omitempty"`
	Err string      `json:"error,omitempty"`
}

type wireUsage struct {
	ID     uint64        `json:"id"`
	Who    *Identity     `json:"who,omitempty"` // nil: as before
	CPU    time.Duration `json:"cpu"`
	Memory *int64        `json:"memory,omitempty"`
	Gone   bool          `json:"gone,omitempty"`
	Err    string        `json:"error,omitempty"`
}

type wireOwner struct {
	ID        uint64 `json:"id"`
	Namespace string `json:"namespace,omitempty"`
	Pod       string `json:"pod,omitempty"`
	Function  string `json:"function,omitempty"`
	CPU       int64  `json:"cpu,omitempty"`
	Memory    int64  `json:"memory,omitempty"`
}

type wireBatch struct {
	From         int64   `json:"from"`
	To           int64   `json:"to"`
	Runs         []Run   `json:"runs,omitempty"`
	ControlPlane float64 `json:"control_plane,omitempty"`
	Failed       int     `json:"failed,omitempty"`
	Late         bool    `json:"late,omitempty"`
}

type wireSignal struct {
	Zone      wattle.ZoneID `json:"zone"`
	Intensity float64       `json:"intensity"`
	Kind      string        `json:"kind"`
	Scope     string        `json:"scope"`
	Quality   string        `json:"quality"`
	From      time.Time     `json:"from"`
	To        time.Time     `json:"to"`
	FetchedAt time.Time     `json:"fetched,omitzero"`
	Provider  string        `json:"provider,omitempty"`
}

type wirePrice struct {
	Zone      wattle.ZoneID `json:"zone"`
	PerMWh    float64       `json:"per_mwh"`
	Currency  string        `json:"currency,omitempty"`
	Quality   string        `json:"quality"`
	From      time.Time     `json:"from"`
	To        time.Time     `json:"to"`
	FetchedAt time.Time     `json:"fetched,omitzero"`
	Provider  string        `json:"provider,omitempty"`
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	if s := err.Error(); s != "" {
		return s
	}
	return "unknown error"
}

func errorOf(text string) error {
	if text == "" {
		return nil
	}
	return errors.New(text)
}

func zoneToWire(z telemetry.Zone) wireZone {
	return wireZone{z.Key, z.Component.String(), z.Parent, z.Socket, z.Range, float64(z.Bound), z.Overlap}
}

func (w wireZone) zone() (telemetry.Zone, error) {
	z := telemetry.Zone{Key: w.Key, Parent: w.Parent, Socket: w.Socket, Range: w.Range, Bound: wattle.Watts(w.Bound), Overlap: w.Overlap}
	if w.Key == "" {
		return z, errors.New("a zone has no key")
	}
	return z, z.Component.UnmarshalText([]byte(w.Component))
}

// readingToWire keeps one of register and power; power that is no number is
// recorded as the failure that it is.
func readingToWire(r telemetry.Reading, at time.Time) wireReading {
	w := wireReading{Zone: r.Zone, At: int64(r.At.Sub(at)), Err: textOf(r.Err)}
	switch {
	case r.Err != nil:
	case r.HasEnergy:
		w.Energy = &r.Energy
	case r.HasPower && (math.IsNaN(float64(r.Power)) || math.IsInf(float64(r.Power), 0)):
		w.Err = "power is not a number"
	case r.HasPower:
		p := float64(r.Power)
		w.Power = &p
	}
	return w
}

func (w wireReading) reading(at time.Time, zones int) (telemetry.Reading, error) {
	r := telemetry.Reading{Zone: w.Zone, At: at.Add(time.Duration(w.At)), Err: errorOf(w.Err)}
	if w.Zone < 0 || w.Zone >= zones {
		return r, fmt.Errorf("a reading is of zone %d, the meter has %d", w.Zone, zones)
	}
	if w.Energy != nil && w.Power != nil {
		return r, fmt.Errorf("the reading of zone %d has both energy and power", w.Zone)
	}
	if w.Energy != nil {
		r.Energy, r.HasEnergy = *w.Energy, true
	}
	if w.Power != nil {
		r.Power, r.HasPower = wattle.Watts(*w.Power), true
	}
	return r, nil
}

func usageToWire(u *Usage, known bool) wireUsage {
	w := wireUsage{ID: u.ID, CPU: u.CPU, Gone: u.Gone, Err: textOf(u.Err)}
	if !known {
		w.Who = &u.Identity
	}
	if u.HasMemory {
		m := int64(u.Memory)
		w.Memory = &m
	}
	return w
}

func signalToWire(s wattle.Signal) wireSignal {
	return wireSignal{s.Zone, float64(s.Intensity), s.Kind.String(), s.Scope.String(), s.Quality.String(),
		s.From.UTC(), s.To.UTC(), s.FetchedAt.UTC(), s.Provider}
}

func (w wireSignal) signal() (wattle.Signal, error) {
	s := wattle.Signal{Zone: w.Zone, Intensity: wattle.GramsPerKWh(w.Intensity), From: w.From, To: w.To, FetchedAt: w.FetchedAt, Provider: w.Provider}
	err := errors.Join(s.Kind.UnmarshalText([]byte(w.Kind)), s.Scope.UnmarshalText([]byte(w.Scope)),
		s.Quality.UnmarshalText([]byte(w.Quality)))
	if err == nil {
		err = s.Validate()
	}
	return s, err
}

func priceToWire(p Price) wirePrice {
	return wirePrice{p.Zone, p.PerMWh, p.Currency, p.Quality.String(), p.From.UTC(), p.To.UTC(), p.FetchedAt.UTC(), p.Provider}
}

func (w wirePrice) price() (Price, error) {
	p := Price{Zone: w.Zone, PerMWh: w.PerMWh, Currency: w.Currency, From: w.From, To: w.To, FetchedAt: w.FetchedAt, Provider: w.Provider}
	if w.Zone == "" || !w.To.After(w.From) {
		return p, fmt.Errorf("a price of zone %q from %s to %s", w.Zone, w.From, w.To)
	}
	return p, p.Quality.UnmarshalText([]byte(w.Quality))
}
