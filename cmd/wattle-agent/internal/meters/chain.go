// Package meters makes the chain of meters that a node is searched for.
package meters

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/settings"
	"github.com/wattle-project/wattle/plugins/host"
	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/fake"
	"github.com/wattle-project/wattle/telemetry/gpu"
	"github.com/wattle-project/wattle/telemetry/gpu/dcgmexporter"
	"github.com/wattle-project/wattle/telemetry/gpu/nvml"
	"github.com/wattle-project/wattle/telemetry/hwmon"
	"github.com/wattle-project/wattle/telemetry/model"
	"github.com/wattle-project/wattle/telemetry/platform"
	"github.com/wattle-project/wattle/telemetry/rapl"
)

// Set is a chain with what its meters know beyond energy.
type Set struct {
	Chain telemetry.Chain
	// GPUs tell who used the boards; all of them are in Chain too.
	GPUs []User
	// Plugins are the meter processes of Chain.
	Plugins []*Plugin
	// Skipped explains the meters that are not in Chain.
	Skipped []telemetry.Probe
}

// User is a meter that knows who used its boards as of its last Read.
type User interface {
	Uses() []gpu.Use
	Instances() []gpu.Instance
}

// New makes the chain for s. It opens nothing yet; now stamps readings.
func New(s *settings.Settings, now func() time.Time, log *slog.Logger) (*Set, error) {
	set := &Set{}
	if s.Meters.Fake.Enabled {
		return set, set.fake(s, now)
	}
	b := &builder{s: s, now: now, log: log, set: set}
	b.try("rapl", b.rapl)
	b.try("hwmon", b.hwmon)
	b.try("nvml", b.nvml)
	b.try("dcgm-exporter", b.dcgmExporter)
	for _, p := range s.Meters.Plugins {
		b.plugin(p)
	}
	b.redfish()
	b.try("ipmi", b.ipmi)
	b.try("model", b.model)
	return set, errors.Join(b.errs...)
}

func (set *Set) fake(s *settings.Settings, now func() time.Time) error {
	text := ""
	if f := s.Meters.Fake.Script; f != "" {
		b, err := os.ReadFile(f)
		if err != nil {
			return fmt.Errorf("script of the fake meter: %w", err)
		}
		text = string(b)
	}
	m, err := fake.NewFromText(text, now)
	if err != nil {
		return err
	}
	set.Chain.Meters = []telemetry.Meter{m}
	for _, name := range settings.Names() {
		set.skip(name, "the fake meter replaces all others", "")
	}
	return nil
}

// Start runs the meter processes for a program that does not call Run of the
// meters, and returns once each of them serves or has failed to start. stop ends
// them.
func (set *Set) Start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for _, p := range set.Plugins {
		wg.Go(func() { _ = p.Run(ctx) })
	}
	for _, p := range set.Plugins {
		select {
		case <-p.settled:
		case <-ctx.Done():
		}
	}
	return func() { cancel(); wg.Wait() }
}

func (set *Set) skip(name, reason, mend string) {
	set.Skipped = append(set.Skipped, telemetry.Probe{Name: name, Reason: reason, Mend: mend})
}

type builder struct {
	s    *settings.Settings
	now  func() time.Time
	log  *slog.Logger
	set  *Set
	errs []error
}

// try adds the meter that make returns, unless the settings skip it.
func (b *builder) try(name string, make func() (telemetry.Meter, error)) {
	if slices.Contains(b.s.Meters.Skip, name) {
		b.set.skip(name, "is switched off by meters.skip", "")
		return
	}
	m, err := make()
	switch {
	case err != nil:
		b.errs = append(b.errs, fmt.Errorf("%s: %w", name, err))
	case m == nil: // make has said why
	case name == "model":
		b.set.Chain.Fallback = append(b.set.Chain.Fallback, m)
	default:
		b.set.Chain.Meters = append(b.set.Chain.Meters, m)
	}
}

func (b *builder) rapl() (telemetry.Meter, error) {
	c := rapl.DefaultConfig()
	c.Root, c.Now = b.s.Sys, b.now
	return rapl.New(c)
}

func (b *builder) hwmon() (telemetry.Meter, error) {
	c := hwmon.DefaultConfig()
	c.Root, c.Now = b.s.Sys, b.now
	return hwmon.New(c)
}

