package hwmon

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
)

// scan walks the class anew, reopens every sensor and lists the zones.
func (r *Reader) scan(now time.Time) error {
	if err := r.Close(); err != nil {
		return fmt.Errorf("hwmon: closing sensors: %w", err)
	}
	r.probes, r.scanned, r.stale = r.probes[:0], now, false
	entries, err := os.ReadDir(r.class())
	if err != nil {
		return &telemetry.Unavailable{Reason: "no hwmon class at " + r.class(), Err: err}
	}
	seen := map[string]int{}
	for _, e := range entries {
		dir := filepath.Join(r.class(), e.Name())
		name := text(filepath.Join(dir, "name"))
		d, ok := lookup(name)
		if !ok {
			r.note(e.Name(), fmt.Sprintf("driver %q is not known to measure the machine's own supply", name), "")
			continue
		}
		device := deviceName(dir, name)
		seen[device]++
		if n := seen[device]; n > 1 {
			device += "-" + strconv.Itoa(n)
		}
		r.device(d, dir, device)
	}
	r.adopt()
	if len(r.sensors) == 0 {
		return &telemetry.Unavailable{Reason: "no known power or energy sensor in " + r.class(),
			Mend: "on Grace load acpi_power_meter, on boards with INA monitors ina2xx or ina3221"}
	}
	return nil
}

func (r *Reader) note(name, reason, mend string) {
	r.probes = append(r.probes, telemetry.Probe{Name: "hwmon/" + name, Reason: reason, Mend: mend})
}

func text(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// deviceName is stable over restarts: hwmon numbers are not, bus addresses are.
func deviceName(dir, name string) string {
	real, err := filepath.EvalSymlinks(filepath.Join(dir, "device"))
	if err != nil {
		return name
	}
	return name + "@" + filepath.Base(real)
}

// device lists every channel of one hwmon directory.
func (r *Reader) device(d driver, dir, device string) {
	before := len(r.sensors)
	for _, pattern := range []string{"energy*_input", "power*_average", "power*_input"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			continue // the pattern is constant and well formed
		}
		slices.SortFunc(paths, func(a, b string) int {
			return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
		})
		energy := strings.HasPrefix(pattern, "energy")
		if len(r.sensors) > before {
			break // one kind of channel: energy before average before momentary power
		}
		for _, p := range paths {
			prefix := p[:strings.LastIndexByte(p, '_')]
			r.add(d, device, channelLabel(dir, prefix), filepath.Base(prefix), energy, p)
		}
	}
	if len(r.sensors) == before {
		r.rails(d, dir, device)
	}
	if len(r.sensors) == before {
		r.note(device, "has no power, energy, or voltage and current channel that can be read", "")
	}
}

// rails lists the voltage and current pairs of a monitor that shows no power,
// such as ina3221.
func (r *Reader) rails(d driver, dir, device string) {
	for n := 1; n <= 8; n++ {
		volts := filepath.Join(dir, fmt.Sprintf("in%d_input", n))
		amps := filepath.Join(dir, fmt.Sprintf("curr%d_input", n))
		label := text(filepath.Join(dir, fmt.Sprintf("in%d_label", n)))
		if _, err := os.Stat(amps); err == nil {
			r.add(d, device, label, fmt.Sprintf("rail%d", n), false, volts, amps)
		}
	}
}

// channelLabel is the label of a channel, or on Grace the ACPI name of the device.
func channelLabel(dir, prefix string) string {
	base := filepath.Base(prefix)
	return cmp.Or(
		text(prefix+"_label"), text(prefix+"_oem_info"),
		text(filepath.Join(dir, "device", base+"_oem_info")), text(filepath.Join(dir, "device", base+"_label")),
		text(filepath.Join(dir, "in1_label")),
	)
}

// add opens one channel and lists its zone.
func (r *Reader) add(d driver, device, label, channel string, energy bool, paths ...string) {
	s := &sensor{path: paths[0], energy: energy, device: device}
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			for _, o := range s.files {
				err = errors.Join(err, o.Close())
			}
			r.note(device+"/"+cmp.Or(label, channel), err.Error(), "")
			return
		}
		s.files = append(s.files, f)
	}
	m := interpret(d, label)
	s.inside = m.inside
	key := device + "/" + cmp.Or(strings.ReplaceAll(label, " ", "-"), channel)
	for i := 2; r.has(key); i++ {
		key = fmt.Sprintf("%s/%s-%d", device, cmp.Or(strings.ReplaceAll(label, " ", "-"), channel), i)
	}
	r.listed = append(r.listed, telemetry.Zone{Key: key, Component: m.component, Socket: m.socket})
	r.sensors = append(r.sensors, s)
}

func (r *Reader) has(key string) bool {
	return slices.ContainsFunc(r.listed, func(z telemetry.Zone) bool { return z.Key == key })
}

// adopt names the parents: the package zone of the same socket, or the only
// one, and for a part of a graphics card the zone of the card.
func (r *Reader) adopt() {
	for i := range r.listed {
		if !r.sensors[i].inside {
			continue
		}
		for j := range r.listed {
			if r.contains(j, i) {
				r.listed[i].Parent = r.listed[j].Key
				break
			}
		}
	}
}

// contains reports whether zone j is the whole that zone i lies in.
func (r *Reader) contains(j, i int) bool {
	whole, part := r.listed[j], r.listed[i]
	if part.Component == wattle.GPU {
		return whole.Component == wattle.GPU && !r.sensors[j].inside && r.sensors[j].device == r.sensors[i].device
	}
	return whole.Component == wattle.Package && (whole.Socket == part.Socket || part.Socket < 0)
}
