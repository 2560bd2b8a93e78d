package policies

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler"
)

var _ scheduler.Policy = (*Engine)(nil)

// Engine evaluates one compiled policy. It is safe for concurrent use and
// starts nothing that outlives a call, except a worker whose batch ran into the
// deadline: it ends with the builtin that it is in.
type Engine struct {
	name     string
	digest   string
	cfg      Config
	compiler *ast.Compiler
	modules  map[string]string
	base     map[string]ast.Value // Config.Data by top-level key
	entries  [entryCount]*entry   // nil where the policy does not define it
	fallback outcome              // the built-in default
	names    [fieldCount]*ast.Term
	now      atomic.Pointer[generation]
	scratch  sync.Pool

	evaluations, hits, fallbacks, timeouts atomic.Uint64
	abandoned                              atomic.Int32
}

// Stats counts since the Engine was made. A batch of n candidates that is
// served from the cache counts n hits per entry point.
type Stats struct {
	// Evaluations is the number of evaluations by OPA, CacheHits that of
	// results served without one.
	Evaluations, CacheHits uint64
	// Fallbacks is the number of results that were served from the last good
	// one or the default because an evaluation failed, Timeouts the number of
	// evaluations that were given up at the deadline.
	Fallbacks, Timeouts uint64
}

// Name is the name that the policy was compiled under.
func (e *Engine) Name() string { return e.name }

// Digest is "sha256:" and 16 hexadecimal digits over the modules, the shipped
// modules that they import, and Config's Data, Default, FailClosed and Tenant.
// Data set later by SetData is not part of it.
func (e *Engine) Digest() string { return e.digest }

// Stats returns the counters.
func (e *Engine) Stats() Stats {
	return Stats{
		Evaluations: e.evaluations.Load(), CacheHits: e.hits.Load(),
		Fallbacks: e.fallbacks.Load(), Timeouts: e.timeouts.Load(),
	}
}

// Reads returns, per entry point that the policy defines, the input and data
// paths that its results depend on, sorted.
func (e *Engine) Reads() map[string][]string {
	all, out := fields(), map[string][]string{}
	for _, x := range e.entries {
		if x == nil {
			continue
		}
		paths := []string{}
		for _, list := range [][]read{x.reads.request, x.reads.params, x.reads.candidate} {
			for _, r := range list {
				paths = append(paths, "input."+all[r.id].path+dotted(labelPath(r)))
			}
		}
		for _, p := range x.reads.data {
			paths = append(paths, "data"+dotted(p))
		}
		out[x.name()] = paths
	}
	return out
}

func labelPath(r read) []string {
	if r.label == "" {
		return nil
	}
	return []string{r.label}
}

// Intent returns the policy's limits, objective and lifecycle bounds for a
// function and its parameters; what the policy leaves out is Config.Default's.
func (e *Engine) Intent(f *wattle.Function, p *wattle.Params) wattle.Intent {
	intent := e.cfg.Default
	intent.Policy = e.digest
	g, s := e.now.Load(), e.scratch.Get().(*scratch)
	r := row{function: f, params: p}
	for _, id := range [...]entryID{entryLimits, entryObjective, entryLifecycle} {
		x := e.entries[id]
		if x == nil {
			continue
		}
		e.resolve(x, g, r, 1, s)
		switch o := s.out[0]; id {
		case entryLimits:
			intent.Limits = o.limits
		case entryObjective:
			intent.Objective = o.objective
		case entryLifecycle:
			intent.Lifecycle = o.lifecycle
		}
	}
	e.scratch.Put(s)
	return intent
}

// Judge fills v with the policy's denials and scores. The denials belong to the
// Engine's cache: they are shared between calls and must not be changed.
func (e *Engine) Judge(f *wattle.Function, p *wattle.Params, attrs []wattle.Attributes, c *wattle.Columns, v *wattle.Verdicts) {
	n := c.Len()
	if n == 0 {
		return
	}
	g, s := e.now.Load(), e.scratch.Get().(*scratch)
	r := row{function: f, params: p, attrs: attrs, columns: c}
	if x := e.entries[entryDeny]; x != nil {
		e.resolve(x, g, r, x.rows(n), s)
		for i := range n {
			v.Denied[i] = s.out[min(i, len(s.out)-1)].denials
		}
	}
	if x := e.entries[entryScore]; x != nil {
		e.resolve(x, g, r, x.rows(n), s)
		for i := range n {
			v.Score[i] = s.out[min(i, len(s.out)-1)].score
		}
	}
	e.scratch.Put(s)
}

