package exporter

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/prometheus/common/expfmt"
)

// The text formats are written here and not by expfmt, because labels are all of
// the work and never change: a page takes a third of the time. A test holds
// every byte to what expfmt writes. Protobuf and the families of client_golang
// are left to it.

// chunk is the size at which text is handed on, in bytes.
const chunk = 32 << 10

// writer writes the families of a page in one format.
type writer struct {
	dst  io.Writer
	open bool // OpenMetrics rather than the older text format
	buf  []byte
}

// isText reports whether a format is written by writer.
func isText(f expfmt.FormatType) bool {
	return f == expfmt.TypeTextPlain || f == expfmt.TypeOpenMetrics
}

// write writes all series of b, ordered by labels.
func (w *writer) write(b *book) error {
	w.header(&b.family)
	for _, s := range b.lines {
		w.buf = append(w.buf, b.family.Name...)
		w.buf = append(w.buf, s.text...)
		w.buf = appendValue(w.buf, s.value, w.open)
		w.buf = append(w.buf, '\n')
		if len(w.buf) >= chunk {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return w.flush()
}

func (w *writer) flush() error {
	_, err := w.dst.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}

// header writes HELP, TYPE and, in OpenMetrics, UNIT.
func (w *writer) header(f *Family) {
	name, help := f.Name, strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(f.Help)
	if w.open {
		name, help = strings.TrimSuffix(name, "_total"), escape(f.Help)
	}
	w.buf = fmt.Appendf(w.buf, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, f.Type)
	if w.open && f.Unit != "" {
		w.buf = fmt.Appendf(w.buf, "# UNIT %s %s\n", name, f.Unit)
	}
}

// labelText is what stands between name and value.
func labelText(family *Family, order []int, v values) string {
	var b strings.Builder
	for _, i := range order {
		if v[i] == "" {
			continue
		}
		sep := ","
		if b.Len() == 0 {
			sep = "{"
		}
		b.WriteString(sep + family.Labels[i] + `="` + escape(v[i]) + `"`)
	}
	if b.Len() > 0 {
		b.WriteByte('}')
	}
	b.WriteByte(' ')
	return b.String()
}

// escape writes a label value as both text formats want it.
func escape(s string) string {
	if !strings.ContainsAny(s, "\\\n\"") {
		return s
	}
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(s)
}

// appendValue writes a number; OpenMetrics wants to see that it is a float.
func appendValue(dst []byte, v float64, open bool) []byte {
	switch {
	case v == 0:
		v = 0 // never −0
	case math.IsInf(v, 1):
		return append(dst, "+Inf"...)
	case math.IsInf(v, -1) || math.IsNaN(v):
		return strconv.AppendFloat(dst, v, 'g', -1, 64)
	}
	n := len(dst)
	dst = strconv.AppendFloat(dst, v, 'g', -1, 64)
	if open && !bytes.ContainsAny(dst[n:], "e.") {
		dst = append(dst, '.', '0')
	}
	return dst
}
