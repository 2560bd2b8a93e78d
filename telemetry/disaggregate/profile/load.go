package profile

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/disaggregate"
)

// restSeconds is over how long power at rest is learned.
const restSeconds = 5

// loads tells which functions never pause. What such a function draws at the
// least is part of the least power of the machine, and so of its power at rest.
type loads struct {
	seconds float64 // of whole windows
	window  float64 // seconds of the present one
	of      map[wattle.FunctionID]*load
}

// load is the processors that a function keeps busy.
type load struct {
	now   float64 // busy seconds of the present window
	busy  float64 // of whole windows
	least float64 // busy seconds a second
}

func (l *loads) add(s *disaggregate.Step) {
	if l.of == nil {
		l.of = map[wattle.FunctionID]*load{}
	}
	for i := range s.Runs {
		r := &s.Runs[i]
		o := l.of[r.Function]
		if o == nil {
			o = &load{least: math.Inf(1)}
			if l.seconds > 0 { // it was not there before
				o.least = 0
			}
			l.of[r.Function] = o
		}
		o.now += r.WarmBusy + r.ColdBusy
	}
	if l.window += s.To.Sub(s.From).Seconds(); l.window < restSeconds {
		return
	}
	for _, o := range l.of {
		o.least = min(o.least, o.now/l.window)
		o.busy, o.now = o.busy+o.now, 0
	}
	l.seconds, l.window = l.seconds+l.window, 0
}

// steady is the part of a function's mean load that it may have at the least
// before it is remarked on.
const steady = 0.25

func (l *loads) remarks() []string {
	var out []string
	for _, id := range slices.Sorted(maps.Keys(l.of)) {
		o := l.of[id]
		if mean := o.busy / l.seconds; o.busy > 0 && o.least > steady*mean {
			out = append(out, fmt.Sprintf("%s: never keeps fewer than %.2g processors busy, on average %.2g; what those draw is taken for power at rest, so that its joules are too few: state that power (wattle profile learn --idle, attribution.idle of wattle-agent), or let it pause", id, o.least, mean))
		}
	}
	return out
}
