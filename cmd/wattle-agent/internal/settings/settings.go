// Package settings is what the agent can be told: a strict YAML file, and flags
// that win over it.
package settings

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/cgroup"
	"github.com/wattle-project/wattle/telemetry/grid"
	"github.com/wattle-project/wattle/telemetry/model"
	"github.com/wattle-project/wattle/telemetry/price"
)

// Settings is the whole configuration. Every field has a default.
type Settings struct {
	// Node is the name stamped on samples. Default: the host's name.
	Node string `yaml:"node"`
	// Hardware is the node's processor generation as fleets of experiments name
	// it; profiles carry it.
	Hardware string `yaml:"hardware"`
	// Listen is the address of the HTTP server. Default 127.0.0.1:9188. Bind it
	// to another address on purpose only: fine-grained power is a side channel.
	Listen string `yaml:"listen"`
	// Interval is the time between two rounds. Default 1 s.
	Interval time.Duration `yaml:"interval"`
	// Sys and Proc stand in for /sys and /proc, for containers that mount the
	// host's elsewhere.
	Sys  string `yaml:"sys"`
	Proc string `yaml:"proc"`

	Meters      Meters      `yaml:"meters"`
	Metrics     Metrics     `yaml:"metrics"`
	Cgroups     Cgroups     `yaml:"cgroups"`
	Kubernetes  Kubernetes  `yaml:"kubernetes"`
	Invocations Invocations `yaml:"invocations"`
	Attribution Attribution `yaml:"attribution"`
	Grid        Grid        `yaml:"grid"`
	Price       Price       `yaml:"price"`
	Embodied    Embodied    `yaml:"embodied"`
}

// Metrics bounds the page of metrics.
type Metrics struct {
	// Functions have series of their own; later ones are counted together.
	// Default 5,000.
	Functions int `yaml:"functions"`
	// Detailed is the number of functions whose energy is told apart by component,
	// share and start; later ones have one sum each. Default 100.
	Detailed int `yaml:"detailed"`
}

// Meters says which meters are tried and how.
type Meters struct {
	// Skip names meters that are never tried: rapl, hwmon, nvml, dcgm-exporter,
	// ipmi, model.
	Skip         []string     `yaml:"skip"`
	Redfish      Redfish      `yaml:"redfish"`
	IPMI         IPMI         `yaml:"ipmi"`
	DCGMExporter DCGMExporter `yaml:"dcgm_exporter"`
	// Plugins are meter processes, for example wattle's DCGM plugin.
	Plugins []Plugin `yaml:"plugins"`
	Model   Model    `yaml:"model"`
	Fake    Fake     `yaml:"fake"`
}

// Redfish is a management controller that is asked over HTTPS.
type Redfish struct {
	// URL of the service; empty does not ask.
	URL     string   `yaml:"url"`
	Chassis []string `yaml:"chassis"`
	User    string   `yaml:"user"`
	// PasswordFile is read at each login; its last line end is dropped.
	PasswordFile string `yaml:"password_file"`
	// CAFile verifies the controller's certificate; empty uses the system's.
	CAFile  string `yaml:"ca_file"`
	Session bool   `yaml:"session"`
	// Interval between two polls. Default 15 s.
	Interval time.Duration `yaml:"interval"`
}

// IPMI asks a management controller through ipmitool. Without a command it is
// asked only where /dev/ipmi0 exists.
type IPMI struct {
	Command  []string      `yaml:"command"`
	Interval time.Duration `yaml:"interval"`
}

// DCGMExporter is a dcgm-exporter that runs on this node. Without a URL the
// usual port is tried.
type DCGMExporter struct {
	URL string `yaml:"url"`
}

// Plugin is a meter process.
type Plugin struct {
	// Name is the label "source" until the process tells its own. Default: the
	// binary's name without "wattle-".
	Name string `yaml:"name"`
	// Path is the binary, absolute; Checksum its SHA-256.
	Path     string   `yaml:"path"`
	Checksum string   `yaml:"checksum"`
	Args     []string `yaml:"args"`
	// Env is the whole environment of the process as KEY=VALUE.
	Env []string `yaml:"env"`
	// Unverified allows an empty checksum.
	Unverified bool `yaml:"unverified"`
}

