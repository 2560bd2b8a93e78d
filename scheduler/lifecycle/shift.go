package lifecycle

import (
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
)

// Shift runs a Deferral in the core: it is the core's Deferrer. What a policy
// sees of a zone is what decisions see, the current value and the forecast.
//
// The start of uninterrupted work is fixed when it is first placed, unless its
// place is full when it comes. Where the policy Pauses, work that may
// pause is planned anew at the end of each stretch, from what is left of it and
// the forecast of then, and so is everything by policies that say Again.
type Shift struct {
	policy  Deferral
	again   bool
	pauses  bool
	outlook Outlook
	spans   []Stretch
	course  course
}

// NewShift wraps the named policy of Deferrals.
func NewShift(name string, cfg DeferralConfig) (*Shift, error) {
	p, err := NewDeferral(name, cfg)
	if err != nil {
		return nil, err
	}
	d := Deferrals()[name]
	return &Shift{policy: p, again: d.Again, pauses: d.Pauses}, nil
}

// First plans w and returns the first stretch that is worth a start-up.
func (s *Shift) First(now time.Time, z *state.ZoneSignal, w *wattle.Task) wattle.Stretch {
	if w.Slack <= 0 || w.Waited > 0 && !s.again && !(s.pauses && w.Interruptible) && z.Current.Intensity < wattle.MaxIntensity {
		return wattle.Stretch{}
	}
	s.look(z, w.Holds)
	length := w.Start + w.Exec
	work := Work{Release: now, Deadline: now.Add(w.Slack + length), Length: length, Waited: w.Waited, Interruptible: w.Interruptible}
	s.spans = s.policy.Plan(s.spans[:0], &work, &s.outlook)
	i := s.worth(w)
	first := s.spans[i]
	st := wattle.Stretch{Wait: min(first.Start.Sub(now), w.Slack), Intensity: s.mean()}
	if i < len(s.spans)-1 {
		st.Run = first.End.Sub(first.Start)
	}
	if s.again && w.Holds > 0 {
		st.Wait = min(st.Wait, w.Holds)
	} else if s.again {
		st.Wait = min(st.Wait, s.outlook.next(now, now.Add(st.Wait)).Sub(now))
	}
	return st
}

// worth is the first span that is at least twice as long as a start-up, so that
// every stretch gets something done, or the last.
func (s *Shift) worth(w *wattle.Task) int {
	for i, x := range s.spans {
		if x.End.Sub(x.Start) > 2*w.Start {
			return i
		}
	}
	return len(s.spans) - 1
}

// look copies what is known of a zone. Policies that are asked again look at the
// present value only, for as long as it holds. A time without room counts as
// wattle.MaxIntensity. A prior is not knowledge.
func (s *Shift) look(z *state.ZoneSignal, holds time.Duration) {
	o := &s.outlook
	o.Start, o.Period, o.Values = z.Current.From, z.Period, o.Values[:0]
	if o.Period <= 0 {
		o.Period = z.Current.To.Sub(z.Current.From)
	}
	if z.Current.Quality == wattle.Prior || o.Period <= 0 {
		return
	}
	o.Values = append(o.Values, z.Current.Intensity)
	n := len(z.Ahead)
	if s.again {
		n = min(n, max(int(holds/o.Period), 0))
	}
	o.Values = append(o.Values, z.Ahead[:n]...)
}

// mean is the expected intensity over all spans, 0 where nothing is known.
func (s *Shift) mean() wattle.GramsPerKWh {
	first, last := s.spans[0].Start, s.spans[len(s.spans)-1].End
	if s.course.lay(&s.outlook, first, last); !s.course.known || s.again {
		return 0
	}
	sum, hours := 0.0, 0.0
	for _, x := range s.spans {
		sum += s.course.until(x.End) - s.course.until(x.Start)
		hours += x.End.Sub(x.Start).Hours()
	}
	if hours <= 0 {
		return 0
	}
	return wattle.GramsPerKWh(sum / hours)
}
