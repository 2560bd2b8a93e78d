package rapl

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/wattle-project/wattle"
)

// ErrNotANumber is the error of a register whose text is not a decimal
// number of microjoules below 2^64.
var ErrNotANumber = errors.New("not a number of microjoules")

// ParseRegister reads the text of energy_uj: decimal digits and a line end.
// What follows the first line is ignored. It does not allocate on success.
func ParseRegister(text []byte) (uint64, error) {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		text = text[:i]
	}
	var v uint64
	for _, c := range text {
		d := uint64(c - '0')
		if c < '0' || c > '9' || v > (math.MaxUint64-d)/10 {
			return 0, fmt.Errorf("%q: %w", text, ErrNotANumber)
		}
		v = v*10 + d
	}
	if len(text) == 0 {
		return 0, fmt.Errorf("empty: %w", ErrNotANumber)
	}
	return v, nil
}

// identity is what a zone measures: two zones of one identity are one register.
type identity struct {
	pkg, die int // -1 where there is none
	domain   string
}

// parseTop reads the name of a top-level zone: package-N, package-N-die-M or
// psys. Others keep their name as domain.
func parseTop(name string) identity {
	rest, ok := strings.CutPrefix(name, "package-")
	if !ok {
		return identity{-1, -1, name}
	}
	pkg, die, multi := strings.Cut(rest, "-die-")
	id := identity{-1, -1, ""}
	p, err := strconv.Atoi(pkg)
	if err != nil || p < 0 {
		return identity{-1, -1, name}
	}
	id.pkg = p
	if multi {
		d, err := strconv.Atoi(die)
		if err != nil || d < 0 {
			return identity{-1, -1, name}
		}
		id.die = d
	}
	return id
}

// key is the zone's name in samples: "package-0", "package-0-die-1/dram", "psys".
func (i identity) key() string {
	if i.pkg < 0 {
		return i.domain
	}
	k := i.top()
	if i.domain != "" {
		k += "/" + i.domain
	}
	return k
}

// top is the key of the package or die that i belongs to.
func (i identity) top() string {
	if i.pkg < 0 {
		return ""
	}
	k := "package-" + strconv.Itoa(i.pkg)
	if i.die >= 0 {
		k += "-die-" + strconv.Itoa(i.die)
	}
	return k
}

// component maps the domain; parent is the zone whose energy includes it.
// Server DRAM is outside the package (Intel SDM vol. 3B, 15.10.1), psys
// contains packages but is not named as their parent because it need not
// contain all of them.
func (i identity) component() (c wattle.Component, parent string) {
	switch {
	case i.pkg >= 0 && i.domain == "":
		return wattle.Package, ""
	case i.domain == "core":
		return wattle.Core, i.top()
	case i.domain == "uncore":
		return wattle.Uncore, i.top()
	case i.domain == "dram":
		return wattle.DRAM, ""
	case strings.HasPrefix(i.domain, "psys"):
		return wattle.Platform, ""
	}
	return wattle.OtherComponent, i.top()
}

// compare orders identities: packages with their domains, then the rest.
func (i identity) compare(o identity) int {
	return cmp.Or(
		cmp.Compare(uint(i.pkg), uint(o.pkg)), // -1 last
		cmp.Compare(uint(i.die)+1, uint(o.die)+1),
		cmp.Compare(i.domain, o.domain),
	)
}

// controlRank orders the control types that meter RAPL; ok is false for others.
func controlRank(control string) (rank int, ok bool) {
	switch control {
	case "intel-rapl", "amd-rapl":
		return 0, true
	case "intel-rapl-tpmi":
		return 1, true
	case "intel-rapl-mmio":
		return 2, true
	}
	return 0, false
}
