package report

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// Every bound reaches the charts: over time where it is spread over slots, its front,
// each policy's own least, and the least intensity that its load could have met.
func TestChartsShowEveryBound(t *testing.T) {
	d := full(6)
	wide := fixtureBound(d)
	wide.Name, wide.CarbonSlotsG = "hindsight", nil
	d.Bounds = append(d.Bounds, wide)
	c := chartsOf(d)
	if len(c.Bounds) != 2 || len(c.Bounds[0].Carbon) != 6 || len(c.Bounds[1].Carbon) != 0 {
		t.Fatalf("bounds of the charts: %+v", c.Bounds)
	}
	for i, b := range c.Bounds {
		if b.Name != d.Bounds[i].Name || len(b.Front) != len(d.Bounds[i].Front) {
			t.Errorf("bound %d is %q with %d points, want %q with %d", i, b.Name, len(b.Front), d.Bounds[i].Name, len(d.Bounds[i].Front))
		}
	}
	for i, p := range c.Policies {
		if math.Abs(p.Least/d.Bounds[0].CarbonG-1) > 1e-3 || p.LeastName != d.Bounds[0].Name {
			t.Errorf("policy %d is drawn with the least %g of %q, want %g", i, p.Least, p.LeastName, d.Bounds[0].CarbonG)
		}
		met, least := d.Policies[i].met(d), cleanest(d, &d.Policies[i])
		if !(least > 0 && least <= met) {
			t.Errorf("policy %d met %g in sum, the least is %g", i, met, least)
		}
	}
	var names []string
	for _, x := range overTime(d).Columns {
		names = append(names, x.Name)
	}
	if !slices.Contains(names, "bound of all: clairvoyant placement") || slices.ContainsFunc(names, func(s string) bool { return strings.Contains(s, "hindsight") }) {
		t.Errorf("columns over time are %q", names)
	}
}

// met is the intensity that all invocations met, summed.
func (p *PolicyResult) met(d *Document) float64 {
	_, _, met := loadOf(d, p)
	return met
}

// The bound that a policy is drawn with is the narrowest of those it is held against,
// wherever it is listed, and the cards speak of the same.
func TestTheNarrowestBoundIsDrawn(t *testing.T) {
	d := full(6)
	p := &d.Policies[5]
	p.Regrets = []Regret{{Bound: "a", Figure: "carbon", Share: .5}, {Bound: "b", Figure: "carbon", Share: .25}, {Bound: "c", Figure: "energy", Share: 1}}
	d.Bounds = []Bound{{Name: "a", ActionSpace: "x"}, {Name: "b", ActionSpace: "x"}, {Name: "c", ActionSpace: "x"}}
	got := chartsOf(d).Policies[5]
	if want := p.Carbon.OperationalG / 1.25; got.LeastName != "b" || math.Abs(got.Least/want-1) > 1e-5 {
		t.Errorf("drawn with %g of %q, want %g of b", got.Least, got.LeastName, want)
	}
	if want := p.Energy.AttributedJ() / 2; got.LeastJName != "c" || math.Abs(got.LeastJ/want-1) > 1e-5 {
		t.Errorf("drawn with %g J of %q, want %g of c", got.LeastJ, got.LeastJName, want)
	}
	if c := cards(d)[0]; !strings.Contains(c.Detail, "25.00 % above its bound “b”") {
		t.Errorf("the card says %q", c.Detail)
	}
}

// A bound names the policies that it holds for, and is drawn for those alone: across
// their bars in either view, and over time while one of them is shown.
func TestBoundsAreDrawnForWhomTheyHold(t *testing.T) {
	d := crowded()
	b := chartsOf(d).Bounds
	if b[0].Of != "all" || b[1].Of != "home-only" || !slices.Equal(b[1].Covers, []int{0}) || b[2].Of != "all" {
		t.Errorf("bounds hold for %q, %q and %q", b[0].Of, b[1].Of, b[2].Of)
	}
	p := draw(t, d, 1006)
	strokes := func(id, class string) (n int) {
		for _, s := range p.chart(t, id).Paths {
			if s.Class == class {
				n++
			}
		}
		return n
	}
	for _, view := range []string{"energy", "carbon"} {
		p.press(t, "split", view)
		if n := strokes("split", "mark"); n != 10 {
			t.Errorf("%s: %d bars with their narrowest bound, want 10", view, n)
		}
		if n := strokes("split", "bound"); n != 11 {
			t.Errorf("%s: %d strokes of wider bounds, want 10 of one that holds for all and 1 of home-only's", view, n)
		}
	}
	const name = "bound of home-only: keep 10 min"
	for _, view := range []string{"per hour", "summed"} {
		p.press(t, "time", view)
		if c := p.chart(t, "time"); !c.has(name) || strokes("time", "bound") != 2 || strokes("time", "band") != 10 {
			t.Errorf("%s: %d bounds and %d bands, want 2 and 10; %q is named: %v", view, strokes("time", "bound"), strokes("time", "band"), name, c.has(name))
		}
	}
	p.press(t, "time", "home-only")
	if c := p.chart(t, "time"); c.has(name) || strokes("time", "bound") != 1 {
		t.Errorf("without home-only, %d bounds are drawn", strokes("time", "bound"))
	}
}
