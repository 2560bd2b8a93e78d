package telemetry

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/wattle-project/wattle"
)

// View is one zone of one meter with its place in the disjoint cover.
type View struct {
	Meter string
	Zone  Zone // Overlap is set on views that must not be summed
	// Reason says why the zone is not part of the cover; empty when it is.
	Reason string
}

// priority orders the sources of one component, lowest first. A fake meter
// comes first because it is only ever there on purpose.
func priority(meter string) int {
	order := []string{"fake", "rapl", "nvml", "dcgm", "dcgm-exporter", "hwmon", "redfish", "ipmi"}
	if i := slices.Index(order, meter); i >= 0 {
		return i
	}
	if meter == "model" {
		return len(order) + 1
	}
	return len(order)
}

// Cover chooses, from every zone of every meter, a set in which no energy
// appears twice, and marks the others as overlapping. Its rules:
//
//   - a zone that its meter already marks as overlapping stays so;
//   - packages, DRAM, GPUs and other parts are preferred over whole-platform
//     views, because energy must be attributed to parts;
//   - of several meters for one (component, socket), or for one GPU, the best
//     source wins; a socket of -1 stands for the whole machine; of two meters of
//     one name (DCGM's plugin and its exporter) the first one listed wins;
//   - core and uncore count only where no package of their socket does;
//   - a zone inside another zone of the cover overlaps it;
//   - one platform view is used where no part is measured: two of them
//     (psys of two sockets, AC and DC side) cannot be summed safely;
//   - a model fills in only for what nobody measures.
//
// The result has the order of the input. Cover does not keep or change views.
func Cover(views []View) []View {
	c := cover{views: slices.Clone(views), done: make([]bool, len(views))}
	for i, v := range c.views {
		switch {
		case !v.Zone.Overlap:
		case v.Meter == "model":
			c.skip(i, "a bound of the estimate of "+v.Zone.Parent)
		default:
			c.skip(i, cmp.Or(v.Reason, "marked by its meter as part of another zone"))
		}
	}
	c.choose(func(v View) bool { return !v.whole() && !v.nested() && v.Meter != "model" })
	c.choose(func(v View) bool { return v.nested() && v.Meter != "model" })
	c.choose(func(v View) bool { return v.Zone.Component == wattle.Platform && v.Meter != "model" })
	c.choose(func(v View) bool { return v.Meter == "model" })
	return c.views
}

func (v View) whole() bool { return v.Zone.Component == wattle.Platform }
func (v View) nested() bool {
	return v.Zone.Component == wattle.Core || v.Zone.Component == wattle.Uncore
}
func (v View) name() string { return v.Meter + "/" + v.Zone.Key }

// cover is the state of one choice: which views are in, out or undecided.
type cover struct {
	views []View
	done  []bool
	used  []int
}

func (c *cover) skip(i int, reason string) {
	c.views[i].Zone.Overlap, c.views[i].Reason, c.done[i] = true, reason, true
}

// choose decides every undecided view that class admits, best source first and
// parents before their children.
func (c *cover) choose(class func(View) bool) {
	var turn []int
	for i, v := range c.views {
		if !c.done[i] && class(v) {
			turn = append(turn, i)
		}
	}
	slices.SortStableFunc(turn, func(a, b int) int {
		va, vb := c.views[a], c.views[b]
		return cmp.Or(
			cmp.Compare(priority(va.Meter), priority(vb.Meter)),
			cmp.Compare(c.depth(va), c.depth(vb)),
			cmp.Compare(va.Zone.Socket, vb.Zone.Socket),
			cmp.Compare(va.Zone.Key, vb.Zone.Key),
		)
	})
	for _, i := range turn {
		if reason := c.conflict(c.views[i]); reason != "" {
			c.skip(i, reason)
			continue
		}
		c.views[i].Zone.Overlap, c.views[i].Reason, c.done[i] = false, "", true
		c.used = append(c.used, i)
	}
}

// conflict says which zone of the cover holds v's energy already.
func (c *cover) conflict(v View) string {
	for _, i := range c.used {
		u := c.views[i]
		switch {
		case u.whole():
			return fmt.Sprintf("%s contains it", u.name())
		case v.whole():
			return fmt.Sprintf("contains %s, which is preferred", u.name())
		case c.inside(v, u):
			return fmt.Sprintf("%s contains it", u.name())
		case v.nested() && u.Zone.Component == wattle.Package && meet(v.Zone.Socket, u.Zone.Socket):
			return fmt.Sprintf("%s contains it", u.name())
		case v.Zone.Component == wattle.Package && u.nested() && meet(v.Zone.Socket, u.Zone.Socket):
			return fmt.Sprintf("contains %s, which is measured", u.name())
		case u.Meter != v.Meter && same(u.Zone, v.Zone):
			return fmt.Sprintf("same part as %s, a better source", u.name())
		case u.Zone.Key == v.Zone.Key && u.Zone.Component == v.Zone.Component:
			return fmt.Sprintf("same part as %s, listed twice", u.name())
		}
	}
	return ""
}

// same reports whether zones of two meters stand for one part.
func same(a, b Zone) bool {
	switch {
	case a.Component != b.Component || a.Component == wattle.OtherComponent:
		return false
	case a.Component == wattle.GPU:
		return a.Key == b.Key
	}
	return meet(a.Socket, b.Socket)
}

func meet(a, b int) bool { return a == b || a < 0 || b < 0 }

// inside reports whether v lies in u by the parents that v's meter names.
func (c *cover) inside(v, u View) bool {
	if v.Meter != u.Meter {
		return false
	}
	for range c.views { // a cycle of parents ends too
		if v.Zone.Parent == "" {
			return false
		}
		if v.Zone.Parent == u.Zone.Key {
			return true
		}
		p, ok := c.find(v.Meter, v.Zone.Parent)
		if !ok {
			return false
		}
		v = p
	}
	return false
}

func (c *cover) find(meter, key string) (View, bool) {
	for _, v := range c.views {
		if v.Meter == meter && v.Zone.Key == key {
			return v, true
		}
	}
	return View{}, false
}

// depth counts the parents of v that are known.
func (c *cover) depth(v View) int {
	for d := range c.views {
		p, ok := c.find(v.Meter, v.Zone.Parent)
		if v.Zone.Parent == "" || !ok {
			return d
		}
		v = p
	}
	return len(c.views)
}
