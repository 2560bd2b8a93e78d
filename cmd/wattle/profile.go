package main

import (
	"fmt"
	"strings"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/cmd/wattle/internal/profiles"
	"github.com/wattle-project/wattle/internal/version"
	"github.com/wattle-project/wattle/telemetry/disaggregate"
	"github.com/wattle-project/wattle/telemetry/disaggregate/profile"
)

// profileCmd groups what turns measurements into figures for the simulator.
type profileCmd struct {
	Learn  profileLearnCmd  `cmd:"" help:"Learn watts, joules and seconds of functions from an agent's recording."`
	Show   profileShowCmd   `cmd:"" help:"Print profiles as a table."`
	Import profileImportCmd `cmd:"" help:"Turn profiles into the functions section of an experiment file."`
}

type profileLearnCmd struct {
	Recording    string             `arg:"" type:"existingfile" help:"File written by wattle-agent record."`
	Output       string             `short:"o" type:"path" help:"File to write; standard output if empty."`
	Hardware     string             `help:"Processor generation of the node, as fleets name it."`
	Idle         wattle.Watts       `help:"Power of the node at rest, such as 40W; learned if not given." placeholder:"WATTS"`
	Platform     []string           `help:"Functions whose processor time is the platform's own." placeholder:"NAMESPACE/FUNCTION|NAMESPACE/*"`
	IdleShare    disaggregate.Share `help:"Who bears the idle energy: none, equal (by function) or busy (by busy seconds)." default:"equal"`
	ControlPlane disaggregate.Share `help:"Who bears the platform's own energy: none, equal (by invocation) or busy." default:"equal"`
}

// Run plays the recording and writes profiles.
func (c *profileLearnCmd) Run(s *streams) error {
	cfg := profiles.Config{Estimate: disaggregate.DefaultConfig(), Hardware: c.Hardware, Idle: c.Idle, Platform: c.Platform, Program: "wattle " + version.String()}
	cfg.Estimate.Idle, cfg.Estimate.ControlPlane = c.IdleShare, c.ControlPlane
	l, err := profiles.Learn(c.Recording, cfg)
	if err != nil {
		return err
	}
	if l.Truncated != "" {
		fmt.Fprintln(s.err, "wattle:", l.Truncated)
	}
	fmt.Fprintf(s.err, "learned %d functions from %d intervals of %d\n", len(l.Profiles.Functions), l.Steps, l.Epochs)
	for _, r := range l.Profiles.Remarks {
		fmt.Fprintln(s.err, "wattle:", r)
	}
	if c.Output == "" {
		return l.Profiles.Write(s.out)
	}
	return atomically(c.Output, l.Profiles.Write)
}

type profileShowCmd struct {
	From []string `arg:"" name:"file|url" help:"Files of profiles, or URLs of agents that serve them, such as http://127.0.0.1:9188/v1/profiles."`
}

// Run prints one table per file.
func (c *profileShowCmd) Run(s *streams) error {
	for _, name := range c.From {
		d, err := profiles.Read(s.ctx, name)
		if err != nil {
			return err
		}
		if err := profiles.Show(s.out, d); err != nil {
			return err
		}
	}
	return nil
}

type profileImportCmd struct {
	From     []string `arg:"" name:"file|url" help:"Files of profiles, or URLs of agents that serve them (…/v1/profiles), of one or several nodes."`
	Output   string   `short:"o" type:"path" help:"File to write; standard output if empty. Name it in an experiment's functions.measured."`
	Hardware []string `help:"Processor generation of the fleet that the figures stand for: NAME for all files, or NODE=NAME." placeholder:"[NODE=]NAME"`
	Least    float64  `help:"Leave out functions with fewer warm invocations." default:"10"`
	Wide     float64  `help:"Remark on joules whose interval is wider than this part of the value." default:"0.25"`
}

// Run joins the files.
func (c *profileImportCmd) Run(s *streams) error {
	cfg := profiles.ImportConfig{Hardware: map[string]string{}, Least: c.Least, Wide: c.Wide}
	for _, h := range c.Hardware {
		node, name, ok := strings.Cut(h, "=")
		if !ok {
			node, name = "", h
		}
		cfg.Hardware[node] = name
	}
	var docs []*profile.Document
	for _, name := range c.From {
		d, err := profiles.Read(s.ctx, name)
		if err != nil {
			return err
		}
		docs = append(docs, d)
	}
	section := profiles.Import(docs, cfg)
	for _, r := range section.Remarks {
		fmt.Fprintln(s.err, "wattle:", r)
	}
	if section.Len() == 0 {
		return fmt.Errorf("no function has %g warm invocations: record for longer", c.Least)
	}
	if c.Output == "" {
		return section.Write(s.out)
	}
	return atomically(c.Output, section.Write)
}
