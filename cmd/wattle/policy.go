package main

import (
	"fmt"
	"io"
	"os"

	"github.com/wattle-project/wattle/policies"
)

// policyCmd groups what policy authors do.
type policyCmd struct {
	List  policyListCmd  `cmd:"" help:"List the shipped policies."`
	Show  policyShowCmd  `cmd:"" help:"Print a shipped policy."`
	Check policyCheckCmd `cmd:"" help:"Compile a policy and look for mistakes that a compiler cannot see."`
	Test  policyTestCmd  `cmd:"" help:"Run a policy's tests."`
	Fmt   policyFmtCmd   `cmd:"" help:"Format Rego files."`
	Eval  policyEvalCmd  `cmd:"" help:"Evaluate a policy on one input document."`
	Reads policyReadsCmd `cmd:"" help:"List the input fields that each rule can depend on: its cache key."`
}

type policyListCmd struct{}

// Run prints name and summary of each shipped policy.
func (policyListCmd) Run(s *streams) error {
	for _, n := range policies.LibraryNames() {
		summary, err := policies.Summary(n)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%-20s %s\n", n, summary)
	}
	return nil
}

type policyShowCmd struct {
	Name string `arg:"" help:"Name of a shipped policy."`
}

// Run prints the policy's text.
func (c *policyShowCmd) Run(s *streams) error {
	src, err := policies.LibrarySource(c.Name)
	if err != nil {
		return usage{err}
	}
	for _, text := range src.Modules {
		fmt.Fprint(s.out, text)
	}
	return nil
}

// policyArg is a policy given by path or by the name of a shipped one.
type policyArg struct {
	Policy string `arg:"" help:"Rego file or directory, or the name of a shipped policy."`
	Tenant bool   `help:"Compile as a tenant's policy, which may only narrow."`
}

func (p *policyArg) source() (policies.Source, error) {
	if _, err := os.Stat(p.Policy); err == nil {
		return policies.ReadSource(p.Policy)
	}
	src, err := policies.LibrarySource(p.Policy)
	if err != nil {
		return src, usage{fmt.Errorf("no file %q, and %w", p.Policy, err)}
	}
	return src, nil
}

func (p *policyArg) config() policies.Config {
	c := policies.DefaultConfig()
	c.Tenant = p.Tenant
	return c
}

type policyCheckCmd struct {
	policyArg
	JSON bool `help:"Print findings as JSON."`
}

// Run prints what is wrong and fails if any of it is an error.
func (c *policyCheckCmd) Run(s *streams) error {
	src, err := c.source()
	if err != nil {
		return err
	}
	found := policies.Check(src, c.config())
	if err := policies.WriteFindings(s.out, found, c.JSON); err != nil {
		return err
	}
	for _, f := range found {
		if f.Level == policies.LevelError {
			return fmt.Errorf("policy %s has errors", src.Name)
		}
	}
	if !c.JSON {
		fmt.Fprintf(s.out, "%s: ok\n", src.Name)
	}
	return nil
}

type policyTestCmd struct {
	policyArg
	Run_      string  `name:"run" help:"Run only tests whose package.name matches this regular expression."`
	Verbose   bool    `short:"v" help:"Print tests that pass too."`
	Coverage  bool    `help:"Print lines that no test reached."`
	Threshold float64 `help:"Fail under this coverage in percent."`
}

// Run runs the tests.
func (c *policyTestCmd) Run(s *streams) error {
	src, err := c.source()
	if err != nil {
		return err
	}
	_, err = policies.RunTests(s.ctx, src, c.config(), policies.TestOptions{
		Run: c.Run_, Verbose: c.Verbose, Coverage: c.Coverage, Threshold: c.Threshold,
	}, s.out)
	return err
}

type policyFmtCmd struct {
	Paths []string `arg:"" help:"Files or directories."`
	Write bool     `short:"w" help:"Rewrite files instead of listing them."`
}

// Run lists or rewrites files that are not formatted.
func (c *policyFmtCmd) Run(s *streams) error {
	n, err := policies.FormatFiles(s.out, c.Paths, c.Write)
	if err != nil {
		return err
	}
	if n > 0 && !c.Write {
		return fmt.Errorf("%d files are not formatted: run \"wattle policy fmt -w\"", n)
	}
	return nil
}

type policyEvalCmd struct {
	policyArg
	Input string `short:"i" required:"" help:"JSON input document, - for standard input."`
}

// Run prints the results as JSON.
func (c *policyEvalCmd) Run(s *streams) error {
	src, err := c.source()
	if err != nil {
		return err
	}
	e, err := src.Compile(c.config())
	if err != nil {
		return err
	}
	in, err := readInput(c.Input)
	if err != nil {
		return err
	}
	out, err := policies.Evaluate(s.ctx, e, in)
	if err != nil {
		return err
	}
	return writeJSON(s.out, out)
}

type policyReadsCmd struct{ policyArg }

// Run prints the fields by rule as JSON.
func (c *policyReadsCmd) Run(s *streams) error {
	src, err := c.source()
	if err != nil {
		return err
	}
	e, err := src.Compile(c.config())
	if err != nil {
		return err
	}
	return writeJSON(s.out, e.Reads())
}

func readInput(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(name)
}
