// Package rapl reads the RAPL energy registers of Intel and AMD processors
// through the kernel's powercap tree.
//
// A zone's identity is its package, die and domain, never the order in which
// the kernel enumerated it. Where several control types show one register
// (intel-rapl, intel-rapl-tpmi, intel-rapl-mmio) the first that can be read is
// used; control types that meter nothing (dtpm, idle_inject) are skipped. A
// zone that cannot be read is explained and does not affect the others.
//
// prometheus/procfs reads the same tree, but names zones by the order of their
// directories, opens each file anew for every value and gives up on all zones
// when one has no max_energy_range_uj, so it is not used.
//
// Layout and meaning of the files: Documentation/power/powercap/powercap.rst
// and Documentation/ABI/testing/sysfs-class-powercap in the Linux source.
package rapl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/wattle-project/wattle/telemetry"
)

// Config configures a Reader.
type Config struct {
	// Root is the directory in place of /sys.
	Root string
	// Rescan is how often the tree is walked for zones that came, went or
	// became readable; a change that the directory's time shows is followed at
	// the next Read. Default 30 s.
	Rescan time.Duration
	// MirrorSamples is the number of readings after which a die whose register
	// repeats that of another is dropped. Default 10.
	MirrorSamples int
	// Now stamps readings. Default time.Now.
	Now func() time.Time
}

// DefaultConfig returns the configuration for this machine.
func DefaultConfig() Config {
	return Config{Root: "/sys", Rescan: 30 * time.Second, MirrorSamples: 10, Now: time.Now}
}

// Validate checks the configuration.
func (c Config) Validate() error {
	switch {
	case c.Root == "":
		return errors.New("rapl: root is empty; use /sys")
	case c.Rescan < time.Second:
		return fmt.Errorf("rapl: rescan %s is under 1s", c.Rescan)
	case c.MirrorSamples < 2:
		return fmt.Errorf("rapl: %d samples cannot tell mirrored dies; use 10", c.MirrorSamples)
	case c.Now == nil:
		return errors.New("rapl: no clock; use time.Now")
	}
	return nil
}

// register is one energy_uj file, kept open.
type register struct {
	file    *os.File
	path    string
	failing bool
	place   identity
}

// Reader reads every RAPL zone. It implements telemetry.Meter and
// telemetry.Prober, and holds descriptors until Close.
type Reader struct {
	cfg     Config
	open    func(string) (*os.File, error)
	dir     *os.File // class/powercap, for its modification time
	changed int64
	scanned time.Time
	stale   bool
	lost    error // why the last scan found no register, nil if it did
	listed  []telemetry.Zone
	regs    []*register
	probes  []telemetry.Probe
	dies    mirrors
	buf     [32]byte
}

// New returns a Reader that opens its files at the first Read.
func New(cfg Config) (*Reader, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Reader{cfg: cfg, open: os.Open, stale: true, dies: mirrors{need: cfg.MirrorSamples}}, nil
}

// Name returns "rapl".
func (r *Reader) Name() string { return "rapl" }

// Zones lists the zones as of the last Read.
func (r *Reader) Zones() []telemetry.Zone { return r.listed }

// Probes explains the zones that were found and are not listed.
func (r *Reader) Probes() []telemetry.Probe { return r.probes }

// Close closes the registers.
func (r *Reader) Close() error {
	var errs []error
	for _, g := range r.regs {
		errs = append(errs, g.file.Close())
	}
	if r.dir != nil {
		errs = append(errs, r.dir.Close())
	}
	r.regs, r.listed, r.dir, r.stale = nil, nil, nil, true
	return errors.Join(errs...)
}

// Read appends one reading per zone, all stamped with the middle of the time
// that the reading took.
func (r *Reader) Read(_ context.Context, dst []telemetry.Reading) ([]telemetry.Reading, error) {
	begin := r.cfg.Now()
	if r.outdated(begin) {
		r.lost = r.scan(begin)
		begin = r.cfg.Now()
	}
	if r.lost != nil {
		return dst, r.lost
	}
	from, good := len(dst), false
	var firstErr error
	for i, g := range r.regs {
		energy, err := r.value(g)
		good = good || err == nil
		if firstErr == nil {
			firstErr = err
		}
		dst = append(dst, telemetry.Reading{Zone: i, Energy: energy, HasEnergy: err == nil, Err: err})
	}
	at := begin.Add(r.cfg.Now().Sub(begin) / 2)
	for i := from; i < len(dst); i++ {
		dst[i].At = at
	}
	if !good {
		return dst, firstErr
	}
	r.stale = r.dies.observe(r.listed, r.regs, dst[from:]) || r.stale
	return dst, nil
}

func (r *Reader) outdated(now time.Time) bool {
	return r.stale || now.Sub(r.scanned) >= r.cfg.Rescan || now.Before(r.scanned) || r.dir == nil || modified(r.dir) != r.changed
}

// value reads one register by pread on the open descriptor: a sysfs file is
// computed anew for each read at offset 0.
func (r *Reader) value(g *register) (uint64, error) {
	n, err := g.file.ReadAt(r.buf[:], 0)
	if n == 0 && err != nil {
		return 0, r.fail(g, err)
	}
	v, err := ParseRegister(r.buf[:n])
	if err != nil {
		return 0, r.fail(g, err)
	}
	g.failing = false
	return v, nil
}

// fail explains an error and asks for a new scan when it is the first.
func (r *Reader) fail(g *register, err error) error {
	r.stale = r.stale || !g.failing
	g.failing = true
	return unavailable(g.path, err)
}

// unavailable explains why a register cannot be read and how to mend that.
func unavailable(path string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err // the reason names the path already
	}
	u := &telemetry.Unavailable{Reason: "cannot read " + path, Err: err}
	switch {
	case errors.Is(err, fs.ErrPermission):
		u.Mend = "since Linux 5.10 only root reads energy_uj (CVE-2020-8694): give the agent CAP_DAC_READ_SEARCH, " +
			"as securityContext.capabilities in Kubernetes, AmbientCapabilities= in systemd, or " +
			"\"setcap cap_dac_read_search+ep\" on the binary"
	case errors.Is(err, fs.ErrNotExist):
		u.Reason += " (unplugged, or a zone without a counter)"
	case errors.Is(err, ErrNotANumber):
		u.Mend = "the driver shows no energy: look for rapl in the kernel's log"
	}
	return u
}

// powercap is the directory with a link for every zone.
func (r *Reader) powercap() string { return filepath.Join(r.cfg.Root, "class", "powercap") }
