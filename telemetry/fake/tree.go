package fake

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/wattle-project/wattle/telemetry"
)

// TreeZone is one directory of a powercap tree.
type TreeZone struct {
	// ID is the kernel's name of the directory: "intel-rapl:0", "intel-rapl:0:1",
	// "intel-rapl-mmio:0", "dtpm:0". The part before ':' is the control type.
	ID string
	// Name is the content of the file "name": "package-0", "dram", "psys".
	Name string
	// Energy and Range are in µJ.
	Energy, Range uint64
	// MaxPower and Limit are those of constraint 0, in µW; 0 writes none.
	MaxPower, Limit uint64
	// NoEnergy and NoRange leave those files out.
	NoEnergy, NoRange bool
	// Text replaces the content of energy_uj, for broken registers.
	Text string
}

// Tree is a powercap tree on disk with the layout of /sys: directories under
// devices/virtual/powercap and links to them in class/powercap.
type Tree struct {
	root string
}

// NewTree writes zones under root, an existing directory, and returns the tree.
func NewTree(root string, zones ...TreeZone) (*Tree, error) {
	t := &Tree{root: root}
	if err := os.MkdirAll(t.class(), 0o755); err != nil {
		return nil, fmt.Errorf("fake: powercap tree: %w", err)
	}
	for _, z := range zones {
		if err := t.Add(z); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Root is the directory to read in place of /sys.
func (t *Tree) Root() string { return t.root }

func (t *Tree) class() string { return filepath.Join(t.root, "class", "powercap") }

// dir returns the device directory of zone id: each ':' opens a level.
func (t *Tree) dir(id string) string {
	control, rest, zoned := strings.Cut(id, ":")
	path, at := filepath.Join(t.root, "devices", "virtual", "powercap", control), control
	if !zoned {
		return path
	}
	for part := range strings.SplitSeq(rest, ":") {
		at += ":" + part
		path = filepath.Join(path, at)
	}
	return path
}

// Add plugs a zone in, with its control type if that is new.
func (t *Tree) Add(z TreeZone) error {
	control, _, _ := strings.Cut(z.ID, ":")
	for _, id := range []string{control, z.ID} {
		if err := os.MkdirAll(t.dir(id), 0o755); err != nil {
			return fmt.Errorf("fake: zone %s: %w", z.ID, err)
		}
		target, err := filepath.Rel(t.class(), t.dir(id))
		if err != nil {
			return fmt.Errorf("fake: zone %s: %w", z.ID, err)
		}
		if err := os.Symlink(target, filepath.Join(t.class(), id)); err != nil && !os.IsExist(err) {
			return fmt.Errorf("fake: zone %s: %w", z.ID, err)
		}
	}
	return t.fill(z)
}

func (t *Tree) fill(z TreeZone) error {
	files := map[string]string{"name": z.Name, "enabled": "1"}
	if !z.NoEnergy {
		files["energy_uj"] = cmp.Or(z.Text, strconv.FormatUint(z.Energy, 10))
	}
	if !z.NoRange {
		files["max_energy_range_uj"] = strconv.FormatUint(z.Range, 10)
	}
	if z.MaxPower > 0 || z.Limit > 0 {
		files["constraint_0_name"] = "long_term"
		files["constraint_0_max_power_uw"] = strconv.FormatUint(z.MaxPower, 10)
		files["constraint_0_power_limit_uw"] = strconv.FormatUint(z.Limit, 10)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(t.dir(z.ID), name), []byte(text+"\n"), 0o444); err != nil {
			return fmt.Errorf("fake: zone %s: %w", z.ID, err)
		}
	}
	return nil
}

// Set writes the register of zone id. The file keeps its inode, as a sysfs
// file does, and a reader never sees it empty.
func (t *Tree) Set(id string, microjoules uint64) error {
	return t.SetText(id, strconv.FormatUint(microjoules, 10))
}

// SetText writes any text in place of the register of zone id.
func (t *Tree) SetText(id, text string) error {
	path := filepath.Join(t.dir(id), "energy_uj")
	if err := os.Chmod(path, 0o644); err != nil {
		return fmt.Errorf("fake: zone %s: %w", id, err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("fake: zone %s: %w", id, err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(text+"\n"), 0); err != nil {
		return fmt.Errorf("fake: zone %s: %w", id, err)
	}
	return f.Truncate(int64(len(text) + 1))
}

// Unreadable takes the permission to read the register of zone id away, as the
// kernel does from everyone but root.
func (t *Tree) Unreadable(id string) error {
	if err := os.Chmod(filepath.Join(t.dir(id), "energy_uj"), 0); err != nil {
		return fmt.Errorf("fake: zone %s: %w", id, err)
	}
	return nil
}

// Remove unplugs zone id and everything below it.
func (t *Tree) Remove(id string) error {
	links, err := os.ReadDir(t.class())
	if err != nil {
		return fmt.Errorf("fake: zone %s: %w", id, err)
	}
	for _, l := range links {
		if l.Name() == id || strings.HasPrefix(l.Name(), id+":") {
			if err := os.Remove(filepath.Join(t.class(), l.Name())); err != nil {
				return fmt.Errorf("fake: zone %s: %w", id, err)
			}
		}
	}
	return os.RemoveAll(t.dir(id))
}

// Driver writes what a Meter shows into a Tree, so that a process which reads
// the tree sees the script. IDs maps a zone key of the script to the directory
// of the tree; a key that is missing is not written.
type Driver struct {
	Meter *Meter
	Tree  *Tree
	IDs   map[string]string
	buf   []telemetry.Reading
}

// Step writes the registers as of now: a scripted error becomes text that is
// no number, an unplugged zone loses its directory until it is plugged again.
func (d *Driver) Step(ctx context.Context) error {
	readings, err := d.Meter.Read(ctx, d.buf[:0])
	if err != nil && len(d.Meter.Zones()) > 0 {
		return err
	}
	d.buf = readings
	present := map[string]bool{}
	for _, r := range readings {
		z := d.Meter.Zones()[r.Zone]
		present[z.Key] = true
		if id, ok := d.IDs[z.Key]; ok {
			if err := d.write(id, z, r); err != nil {
				return err
			}
		}
	}
	for key, id := range d.IDs {
		if !present[key] {
			if err := d.Tree.Remove(id); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Driver) write(id string, z telemetry.Zone, r telemetry.Reading) error {
	if _, err := os.Stat(d.Tree.dir(id)); os.IsNotExist(err) {
		name := z.Key
		if _, sub, nested := strings.Cut(z.Key, "/"); nested {
			name = sub
		}
		zone := TreeZone{ID: id, Name: name, Energy: r.Energy, Range: z.Range, NoRange: z.Range == 0}
		zone.MaxPower = uint64(float64(z.Bound) * 1e6 / 2)
		if err := d.Tree.Add(zone); err != nil {
			return err
		}
	}
	if r.Err != nil {
		return d.Tree.SetText(id, "scripted error")
	}
	return d.Tree.Set(id, r.Energy)
}
