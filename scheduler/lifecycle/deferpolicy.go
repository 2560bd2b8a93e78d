package lifecycle

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// runNow starts at release.
type runNow struct{}

// Plan returns one stretch at release.
func (runNow) Plan(spans []Stretch, w *Work, _ *Outlook) []Stretch { return once(spans, w, w.Release) }

// once appends one uninterrupted run.
func once(spans []Stretch, w *Work, start time.Time) []Stretch {
	return append(spans, Stretch{start, start.Add(w.Length)})
}

// threshold is the rule of compute-gardener
// (github.com/elevated-systems/compute-gardener-scheduler): hold back while the
// intensity is above a threshold, for a limited time. It looks at the present
// only. Unknown slots are held like dirty ones, but an outlook that knows
// nothing says nothing for waiting: work runs at once.
type threshold struct{ cfg DeferralConfig }

// Plan returns one stretch.
func (p *threshold) Plan(spans []Stretch, w *Work, o *Outlook) []Stretch {
	last := w.latest()
	if by := w.Release.Add(max(p.cfg.MaxDelay-w.Waited, 0)); by.Before(last) {
		last = by
	}
	known := false
	for t := w.Release; t.Before(last); t = o.next(t, last) {
		v, ok := o.At(t)
		if known = known || ok; ok && v <= p.cfg.Threshold {
			return once(spans, w, t)
		}
	}
	if !known {
		last = w.Release
	}
	return once(spans, w, last)
}

// lowestWindow takes the uninterrupted window of least carbon, the earliest of
// equals (Wiesner et al., "Let's Wait Awhile", Middleware 2021, §5).
type lowestWindow struct{ course course }

// Plan returns one stretch.
func (p *lowestWindow) Plan(spans []Stretch, w *Work, o *Outlook) []Stretch {
	p.course.lay(o, w.Release, w.Deadline)
	best, least := w.Release, math.Inf(1)
	p.course.starts(w, func(s time.Time, carbon float64) {
		// Sums of the same hours differ in their last bits: those are equals.
		slack := 1e-9 * least
		if math.IsInf(least, 1) {
			slack = 0
		}
		if carbon < least-slack || carbon <= least+slack && s.Before(best) {
			best, least = s, min(carbon, least)
		}
	})
	return once(spans, w, best)
}

// cheapestSlots takes the slots of least carbon, the earliest of equals (Wiesner
// et al., §5, interrupting).
type cheapestSlots struct {
	window lowestWindow
	course course
}

// Plan returns as many stretches as the cheap slots make.
func (p *cheapestSlots) Plan(spans []Stretch, w *Work, o *Outlook) []Stretch {
	if !w.Interruptible || w.Length <= 0 || w.Deadline.Sub(w.Release) <= w.Length {
		return p.window.Plan(spans, w, o)
	}
	p.course.lay(o, w.Release, w.Deadline)
	pieces := p.course.pieces
	slices.SortFunc(pieces, func(a, b piece) int {
		if c := cmp.Compare(a.intensity, b.intensity); c != 0 {
			return c
		}
		return a.Start.Compare(b.Start)
	})
	n, left := 0, w.Length
	for ; left > 0; n++ {
		d := min(pieces[n].End.Sub(pieces[n].Start), left)
		pieces[n].End = pieces[n].Start.Add(d)
		left -= d
	}
	slices.SortFunc(pieces[:n], func(a, b piece) int { return a.Start.Compare(b.Start) })
	first := len(spans)
	for _, c := range pieces[:n] {
		if k := len(spans) - 1; k >= first && spans[k].End.Equal(c.Start) {
			spans[k].End = c.End
		} else {
			spans = append(spans, c.Stretch)
		}
	}
	return spans
}

// carbonTime takes the start s that maximises (C(0) − C(s))/(s + length), the
// carbon saved per hour until completion, the earliest of equals (Hanafy et al.,
// "Going Green for Less Green" (GAIA), ASPLOS 2024). It runs without a break.
type carbonTime struct{ course course }

// Plan returns one stretch.
func (p *carbonTime) Plan(spans []Stretch, w *Work, o *Outlook) []Stretch {
	p.course.lay(o, w.Release, w.Deadline)
	now := p.course.until(w.Release.Add(w.Length))
	best, most := w.Release, 0.0
	p.course.starts(w, func(s time.Time, carbon float64) {
		if now-carbon <= 1e-9*now {
			return
		}
		rate := (now - carbon) / s.Add(w.Length).Sub(w.Release).Hours()
		slack := 1e-9 * most
		if rate > most+slack || rate >= most-slack && s.Before(best) {
			best, most = s, max(rate, most)
		}
	})
	return once(spans, w, best)
}
