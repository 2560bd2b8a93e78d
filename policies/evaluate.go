package policies

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// ErrDeadline says that a batch's evaluations took longer than Config.Deadline.
var ErrDeadline = errors.New("evaluation did not end before the deadline")

// maxAbandoned is how many workers may still be inside a builtin after their
// deadline; while there are more, nothing is evaluated.
const maxAbandoned = 4

// job is one evaluation that several rows of a batch wait for.
type job struct {
	key, last string
	input     ast.Value
	rows      []int
}

// answer is a job's result.
type answer struct {
	out *outcome
	err error
}

// run evaluates jobs in order, all of them within Config.Deadline.
func (e *Engine) run(ctx context.Context, x *entry, g *generation, jobs []job) []answer {
	if e.cfg.Deadline > 0 {
		return e.runUntil(ctx, x, g, jobs)
	}
	out := make([]answer, len(jobs))
	for i := range jobs {
		out[i].out, out[i].err = e.evaluate(ctx, x, g, jobs[i].input, topdown.NewCancel())
	}
	return out
}

// runUntil evaluates on a worker, which is left behind at the deadline: the
// evaluator sees the cancellation between two steps, but never inside a builtin.
func (e *Engine) runUntil(ctx context.Context, x *entry, g *generation, jobs []job) []answer {
	out := make([]answer, len(jobs))
	for i := range out {
		out[i].err = ErrDeadline
	}
	if e.abandoned.Load() >= maxAbandoned {
		e.timeouts.Add(uint64(len(jobs)))
		return out
	}
	type numbered struct {
		i int
		answer
	}
	done, cancel := make(chan numbered, len(jobs)), topdown.NewCancel()
	var ended atomic.Bool // by whichever of worker and deadline comes first
	go func() {
		for i := range jobs {
			o, err := e.evaluate(ctx, x, g, jobs[i].input, cancel)
			done <- numbered{i, answer{o, err}}
		}
		if !ended.CompareAndSwap(false, true) {
			e.abandoned.Add(-1)
		}
	}()
	timer := time.NewTimer(e.cfg.Deadline)
	defer timer.Stop()
	for n := range jobs {
		select {
		case d := <-done:
			out[d.i] = d.answer
		case <-timer.C:
			if ended.CompareAndSwap(false, true) {
				e.abandoned.Add(1)
			}
			cancel.Cancel()
			e.timeouts.Add(uint64(len(jobs) - n))
			return out
		}
	}
	return out
}

// evaluate asks OPA for one result and decodes it. A panic of the interpreter
// is an error like any other: it must not take the scheduler down.
func (e *Engine) evaluate(ctx context.Context, x *entry, g *generation, input ast.Value, cancel topdown.Cancel) (out *outcome, err error) {
	start := e.clock()
	defer func() {
		if r := recover(); r != nil {
			out, err = nil, fmt.Errorf("%s: interpreter panicked: %v", x.name(), r)
		}
		if e.cfg.Observe != nil {
			e.cfg.Observe(x.name(), time.Since(start), err)
		}
	}()
	if cancel.Cancelled() {
		return nil, ErrDeadline
	}
	e.evaluations.Add(1)
	v, err := e.query(ctx, x, g, input, cancel)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", x.name(), err)
	}
	return decode(x.id, v, &e.fallback)
}

// clock is read only for Observe.
func (e *Engine) clock() time.Time {
	if e.cfg.Observe == nil {
		return time.Time{}
	}
	return time.Now()
}

// query returns the value of an entry point, nil where it is undefined.
func (e *Engine) query(ctx context.Context, x *entry, g *generation, input ast.Value, cancel topdown.Cancel) (ast.Value, error) {
	txn, err := g.store.NewTransaction(ctx)
	if err != nil {
		return nil, err
	}
	defer g.store.Abort(ctx, txn)
	q := topdown.NewQuery(x.body).
		WithCompiler(e.compiler).
		WithStore(g.store).
		WithTransaction(txn).
		WithInput(ast.NewTerm(input)).
		WithTime(time.Unix(1, 0)). // no builtin reads it; set so that no clock is read either
		WithCancel(cancel)
	var result ast.Value
	err = q.Iter(ctx, func(r topdown.QueryResult) error {
		if t := r[resultVar]; t != nil {
			result = t.Value
		}
		return nil
	})
	return result, err
}

const resultVar = ast.Var("result")
