package scheduler

import (
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
)

// Explain decides r again, through the same code as Place, and returns the
// whole table of candidates with what became of each. The table is the
// caller's own.
func (c *Core) Explain(now time.Time, s *state.Snapshot, r *wattle.Request) wattle.Explanation {
	d := c.Place(now, s, r)
	p := c.plan(now, s, r)
	var intent wattle.Intent
	params := p.params
	o := c.outlook(r.Function.Index, now, s)
	c.measure(now, s, r.Function, &params, &intent, o)
	x := &c.scratch
	columns := x.columns
	e := wattle.Explanation{Decision: d, Now: now, Intent: intent, Columns: &columns, Serves: o.uses, Rows: make([]wattle.ExplainedRow, len(x.refused))}
	lim := p.bounds(s, r.Function)
	for i := range x.refused {
		w := x.row(i, s.Fleet.Targets[x.columns.Target[i]].Attributes.Cluster == r.Function.Home)
		out := &e.Rows[i]
		*out = wattle.ExplainedRow{
			Attributes: &s.Fleet.Attributes()[w.target], Denials: x.verdicts.Denied[i], Refused: x.refused[i],
			Score: x.verdicts.Score[i], CapacityPrice: x.price[i], G: wattle.GramsCO2e(x.g[i]),
		}
		if !lim.admits(&w) {
			out.Refused |= lim.why(&w)
		}
		why := available(s, r.Function, &w)
		out.Available = why == 0
		out.Refused |= why
		out.Chosen = d.Placed && w.target == d.Target && w.sandbox == d.Sandbox && now.Add(w.delay).Equal(d.Start)
	}
	x.columns, x.verdicts = wattle.Columns{}, wattle.Verdicts{} // now the caller's
	return e
}

// Estimate measures one target for f without deciding, for drivers that start
// instances ahead of demand and keepers that weigh waiting against starting.
// Keep-alive is left out.
func (c *Core) Estimate(now time.Time, s *state.Snapshot, f *wattle.Function, target int32, box wattle.Sandbox) wattle.Estimate {
	var intent wattle.Intent
	c.measure(now, s, f, &f.Params, &intent, outlook{})
	cols := &c.scratch.columns
	for i := range cols.Target {
		fresh := cols.Sandbox[i] != wattle.Warm
		if cols.Target[i] == target && fresh == (box != wattle.Warm) && cols.Delay[i] == 0 {
			return estimate(cols, i)
		}
	}
	return wattle.Estimate{}
}

// Candidates measures every candidate of f without a policy, for bounds and
// tools: the columns, and why a candidate cannot be used whatever the policy
// (device, isolation, residency, health). Both are the core's own and valid
// until its next call.
func (c *Core) Candidates(now time.Time, s *state.Snapshot, f *wattle.Function) (*wattle.Columns, []wattle.Reasons) {
	p := c.cfg.Policy
	c.cfg.Policy = nil
	intent := wattle.Intent{}
	c.measure(now, s, f, &wattle.Params{Region: f.Params.Region}, &intent, outlook{})
	c.cfg.Policy = p
	return &c.scratch.columns, c.scratch.refused
}
