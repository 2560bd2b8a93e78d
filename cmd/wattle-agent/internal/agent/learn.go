package agent

import (
	"math"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/learn"
	"github.com/wattle-project/wattle/telemetry/attribution"
	"github.com/wattle-project/wattle/telemetry/disaggregate"
	"github.com/wattle-project/wattle/telemetry/exporter"
)

// tally turns counts, which a platform may give in fractions, into whole
// invocations, keeping what is left over.
type tally struct {
	fractions map[countedKey]float64
	estimates []disaggregate.Estimate
	energy    map[finishedKey]wattle.Joules // of one with its shares
	active    map[finishedKey]float64       // of one without, in J
}

type finishedKey struct {
	function wattle.FunctionID
	cold     bool
}

type countedKey struct {
	function wattle.FunctionID
	start    exporter.Start
}

// learn takes the round's energy and batches to the learner, and lists the
// invocations that ended with the energy of one as it is known by now.
func (a *Agent) learn() {
	if a.cfg.Learn == nil {
		return
	}
	a.noteSources()
	a.cfg.Learn.Energy(a.samples)
	a.cfg.Learn.ControlPlane(a.last, a.now, a.controlPlane())
	for _, b := range a.cfg.Batches() {
		a.cfg.Learn.Batch(b)
	}
	idle := func(z attribution.Zone) (wattle.Watts, bool) { return a.attr.IdlePower(z) }
	a.cfg.Learn.Learn(a.now, idle, func(d learn.Done) {
		a.finished.refresh(a.cfg.Learn.Filter())
		for i := range d.Runs {
			r := &d.Runs[i]
			a.shares.count(r, &a.finished)
			a.finish(r.Function, exporter.AnyStart, r.Untold)
			a.finish(r.Function, exporter.Warm, r.Warm-r.Untold)
			a.finish(r.Function, exporter.Cold, r.Cold)
		}
	})
}

// tellApart lists the accounts of the round and divides what grew.
func (a *Agent) tellApart() {
	a.accounts = a.attr.AppendAccounts(a.accounts[:0])
	if a.cfg.Learn != nil {
		a.shares.divide(a.accounts, a.cfg.Control, a.now)
	}
}

// shareOf is what is told apart of an account of the round, or nil.
func (a *Agent) shareOf(i int) *share {
	if i < len(a.shares.ours) {
		return a.shares.ours[i]
	}
	return nil
}

func (t *tally) refresh(f *disaggregate.Filter) {
	t.estimates = f.AppendEstimates(t.estimates[:0])
	if t.energy == nil {
		t.energy, t.active = map[finishedKey]wattle.Joules{}, map[finishedKey]float64{}
	}
	clear(t.energy)
	clear(t.active)
	for i := range t.estimates {
		e := &t.estimates[i]
		k := finishedKey{e.Function, e.Cold}
		t.energy[k], t.active[k] = e.Total(), max(e.Active.Value, 0)
	}
}

func (a *Agent) finish(f wattle.FunctionID, start exporter.Start, count float64) {
	k := countedKey{f, start}
	sum := a.finished.fractions[k] + count
	whole := math.Floor(sum + 1e-9) // counts are sums of thirds at worst
	a.finished.fractions[k] = sum - whole
	if whole < 1 {
		return
	}
	namespace, function := learn.Parts(f)
	a.snap.Finished = append(a.snap.Finished, exporter.Invocations{
		Namespace: namespace, Function: function, Start: start, Count: uint64(whole), Energy: a.finished.energy[finishedKey{f, start == exporter.Cold}],
	})
}

// controlPlane is the processor time that the platform itself used in the round.
func (a *Agent) controlPlane() time.Duration {
	if len(a.control) == 0 {
		return 0
	}
	var sum time.Duration
	for i := range a.usage {
		u := &a.usage[i]
		if last, ok := a.control[u.ID]; ok {
			sum += max(u.CPU-last, 0)
			a.control[u.ID] = u.CPU
		}
	}
	return sum
}
