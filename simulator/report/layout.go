package report

import (
	"bufio"
	"strings"
	"unicode/utf8"
)

// nameWidth is the most runes of a name in the terminal table, and shortName
// the fewest where space is scarce; longer names are cut in the middle, where
// names of one family differ least.
const (
	nameWidth = 24
	shortName = 16
)

// gap is the space between two columns.
const gap = 2

// write prints s as aligned text under two header lines, names and units. A
// wide last text column is wrapped; number columns that do not fit beside the
// names continue in a block below.
func (s *section) write(b *bufio.Writer) {
	limit, end := nameWidth, len(s.Columns)
	if !s.Columns[end-1].Text && sum(s.widths(limit)) > Width {
		limit = shortName
		for w := s.widths(limit); sum(w[:end]) > Width && end > 2; {
			end--
		}
	}
	first := s.part(1, end)
	first.block(b, limit)
	if end < len(s.Columns) {
		rest := s.part(end, len(s.Columns))
		rest.write(b)
	}
}

// part is s with its first column and those in [from, to).
func (s *section) part(from, to int) *section {
	out := &section{Columns: append(s.Columns[:1:1], s.Columns[from:to]...)}
	for _, row := range s.Rows {
		out.Rows = append(out.Rows, append(row[:1:1], row[from:to]...))
	}
	return out
}

// block prints the columns of s beside one another.
func (s *section) block(b *bufio.Writer, limit int) {
	widths := s.widths(limit)
	rows := s.texts(limit)
	for i, row := range rows {
		if i != 1 || strings.Join(row, "") != "" { // a table without units has no line for them
			s.line(b, widths, row)
		}
	}
}

// texts lays out names, units and then the rows, names cut to limit.
func (s *section) texts(limit int) [][]string {
	out := make([][]string, 2, 2+len(s.Rows))
	for _, c := range s.Columns {
		out[0], out[1] = append(out[0], c.Name), append(out[1], c.Unit)
	}
	for _, row := range s.Rows {
		var line []string
		for i, c := range row {
			line = append(line, s.fit(i, c.Text, limit))
		}
		out = append(out, line)
	}
	return out
}

// fit cuts a name that is not in a last column.
func (s *section) fit(i int, t string, limit int) string {
	n := utf8.RuneCountInString(t)
	if !s.Columns[i].Text || i == len(s.Columns)-1 && i > 0 || n <= limit {
		return t
	}
	r := []rune(t)
	head := limit / 2
	return string(r[:head]) + "…" + string(r[n-(limit-head-1):])
}

// widths measures the columns; a last one of text gets what is left.
func (s *section) widths(limit int) []int {
	out := make([]int, len(s.Columns))
	for _, row := range s.texts(limit) {
		for i, t := range row {
			out[i] = max(out[i], utf8.RuneCountInString(t))
		}
	}
	last := len(out) - 1
	if last > 0 && s.Columns[last].Text {
		out[last] = min(out[last], max(nameWidth, Width-sum(out[:last])-gap))
	}
	return out
}

// sum is the width of columns with the gaps between them.
func sum(widths []int) int {
	total := gap * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	return total
}

// line prints one row, continued below where the last column is wrapped.
func (s *section) line(b *bufio.Writer, widths []int, row []string) {
	last := len(row) - 1
	rest := []string{row[last]}
	if s.Columns[last].Text && last > 0 {
		rest = lines(row[last], widths[last])
	}
	for n, tail := range rest {
		var l strings.Builder
		for i := range row {
			t := ""
			if i == last {
				t = tail
			} else if n == 0 {
				t = row[i]
			}
			if i > 0 {
				l.WriteString(strings.Repeat(" ", gap))
			}
			pad := strings.Repeat(" ", max(0, widths[i]-utf8.RuneCountInString(t)))
			if s.Columns[i].Text {
				l.WriteString(t + pad)
			} else {
				l.WriteString(pad + t)
			}
		}
		b.WriteString(strings.TrimRight(l.String(), " ") + "\n")
	}
}