// nvml is kept off the path of collection: a driver that hangs must not hold
// the other meters up.
func (b *builder) nvml() (telemetry.Meter, error) {
	m, err := nvml.NewMeter(nvml.DefaultConfig(), gpu.DefaultConfig())
	if err != nil {
		return nil, err
	}
	aside := NewAside(m, b.s.Interval)
	b.set.GPUs = append(b.set.GPUs, aside)
	return aside, nil
}

func (b *builder) dcgmExporter() (telemetry.Meter, error) {
	c := dcgmexporter.DefaultConfig()
	if u := b.s.Meters.DCGMExporter.URL; u != "" {
		c.URL = u
	} else if !exists(filepath.Join(b.s.Proc, "driver/nvidia/version")) {
		b.set.skip("dcgm-exporter", "the NVIDIA driver is not loaded on this node", "if an exporter runs elsewhere, set meters.dcgm_exporter.url")
		return nil, nil
	}
	m, err := dcgmexporter.NewMeter(c, gpu.DefaultConfig())
	if err != nil {
		return nil, err
	}
	aside := NewAside(m, c.Every)
	b.set.GPUs = append(b.set.GPUs, aside)
	return aside, nil
}

func (b *builder) plugin(p settings.Plugin) {
	c := host.DefaultConfig(p.Path)
	c.Name = cmp.Or(p.Name, strings.TrimPrefix(filepath.Base(p.Path), "wattle-"))
	c.Args, c.Env, c.Checksum, c.Unverified = p.Args, p.Env, p.Checksum, p.Unverified
	plugin := &Plugin{settled: make(chan struct{})}
	c.Logger, c.Notify = b.log, plugin.notify(announce(c.Name, b.log))
	m, err := host.New(c)
	if err != nil {
		b.errs = append(b.errs, fmt.Errorf("plugin %s: %w", p.Path, err))
		return
	}
	plugin.host = m
	aside := NewAside(plugin, b.s.Interval)
	b.set.Plugins = append(b.set.Plugins, plugin)
	b.set.GPUs = append(b.set.GPUs, aside)
	b.set.Chain.Meters = append(b.set.Chain.Meters, aside)
}

func (b *builder) redfish() {
	r := b.s.Meters.Redfish
	if r.URL == "" {
		b.set.skip("redfish", "no management controller is named", "set meters.redfish.url")
		return
	}
	c := platform.DefaultRedfishConfig(r.URL)
	c.Chassis, c.Session, c.Interval, c.Now = r.Chassis, r.Session, r.Interval, b.now
	if r.User != "" {
		c.Credentials = func(context.Context) (string, string, error) {
			p, err := os.ReadFile(r.PasswordFile)
			return r.User, strings.TrimRight(string(p), "\r\n"), err
		}
	}
	var err error
	if r.CAFile != "" {
		c.RootCAs, err = pool(r.CAFile)
	}
	if err == nil {
		var m *platform.Redfish
		if m, err = platform.NewRedfish(c); err == nil {
			b.set.Chain.Meters = append(b.set.Chain.Meters, m)
			return
		}
	}
	b.errs = append(b.errs, fmt.Errorf("redfish: %w", err))
}

func pool(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("certificates: %s holds no PEM certificate", file)
	}
	return p, nil
}

func (b *builder) ipmi() (telemetry.Meter, error) {
	c := platform.DefaultDCMIConfig()
	c.Now = b.now
	if b.s.Meters.IPMI.Interval > 0 {
		c.Interval = b.s.Meters.IPMI.Interval
	}
	switch {
	case len(b.s.Meters.IPMI.Command) > 0:
		c.Command = b.s.Meters.IPMI.Command
	case !exists("/dev/ipmi0") && !exists("/dev/ipmi/0") && !exists("/dev/ipmidev/0"):
		b.set.skip("ipmi", "there is no IPMI device (/dev/ipmi0)", "load ipmi_devintf and ipmi_si where the machine has a management controller")
		return nil, nil
	}
	return platform.NewDCMI(c)
}

func (b *builder) model() (telemetry.Meter, error) {
	c := model.DefaultConfig()
	o := b.s.Meters.Model
	c.Family, c.Table, c.TDP, c.Curve, c.Error, c.Level = o.Family, o.Table, o.TDP, o.Curve, o.Error, o.Level
	c.Share, c.Memory, c.VCPUs = o.Share, o.Memory, o.VCPUs
	c.Proc, c.Now = b.s.Proc, b.now
	return model.New(c)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
