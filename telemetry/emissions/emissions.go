// Package emissions turns energy into grams as it is metered.
//
// Operational emissions are the sum over sub-intervals of energy × PUE ×
// intensity: each sample is cut where the intensity changes, so that energy of an
// hour ago is reckoned with the intensity of an hour ago, never with that of now.
// Within a sample, power is taken as constant. Energy of a time for which only a
// prior is known, or nothing, waits for something better, at most Patience; then
// it is reckoned with the prior and counted under that quality, never as no grams.
package emissions

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

// Patience is how long energy waits for an intensity that is not a prior: two
// periods of the fastest feeds.
const Patience = 10 * time.Minute

// Book is the emissions of a node. It is for one goroutine.
type Book struct {
	signals Signals
	pue     float64
	line    []wattle.Signal // as noted, newest last
	waiting []stretch       // by time, energy of all meters together
	totals  []Total
	latest  wattle.Signal
	known   bool
}

// stretch is energy that was spent evenly over [from, to).
type stretch struct {
	from, to time.Time
	energy   wattle.Microjoules
}

// Total is the grams that were reckoned with signals of one sort.
type Total struct {
	Zone    wattle.ZoneID
	Kind    wattle.SignalKind
	Quality wattle.Quality
	Grams   wattle.GramsCO2e
}

// New returns a Book that multiplies energy by pue, the power usage
// effectiveness of the site. The signals are those of one series: one kind and
// one scope.
func New(signals Signals, pue float64) *Book { return &Book{signals: signals, pue: pue} }

// Add takes in the samples of a round that ended at now and books all that waits
// once it can. Then it returns the mean intensity of that energy, PUE included,
// for those who share in it; false says that their energy has to wait too.
func (b *Book) Add(samples []wattle.Sample, now time.Time) (wattle.GramsPerKWh, bool) {
	for i := range samples {
		b.wait(&samples[i])
	}
	from := now
	for i := range b.waiting {
		if b.waiting[i].from.Before(from) {
			from = b.waiting[i].from
		}
	}
	b.line = slices.DeleteFunc(b.line, func(s wattle.Signal) bool { return !s.To.After(from) && s != b.latest })
	b.signals.Walk(from, now, b.note)
	if now.Sub(from) < Patience && !b.settled() {
		return 0, false
	}
	var energy wattle.Joules
	var grams wattle.GramsCO2e
	for i := range b.waiting {
		energy += b.waiting[i].energy.Joules()
		grams += b.spend(&b.waiting[i])
	}
	b.waiting = b.waiting[:0]
	switch {
	case energy > 0:
		return wattle.GramsPerKWh(float64(grams) / (float64(energy) / joulesPerKWh)), true
	case b.known:
		return wattle.GramsPerKWh(float64(b.latest.Intensity) * b.pue), true
	}
	return 0, false
}

// wait takes a sample in. Meters that are read together share their stretch.
func (b *Book) wait(s *wattle.Sample) {
	if s.Energy <= 0 || s.Unknown {
		return
	}
	for i := len(b.waiting) - 1; i >= 0 && !b.waiting[i].to.Before(s.To); i-- {
		if w := &b.waiting[i]; w.from.Equal(s.From) && w.to.Equal(s.To) {
			w.energy += s.Energy
			return
		}
	}
	b.waiting = append(b.waiting, stretch{s.From, s.To, s.Energy})
}

// settled reports whether more than a prior is known of all that waits.
func (b *Book) settled() bool {
	for i := range b.waiting {
		s := &b.waiting[i]
		for at := s.from; at.Before(s.to); {
			signal, until := b.at(at, s.to)
			if signal == nil || signal.Quality == wattle.Prior {
				return false
			}
			at = until
		}
	}
	return true
}

const joulesPerKWh = 3.6e6

func (b *Book) note(s wattle.Signal) {
	if b.known && s == b.latest {
		return // the line has it
	}
	b.line = append(b.line, s)
	b.latest, b.known = s, true
}

// spend books a stretch, cut where the intensity changes.
func (b *Book) spend(s *stretch) (sum wattle.GramsCO2e) {
	length := s.to.Sub(s.from)
	for at := s.from; at.Before(s.to); {
		signal, until := b.at(at, s.to)
		if signal == nil {
			signal = &wattle.Signal{Intensity: wattle.UnknownIntensity, Quality: wattle.Prior}
		}
		part := float64(until.Sub(at)) / float64(length)
		g := wattle.Joules(float64(float64(s.energy.Joules())*part) * b.pue).At(signal.Intensity)
		b.total(signal).Grams += g
		sum += g
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

// Waiting is the energy that no grams were reckoned for yet.
func (b *Book) Waiting() (sum wattle.Microjoules) {
	for i := range b.waiting {
		sum += b.waiting[i].energy
	}
	return sum
}

// Totals lists the grams since the start. The slice is the Book's own.
func (b *Book) Totals() []Total { return b.totals }

// Latest is the signal that was noted last, and false before any.
func (b *Book) Latest() (wattle.Signal, bool) { return b.latest, b.known }
