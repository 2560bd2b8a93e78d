// Package known replays cases whose answers are known, in closed form or from
// published tables, through the production engine.
package known

import (
	"context"
	"fmt"
	"io"
	"math"
	"text/tabwriter"
)

// Case is one comparison.
type Case struct {
	Group, Name string
	Unit        string
	// Got must lie within Tolerance of Expected or, where that is the Most allowed,
	// anywhere below too.
	Expected, Got, Tolerance float64
	Most                     bool
	// Skipped says why the case was not run; Err why it could not be.
	Skipped string
	Err     error
}

// Pass reports whether the case was run and met.
func (c *Case) Pass() bool {
	return c.Skipped == "" && c.Err == nil && (math.Abs(c.Got-c.Expected) <= c.Tolerance || c.Most && c.Got <= c.Expected)
}

// Run yields every case, those without data as skipped, until yield returns
// false or ctx ends. dir is the directory of the published data, or empty.
func Run(ctx context.Context, dir string, yield func(Case) bool) error {
	for _, group := range []func(context.Context, string, func(Case) bool) bool{queueing, recursions, keeping, schedules, rentals, caches, accounts, partitions, ecolife, shifting, workflows} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !group(ctx, dir, yield) {
			break
		}
	}
	return ctx.Err()
}

// Printer prints cases as they come, and a summary.
type Printer struct {
	w                       *tabwriter.Writer
	passed, failed, skipped int
}

// NewPrinter begins a table on w.
func NewPrinter(w io.Writer) *Printer {
	p := &Printer{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	fmt.Fprintln(p.w, "group\tcase\texpected\tgot\ttolerance\tunit\tpass")
	return p
}

// Add prints one case.
func (p *Printer) Add(c Case) {
	switch {
	case c.Skipped != "":
		p.skipped++
		fmt.Fprintf(p.w, "%s\t%s\t\t\t\t\tskipped: %s\n", c.Group, c.Name, c.Skipped)
	case c.Err != nil:
		p.failed++
		fmt.Fprintf(p.w, "%s\t%s\t\t\t\t\tFAILED: %v\n", c.Group, c.Name, c.Err)
	default:
		mark, expected := "yes", fmt.Sprintf("%.7g", c.Expected)
		if c.Most {
			expected = "≤ " + expected
		}
		if p.passed++; !c.Pass() {
			p.passed--
			p.failed++
			mark = "NO"
		}
		fmt.Fprintf(p.w, "%s\t%s\t%s\t%.7g\t%.2g\t%s\t%s\n", c.Group, c.Name, expected, c.Got, c.Tolerance, c.Unit, mark)
	}
}

// Close prints the summary and returns how many cases failed.
func (p *Printer) Close() (failed int, err error) {
	if err := p.w.Flush(); err != nil {
		return p.failed, err
	}
	fmt.Fprintf(p.w, "%d passed, %d failed, %d skipped\n", p.passed, p.failed, p.skipped)
	return p.failed, p.w.Flush()
}
