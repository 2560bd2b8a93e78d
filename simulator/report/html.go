package report

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"
)

//go:embed assets
var assets embed.FS

// HTML writes d as one page that needs nothing else: styles, scripts and data
// are inside, a content security policy forbids every request, and each chart
// has a table beneath it for readers without script or sight. It reads on a
// phone and on a laptop, in light and in dark.
func HTML(w io.Writer, d *Document) error {
	if err := d.Validate(); err != nil {
		return err
	}
	v, err := view(d)
	if err != nil {
		return err
	}
	t, err := template.New("page.html").Funcs(functions()).ParseFS(assets, "assets/*.html")
	if err != nil {
		return fmt.Errorf("read page template: %w", err)
	}
	var page bytes.Buffer // so that an error leaves no half-written page
	if err := t.Execute(&page, v); err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	if _, err := w.Write(page.Bytes()); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// functions are what the template may call beyond the built-in ones.
func functions() template.FuncMap {
	return template.FuncMap{
		"swatch": func(i int) int { return i % paletteSize },
		"utc":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.999 UTC") },
		"align": func(c column) string {
			if c.Text {
				return "t"
			}
			return "n"
		},
		"of": func(title string, all []section) []section { // the section of a title, if any
			for _, s := range all {
				if s.Title == title {
					return []section{s}
				}
			}
			return nil
		},
		"wrap":    func(p *page, s []section) some { return some{p, s} },
		"wrapOne": func(p *page, s section) some { return some{p, []section{s}} },
		"comma":   func(n uint64) string { return group(fmt.Sprint(n)) },
	}
}

// some is what the template for tables gets: sections and the page they are on.
type some struct {
	Page     *page
	Sections []section
}

// paletteSize is the number of colours that the style sheet has for policies.
const paletteSize = 10

// page is what the template renders.
type page struct {
	Doc      *Document
	Facts    []Fact
	Profile  string
	Cards    []card
	Sections []section
	OverTime section // table beneath the chart of the same data
	Load     section
	Slot     string
	HasLoad  bool
	HasSlots bool
	// HasBoundLine says that a bound is drawn over time.
	HasBoundLine bool
	CSS          template.CSS
	JS           template.JS
	Data         template.JS
	PolicyIDs    map[string]int
}

func view(d *Document) (*page, error) {
	css, err := assets.ReadFile("assets/page.css")
	if err != nil {
		return nil, fmt.Errorf("read page style: %w", err)
	}
	js, err := scripts()
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(chartsOf(d)) // escapes <, > and &, so that it may stand in a script element
	if err != nil {
		return nil, fmt.Errorf("encode chart data: %w", err)
	}
	v := &page{
		Doc: d, Facts: facts(d), Profile: d.Run.Accounting.profile(), Cards: cards(d), Sections: sections(d),
		OverTime: overTime(d), Load: load(d), Slot: slotWord(d.Run.SlotS),
		CSS: template.CSS(css), JS: template.JS(js), Data: template.JS(data), PolicyIDs: map[string]int{},
	}
	v.HasBoundLine = len(slotted(d)) > 0
	v.HasSlots, v.HasLoad = len(v.OverTime.Rows) > 0, len(v.Load.Rows) > 0
	for i := range d.Policies {
		v.PolicyIDs[d.Policies[i].Name] = i
	}
	return v, nil
}

// slotWord names one slot in a sentence.
func slotWord(s float64) string {
	switch s {
	case 60:
		return "minute"
	case 3600:
		return "hour"
	case 86400:
		return "day"
	}
	return span(s)
}

// scripts joins the page's scripts in the order in which they need each other.
func scripts() (string, error) {
	var b strings.Builder
	for _, name := range []string{"labels.js", "draw.js", "time.js", "front.js", "load.js", "split.js", "start.js"} {
		text, err := assets.ReadFile("assets/" + name)
		if err != nil {
			return "", fmt.Errorf("read page script: %w", err)
		}
		b.Write(text)
	}
	return b.String(), nil
}

// card is one headline figure.
type card struct {
	Title, Value, Unit, Policy, Change, Detail string
	Swatch                                     int
}

// cards picks the best policy in each of four figures.
func cards(d *Document) []card {
	heads := []struct {
		title string
		f     figure
	}{
		{"Least carbon", outcome()[0]},
		{"Fastest on average", service()[3]},
		{"Cheapest", outcome()[3]},
		{"Least energy", energy()[5]},
	}
	var out []card
	for _, h := range heads {
		if v := valuesOf(d, h.f); nonzero(v) {
			out = append(out, d.card(h.title, h.f, v))
		}
	}
	return out
}

func (d *Document) card(title string, f figure, v []float64) card {
	best := 0
	for i, x := range v {
		if x < v[best] {
			best = i
		}
	}
	s := scaleFor(f.dim, v[best])
	c := card{Title: title, Value: s.text(v[best]), Unit: s.unit, Policy: d.Policies[best].Name, Swatch: best}
	base := d.Baseline()
	switch {
	case best == base:
		c.Change = "the baseline itself"
	case v[base] != 0 && v[best]/v[base] > .9995:
		c.Change = "level with " + d.Policies[base].Name
	case v[base] != 0:
		c.Change = scaleFor(change).with(v[best]/v[base]-1) + " against " + d.Policies[base].Name
	}
	if f.dim == grams {
		c.Unit += " CO₂e"
	}
	if f.key == "carbon_operational_g" {
		c.Detail = d.caveat(best, base)
	}
	return c
}

// caveat says how firm the carbon of a policy is.
func (d *Document) caveat(best, base int) string {
	var parts []string
	if r, ok := d.Policies[best].regret("carbon"); ok {
		parts = append(parts, human(share, r.Share)+" above its bound “"+r.Bound+"”")
	}
	for _, p := range d.Pairs {
		if p.Figure != "carbon" || p.A != d.Policies[best].Name || p.B != d.Policies[base].Name {
			continue
		}
		word := "robust"
		if !p.Robust() {
			word = "not robust"
		}
		over := "paired seeds"
		if p.Sets > 1 {
			over = fmt.Sprintf("%d coefficient sets (%s)", p.Sets, human(share, p.BelowShare))
		}
		parts = append(parts, word+" over "+over)
	}
	return strings.Join(parts, "; ")
}
