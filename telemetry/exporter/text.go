package exporter

import (
	"bytes"
	"fmt"
	"io"
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
	w.buf = append(w.buf, b.heads[flag[int](w.open)]...)
	for _, s := range b.lines {
		w.buf = append(w.buf, b.family.Name...)
		w.buf = append(w.buf, s.text...)
		w.buf = s.read().append(w.buf, w.open)
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

// header returns HELP, TYPE and, in OpenMetrics, UNIT.
func header(f *Family, open bool) string {
	name, help := f.Name, strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(f.Help)
	if open {
		name, help = strings.TrimSuffix(name, "_total"), escape(f.Help)
	}
	text := fmt.Sprintf("# HELP %s %s\n# TYPE %s %s\n", name, help, name, f.Type)
	if open && f.Unit != "" {
		text += fmt.Sprintf("# UNIT %s %s\n", name, f.Unit)
	}
	return text
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

// number is a value with its text, which stays while the value does: most
// functions of a node rest in any one epoch.
type number struct {
	value float64
	text  [24]byte // the longest that strconv needs for a float64
	n     uint8    // bytes of text; 0 before the first
	whole bool     // OpenMetrics wants to see that it is a float
}

func (x *number) format(v float64) {
	x.value = v
	if v == 0 {
		v = 0 // never −0
	}
	x.n = uint8(len(strconv.AppendFloat(x.text[:0], v, 'g', -1, 64)))
	x.whole = !bytes.ContainsAny(x.text[:x.n], "e.nN") // nor NaN and +Inf
}

func (x *number) append(dst []byte, open bool) []byte {
	dst = append(dst, x.text[:x.n]...)
	if open && x.whole {
		dst = append(dst, ".0"...)
	}
	return dst
}
