package report

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dop251/goja"
)

// drawing is a page whose scripts have run.
type drawing struct{ *goja.Runtime }

// written is a text with its box, a stroke the path of a line.
type (
	written struct {
		Text       string
		X, Y, W, H float64
	}
	stroke struct{ Class, D, Stroke string }
	chart  struct {
		Width, Height float64
		Texts         []written
		Paths         []stroke
	}
)

// draw runs the page's own scripts over the data of d, in plots of a width in px.
func draw(t *testing.T, d *Document, width int) drawing {
	t.Helper()
	dom, err := os.ReadFile(filepath.Join("testdata", "dom.js"))
	if err != nil {
		t.Fatal(err)
	}
	js, err := scripts()
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(chartsOf(d))
	if err != nil {
		t.Fatal(err)
	}
	vm := goja.New()
	vm.SetFieldNameMapper(goja.TagFieldNameMapper("json", true))
	for _, set := range []struct {
		name  string
		value any
	}{{"WIDTH", width}, {"DATA", string(data)}} {
		if err := vm.Set(set.name, set.value); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := vm.RunString(string(dom) + "\n" + strings.Replace(js, `"use strict";`, "", 1)); err != nil {
		t.Fatal(err)
	}
	return drawing{vm}
}

// chart reads what a figure shows.
func (p drawing) chart(t *testing.T, id string) (c chart) {
	t.Helper()
	v, err := p.RunString(fmt.Sprintf("JSON.stringify(written(%q))", id))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(v.String()), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// press clicks on a control of a figure.
func (p drawing) press(t *testing.T, id, label string) {
	t.Helper()
	if _, err := p.RunString(fmt.Sprintf("press(%q, %q)", id, label)); err != nil {
		t.Fatal(err)
	}
}

// over reports whether two boxes share room.
func (a written) over(b written) bool {
	return a.X < b.X+b.W-1e-9 && b.X < a.X+a.W-1e-9 && a.Y < b.Y+b.H-1e-9 && b.Y < a.Y+a.H-1e-9
}

// apart says which two texts of a chart lie on one another, or which leaves it.
func (c chart) apart() error {
	for i, a := range c.Texts {
		if a.X < -1 || a.X+a.W > c.Width+16 || a.Y < -3 || a.Y+a.H > c.Height+3 {
			return fmt.Errorf("%q leaves the chart: %+v of %g × %g", a.Text, a, c.Width, c.Height)
		}
		for _, b := range c.Texts[:i] {
			if a.over(b) {
				return fmt.Errorf("%q and %q lie on one another: %+v, %+v", b.Text, a.Text, b, a)
			}
		}
	}
	return nil
}

// has reports whether a chart shows a text.
func (c chart) has(text string) bool {
	return slices.ContainsFunc(c.Texts, func(w written) bool { return w.Text == text })
}

// plots are the widths of charts in windows of 390, 768 and 1,280 px.
func plots() []int { return []int{336, 670, 1006} }

// views are the figures and what can be pressed in them.
func views() map[string][]string {
	return map[string][]string{"time": {"", "summed"}, "front": {""}, "load": {""}, "split": {"", "carbon"}}
}

// crowded has the figures of the example, ten policies of which eight lie close
// together, and three bounds of which one holds for one of them.
func crowded() *Document {
	d := full(24)
	d.Policies = append(d.Policies, slices.Clone(d.Policies[:4])...)
	for i, at := range []struct {
		name      string
		ms, grams float64
	}{
		{"home-only", 513, 2875}, {"least latency", 505, 3231}, {"best static region", 624, 2250}, {"power of two choices", 736, 8614}, {"round-robin", 789, 8987},
		{"greencourier", 634, 1745}, {"least carbon", 634, 1450}, {"within 150 % of home", 579, 1684}, {"… and learned keep-alive", 650, 1056}, {"balanced", 607, 1461},
	} {
		p := &d.Policies[i]
		scale := at.grams / p.Carbon.OperationalG
		p.Name, p.Latency.MeanS, p.Carbon.OperationalG = at.name, at.ms/1e3, at.grams
		g := &p.Carbon
		for _, part := range []*float64{&g.ExecutionG, &g.StartupG, &g.KeepAliveG, &g.IdleG, &g.NetworkG, &g.EmbodiedG} {
			*part *= scale
		}
		p.Intervals = nil
		for _, v := range []*[]float64{&p.Series.CarbonG, &p.Series.CarbonLoG, &p.Series.CarbonHiG, &p.Series.CarbonSumLoG, &p.Series.CarbonSumHiG} {
			*v = scaled(*v, scale)
		}
		p.Regrets = []Regret{
			{Bound: "hindsight", Figure: "carbon", Share: at.grams/135 - 1}, {Bound: "placement", Figure: "carbon", Share: .1},
			{Bound: "hindsight", Figure: "energy", Share: 8}, {Bound: "placement", Figure: "energy", Share: .2},
		}
	}
	d.Run.Baseline = "home-only"
	d.Policies[0].Regrets = append(d.Policies[0].Regrets, Regret{Bound: "keep 10 min", Figure: "carbon", Share: 2875./1612 - 1})
	d.Bounds = []Bound{bent(d, "hindsight", 135), bent(d, "keep 10 min", 1612), {Name: "placement", ActionSpace: "its own instances", CarbonG: 952}}
	return d
}

func scaled(v []float64, by float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = x * by
	}
	return out
}

// bent is a bound with a front such as the example's.
func bent(d *Document, name string, grams float64) Bound {
	b := Bound{Name: name, ActionSpace: name, CarbonG: grams, EnergyJ: 1e6, CarbonSlotsG: slices.Repeat([]float64{grams / float64(d.Slots())}, d.Slots())}
	for i, ms := range []float64{618, 609, 598, 570, 529, 508, 502, 500.5, 498} {
		b.Front = append(b.Front, FrontPoint{LatencyMeanS: ms / 1e3, CarbonG: grams + float64(i*i)*1.5})
	}
	return b
}

// No two texts of a chart lie on one another, in narrow windows and wide ones, and
// every policy and every bound is named in the chart of latency against carbon.
func TestNamesInChartsAreApart(t *testing.T) {
	for name, of := range map[string]struct {
		doc    *Document
		widths []int
	}{"crowded": {crowded(), plots()}, "full": {full(24), plots()[:1]}, "minimal": {minimal(3), plots()[:1]}, "long": {full(240), plots()[1:2]}} {
		d := of.doc
		for _, width := range of.widths {
			p := draw(t, d, width)
			for id, buttons := range views() {
				for _, b := range buttons {
					if b != "" {
						p.press(t, id, b)
					}
					c := p.chart(t, id)
					if len(c.Texts) == 0 {
						t.Fatalf("%s at %d px: %s is empty", name, width, id)
					}
					if err := c.apart(); err != nil {
						t.Errorf("%s at %d px, %s %s: %v", name, width, id, b, err)
					}
				}
			}
			c := p.chart(t, "front")
			for _, q := range d.Policies {
				if !c.has(q.Name) {
					t.Errorf("%s at %d px: no room for %q", name, width, q.Name)
				}
			}
			for _, b := range chartsOf(d).Bounds {
				if len(b.Front) > 0 && !c.has("bound of "+b.Of+": "+b.Name) {
					t.Errorf("%s at %d px: bound %q is not named", name, width, b.Name)
				}
			}
		}
	}
}

// Wherever the points of up to twelve names lie, no name touches another, a mark or
// the edge, and none is without room where there is plenty.
func TestNamesStayApartWhereverPointsLie(t *testing.T) {
	js, err := assets.ReadFile("assets/labels.js")
	if err != nil {
		t.Fatal(err)
	}
	vm := goja.New()
	if _, err := vm.RunString(string(js)); err != nil {
		t.Fatal(err)
	}
	type rect struct{ X, Y, W, H float64 }
	type item struct {
		W  float64      `json:"w"`
		At [][2]float64 `json:"at"`
	}
	r := rand.New(rand.NewPCG(5, 8))
	for n := range 60 {
		width, height := 300+r.Float64()*700, 250.
		var items []item
		var hard, soft [][4]float64
		for range 1 + r.IntN(12) {
			x, y := width*r.Float64(), height*r.Float64()
			items = append(items, item{20 + 90*r.Float64(), [][2]float64{{x, y}}})
			hard = append(hard, [4]float64{x - 7, y - 7, 14, 14})
			soft = append(soft, [4]float64{x, y, width * r.Float64(), height * r.Float64()})
		}
		in, err := json.Marshal([]any{items, hard, soft, []float64{0, width, 0, height}})
		if err != nil {
			t.Fatal(err)
		}
		v, err := vm.RunString(fmt.Sprintf(`{ const [items, hard, soft, area] = %s;
			JSON.stringify(place(items, hard.map((h) => box(...h)), soft, area).map((f) => f && f.box)) }`, in))
		if err != nil {
			t.Fatal(err)
		}
		var got []*rect
		if err := json.Unmarshal([]byte(v.String()), &got); err != nil {
			t.Fatal(err)
		}
		c := chart{Width: width, Height: height}
		for _, h := range hard {
			c.Texts = append(c.Texts, written{"mark", h[0], h[1], h[2], h[3]})
		}
		marks := len(hard)
		for i, b := range got {
			if b == nil {
				t.Errorf("case %d: no room for name %d of %d in %.0f px", n, i, len(got), width)
				continue
			}
			w := written{fmt.Sprint("name ", i), b.X, b.Y, b.W, b.H}
			if err := (chart{width, height, append(c.Texts[marks:len(c.Texts):len(c.Texts)], w), nil}).apart(); err != nil {
				t.Errorf("case %d: %v", n, err)
			}
			for _, m := range c.Texts[:marks] {
				if w.over(m) {
					t.Errorf("case %d: name %d lies on a mark", n, i)
				}
			}
			c.Texts = append(c.Texts, w)
		}
	}
}
