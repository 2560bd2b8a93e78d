package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/agent"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/demo"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/learn"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/meters"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/owners"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/settings"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/tape"
	"github.com/wattle-project/wattle/telemetry/attribution"
	"github.com/wattle-project/wattle/telemetry/cgroup"
	"github.com/wattle-project/wattle/telemetry/disaggregate"
	"github.com/wattle-project/wattle/telemetry/exporter"
	"github.com/wattle-project/wattle/telemetry/grid"
	"github.com/wattle-project/wattle/telemetry/invocations"
	"github.com/wattle-project/wattle/telemetry/kube"
	"github.com/wattle-project/wattle/telemetry/price"
	"github.com/wattle-project/wattle/telemetry/record"
)

// surroundings are what parts take from the command that wires them.
type surroundings struct {
	now     func() time.Time
	publish func(*exporter.Snapshot)
	// round is called after each round; nil is not.
	round func(at time.Time)
	log   *slog.Logger
	// recorder notes all that is read; nil notes nothing.
	recorder func(agent.Config) (*record.Recorder, error)
}

// parts are what an agent is wired from. Only agent and meters are always there.
type parts struct {
	agent   *agent.Agent
	meters  *meters.Set
	inbox   *learn.Inbox
	tree    *cgroup.Tree
	pods    *kube.Mapper
	scraper *invocations.Scraper
	grid    *grid.Feed
	price   *price.Feed
	tape    *record.Recorder
	extra   *extra
}

// wire makes the parts that s asks for. Nothing is read or started yet.
func wire(s *settings.Settings, x surroundings) (*parts, error) {
	p := &parts{inbox: learn.NewInbox()}
	var err error
	if p.meters, err = meters.New(s, x.now, x.log); err != nil {
		return nil, err
	}
	c := agent.Config{
		Node: wattle.NodeID(s.Node), Interval: s.Interval, Chain: p.meters.Chain, Publish: x.publish, Round: x.round, CPU: threadCPU, Log: x.log,
		Embodied: agent.Embodied(s.Embodied),
	}
	if err := divide(&c, s); err != nil {
		return nil, err
	}
	var sources tape.Noted
	if s.Meters.Fake.Enabled && len(s.Cgroups.Patterns) == 0 {
		err = p.playDemo(&c, &sources, x.now)
	} else {
		err = p.readNode(s, &c, &sources, x)
	}
	if err == nil {
		err = p.scrape(s, x.log)
	}
	if err == nil {
		err = p.feeds(s, &c, &sources, x)
	}
	if err == nil && x.recorder != nil {
		p.tape, err = x.recorder(c)
	}
	if err != nil {
		return nil, err
	}
	if err := finish(&c, s.Grid.PUE, &sources, p.tape); err != nil {
		return nil, err
	}
	p.agent, err = agent.New(c)
	return p, err
}

// divide configures attribution and learning.
func divide(c *agent.Config, s *settings.Settings) error {
	c.Divide = attribution.DefaultConfig()
	c.Divide.OwnerGrace = s.Attribution.OwnerGrace
	c.Control = controlPlane(s.Invocations.ControlPlane)
	for key, w := range s.Attribution.Idle {
		if err := fixIdle(&c.Divide, key, w); err != nil {
			return usage{err}
		}
	}
	return nil
}

// fixIdle sets the idle power of a zone: of a component ("package", "dram",
// "gpu") or of one device of it ("package/package-0").
func fixIdle(c *attribution.Config, key string, w wattle.Watts) error {
	if c.Idle == nil {
		c.Idle = map[attribution.Zone]wattle.Watts{}
	}
	var z attribution.Zone
	name, device, _ := strings.Cut(key, "/")
	if err := z.Component.UnmarshalText([]byte(name)); err != nil {
		return fmt.Errorf("attribution.idle %q: %w", key, err)
	}
	z.Device = wattle.DeviceID(device)
	c.Idle[z] = w
	return nil
}

// controlPlane matches "namespace/function" and "namespace/*".
func controlPlane(list []string) func(namespace, function string) bool {
	if len(list) == 0 {
		return nil
	}
	return func(namespace, function string) bool {
		return slices.Contains(list, namespace+"/"+function) || slices.Contains(list, namespace+"/*")
	}
}

// playDemo puts scripted functions beside the fake meter.
func (p *parts) playDemo(c *agent.Config, sources *tape.Noted, now func() time.Time) error {
	load, err := demo.New()
	if err != nil {
		return err
	}
	sources.Usage, sources.Owners, sources.GPUs = load, load, load
	sources.Batches = func() []learn.Batch { return append(p.inbox.Drain(now()), load.Drain()...) }
	c.Divide.CPU, c.Divide.Memory = demo.CPU, demo.Memory
	return nil
}

