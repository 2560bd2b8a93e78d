package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// Width is the most columns of a terminal that Table uses.
const Width = 110

// Table writes d for a terminal: at most Width columns, units in the headers,
// the accounting profile above the figures.
func Table(w io.Writer, d *Document) error {
	if err := d.Validate(); err != nil {
		return err
	}
	b := bufio.NewWriter(w)
	b.WriteString(d.Run.Experiment + "\n")
	for _, f := range facts(d) {
		wrapped(b, fmt.Sprintf("%-12s", f.Label), f.Value)
	}
	for _, s := range sections(d) {
		b.WriteString("\n" + s.Title + "\n")
		s.write(b)
	}
	for _, n := range d.Notes {
		b.WriteString("\n")
		wrapped(b, "note: ", n)
	}
	if h := d.Run.ResultHash; h != "" {
		b.WriteString("\nresult " + h + "\n")
	}
	return flushed(b)
}

// Explain writes one sample decision for a terminal: outcome, facts and the
// table of candidates with the chosen one marked. A table of many columns may
// be wider than Width.
func Explain(w io.Writer, s *Sample) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "decision %d at %s: %s by %s\n", s.Sequence, s.At.UTC().Format(time.RFC3339Nano), s.Function, s.Policy)
	wrapped(b, "", s.Outcome)
	for _, f := range s.Facts {
		wrapped(b, fmt.Sprintf("%-12s", f.Label), f.Value)
	}
	t := section{Columns: []column{{Name: "", Text: true}}}
	for _, c := range s.Columns {
		t.Columns = append(t.Columns, column{Name: c.Name, Unit: c.Unit, Text: c.Unit == "" && wordy(s, len(t.Columns)-1)})
	}
	t.Columns = append(t.Columns, column{Name: "refused because", Text: true})
	for _, r := range s.Rows {
		row := []cell{{Text: marks(r)}}
		for _, c := range r.Cells {
			row = append(row, cell{Text: c})
		}
		t.Rows = append(t.Rows, append(row, cell{Text: r.Refused}))
	}
	b.WriteString("\n")
	t.write(b)
	return flushed(b)
}

func flushed(b *bufio.Writer) error {
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

func marks(r SampleRow) string {
	switch {
	case r.Chosen:
		return "→"
	case r.Refused != "":
		return "×"
	}
	return ""
}

// wordy reports whether column i of s holds words rather than numbers.
func wordy(s *Sample, i int) bool {
	for _, r := range s.Rows {
		if i < len(r.Cells) && strings.ContainsAny(r.Cells[i], "abcdefghijklmnopqrstuvwxyz") {
			return true
		}
	}
	return false
}

// facts are the lines that say what the figures are of.
func facts(d *Document) []Fact {
	r := &d.Run
	out := []Fact{
		{"window", fmt.Sprintf("%s from %s, shown per %s", span(r.WindowS), r.Start.UTC().Format("2006-01-02 15:04 UTC"), span(r.SlotS))},
		{"trace", fmt.Sprintf("%s: %s functions, %s invocations", r.Trace.Name, human(count, float64(r.Trace.Functions)), human(count, float64(r.Trace.Invocations)))},
		{"fleet", fleet(r.Fleet)},
		{"accounting", r.Accounting.profile()},
		{"seeds", seeds(r.Seeds)},
		{"computed by", versions(r.Versions)},
	}
	if r.Description == "" {
		return out
	}
	return append([]Fact{{"about", r.Description}}, out...)
}

func fleet(f Fleet) string {
	s := fmt.Sprintf("%s, %s, %s vCPU", counted(f.Clusters, "cluster"), counted(f.Nodes, "node"), human(count, f.VCPUs))
	if f.MemoryGiB > 0 {
		s += ", " + human(count, f.MemoryGiB) + " GiB"
	}
	if f.Accelerators > 0 {
		s += ", " + counted(f.Accelerators, "accelerator")
	}
	return s
}

func counted(n int64, what string) string {
	if n != 1 {
		what += "s"
	}
	return human(count, float64(n)) + " " + what
}

func seeds(s []uint64) string {
	text := strings.Trim(strings.ReplaceAll(fmt.Sprint(s), " ", ", "), "[]")
	if len(s) > 12 {
		return fmt.Sprintf("%d … %d (%d seeds)", s[0], s[len(s)-1], len(s))
	}
	return text
}

func versions(v Versions) string {
	s := "wattle " + v.Wattle
	if v.Rego != "" {
		s += ", " + v.Rego
	}
	if v.Go != "" {
		s += ", " + v.Go
	}
	return s
}

// wrapped writes text behind a label, broken at Width and indented to it.
func wrapped(b *bufio.Writer, label, text string) {
	indent := utf8.RuneCountInString(label)
	lines := lines(text, Width-indent)
	for i, l := range lines {
		if i > 0 {
			label = strings.Repeat(" ", indent)
		}
		b.WriteString(strings.TrimRight(label+l, " ") + "\n")
	}
}

// lines breaks text between words into lines of at most width runes; a longer
// word stands alone.
func lines(text string, width int) []string {
	var out []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			out, line = append(out, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(out, line)
}