// Model tells the model of a machine without a meter what it cannot find out.
type Model struct {
	// Family is the processor family, for example icelake or epyc4; empty finds it
	// in /proc/cpuinfo. "wattle-agent doctor" says which is used.
	Family string `yaml:"family"`
	// Table is where the power of a family is from that both tables have: ccf
	// (Cloud Carbon Footprint: the processors, with DRAM apart) or specpower
	// (SPECpower_ssj2008: at the wall, memory included).
	Table model.Table `yaml:"table"`
	// TDP is the thermal design power of all sockets; the Teads curve over it
	// replaces the tables.
	TDP wattle.Watts `yaml:"tdp"`
	// Curve is the power of the whole machine at the wall, memory included, at
	// rising loads from 0 to 1; it replaces the tables and excludes a TDP.
	Curve []model.Point `yaml:"curve"`
	// Error is the relative error of the estimate: its bounds are that far from the
	// tables or curve. 0.3 is 30 %.
	Error float64 `yaml:"error"`
	// Level is the estimate that is counted: low, central or high. The bounds are
	// exported beside it as zones that overlap it.
	Level model.Level `yaml:"level"`
	// Share is the part of the machine of TDP or Curve that this system has, above 0
	// to 1: 0.25 for 8 of 32 vCPUs.
	Share float64 `yaml:"share"`
	// Memory is the amount of DRAM; 0 reads /proc/meminfo.
	Memory wattle.Bytes `yaml:"memory"`
	// VCPUs is the number of hardware threads; 0 reads /proc/cpuinfo.
	VCPUs int `yaml:"vcpus"`
}

// Fake replaces every meter by a scripted one.
type Fake struct {
	Enabled bool `yaml:"enabled"`
	// Script is a file; empty plays the demo.
	Script string `yaml:"script"`
}

// Cgroups says where processor time is read and what is charged.
type Cgroups struct {
	// Root is the mount point; empty is <sys>/fs/cgroup.
	Root string      `yaml:"root"`
	Mode cgroup.Mode `yaml:"mode"`
	// Containers recognises the container runtimes.
	Containers bool `yaml:"containers"`
	// Patterns are regular expressions on the path below the root with a group
	// "function" and optionally "namespace".
	Patterns    []string      `yaml:"patterns"`
	MemoryEvery time.Duration `yaml:"memory_every"`
}

// Kubernetes says whether and how the kubelet is asked for pods and devices.
type Kubernetes struct {
	// Enabled is auto (where a kubelet runs), on or off.
	Enabled         string `yaml:"enabled"`
	Kubelet         string `yaml:"kubelet"`
	TokenFile       string `yaml:"token_file"`
	CAFile          string `yaml:"ca_file"`
	ResourcesSocket string `yaml:"resources_socket"`
}

// Invocations says from where invocation counts come.
type Invocations struct {
	// Targets are Prometheus endpoints of the platform.
	Targets []string      `yaml:"targets"`
	Every   time.Duration `yaml:"every"`
	// Push accepts POST /v1/invocations: auto (on a loopback address), on or off.
	Push string `yaml:"push"`
	// ControlPlane lists functions, as "namespace/function" or a namespace with
	// "/*", whose processor time is that of the platform itself.
	ControlPlane []string `yaml:"control_plane"`
}

// Attribution tunes the division of energy.
type Attribution struct {
	// Idle fixes the idle power of zones by key ("package-0"); others learn it.
	Idle map[string]wattle.Watts `yaml:"idle"`
	// CPU and Memory are the node's capacity; 0 reads /proc.
	CPU        wattle.MilliCPU `yaml:"cpu"`
	Memory     wattle.Bytes    `yaml:"memory"`
	OwnerGrace time.Duration   `yaml:"owner_grace"`
}

// Grid is the carbon intensity of what the node draws.
type Grid struct {
	// Zone that the node is in, for example DE or US-CAL-CISO; empty counts no
	// grams. Cloud and Region find it in the built-in table instead.
	Zone   wattle.ZoneID      `yaml:"zone"`
	Cloud  string             `yaml:"cloud"`
	Region wattle.RegionID    `yaml:"region"`
	Kind   wattle.SignalKind  `yaml:"kind"`
	Scope  wattle.SignalScope `yaml:"scope"`
	// PUE multiplies energy on its way to grams. Default 1: what is metered.
	PUE float64 `yaml:"pue"`
	// Feed says where intensities come from. Without a source the built-in
	// yearly figure serves.
	Feed grid.Config `yaml:"feed"`
}

// Price is the price of electricity of the node.
type Price struct {
	Zone wattle.ZoneID `yaml:"zone"`
	// Rate is US dollars per unit of the feed's currency. Default 1.
	Rate float64      `yaml:"rate"`
	Feed price.Config `yaml:"feed"`
}

