package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/doctor"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/settings"
	"github.com/wattle-project/wattle/telemetry/exporter"
	"github.com/wattle-project/wattle/telemetry/invocations"
)

type doctorCmd struct{ flags }

// Run looks at everything once and explains.
func (c *doctorCmd) Run(s *streams) error {
	set, err := c.settings()
	if err == nil {
		err = check(&set)
	}
	if err != nil {
		return err
	}
	var snap exporter.Snapshot
	p, err := wire(&set, surroundings{
		now: time.Now, publish: func(x *exporter.Snapshot) { snap = *x }, log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer p.agent.Close()
	stop := p.meters.Start(s.ctx)
	defer stop()
	clock := clock{now: time.Now}
	for range 2 {
		p.agent.Prime(s.ctx)
		p.agent.Step(s.ctx, clock.Now())
		p.agent.Refresh()
		if err := clock.Wait(s.ctx, set.Interval); err != nil {
			return err
		}
	}
	sections := []doctor.Section{
		doctor.Privileges(set.Proc),
		doctor.Meters(p.agent.Probes(), p.meters.Skipped),
		doctor.Duplicates(snap.Zones),
		p.containers(s, &set),
		p.platform(s, &set),
		reach(&set),
	}
	_, err = doctor.Print(s.out, sections)
	return err
}

// containers looks at cgroups, and at the kubelet where there is one.
func (p *parts) containers(s *streams, set *settings.Settings) doctor.Section {
	if p.tree == nil {
		return doctor.Section{Title: "Containers and functions", Findings: []doctor.Finding{{Verdict: doctor.Good, What: "the demo's functions are played"}}}
	}
	usage, err := p.tree.Read(time.Now(), nil)
	x := doctor.Cgroups(p.tree.Stats(), usage, err)
	x.Findings = append(x.Findings, inotify(set.Proc))
	if p.pods == nil {
		x.Findings = append(x.Findings, doctor.Finding{Verdict: doctor.Absent, What: "no kubelet on this node: containers have no pod or function name"})
		return x
	}
	f := doctor.Finding{Verdict: doctor.Good}
	if err := p.pods.Refresh(s.ctx, time.Now()); err != nil {
		f.Verdict, f.What = doctor.Trouble, err.Error()
		f.Mend = "grant the service account \"get\" on nodes/proxy (or nodes/pods), and mount " + "/var/lib/kubelet/pod-resources for devices"
	} else {
		f.What = fmt.Sprintf("the kubelet lists %d containers", len(p.pods.Current().Containers()))
	}
	x.Findings = append(x.Findings, f)
	return x
}

// inotify says whether the kernel tells of cgroups that come and go.
func inotify(proc string) doctor.Finding {
	b, err := os.ReadFile(filepath.Join(proc, "sys/fs/inotify/max_user_watches"))
	if err != nil {
		return doctor.Finding{Verdict: doctor.Absent, What: "cannot tell how many cgroups the kernel lets one watch: " + err.Error()}
	}
	return doctor.Finding{Verdict: doctor.Good, What: fmt.Sprintf("the kernel tells of cgroups that come and go; limit of watches %s", string(b))}
}

// platform asks the platform's metrics once.
func (p *parts) platform(s *streams, set *settings.Settings) doctor.Section {
	x := doctor.Section{Title: "Joules per invocation"}
	if len(set.Invocations.Targets) == 0 {
		x.Findings = append(x.Findings, doctor.Finding{
			Verdict: doctor.Absent, What: "no platform is asked for counts of invocations",
			Mend: "name the metrics endpoints of the platform by --invocations, or push counts to /v1/invocations",
		})
		return x
	}
	c := invocations.DefaultConfig()
	c.Targets = set.Invocations.Targets
	scraper, err := invocations.New(c)
	if err == nil {
		_, err = scraper.Scrape(s.ctx, time.Now())
	}
	f := doctor.Finding{Verdict: doctor.Good, What: fmt.Sprintf("%d endpoints of the platform answer", len(c.Targets))}
	if err != nil {
		f = doctor.Finding{Verdict: doctor.Trouble, What: err.Error(), Mend: "check the addresses with curl"}
	}
	x.Findings = append(x.Findings, f)
	return x
}

// reach says who can read what the agent serves.
func reach(set *settings.Settings) doctor.Section {
	f := doctor.Finding{Verdict: doctor.Good, What: set.Listen + " is reached from this host only"}
	if !set.Loopback() {
		f = doctor.Finding{
			Verdict: doctor.Absent, What: set.Listen + " is reached from other hosts: fine-grained power can tell what other tenants compute",
			Mend: "let only Prometheus reach it, by a network policy",
		}
	}
	return doctor.Section{Title: "Who can read it", Findings: []doctor.Finding{f}}
}
