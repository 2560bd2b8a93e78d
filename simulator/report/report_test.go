package report

import (
	"bytes"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"golang.org/x/net/html"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden")

// golden compares got with testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test -update accepts it):\n%s", path, got)
	}
}

func render(t *testing.T, f func(io.Writer, *Document) error, d *Document) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func formats() map[string]func(io.Writer, *Document) error {
	return map[string]func(io.Writer, *Document) error{"table": Table, "json": JSON, "csv": CSV, "parquet": Parquet, "html": HTML}
}

func TestGolden(t *testing.T) {
	for _, d := range []struct {
		name string
		doc  *Document
	}{{"full", full(6)}, {"minimal", minimal(6)}} {
		for _, format := range []string{"table", "csv", "json"} {
			golden(t, d.name+"."+format+".golden", render(t, formats()[format], d.doc))
		}
	}
	s := fixtureSample()
	var b bytes.Buffer
	if err := Explain(&b, &s); err != nil {
		t.Fatal(err)
	}
	golden(t, "explain.golden", b.Bytes())
}

func TestEqualDocumentsGiveEqualBytes(t *testing.T) {
	for name, f := range formats() {
		if a, b := render(t, f, full(24)), render(t, f, full(24)); !bytes.Equal(a, b) {
			t.Errorf("%s: two renderings of equal documents differ", name)
		}
	}
}

func TestJSONReadsBackToTheSameDocument(t *testing.T) {
	for _, d := range []*Document{full(24), minimal(3)} {
		text := render(t, JSON, d)
		got, err := Decode(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, d) {
			t.Error("the decoded document differs from the one written")
		}
		for name, f := range formats() {
			if !bytes.Equal(render(t, f, got), render(t, f, d)) {
				t.Errorf("%s of the decoded document differs", name)
			}
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := string(render(t, JSON, minimal(2)))
	cases := []struct{ name, text, want string }{
		{"an unknown key", strings.Replace(good, `"experiment"`, `"experimant"`, 1), `unknown field "experimant"`},
		{"text after the document", good + "{}", "text after the document"},
		{"another schema", strings.Replace(good, Schema, "wattle.report/v9", 1), `schema is "wattle.report/v9"`},
		{"a cut file", good[:len(good)/2], "unexpected EOF"},
		{"a wrong type", strings.Replace(good, `"window_s": 7200`, `"window_s": "2 h"`, 1), "at line "},
		{"nothing", "", "EOF"},
	}
	for _, c := range cases {
		if _, err := Decode(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want one with %q", c.name, err, c.want)
		}
	}
}

func TestValidateRefuses(t *testing.T) {
	cases := []struct {
		want  string
		spoil func(*Document)
	}{
		{"accounting.profile is empty", func(d *Document) { d.Run.Accounting.Profile = "" }},
		{"experiment is empty", func(d *Document) { d.Run.Experiment = "" }},
		{"must be above 0", func(d *Document) { d.Run.SlotS = math.NaN() }},
		{"use longer slots", func(d *Document) { d.Run.SlotS = 1e-3 }},
		{"policies is empty", func(d *Document) { d.Policies = nil }},
		{"used twice", func(d *Document) { d.Policies[1].Name = d.Policies[0].Name }},
		{"baseline", func(d *Document) { d.Run.Baseline = "nobody" }},
		{"carbon_operational_g is NaN", func(d *Document) { d.Policies[0].Carbon.OperationalG = math.NaN() }},
		{"metered_j is", func(d *Document) { d.Policies[0].Energy.MeteredJ *= 1.01 }},
		{"series.carbon_g has 5 values for 6 slots", func(d *Document) { d.Policies[0].Series.CarbonG = d.Policies[0].Series.CarbonG[:5] }},
		{"both be there", func(d *Document) { d.Policies[0].Series.CarbonLoG = nil }},
		{"rows for 6 clusters", func(d *Document) { d.Policies[0].Series.Invocations = d.Policies[0].Series.Invocations[:2] }},
		{"intensity_g_per_kwh", func(d *Document) { d.Clusters[0].IntensityGPerKWh = nil }},
		{"needs a name and an action space", func(d *Document) { d.Bounds[0].ActionSpace = "" }},
		{"finite share of a bound", func(d *Document) { d.Policies[0].Regrets[0].Bound = "other" }},
		{"in [0, 1]", func(d *Document) { d.Pairs[0].BelowShare = 1.2 }},
		{"cells for", func(d *Document) { d.Samples[0].Rows[0].Cells = nil }},
	}
	for _, c := range cases {
		d := full(6)
		c.spoil(d)
		err := d.Validate()
		if !errors.Is(err, ErrDocument) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want one with %q", err, c.want)
		}
		for name, f := range formats() {
			if err := f(io.Discard, d); err == nil {
				t.Errorf("%s rendered a document with %q", name, c.want)
			}
		}
	}
}

func TestTableKeepsItsWidth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := full(3)
		for i := range d.Policies {
			p := &d.Policies[i]
			p.Name = fmt.Sprint(i, rapid.StringMatching(`[a-zä-]{1,60}`).Draw(t, "name"))
			f := math.Pow(10, rapid.Float64Range(-6, 6).Draw(t, "magnitude"))
			e := &p.Energy
			for _, v := range []*float64{&e.ExecutionJ, &e.StartupJ, &e.KeepAliveJ, &e.IdleJ, &e.NetworkJ, &e.UnallocatedJ, &e.MeteredJ, &p.Carbon.OperationalG, &p.CostUSD, &p.Latency.P99S} {
				*v *= f
			}
		}
		d.Run.Baseline = ""
		var b bytes.Buffer
		if err := Table(&b, d); err != nil {
			t.Fatal(err)
		}
		for _, l := range strings.Split(b.String(), "\n") {
			if utf8.RuneCountInString(l) > Width {
				t.Errorf("%d columns wide: %s", utf8.RuneCountInString(l), l)
			}
		}
	})
}