// Embodied is the carbon that making the machine cost, by component, and over
// how long it is spread.
type Embodied struct {
	Package  wattle.GramsCO2e `yaml:"package"`
	DRAM     wattle.GramsCO2e `yaml:"dram"`
	Other    wattle.GramsCO2e `yaml:"other"`
	Lifetime time.Duration    `yaml:"lifetime"`
}

// Default returns the settings of an agent that is told nothing.
func Default() Settings {
	name, err := os.Hostname()
	if err != nil || name == "" {
		name = "localhost"
	}
	return Settings{
		Node: name, Listen: "127.0.0.1:9188", Interval: time.Second, Sys: "/sys", Proc: "/proc",
		Meters:      Meters{Redfish: Redfish{Interval: 15 * time.Second}, IPMI: IPMI{Interval: 15 * time.Second}, Model: Model{Share: 1, Error: model.DefaultError}},
		Metrics:     Metrics{Functions: 5000, Detailed: 100},
		Cgroups:     Cgroups{Mode: cgroup.Auto, Containers: true, MemoryEvery: 5 * time.Second},
		Kubernetes:  Kubernetes{Enabled: "auto"},
		Invocations: Invocations{Every: time.Second, Push: "auto"},
		Attribution: Attribution{OwnerGrace: 30 * time.Second},
		Grid:        Grid{PUE: 1, Feed: grid.DefaultConfig()},
		Price:       Price{Rate: 1, Feed: price.DefaultConfig()},
		Embodied:    Embodied{Lifetime: 35_040 * time.Hour}, // four years, the convention of SCI examples
	}
}

// Validate says what cannot work in the settings themselves; the parts check
// their own when they are made.
func (s *Settings) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	_, _, err := net.SplitHostPort(s.Listen)
	check(err == nil, "listen %q: want host:port, for example 127.0.0.1:9188", s.Listen)
	check(s.Interval >= 10*time.Millisecond && s.Interval <= time.Minute, "interval %s: want 10ms to 1m", s.Interval)
	check(oneOf(s.Kubernetes.Enabled, "auto", "on", "off"), "kubernetes.enabled %q: want auto, on or off", s.Kubernetes.Enabled)
	check(oneOf(s.Invocations.Push, "auto", "on", "off"), "invocations.push %q: want auto, on or off", s.Invocations.Push)
	for _, name := range s.Meters.Skip {
		check(oneOf(name, Names()...), "meters.skip %q: want one of %v", name, Names())
	}
	check(s.Metrics.Functions >= 1 && s.Metrics.Functions <= 1_000_000, "metrics.functions %d: want 1 to 1000000", s.Metrics.Functions)
	check(s.Metrics.Detailed >= 0, "metrics.detailed %d: want 0 or more", s.Metrics.Detailed)
	check(s.Grid.PUE >= 1 && s.Grid.PUE < 10, "grid.pue %g: want at least 1", s.Grid.PUE)
	check(s.Price.Rate > 0, "price.rate %g: want more than 0", s.Price.Rate)
	e := s.Embodied
	check(e.Package >= 0 && e.DRAM >= 0 && e.Other >= 0 && e.Lifetime > 0, "embodied: want no negative mass and a positive lifetime")
	if s.Grid.Zone == "" && (s.Grid.Cloud != "" || s.Grid.Region != "") {
		zone, ok := grid.ZoneOf(s.Grid.Cloud, s.Grid.Region)
		check(ok, "grid: region %q of cloud %q is not in the table: set grid.zone", s.Grid.Region, s.Grid.Cloud)
		s.Grid.Zone = zone
	}
	return errors.Join(errs...)
}

// Names lists the meters that can be skipped.
func Names() []string { return []string{"rapl", "hwmon", "nvml", "dcgm-exporter", "ipmi", "model"} }

func oneOf(s string, list ...string) bool {
	for _, x := range list {
		if s == x {
			return true
		}
	}
	return false
}

// PushOpen says whether invocations may be pushed by HTTP: by default only
// where the server is reached from this host alone.
func (s *Settings) PushOpen() bool {
	if s.Invocations.Push != "auto" {
		return s.Invocations.Push == "on"
	}
	return s.Loopback()
}

// Loopback says whether the server is reached from this host alone.
func (s *Settings) Loopback() bool {
	host, _, err := net.SplitHostPort(s.Listen)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}
