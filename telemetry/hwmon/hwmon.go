// Package hwmon reads power and energy sensors of the kernel's hwmon class:
// NVIDIA Grace (ACPI power meters), INA2xx and INA3221 monitors on ARM boards,
// the energy accumulators of amd_energy, and the sensors of graphics drivers.
//
// Only drivers that are known to measure the machine's own supply are read: a
// battery, a USB port or a network card says nothing of what code spends.
// Units are those of Documentation/hwmon/sysfs-interface.rst in the Linux
// source: power in µW, energy in µJ, voltage in mV, current in mA.
package hwmon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
)

// Config configures a Reader.
type Config struct {
	// Root is the directory in place of /sys.
	Root string
	// Rescan is how often the class is walked for new sensors; a sensor that
	// fails is looked for at the next Read. Default 1 min.
	Rescan time.Duration
	// Now stamps readings. Default time.Now.
	Now func() time.Time
}

// DefaultConfig returns the configuration for this machine.
func DefaultConfig() Config {
	return Config{Root: "/sys", Rescan: time.Minute, Now: time.Now}
}

// Validate checks the configuration.
func (c Config) Validate() error {
	switch {
	case c.Root == "":
		return errors.New("hwmon: root is empty; use /sys")
	case c.Rescan < time.Second:
		return fmt.Errorf("hwmon: rescan %s is under 1s", c.Rescan)
	case c.Now == nil:
		return errors.New("hwmon: no clock; use time.Now")
	}
	return nil
}

// sensor is one channel: an energy counter, a power, or a voltage and a current.
type sensor struct {
	files   []*os.File // one, or voltage (mV) and current (mA)
	path    string
	device  string // that the channel belongs to
	energy  bool
	inside  bool // lies in the package zone of its socket, or in its card
	failing bool
}

// Reader reads the sensors. It implements telemetry.Meter and telemetry.Prober
// and holds descriptors until Close.
type Reader struct {
	cfg     Config
	scanned time.Time
	stale   bool
	lost    error // why the last scan found no sensor, nil if it did
	listed  []telemetry.Zone
	sensors []*sensor
	probes  []telemetry.Probe
	buf     [32]byte
}

// New returns a Reader that opens its files at the first Read.
func New(cfg Config) (*Reader, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Reader{cfg: cfg, stale: true}, nil
}

// Name returns "hwmon".
func (r *Reader) Name() string { return "hwmon" }

// Zones lists the sensors as of the last Read.
func (r *Reader) Zones() []telemetry.Zone { return r.listed }

// Probes explains the devices that were found and are not read.
func (r *Reader) Probes() []telemetry.Probe { return r.probes }

// Close closes the sensors.
func (r *Reader) Close() error {
	var errs []error
	for _, s := range r.sensors {
		for _, f := range s.files {
			errs = append(errs, f.Close())
		}
	}
	r.sensors, r.listed, r.stale = nil, nil, true
	return errors.Join(errs...)
}

// Read appends one reading per sensor, all stamped with the middle of the time
// that the reading took.
func (r *Reader) Read(_ context.Context, dst []telemetry.Reading) ([]telemetry.Reading, error) {
	begin := r.cfg.Now()
	if r.stale || begin.Sub(r.scanned) >= r.cfg.Rescan || begin.Before(r.scanned) {
		r.lost = r.scan(begin)
		begin = r.cfg.Now()
	}
	if r.lost != nil {
		return dst, r.lost
	}
	from, good := len(dst), false
	var firstErr error
	for i, s := range r.sensors {
		reading := r.sense(s)
		reading.Zone = i
		good = good || reading.Err == nil
		if firstErr == nil {
			firstErr = reading.Err
		}
		dst = append(dst, reading)
	}
	at := begin.Add(r.cfg.Now().Sub(begin) / 2)
	for i := from; i < len(dst); i++ {
		dst[i].At = at
	}
	if !good {
		return dst, firstErr
	}
	return dst, nil
}

// sense reads one sensor.
func (r *Reader) sense(s *sensor) telemetry.Reading {
	first, err := r.value(s.files[0])
	if err == nil && first < 0 && s.energy {
		err = fmt.Errorf("negative energy %d µJ", first)
	}
	second := int64(0)
	if err == nil && len(s.files) == 2 {
		second, err = r.value(s.files[1])
		if err == nil && max(first, second) > largestRail {
			err = fmt.Errorf("%d mV and %d mA are not a supply rail", first, second)
		}
	}
	if err != nil {
		r.stale, s.failing = r.stale || !s.failing, true
		return telemetry.Reading{Err: fmt.Errorf("hwmon: %s: %w", s.path, err)}
	}
	s.failing = false
	switch {
	case s.energy:
		return telemetry.Reading{Energy: uint64(first), HasEnergy: true}
	case len(s.files) == 2: // mV·mA = µW; a rail that feeds back draws nothing
		return telemetry.Reading{Power: microwatts(max(first, 0) * max(second, 0)), HasPower: true}
	}
	return telemetry.Reading{Power: microwatts(max(first, 0)), HasPower: true}
}

func microwatts(uw int64) wattle.Watts { return wattle.Microjoules(uw).Joules().Over(time.Second) }

// value reads a decimal number by pread on the open descriptor.
func (r *Reader) value(f *os.File) (int64, error) {
	n, err := f.ReadAt(r.buf[:], 0)
	if n == 0 && err != nil {
		return 0, err
	}
	return ParseValue(r.buf[:n])
}

// largestRail bounds a voltage in mV and a current in mA, so that their product
// in µW stays in range: no rail carries a megavolt.
const largestRail = 1 << 30

// ParseValue reads the text of a sensor: a decimal number that may be negative.
func ParseValue(text []byte) (int64, error) {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		text = text[:i]
	}
	v, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a sensor value", text)
	}
	return v, nil
}

func (r *Reader) class() string { return filepath.Join(r.cfg.Root, "class", "hwmon") }
