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
	p.at, p.step = now, c.step()
	b := p.bounds(s, r.Function)
	var intent wattle.Intent
	params, home := p.params, s.Fleet.ClusterIndex(r.Function.Home)
	o := c.outlook(r.Function.Index, now, s)
	c.measure(now, s, r.Function, &params, &intent, home, o)
	c.waits = waits{}
	x := &c.scratch
	x.relate(s, home, &intent.Limits)
	columns := x.columns
	e := wattle.Explanation{Decision: d, Now: now, Intent: intent, Columns: &columns, Serves: o.uses, Rows: make([]wattle.ExplainedRow, len(x.refused))}
	if c.cfg.Chooser != nil {
		e.Chooser = c.cfg.Chooser.Name()
	}
	if o := x.batch.Origin; o >= 0 {
		e.Caller = s.Fleet.Regions[o]
	}
	for i := range x.refused {
		var k key
		x.key(&k, i, max(int32(i/len(s.Fleet.Targets))-1, 0))
		out := &e.Rows[i]
		*out = wattle.ExplainedRow{
			Attributes: &s.Fleet.Attributes()[k.target], Denials: x.verdicts.Denied[i], Refused: x.refused[i],
			Score: x.verdicts.Score[i], CapacityPrice: s.Price(k.target).Times(k.hold), G: wattle.GramsCO2e(k.g),
		}
		if k.admits&b.state == 0 {
			out.Refused |= wattle.ReasonLatency
		}
		if float64(columns.Cost[i]) > b.cost {
			out.Refused |= wattle.ReasonCost
		}
		why := p.available(s, r.Function, &k)
		out.Available = why == 0
		out.Refused |= why
		out.Chosen = d.Placed && k.target == d.Target && k.sandbox == d.Sandbox && now.Add(columns.Delay[i]).Equal(d.Start)
	}
	x.columns, x.verdicts, x.of = wattle.Columns{}, wattle.Verdicts{}, nil // now the caller's
	return e
}

// Estimate measures one target for f without deciding, for drivers that start
// instances ahead of demand and keepers that weigh waiting against starting.
// Keep-alive is left out.
func (c *Core) Estimate(now time.Time, s *state.Snapshot, f *wattle.Function, target int32, box wattle.Sandbox) wattle.Estimate {
	if target < 0 || int(target) >= len(s.Fleet.Targets) {
		return wattle.Estimate{}
	}
	if box != wattle.Warm {
		box = fresh(f)
	}
	intent := c.intent(f, &f.Params)
	c.single(now, s, f, &f.Params, &intent, target, box, 0, 0)
	return estimate(&c.scratch.columns, 0)
}

// Candidates measures every candidate of f without a policy, for bounds and
// tools: the columns, and why a candidate cannot be used whatever the policy
// (device, isolation, residency, health). Both are the core's own and valid
// until its next call.
func (c *Core) Candidates(now time.Time, s *state.Snapshot, f *wattle.Function) (*wattle.Columns, []wattle.Reasons) {
	p := c.cfg.Policy
	c.cfg.Policy, c.waits = nil, waits{}
	intent := wattle.Intent{}
	c.measure(now, s, f, &wattle.Params{Region: f.Params.Region}, &intent, s.Fleet.ClusterIndex(f.Home), outlook{})
	c.cfg.Policy = p
	return &c.scratch.columns, c.scratch.refused
}