func TestOptionalPartsAreAbsentWhenNotComputed(t *testing.T) {
	for name, f := range formats() {
		text := string(render(t, f, minimal(4)))
		for _, word := range []string{"Robustness", "Confidence", "regret", "Bounds", "Why there?", "End of the window"} {
			if name == "html" && word == "regret" {
				continue // the scripts may speak of it
			}
			if strings.Contains(text, word) {
				t.Errorf("%s of a minimal document speaks of %q", name, word)
			}
		}
	}
}

func TestCSVHasARowPerPolicyAndUnitsInItsHeader(t *testing.T) {
	d := full(4)
	rows, err := csv.NewReader(bytes.NewReader(render(t, CSV, d))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1+len(d.Policies) {
		t.Fatalf("%d rows for %d policies", len(rows), len(d.Policies))
	}
	at := map[string]int{}
	for i, h := range rows[0] {
		if _, twice := at[h]; twice {
			t.Errorf("column %s is there twice", h)
		}
		at[h] = i
	}
	for key, want := range map[string]string{
		"policy": "least-carbon", "accounting_profile": "standard",
		"carbon_operational_g": plain(d.Policies[5].Carbon.OperationalG), "carbon_operational_lo95_g": plain(d.Policies[5].Intervals.CarbonG.Lo),
	} {
		if got := rows[6][at[key]]; got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}

func TestParquetHoldsEveryPolicySlotAndCluster(t *testing.T) {
	d := full(5)
	text := render(t, Parquet, d)
	r := parquet.NewGenericReader[HourRow](bytes.NewReader(text))
	rows := make([]HourRow, r.NumRows())
	if n, err := r.Read(rows); n != len(rows) || err != nil && !errors.Is(err, io.EOF) {
		t.Fatalf("read %d of %d rows: %v", n, len(rows), err)
	}
	if want := len(d.Policies) * 5 * len(d.Clusters); len(rows) != want {
		t.Fatalf("%d rows, want %d", len(rows), want)
	}
	last := rows[len(rows)-1]
	p, c := &d.Policies[5], &d.Clusters[5]
	if last.Policy != p.Name || last.Cluster != c.Name || last.Slot != 4 || *last.Invocations != p.Series.Invocations[5][4] ||
		*last.CarbonG != p.Series.ClusterCarbonG[5][4] || *last.SlotCarbonG != p.Series.CarbonG[4] || last.EnergyJ != nil ||
		last.IntensityGPerKWh != c.IntensityGPerKWh[4] || last.Start.UTC().Format("15:04") != "04:00" {
		t.Errorf("last row is %+v", last)
	}
}

func TestPageNeedsNothingElse(t *testing.T) {
	root, err := html.Parse(bytes.NewReader(render(t, HTML, full(24))))
	if err != nil {
		t.Fatal(err)
	}
	tables, figures, policy := 0, 0, ""
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		tables += b2i(n.Data == "table")
		figures += b2i(n.Data == "figure")
		for _, a := range n.Attr {
			if a.Key == "src" || a.Key == "href" || a.Key == "srcset" || a.Key == "action" {
				t.Errorf("<%s %s=%q> would fetch something", n.Data, a.Key, a.Val)
			}
			if a.Key == "http-equiv" {
				policy = n.Attr[1].Val
			}
		}
		if n.Data == "style" && (strings.Contains(n.FirstChild.Data, "url(") || strings.Contains(n.FirstChild.Data, "@import")) {
			t.Error("the style sheet would fetch something")
		}
	}
	if tables < 10 || figures != 4 {
		t.Errorf("the page has %d tables and %d figures", tables, figures)
	}
	if !strings.HasPrefix(policy, "default-src 'none'") {
		t.Errorf("content security policy is %q", policy)
	}
}

func TestPageNeverShowsAFigureWithoutItsProfile(t *testing.T) {
	d := full(4)
	d.Run.Accounting.Profile = "ecolife"
	page := string(render(t, HTML, d))
	for _, part := range strings.Split(page, "<figure")[1:] {
		figure, _, _ := strings.Cut(part, "</figure>")
		if !strings.Contains(figure, "ecolife") {
			t.Errorf("a figure does not name the profile: %.80s", figure)
		}
	}
	for _, part := range strings.Split(page, "<table>")[1:] {
		if strings.HasPrefix(part, "\n<caption") && !strings.Contains(part[:200], "ecolife") {
			t.Errorf("a table does not name the profile: %.80s", part)
		}
	}
}

func TestHostileNamesStayText(t *testing.T) {
	d := full(4)
	evil := `</script><script>alert(1)</script>`
	d.Policies[0].Name, d.Run.Baseline = evil, evil
	d.Clusters[0].Name, d.Run.Experiment, d.Samples[0].Outcome = evil, evil, evil
	if strings.Contains(string(render(t, HTML, d)), evil) {
		t.Error("a name from the document is markup in the page")
	}
}

func TestHumanUnits(t *testing.T) {
	for _, c := range []struct {
		dim  dimension
		v    float64
		want string
	}{
		{grams, 0, "0 g"},
		{grams, .0000123, "12.3 µg"},
		{grams, 12345678, "12.3 t"},
		{grams, 2201, "2,201 g"},
		{joules, 3.6e6, "1.00 kWh"},
		{joules, 12, "12.0 J"},
		{seconds, .0421, "42.1 ms"},
		{seconds, 75, "75.0 s"},
		{dollars, 2.5, "2.50 USD"},
		{share, .5, "50.00 %"},
		{change, -.123, "−12.3 %"},
		{change, .123, "+12.3 %"},
		{count, 1234567, "1,234,567"},
		{perSec, 2.61e6, "2.61 M/s"},
	} {
		if got := human(c.dim, c.v); got != c.want {
			t.Errorf("human(%d, %g) = %q, want %q", c.dim, c.v, got, c.want)
		}
	}
}

func TestCardsNameTheBest(t *testing.T) {
	got := cards(full(24))
	if len(got) != 4 || got[0].Policy != "least-carbon" || !strings.HasPrefix(got[0].Change, "−") || !strings.Contains(got[0].Detail, "robust over 27") {
		t.Errorf("cards are %+v", got)
	}
}

func FuzzDecode(f *testing.F) {
	var b bytes.Buffer
	d := full(1)
	d.Policies = d.Policies[:1]
	if err := JSON(&b, d); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"schema":"wattle.report/v1"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := Decode(bytes.NewReader(text))
		if err != nil {
			return
		}
		for _, render := range []func(io.Writer, *Document) error{Table, CSV, JSON} {
			if err := render(io.Discard, d); err != nil {
				t.Errorf("a decoded document does not render: %v", err)
			}
		}
	})
}

func BenchmarkHTML(b *testing.B) {
	d := full(288)
	b.ReportAllocs()
	for b.Loop() {
		if err := HTML(io.Discard, d); err != nil {
			b.Fatal(err)
		}
	}
}

func TestPages(t *testing.T) {
	dir := os.Getenv("WATTLE_PAGES")
	if dir == "" {
		t.Skip("set WATTLE_PAGES to a folder to write sample pages into it")
	}
	for name, d := range map[string]*Document{"full": full(24), "minimal": minimal(24), "long": full(288)} {
		if err := os.WriteFile(filepath.Join(dir, name+".html"), render(t, HTML, d), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheLeastIsMarkedOnlyWhereLessIsBetter(t *testing.T) {
	d := full(24)
	for _, s := range sections(d)[:2] {
		for i, c := range s.Columns {
			var best []string
			for _, row := range s.Rows {
				if row[i].Best {
					best = append(best, row[0].Text)
				}
			}
			want := map[string]string{"operational": "[least-carbon]", "mean": "[home-only]", "cold": "[round-robin]", "completed": "[]"}[c.Name]
			if want != "" && fmt.Sprint(best) != want {
				t.Errorf("%s: %v is marked, want %s", c.Name, best, want)
			}
		}
	}
}
