package agent

import (
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/attribution"
	"github.com/wattle-project/wattle/telemetry/exporter"
)

// components is the number of wattle.Components.
const components = int(wattle.OtherComponent) + 1

// fill brings the snapshot up to the round that was just run.
func (a *Agent) fill() {
	s := &a.snap
	s.Node, s.At = a.cfg.Node, a.now
	s.Zones, s.Meters = a.node.Zones(), a.node.Meters()
	s.Functions = s.Functions[:0]
	for i := range a.accounts {
		s.Functions = a.shareOf(i).append(s.Functions, &a.accounts[i])
	}
	s.Other = s.Other[:0]
	for c := range wattle.Component(components) {
		s.Other = appendOther(s.Other, c, a.attr.Balance(c), a.shares.pool[c])
	}
	s.Collectors = s.Collectors[:0]
	if a.cfg.Usage != nil {
		s.Collectors = append(s.Collectors, exporter.Collector{Name: "cgroup", Up: a.usageErr == nil})
	}
	s.CollectCPU = a.cpu
	a.emissions()
	if a.cfg.Extra != nil {
		a.cfg.Extra(s)
	}
}

func appendOther(dst []exporter.OtherEnergy, c wattle.Component, b attribution.Balance, pool wattle.Microjoules) []exporter.OtherEnergy {
	if b.Metered == 0 {
		return dst
	}
	return append(dst,
		exporter.OtherEnergy{Component: c, Reason: exporter.Unallocated, Energy: b.Unallocated},
		exporter.OtherEnergy{Component: c, Reason: exporter.System, Energy: b.System},
		exporter.OtherEnergy{Component: c, Reason: exporter.Waiting, Energy: b.Held + b.Pending + pool})
}

// late counts the rounds that should have been run since the last one.
func (a *Agent) late() uint64 {
	if a.last.IsZero() {
		return 0
	}
	rounds := (a.now.Sub(a.last) + a.cfg.Interval/2) / max(a.cfg.Interval, time.Millisecond)
	return uint64(max(rounds-1, 0))
}
