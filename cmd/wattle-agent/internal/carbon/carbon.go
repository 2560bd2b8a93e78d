// Package carbon turns energy into grams as it is metered: each sample by the
// grid intensity of the time in which it was spent, never by that of now.
package carbon

import (
	"cmp"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
)

// Signals tells the intensities that hold within [from, to), in order, without
// waiting. It may tell less than that, and does not tell one twice in a row.
type Signals interface {
	Walk(from, to time.Time, note func(wattle.Signal))
}

// Book is the emissions of a node. It is for one goroutine.
type Book struct {
	signals Signals
	pue     float64
	line    []wattle.Signal // as noted, newest last
	totals  []Total
	latest  wattle.Signal
	known   bool
}

// Total is the grams that were reckoned with signals of one sort.
type Total struct {
	Zone    wattle.ZoneID
	Kind    wattle.SignalKind
	Quality wattle.Quality
	Grams   wattle.GramsCO2e
}

// New returns a Book that multiplies energy by pue, the power usage
// effectiveness of the site.
func New(signals Signals, pue float64) *Book { return &Book{signals: signals, pue: pue} }

// Add books the samples of a round that ended at now, and returns the mean
// intensity of their energy, PUE included, for those who share in it.
func (b *Book) Add(samples []wattle.Sample, now time.Time) (wattle.GramsPerKWh, bool) {
	from := now
	for i := range samples {
		if samples[i].From.Before(from) {
			from = samples[i].From
		}
	}
	b.line = slices.DeleteFunc(b.line, func(s wattle.Signal) bool { return !s.To.After(from) && s != b.latest })
	b.signals.Walk(from, now, b.note)
	var energy wattle.Microjoules
	var grams wattle.GramsCO2e
	for i := range samples {
		s := &samples[i]
		if s.Energy <= 0 || s.Unknown {
			continue
		}
		energy += s.Energy
		grams += b.spend(s)
	}
	switch {
	case energy > 0:
		return wattle.GramsPerKWh(float64(grams) / (float64(energy.Joules()) / joulesPerKWh)), true
	case b.known:
		return wattle.GramsPerKWh(float64(b.latest.Intensity) * b.pue), true
	}
	return 0, false
}

const joulesPerKWh = 3.6e6

func (b *Book) note(s wattle.Signal) {
	if b.known && s == b.latest {
		return // the line has it
	}
	b.line = append(b.line, s)
	b.latest, b.known = s, true
}

// spend books one sample, cut where the intensity changes.
func (b *Book) spend(s *wattle.Sample) wattle.GramsCO2e {
	length := s.To.Sub(s.From)
	var sum wattle.GramsCO2e
	for at := s.From; at.Before(s.To); {
		signal, until := b.at(at, s.To)
		part := float64(until.Sub(at)) / float64(length)
		e := wattle.Joules(float64(float64(s.Energy.Joules())*part) * b.pue)
		if signal != nil {
			g := e.At(signal.Intensity)
			b.total(signal).Grams += g
			sum += g
		}
		at = until
	}
	return sum
}

// at returns the newest signal that holds at t, and until when it is the answer,
// at most end. Where none holds, the latest one does.
func (b *Book) at(t, end time.Time) (*wattle.Signal, time.Time) {
	until := end
	for i := len(b.line) - 1; i >= 0; i-- {
		s := &b.line[i]
		if t.Before(s.From) {
			if s.From.Before(until) {
				until = s.From
			}
			continue
		}
		if t.Before(s.To) {
			if s.To.Before(until) {
				until = s.To
			}
			return s, until
		}
	}
	if !b.known {
		return nil, until
	}
	return &b.latest, until
}

func (b *Book) total(s *wattle.Signal) *Total {
	key := Total{Zone: s.Zone, Kind: s.Kind, Quality: s.Quality}
	i, found := slices.BinarySearchFunc(b.totals, key, func(a, b Total) int {
		return cmp.Or(cmp.Compare(a.Zone, b.Zone), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Quality, b.Quality))
	})
	if !found {
		b.totals = slices.Insert(b.totals, i, key)
	}
	return &b.totals[i]
}

// Totals lists the grams since the start. The slice is the Book's own.
func (b *Book) Totals() []Total { return b.totals }

// Latest is the signal that was noted last, and false before any.
func (b *Book) Latest() (wattle.Signal, bool) { return b.latest, b.known }
