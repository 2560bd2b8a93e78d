package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/agent"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/demo"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/meters"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/owners"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/settings"
	"github.com/wattle-project/wattle/telemetry/attribution"
	"github.com/wattle-project/wattle/telemetry/cgroup"
	"github.com/wattle-project/wattle/telemetry/exporter"
	"github.com/wattle-project/wattle/telemetry/kube"
)

// parts are what an agent is wired from. Only agent and meters are always there.
type parts struct {
	agent  *agent.Agent
	meters *meters.Set
	tree   *cgroup.Tree
	pods   *kube.Mapper
}

// wire makes the parts that s asks for. Nothing is read or started yet.
func wire(s *settings.Settings, now func() time.Time, publish func(*exporter.Snapshot), log *slog.Logger) (*parts, error) {
	p := &parts{}
	var err error
	if p.meters, err = meters.New(s, now, log); err != nil {
		return nil, err
	}
	c := agent.Config{
		Node: wattle.NodeID(s.Node), Interval: s.Interval, Chain: p.meters.Chain, Publish: publish, CPU: threadCPU, Log: log,
	}
	c.Divide = attribution.DefaultConfig()
	c.Divide.OwnerGrace = s.Attribution.OwnerGrace
	for key, w := range s.Attribution.Idle {
		if err := fixIdle(&c.Divide, key, w); err != nil {
			return nil, usage{err}
		}
	}
	if s.Meters.Fake.Enabled && len(s.Cgroups.Patterns) == 0 {
		err = p.playDemo(&c)
	} else {
		err = p.readNode(s, &c, log)
	}
	if err != nil {
		return nil, err
	}
	p.agent, err = agent.New(c)
	return p, err
}

// fixIdle sets the idle power of a zone: of a component ("package", "dram",
// "gpu") or of one device of it ("package/package-0").
func fixIdle(c *attribution.Config, key string, w wattle.Watts) error {
	if c.Idle == nil {
		c.Idle = map[attribution.Zone]wattle.Watts{}
	}
	var z attribution.Zone
	name, device, _ := cut(key)
	if err := z.Component.UnmarshalText([]byte(name)); err != nil {
		return fmt.Errorf("attribution.idle %q: %w", key, err)
	}
	z.Device = wattle.DeviceID(device)
	c.Idle[z] = w
	return nil
}

// playDemo puts scripted functions beside the fake meter.
func (p *parts) playDemo(c *agent.Config) error {
	load, err := demo.New()
	if err != nil {
		return err
	}
	c.Usage, c.Owners, c.GPUs = load, load, load
	c.Divide.CPU, c.Divide.Memory = demo.CPU, demo.Memory
	return nil
}

// readNode reads the cgroups, pods and devices of this machine.
func (p *parts) readNode(s *settings.Settings, c *agent.Config, log *slog.Logger) error {
	tree := cgroup.DefaultConfig()
	tree.Root = s.Cgroups.Root
	if tree.Root == "" {
		tree.Root = filepath.Join(s.Sys, "fs/cgroup")
	}
	tree.Mode, tree.Containers, tree.Patterns, tree.MemoryEvery = s.Cgroups.Mode, s.Cgroups.Containers, s.Cgroups.Patterns, s.Cgroups.MemoryEvery
	tree.Log = log
	var err error
	if p.tree, err = cgroup.New(tree); err != nil {
		return usage{err}
	}
	if kubelet(s) {
		if p.pods, err = kube.New(kubeConfig(s, log)); err != nil {
			return usage{err}
		}
	}
	var pods owners.Pods
	if p.pods != nil {
		pods = p.pods
	}
	c.Usage, c.Owners = p.tree, owners.New(pods)
	if len(p.meters.GPUs) > 0 {
		c.GPUs = &joined{meters: p.meters.GPUs, join: owners.NewGPUs(s.Proc, pods)}
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
