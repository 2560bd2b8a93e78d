package report

import (
	"bufio"
	"strings"
	"unicode/utf8"
)

// nameWidth is the most runes of a name in the terminal table; longer ones are
// cut in the middle, where names of one family differ least.
const nameWidth = 24

// gap is the space between two columns.
const gap = 2

// write prints s as aligned text under two header lines, names and units. A
// wide last text column is wrapped.
func (s *section) write(b *bufio.Writer) {
	heads := make([]string, len(s.Columns))
	units := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		heads[i], units[i] = c.Name, c.Unit
	}
	body := make([][]string, len(s.Rows))
	for r, row := range s.Rows {
		for i, c := range row {
			body[r] = append(body[r], s.fit(i, c.Text))
		}
	}
	widths := s.widths(append([][]string{heads, units}, body...))
	s.line(b, widths, heads)
	if strings.Join(units, "") != "" {
		s.line(b, widths, units)
	}
	for _, row := range body {
		s.line(b, widths, row)
	}
}

// fit cuts a name that is not the last column.
func (s *section) fit(i int, t string) string {
	n := utf8.RuneCountInString(t)
	if !s.Columns[i].Text || i == len(s.Columns)-1 || n <= nameWidth {
		return t
	}
	r := []rune(t)
	head := nameWidth / 2
	return string(r[:head]) + "…" + string(r[n-(nameWidth-head-1):])
}

// widths measures the columns; the last one gets what is left when it is text.
func (s *section) widths(rows [][]string) []int {
	out := make([]int, len(s.Columns))
	for _, row := range rows {
		for i, t := range row {
			out[i] = max(out[i], utf8.RuneCountInString(t))
		}
	}
	last := len(out) - 1
	if last > 0 && s.Columns[last].Text {
		used := 0
		for _, w := range out[:last] {
			used += w + gap
		}
		out[last] = min(out[last], max(nameWidth, Width-used))
	}
	return out
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
