package rapl

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
)

// found is one zone directory of the tree.
type found struct {
	id    string // "intel-rapl:0:1"
	rank  int
	place identity
}

// scan walks the tree anew, reopens every register and lists the zones.
func (r *Reader) scan(now time.Time) error {
	if err := r.Close(); err != nil {
		return fmt.Errorf("rapl: closing registers: %w", err)
	}
	r.probes = r.probes[:0]
	dir, err := r.open(r.powercap())
	if err != nil {
		return absent("no powercap tree at "+r.powercap(), err)
	}
	r.dir, r.changed, r.scanned, r.stale = dir, modified(dir), now, false
	entries, err := os.ReadDir(r.powercap())
	if err != nil {
		return absent("cannot list "+r.powercap(), err)
	}
	return r.list(r.discover(entries))
}

func absent(reason string, err error) error {
	return &telemetry.Unavailable{Reason: reason, Err: err,
		Mend: "load the driver (modprobe intel_rapl_msr, for AMD too); virtual machines have no RAPL"}
}

// discover reads the names of all zones of the control types that meter RAPL.
func (r *Reader) discover(entries []fs.DirEntry) []found {
	var out []found
	skipped := map[string]bool{}
	psys := map[string]int{}
	ids := make([]string, 0, len(entries))
	for _, e := range entries {
		ids = append(ids, e.Name())
	}
	slices.SortFunc(ids, compareIDs)
	for _, id := range ids {
		control, _, zoned := strings.Cut(id, ":")
		rank, ok := controlRank(control)
		switch {
		case !zoned:
		case !ok && !skipped[control]:
			skipped[control] = true
			r.note(control, "this control type does not meter RAPL", "")
		case ok:
			place, err := r.identify(id)
			if err != nil {
				r.note(id, err.Error(), "")
				continue
			}
			if place.domain == "psys" {
				if n := psys[control]; n > 0 {
					place.domain = "psys-" + strconv.Itoa(n)
				}
				psys[control]++
			}
			out = append(out, found{id: id, rank: rank, place: place})
		}
	}
	return out
}

// compareIDs orders "intel-rapl:2" before "intel-rapl:10".
func compareIDs(a, b string) int {
	x, y := strings.Split(a, ":"), strings.Split(b, ":")
	return slices.CompareFunc(x, y, func(p, q string) int {
		m, errM := strconv.Atoi(p)
		n, errN := strconv.Atoi(q)
		if errM == nil && errN == nil {
			return cmp.Compare(m, n)
		}
		return cmp.Compare(p, q)
	})
}

// identify reads the name of zone id, and of its parent for a subzone.
func (r *Reader) identify(id string) (identity, error) {
	name, err := r.text(id, "name")
	if err != nil {
		return identity{}, fmt.Errorf("has no name: %w", err)
	}
	if strings.Count(id, ":") == 1 {
		return parseTop(name), nil
	}
	parent, err := r.text(id[:strings.LastIndexByte(id, ':')], "name")
	if err != nil {
		return identity{}, fmt.Errorf("its parent has no name: %w", err)
	}
	top := parseTop(parent)
	top.domain = name
	return top, nil
}

func (r *Reader) text(id, file string) (string, error) {
	b, err := os.ReadFile(filepath.Join(r.powercap(), id, file))
	return strings.TrimSpace(string(b)), err
}

// number reads a file of microjoules or microwatts, 0 if there is none.
func (r *Reader) number(id, file string) uint64 {
	s, err := r.text(id, file)
	if err != nil {
		return 0
	}
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0
	}
	return v
}

func (r *Reader) note(name, reason, mend string) {
	r.probes = append(r.probes, telemetry.Probe{Name: "rapl/" + name, Reason: reason, Mend: mend})
}

