package main

import (
	"fmt"

	"github.com/wattle-project/wattle/cmd/wattle/internal/experiment"
	"github.com/wattle-project/wattle/simulator/report"
)

// explainCmd shows one decision of a saved run.
type explainCmd struct {
	Run_     string `arg:"" name:"run" type:"existingfile" help:"File written by simulate --save."`
	Decision uint64 `arg:"" help:"Sequence number of the decision: the n-th invocation of the workload, from 0."`
	Policy   string `help:"Name of the policy; all if empty."`
	Data     string `type:"path" help:"Directory of the data, if it moved since." env:"WATTLE_DATA"`
}

// Run replays the run up to the end, prints the decision's table and checks
// that the replay came to the same bytes as the saved run.
func (c *explainCmd) Run(s *streams) error {
	saved, err := readRun(c.Run_)
	if err != nil {
		return err
	}
	if n := uint64(saved.Report.Run.Trace.Invocations); c.Decision >= n {
		return usage{fmt.Errorf("decision %d: the run has %d, numbered from 0", c.Decision, n)}
	}
	f, err := experiment.Parse(saved.Path, []byte(saved.Experiment))
	if err != nil {
		return err
	}
	f.Explain = []uint64{c.Decision}
	data := saved.Data
	if c.Data != "" {
		data = c.Data
	}
	e, err := experiment.Prepare(f, experiment.Options{Data: data})
	if err != nil {
		return err
	}
	outcomes, err := e.Run(s.ctx, 0, nil)
	if err != nil {
		return err
	}
	d := e.Document(outcomes, nil)
	shown := 0
	for i := range d.Samples {
		if c.Policy == "" || d.Samples[i].Policy == c.Policy {
			shown++
			if err := report.Explain(s.out, &d.Samples[i]); err != nil {
				return err
			}
			fmt.Fprintln(s.out)
		}
	}
	if shown == 0 {
		return usage{fmt.Errorf("policy %q: the run has none of that name", c.Policy)}
	}
	if d.Run.ResultHash != saved.Report.Run.ResultHash {
		return fmt.Errorf("the replay came to %s, the saved run to %s: it was made by another version or other data", d.Run.ResultHash, saved.Report.Run.ResultHash)
	}
	fmt.Fprintln(s.out, "replayed to the same bytes:", d.Run.ResultHash)
	return nil
}

// reportCmd renders a saved run.
type reportCmd struct {
	Run_   string `arg:"" name:"run" type:"existingfile" help:"File written by simulate --save."`
	Output string `short:"o" enum:"table,json,csv,parquet,html" default:"table" help:"Format: ${enum}."`
}

// Run prints the saved run.
func (c *reportCmd) Run(s *streams) error {
	saved, err := readRun(c.Run_)
	if err != nil {
		return err
	}
	if c.Output == "html" {
		return report.HTML(s.out, saved.Report)
	}
	return render(s.out, c.Output, saved.Report)
}
