package main

import (
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/settings"
)

// flags are shared by the commands that read the node. They win over the file.
type flags struct {
	Config        string         `type:"path" short:"c" help:"Configuration file (YAML); see docs/agent.md." env:"WATTLE_AGENT_CONFIG"`
	Node          string         `help:"Name of this node in samples; default: the host's name." env:"NODE_NAME"`
	Interval      *time.Duration `help:"Time between two rounds; default 1s."`
	Sys           string         `help:"Directory in place of /sys." placeholder:"DIR"`
	Proc          string         `help:"Directory in place of /proc." placeholder:"DIR"`
	CgroupRoot    string         `help:"Where cgroups are mounted; default <sys>/fs/cgroup." placeholder:"DIR"`
	CgroupPattern []string       `sep:"none" help:"Regular expression on cgroup paths with a group (?P<function>…); may be repeated." placeholder:"REGEXP"`
	Kubelet       string         `help:"URL of the kubelet; default: https://127.0.0.1:10250 where one runs." placeholder:"URL"`
	Invocations   []string       `sep:"none" help:"Metrics endpoint of the FaaS platform, for joules per invocation; may be repeated." placeholder:"URL"`
	Zone          string         `help:"Grid zone of this node, for example DE; counts grams of CO2e." placeholder:"ZONE"`
	Fake          bool           `help:"Play a scripted meter and, without --cgroup-pattern, scripted functions."`
	FakeScript    string         `type:"path" help:"Script of the fake meter; default: the demo." placeholder:"FILE"`
}

// settings merges the configuration file and the flags.
func (f *flags) settings() (settings.Settings, error) {
	s := settings.Default()
	if f.Config != "" {
		var err error
		if s, err = settings.Read(f.Config); err != nil {
			return s, usage{err}
		}
	}
	set(&s.Node, f.Node)
	if f.Interval != nil { // 0 is a fault, not the default
		s.Interval = *f.Interval
	}
	set(&s.Sys, f.Sys)
	set(&s.Proc, f.Proc)
	set(&s.Cgroups.Root, f.CgroupRoot)
	set(&s.Grid.Zone, wattle.ZoneID(f.Zone))
	set(&s.Meters.Fake.Script, f.FakeScript)
	set(&s.Kubernetes.Kubelet, f.Kubelet)
	if len(f.Invocations) > 0 {
		s.Invocations.Targets = f.Invocations
	}
	if len(f.CgroupPattern) > 0 {
		s.Cgroups.Patterns = f.CgroupPattern
	}
	s.Meters.Fake.Enabled = s.Meters.Fake.Enabled || f.Fake || f.FakeScript != ""
	return s, nil
}

func set[T comparable](dst *T, v T) {
	var zero T
	if v != zero {
		*dst = v
	}
}

// check turns a fault in the settings into one of usage.
func check(s *settings.Settings) error {
	if err := s.Validate(); err != nil {
		return usage{err}
	}
	return nil
}
