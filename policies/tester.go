package policies

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
)

// TestOptions says which tests to run and what to print.
type TestOptions struct {
	// Run is a regular expression on "package.test_name"; empty runs all.
	Run string
	// Verbose prints tests that passed too.
	Verbose bool
	// Timeout bounds one test; 0 means 5 s.
	Timeout time.Duration
	// Coverage prints the lines of the modules that no test reached.
	Coverage bool
	// Threshold is the least coverage in percent; 0 means any.
	Threshold float64
}

// TestReport says how the tests of a policy went.
type TestReport struct {
	Passed, Failed, Skipped int
	// Coverage is the share of reached lines of the modules, in percent.
	Coverage float64
	// NotCovered lists "file:line" of what no test reached, sorted.
	NotCovered []string
	parts      []string // the same for shipped parts
}

// RunTests runs the rules named test_… of src's tests with OPA's test runner,
// under the same builtins and data as in production, and prints the outcome to
// w. Tests that fail are an error; so are none at all.
func RunTests(ctx context.Context, src Source, cfg Config, opts TestOptions, w io.Writer) (TestReport, error) {
	var report TestReport
	cfg.Data = src.dataUnder(cfg.Data)
	e, err := Compile(src.Name, src.Modules, cfg)
	if err != nil {
		return report, err
	}
	texts := maps.Clone(e.modules)
	maps.Copy(texts, src.Tests)
	parsed, found := parse(texts)
	if len(found) > 0 {
		return report, found
	}
	coverage := cover.New()
	if err := report.collect(ctx, e.runner(parsed, coverage, opts), opts, w); err != nil {
		return report, err
	}
	report.cover(coverage.Report(parsed), src)
	return report, report.verdict(src.Name, opts, w)
}

// runner prepares OPA's runner; the returned function starts it.
func (e *Engine) runner(parsed map[string]*ast.Module, coverage *cover.Cover, opts TestOptions) func(context.Context) (chan *tester.Result, error) {
	obj := ast.NewObject()
	for _, k := range slices.Sorted(maps.Keys(e.base)) {
		obj.Insert(ast.StringTerm(k), ast.NewTerm(e.base[k]))
	}
	store := inmem.NewFromASTObject(obj)
	timeout := opts.Timeout
	if timeout == 0 {
		timeout = 5 * time.Second
	}
	compiler := ast.NewCompiler().WithCapabilities(capabilities(e.cfg.Tenant)).WithEnablePrintStatements(true)
	r := tester.NewRunner().SetCompiler(compiler).SetStore(store).SetModules(parsed).
		CapturePrintOutput(true).SetTimeout(timeout).Filter(opts.Run).SetCoverageQueryTracer(coverage).
		RaiseBuiltinErrors(true)
	return func(ctx context.Context) (chan *tester.Result, error) {
		txn, err := store.NewTransaction(ctx, storage.TransactionParams{Write: false})
		if err != nil {
			return nil, err
		}
		ch, err := r.RunTests(ctx, txn)
		if err != nil {
			store.Abort(ctx, txn)
			return nil, findingsOf(err)
		}
		return ch, nil
	}
}

func (t *TestReport) collect(ctx context.Context, start func(context.Context) (chan *tester.Result, error), opts TestOptions, w io.Writer) error {
	ch, err := start(ctx)
	if err != nil {
		return err
	}
	var all []*tester.Result
	for r := range ch {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *tester.Result) int { return a.Location.Compare(b.Location) })
	for _, r := range all {
		t.add(r)
		if opts.Verbose || !r.Pass() {
			printResult(w, r)
		}
	}
	return ctx.Err()
}

func (t *TestReport) add(r *tester.Result) {
	switch {
	case r.Pass():
		t.Passed++
	case r.Skip:
		t.Skipped++
	default:
		t.Failed++
	}
}

func printResult(w io.Writer, r *tester.Result) {
	outcome := "PASS"
	switch {
	case r.Error != nil:
		outcome = "ERROR " + r.Error.Error()
	case r.Skip:
		outcome = "SKIP"
	case !r.Pass():
		outcome = "FAIL"
	}
	fmt.Fprintf(w, "%s:%d: %s: %s\n", r.Location.File, r.Location.Row, r.Name, outcome)
	if len(r.Output) > 0 && !r.Pass() {
		fmt.Fprintf(w, "  %s\n", strings.ReplaceAll(strings.TrimSpace(string(r.Output)), "\n", "\n  "))
	}
}

// cover counts lines of the policy's own modules, neither of its tests nor of
// the shipped parts that it imports. OPA counts a rule's head and each expression.
func (t *TestReport) cover(r cover.Report, src Source) {
	reached, missed := 0, 0
	for _, file := range slices.Sorted(maps.Keys(r.Files)) {
		if _, test := src.Tests[file]; test {
			continue
		}
		f := r.Files[file]
		var places []string
		for _, rg := range f.NotCovered {
			for row := rg.Start.Row; row <= rg.End.Row; row++ {
				places = append(places, fmt.Sprintf("%s:%d", file, row))
			}
		}
		places = slices.Compact(places)
		if _, own := src.Modules[file]; !own {
			t.parts = append(t.parts, places...)
			continue
		}
		t.NotCovered = append(t.NotCovered, places...)
		reached, missed = reached+f.CoveredLines, missed+f.NotCoveredLines
	}
	if reached+missed > 0 {
		t.Coverage = 100 * float64(reached) / float64(reached+missed)
	}
}

func (t *TestReport) verdict(name string, opts TestOptions, w io.Writer) error {
	if opts.Coverage {
		for _, place := range t.NotCovered {
			fmt.Fprintf(w, "%s: not covered\n", place)
		}
	}
	fmt.Fprintf(w, "%s: %d passed, %d failed, %d skipped, coverage %.1f %%\n", name, t.Passed, t.Failed, t.Skipped, t.Coverage)
	switch {
	case t.Failed > 0:
		return fmt.Errorf("policy %s: %d of %d tests failed", name, t.Failed, t.Failed+t.Passed)
	case t.Passed == 0:
		return fmt.Errorf("policy %s: no test ran; name rules test_… in files that end in _test.rego", name)
	case t.Coverage < opts.Threshold:
		return fmt.Errorf("policy %s: coverage %.1f %% is below %.1f %%", name, t.Coverage, opts.Threshold)
	}
	return nil
}