// readNode reads the cgroups, pods and devices of this machine.
func (p *parts) readNode(s *settings.Settings, c *agent.Config, sources *tape.Noted, x surroundings) error {
	var err error
	if p.tree, err = cgroup.New(cgroups(s, x.log)); err != nil {
		return usage{err}
	}
	var pods owners.Pods
	if kubelet(s) {
		if p.pods, err = kube.New(kubeConfig(s, x.log)); err != nil {
			return usage{err}
		}
		pods = p.pods
	}
	sources.Usage, sources.Owners = p.tree, owners.New(pods)
	sources.Batches = func() []learn.Batch { return p.inbox.Drain(x.now()) }
	if len(p.meters.GPUs) > 0 {
		sources.GPUs = &joined{meters: p.meters.GPUs, join: owners.NewGPUs(s.Proc, pods), asked: map[string]int{}}
	}
	c.Divide.CPU, c.Divide.Memory = s.Attribution.CPU, s.Attribution.Memory
	if c.Divide.CPU == 0 {
		c.Divide.CPU = wattle.MilliCPU(1000 * runtime.NumCPU())
	}
	if c.Divide.Memory == 0 {
		c.Divide.Memory, err = memory(s.Proc)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil // then idle memory energy goes by reservations alone
	}
	return err
}

func cgroups(s *settings.Settings, log *slog.Logger) cgroup.Config {
	c := cgroup.DefaultConfig()
	c.Root = cmp.Or(s.Cgroups.Root, filepath.Join(s.Sys, "fs/cgroup"))
	c.Mode, c.Containers, c.Patterns, c.MemoryEvery = s.Cgroups.Mode, s.Cgroups.Containers, s.Cgroups.Patterns, s.Cgroups.MemoryEvery
	c.Log = log
	return c
}

// scrape makes the scraper of the platform's counts.
func (p *parts) scrape(s *settings.Settings, log *slog.Logger) error {
	if len(s.Invocations.Targets) == 0 {
		return nil
	}
	c := invocations.DefaultConfig()
	c.Targets, c.Every, c.Log = s.Invocations.Targets, s.Invocations.Every, log
	if c.Timeout >= c.Every {
		c.Timeout = c.Every * 8 / 10
	}
	var err error
	if p.scraper, err = invocations.New(c); err != nil {
		return usage{err}
	}
	return nil
}

// feeds makes the feeds of intensities and prices that are configured.
func (p *parts) feeds(s *settings.Settings, c *agent.Config, sources *tape.Noted, x surroundings) error {
	var err error
	if s.Grid.Zone != "" {
		g := s.Grid.Feed
		if !slices.Contains(g.Zones, s.Grid.Zone) {
			g.Zones = append(slices.Clone(g.Zones), s.Grid.Zone)
		}
		if p.grid, err = grid.NewFromConfig(g, grid.Options{Now: x.now, Log: x.log}); err != nil {
			return usage{err}
		}
		sources.Signals = intensities{p.grid, grid.Key{Zone: s.Grid.Zone, Kind: s.Grid.Kind, Scope: s.Grid.Scope}}
	}
	if s.Price.Zone != "" {
		if p.price, err = price.NewFromConfig(s.Price.Feed, price.Options{Now: x.now, Log: x.log}); err != nil {
			return usage{err}
		}
	}
	p.extra = &extra{p: p, zone: s.Price.Zone}
	c.Extra = p.extra.add
	return nil
}

// finish puts the sources into the agent's configuration, noted or not.
func finish(c *agent.Config, pue float64, sources *tape.Noted, recorder *record.Recorder) error {
	sources.Recorder = recorder
	c.Usage, c.Owners, c.Batches = sources.Usage, sources.Owners, sources.Batches
	if sources.GPUs != nil {
		c.GPUs = sources.GPUs
	}
	signals := sources.Signals
	if recorder != nil {
		c.Chain = recorder.Chain(c.Chain)
		c.Usage, c.Owners, c.Batches = sources, sources, sources.Drain
		if sources.GPUs != nil {
			c.GPUs = sources
		}
		if signals != nil {
			signals = sources
		}
	}
	if signals != nil {
		c.Carbon = newBook(signals, pue)
	}
	var err error
	c.Learn, err = learn.New(disaggregate.DefaultConfig())
	return err
}

// kubelet says whether a kubelet is to be asked.
func kubelet(s *settings.Settings) bool {
	if s.Kubernetes.Enabled != "auto" {
		return s.Kubernetes.Enabled == "on"
	}
	_, err := os.Stat("/var/lib/kubelet")
	return s.Kubernetes.Kubelet != "" || err == nil || os.Getenv("KUBERNETES_SERVICE_HOST") != ""
}

func kubeConfig(s *settings.Settings, log *slog.Logger) kube.Config {
	c := kube.DefaultConfig()
	k := s.Kubernetes
	set(&c.Kubelet, k.Kubelet)
	set(&c.CAFile, k.CAFile)
	set(&c.ResourcesSocket, k.ResourcesSocket)
	if k.TokenFile != "" {
		c.TokenFile = k.TokenFile
	} else if _, err := os.Stat(c.TokenFile); err != nil {
		c.TokenFile = "" // not in a pod
	}
	c.Log = log
	return c
}
