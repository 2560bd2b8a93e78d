package profile

import (
	"cmp"
	"slices"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/disaggregate"
)

// Collector adds up, over a window, what an estimate of powers needs to become
// profiles: counts, seconds, reservations. The Filter itself forgets (its means
// fade); a Collector does not. It is not safe for concurrent use.
type Collector struct {
	from, to  time.Time
	idle      float64 // J
	seconds   float64 // of steps
	functions map[wattle.FunctionID]*tally
	loads     loads
}

type tally struct {
	warm, cold, untold float64
	warmBusy, coldBusy float64
	cpu                wattle.MilliCPU
	memory             wattle.Bytes
	reserved           bool // memory is reserved, not observed
}

// NewCollector returns one that has seen nothing.
func NewCollector() *Collector { return &Collector{functions: map[wattle.FunctionID]*tally{}} }

func (c *Collector) tally(f wattle.FunctionID) *tally {
	t := c.functions[f]
	if t == nil {
		t = &tally{}
		c.functions[f] = t
	}
	return t
}

// Add counts one step, the same that the Filter is updated with.
func (c *Collector) Add(s *disaggregate.Step) {
	c.loads.add(s)
	if c.from.IsZero() || s.From.Before(c.from) {
		c.from = s.From
	}
	if s.To.After(c.to) {
		c.to = s.To
	}
	if !s.Unknown {
		c.idle += float64(s.Idle)
		c.seconds += s.To.Sub(s.From).Seconds()
	}
	for i := range s.Runs {
		r := &s.Runs[i]
		t := c.tally(r.Function)
		t.warm += r.Warm
		t.cold += r.Cold
		t.untold += r.Untold
		t.warmBusy += r.WarmBusy
		t.coldBusy += r.ColdBusy
	}
}

// Reserves notes what an instance of a function reserves; 0 is not known.
func (c *Collector) Reserves(f wattle.FunctionID, cpu wattle.MilliCPU, memory wattle.Bytes) {
	t := c.tally(f)
	t.cpu = max(t.cpu, cpu)
	if memory > 0 {
		if !t.reserved {
			t.memory, t.reserved = 0, true
		}
		t.memory = max(t.memory, memory)
	}
}

// Holds notes the memory that an instance held, of use where none is reserved.
func (c *Collector) Holds(f wattle.FunctionID, memory wattle.Bytes) {
	if t := c.tally(f); !t.reserved {
		t.memory = max(t.memory, memory)
	}
}

// About is what a Collector cannot know of where it runs.
type About struct {
	Node     string
	Hardware string
	Program  string
	// Sources are the meters whose zones form the cover.
	Sources []string
	// IdleStated says that the power at rest was not learned.
	IdleStated bool
}

// Document puts together what was counted and what f has learned. Functions of
// which no invocation ended are left out.
func (c *Collector) Document(f *disaggregate.Filter, about About) *Document {
	d := &Document{
		Version: Version, Node: about.Node, Hardware: about.Hardware, Program: about.Program,
		Sources: slices.Compact(slices.Sorted(slices.Values(about.Sources))),
		From:    c.from.UTC(), To: c.to.UTC(), Noise: f.Noise(), Functions: []Function{},
	}
	if !about.IdleStated {
		d.Remarks = c.loads.remarks()
	}
	if c.seconds > 0 {
		d.IdleWatts = c.idle / c.seconds
	}
	estimates := f.AppendEstimates(nil)
	for i := range estimates {
		e := &estimates[i]
		t := c.functions[e.Function]
		if t == nil {
			continue
		}
		s := t.start(e)
		if s == nil {
			continue
		}
		g := d.function(e.Function, t)
		if e.Cold {
			g.Cold = s
		} else {
			g.Warm = s
		}
	}
	slices.SortFunc(d.Functions, func(a, b Function) int { return cmp.Compare(a.Function, b.Function) })
	return d
}

// function returns the entry of id, which is the last one if it is there:
// estimates are ordered by function.
func (d *Document) function(id wattle.FunctionID, t *tally) *Function {
	if n := len(d.Functions); n == 0 || d.Functions[n-1].Function != id {
		d.Functions = append(d.Functions, Function{Function: id, CPU: int64(t.cpu), Memory: int64(t.memory)})
	}
	return &d.Functions[len(d.Functions)-1]
}

// start takes the power from the estimate and the mean time from the window.
func (t *tally) start(e *disaggregate.Estimate) *Start {
	n, untold, busy := t.warm, t.untold, t.warmBusy
	if e.Cold {
		n, untold, busy = t.cold, 0, t.coldBusy
	}
	if !(n > 0) {
		return nil
	}
	seconds := busy / n
	return &Start{
		Invocations: n, Untold: untold, Seconds: seconds, Watts: intervalOf(e.Power), Joules: intervalOf(e.Power.Times(seconds)),
		ControlPlane: e.ControlPlane, Idle: e.Idle, Steps: e.Steps,
	}
}