// scratch is the memory of one batch, reused.
type scratch struct {
	key    []byte
	out    []*outcome
	misses []int
}

// resolve fills s.out with the results of x for n rows, from the cache where
// they are known.
func (e *Engine) resolve(x *entry, g *generation, r row, n int, s *scratch) {
	s.out, s.misses = s.out[:0], s.misses[:0]
	failed := uint64(0)
	x.mu.Lock()
	var class uint64
	s.key, class = x.class(s.key[:0], &r, g)
	s.key = binary.LittleEndian.AppendUint64(s.key[:0], class)
	prefix := len(s.key)
	for i := range n {
		r.i = i
		var o *outcome
		if i > 0 && x.slow && r.columns.Target[i] == r.columns.Target[i-1] {
			o = s.out[i-1]
		} else {
			s.key = r.appendKey(s.key[:prefix], x.reads.candidate)
			o = x.hit(s.key)
		}
		if o == nil {
			s.misses = append(s.misses, i)
		} else if o.failed {
			failed++
		}
		s.out = append(s.out, o)
	}
	x.mu.Unlock()
	e.hits.Add(uint64(n-len(s.misses)) - failed)
	e.fallbacks.Add(failed)
	if len(s.misses) > 0 {
		e.fill(x, g, &r, s, prefix)
	}
}

// fill evaluates the rows in s.misses, once per distinct key.
func (e *Engine) fill(x *entry, g *generation, r *row, s *scratch, prefix int) {
	var jobs []job
	known := map[string]int{}
	for _, i := range s.misses {
		r.i = i
		s.key = r.appendKey(s.key[:prefix], x.reads.candidate)
		j, ok := known[string(s.key)]
		if !ok {
			j = len(jobs)
			known[string(s.key)] = j
			jobs = append(jobs, job{key: string(s.key), last: x.lastKey(r), input: e.document(r, &x.reads)})
		}
		jobs[j].rows = append(jobs[j].rows, i)
	}
	answers := e.run(context.Background(), x, g, jobs)
	x.mu.Lock()
	defer x.mu.Unlock()
	for j, a := range answers {
		o := a.out
		if a.err != nil {
			o = e.standIn(x, &jobs[j], r.function, a.err)
		} else {
			x.last.put(jobs[j].last, o)
		}
		x.results.put(jobs[j].key, o)
		for _, i := range jobs[j].rows {
			s.out[i] = o
		}
	}
}

// standIn is what serves instead of a failed evaluation. x.mu is held.
func (e *Engine) standIn(x *entry, j *job, f *wattle.Function, err error) *outcome {
	e.fallbacks.Add(uint64(len(j.rows)))
	from, ok := x.last.get([]byte(j.last))
	source := "last good result"
	if !ok {
		from, source = e.defaultOutcome(x.id), "built-in default"
	}
	o := *from
	o.failed, o.backoff = true, 1
	if before, ok := x.results.get([]byte(j.key)); ok && before.failed {
		o.backoff = min(before.backoff*2, maxBackoff)
	}
	o.wait = o.backoff
	class := x.classOf(j)
	if _, done := x.logged.get([]byte(class)); !done {
		x.logged.put(class, true)
		e.cfg.logger().Warn("policy evaluation failed; it is logged once per class",
			"policy", e.name, "entry", x.name(), "serves", source, "error", err,
			"function", string(f.ID), "tenant", string(f.Tenant), "class", f.Class)
	}
	return &o
}

func (e *Engine) defaultOutcome(id entryID) *outcome {
	if id == entryDeny && e.cfg.FailClosed {
		return &outcome{denials: []wattle.Denial{{
			Code: "policy_unavailable", Msg: fmt.Sprintf("policy %s could not be evaluated and is configured to fail closed", e.name),
			Criterion: "policy",
		}}}
	}
	return &e.fallback
}