// list opens the best register of each identity and lists the zones in the
// order of their identities.
func (r *Reader) list(all []found) error {
	slices.SortStableFunc(all, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), a.place.compare(b.place))
	})
	var kept []found
	var errs []error
	for _, f := range all {
		if reason := r.repeats(f, kept); reason != "" {
			r.note(f.id, reason, "")
			continue
		}
		if err := r.add(f); err != nil {
			errs = append(errs, err)
			continue
		}
		kept = append(kept, f)
	}
	r.order()
	if len(r.regs) > 0 {
		return nil
	}
	for _, err := range errs {
		if errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return absent("no RAPL zone with an energy counter in "+r.powercap(), errors.Join(errs...))
}

// repeats says why the register of f is among those kept already: under the
// same identity, or because one interface spells the dies of a package out and
// another shows the package as a whole.
func (r *Reader) repeats(f found, kept []found) string {
	if r.dies.dropped(f.place) {
		return fmt.Sprintf("%s repeats the register of another die of its package", f.place.key())
	}
	for _, k := range kept {
		switch {
		case k.place == f.place:
			return fmt.Sprintf("shows the same register as %s (%s)", k.id, f.place.key())
		case k.rank != f.rank && k.place.pkg == f.place.pkg && k.place.pkg >= 0 && k.place.domain == f.place.domain && (k.place.die < 0) != (f.place.die < 0):
			return fmt.Sprintf("shows the same package as %s (%s), by other parts", k.id, k.place.key())
		}
	}
	return ""
}

// order sorts zones and registers by identity, whatever interface they are of.
func (r *Reader) order() {
	byPlace := make([]int, len(r.regs))
	for i := range byPlace {
		byPlace[i] = i
	}
	slices.SortStableFunc(byPlace, func(a, b int) int { return r.regs[a].place.compare(r.regs[b].place) })
	zones, regs := make([]telemetry.Zone, len(byPlace)), make([]*register, len(byPlace))
	for to, from := range byPlace {
		zones[to], regs[to] = r.listed[from], r.regs[from]
	}
	r.listed, r.regs = zones, regs
}

// add opens the register of f and lists its zone.
func (r *Reader) add(f found) error {
	path := filepath.Join(r.powercap(), f.id, "energy_uj")
	file, err := r.open(path)
	if err != nil {
		err = unavailable(path, err)
		var u *telemetry.Unavailable
		if errors.As(err, &u) {
			r.note(f.id, u.Reason+": "+u.Err.Error(), u.Mend)
		}
		return err
	}
	c, parent := f.place.component()
	z := telemetry.Zone{
		Key: f.place.key(), Component: c, Parent: parent, Socket: f.place.pkg,
		Range: r.number(f.id, "max_energy_range_uj"), Bound: r.bound(f),
		Overlap: r.dies.undecided(f.place) || c == wattle.OtherComponent,
	}
	r.listed = append(r.listed, z)
	r.regs = append(r.regs, &register{file: file, path: path, place: f.place})
	return nil
}

// Bounds on the power of a zone.
const (
	// boundFactor is the margin over the stated maximum that turbo may use.
	boundFactor = 2
	// limitTrust is how far above the stated maximum a power limit is believed:
	// firmware writes "unlimited" as several kilowatts.
	limitTrust = 8
	// leastPackage keeps a laptop whose stated maximum is 15 W, and whose turbo
	// is four times that, from looking like a row of resets.
	leastPackage wattle.Watts = 100
)

// bound returns the highest plausible power of f: twice the largest stated
// maximum or believable limit of its constraints, 0 if none is stated. Core
// and uncore take the bound of their package.
func (r *Reader) bound(f found) wattle.Watts {
	id := f.id
	if f.place.domain == "core" || f.place.domain == "uncore" {
		id = id[:strings.LastIndexByte(id, ':')]
	}
	var most, limit uint64
	for n := range 4 {
		most = max(most, r.number(id, fmt.Sprintf("constraint_%d_max_power_uw", n)))
	}
	if most == 0 {
		return 0
	}
	for n := range 4 {
		if l := r.number(id, fmt.Sprintf("constraint_%d_power_limit_uw", n)); l <= limitTrust*most {
			limit = max(limit, l)
		}
	}
	w := wattle.Microjoules(max(most, limit)).Joules().Over(time.Second).Times(boundFactor)
	if f.place.domain != "dram" {
		w = max(w, leastPackage)
	}
	return w
}
