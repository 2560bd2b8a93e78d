package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/term"

	"github.com/wattle-project/wattle/cmd/wattle/internal/experiment"
	"github.com/wattle-project/wattle/simulator/report"
)

// simulateCmd replays a workload.
type simulateCmd struct {
	File        string `arg:"" optional:"" type:"path" help:"Experiment file (YAML)."`
	Data        string `type:"path" help:"Directory in which relative paths of the file are sought." env:"WATTLE_DATA"`
	Output      string `short:"o" enum:"table,json,csv,parquet,none" default:"table" help:"What to print: ${enum}."`
	Report      string `type:"path" help:"Write a self-contained HTML report to this file."`
	Save        string `type:"path" help:"Write the run (experiment and results) to this file for \"wattle explain\" and \"wattle report\"."`
	Workers     int    `default:"0" help:"Simulations at a time; 0 is one per processor. Results do not depend on it."`
	Quiet       bool   `short:"q" help:"No progress bar."`
	PrintConfig bool   `help:"Print every default with its unit and source, and exit."`
}

// Run simulates, then prints and writes what was asked for.
func (c *simulateCmd) Run(s *streams) error {
	if c.PrintConfig {
		return printConfig(s.out)
	}
	if c.File == "" {
		return usage{fmt.Errorf("simulate: name an experiment file, for example examples/follow-the-sun.yaml")}
	}
	if err := writable(c.Report, c.Save); err != nil {
		return err
	}
	text, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	d, err := c.simulate(s, text)
	if err != nil {
		return err
	}
	if c.Report != "" {
		if err := atomically(c.Report, func(w io.Writer) error { return report.HTML(w, d) }); err != nil {
			return err
		}
		fmt.Fprintln(s.err, "report:", c.Report)
	}
	if c.Save != "" {
		saved := savedRun{Format: runFormat, Path: c.File, Data: c.Data, Experiment: string(text), Report: d}
		if err := atomically(c.Save, saved.write); err != nil {
			return err
		}
		fmt.Fprintln(s.err, "run:", c.Save)
	}
	return render(s.out, c.Output, d)
}

func (c *simulateCmd) simulate(s *streams, text []byte) (*report.Document, error) {
	f, err := experiment.Parse(c.File, text)
	if err != nil {
		return nil, err
	}
	e, err := experiment.Prepare(f, experiment.Options{Data: c.Data})
	if err != nil {
		return nil, err
	}
	bar := newBar(s.err, c.Quiet)
	outcomes, err := e.Run(s.ctx, c.Workers, bar.set)
	bar.done()
	if err != nil {
		return nil, err
	}
	bounds, err := e.Bound(s.ctx, outcomes)
	if err != nil {
		return nil, err
	}
	return e.Document(outcomes, bounds), nil
}

// writable finds folders that are missing before a run that would be lost.
func writable(files ...string) error {
	for _, f := range files {
		if f == "" {
			continue
		}
		if s, err := os.Stat(filepath.Dir(f)); err != nil || !s.IsDir() {
			return fmt.Errorf("%s: there is no folder %s: make it or name another", f, filepath.Dir(f))
		}
	}
	return nil
}

// render prints a document in one of the formats.
func render(w io.Writer, format string, d *report.Document) error {
	switch format {
	case "json":
		return report.JSON(w, d)
	case "csv":
		return report.CSV(w, d)
	case "parquet":
		if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			return usage{fmt.Errorf("parquet is binary: redirect the output to a file")}
		}
		return report.Parquet(w, d)
	case "none":
		return nil
	}
	return report.Table(w, d)
}

// printConfig writes the experiment reference and the model coefficients.
func printConfig(w io.Writer) error {
	for _, e := range experiment.Entries() {
		d := e.Default
		if d == "" {
			d = "-"
		}
		if _, err := fmt.Fprintf(w, "%-46s %-22s default %s\n    %s\n", e.Path, e.Type, d, e.Doc); err != nil {
			return err
		}
	}
	fmt.Fprintln(w)
	return experiment.PrintCoefficients(w)
}

// atomically writes a file through a temporary one beside it, so that an
// interrupted or failed write leaves nothing half-written.
func atomically(path string, write func(io.Writer) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(tmp.Name()) // a no-op once renamed
	var b bytes.Buffer
	if err := write(&b); err != nil {
		tmp.Close()
		return fmt.Errorf("write %s: %w", path, err)
	}
	if _, err := tmp.Write(b.Bytes()); err != nil {
		tmp.Close()
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := tmp.Chmod(0o644); err != nil {
		tmp.Close()
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(tmp.Name(), path)
}

const runFormat = "wattle-run/1"

// savedRun is the file that simulate --save writes.
type savedRun struct {
	Format     string           `json:"format"`
	Path       string           `json:"path"`
	Data       string           `json:"data,omitempty"`
	Experiment string           `json:"experiment"`
	Report     *report.Document `json:"report"`
}

func (r *savedRun) write(w io.Writer) error { return writeJSON(w, r) }

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func readRun(path string) (*savedRun, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r savedRun
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("%s: %w: want a file written by \"wattle simulate --save\"", path, err)
	}
	if r.Format != runFormat || r.Report == nil {
		return nil, fmt.Errorf("%s: format %q: want a file written by \"wattle simulate --save\"", path, r.Format)
	}
	return &r, nil
}
