package tabular

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// maxLine bounds one record: a row of 1,440 counts takes under 16 KiB.
const maxLine = 1 << 20

// Error is a record that cannot be used.
type Error struct {
	File   string
	Line   int    // from 1
	Column int    // from 1, 0 where the whole line is meant
	Field  string // the column's name where the table has a header
	Err    error  // what is wrong and how to mend it
}

// Error prints "file:line: column 3 (duration): what is wrong".
func (e *Error) Error() string {
	where := fmt.Sprintf("%s:%d", e.File, e.Line)
	switch {
	case e.Column > 0 && e.Field != "":
		where += fmt.Sprintf(": column %d (%s)", e.Column, e.Field)
	case e.Column > 0:
		where += fmt.Sprintf(": column %d", e.Column)
	}
	return where + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Reader reads records of comma-separated fields, one per line. A field may be
// quoted as in RFC 4180 but not span lines. A byte-order mark, carriage
// returns, empty lines and lines that begin with "#" are skipped.
type Reader struct {
	name   string
	in     *bufio.Reader
	line   int
	long   []byte   // a line longer than the buffer
	quoted []byte   // unquoted copies of quoted fields
	fields [][]byte // of the current record
	header []string
}

// NewReader reads r, which errors call name.
func NewReader(name string, r io.Reader) *Reader {
	return &Reader{name: name, in: bufio.NewReaderSize(r, 64<<10)}
}

// Line is the number of the line read last.
func (r *Reader) Line() int { return r.line }

// ReadLine returns the next line that holds something, without its end. The
// bytes are valid until the next call. At the end the error is io.EOF.
func (r *Reader) ReadLine() ([]byte, error) {
	for {
		b, err := r.rawLine()
		if err != nil {
			return nil, err
		}
		if r.line == 1 {
			b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
		}
		if len(b) > 0 && b[0] != '#' {
			return b, nil
		}
	}
}

func (r *Reader) rawLine() ([]byte, error) {
	b, err := r.in.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		b, err = r.longLine(b)
	}
	if err == io.EOF && len(b) > 0 {
		err = nil
	}
	if err != nil {
		return nil, r.wrap(err)
	}
	r.line++
	return bytes.TrimRight(b, "\r\n"), nil
}

func (r *Reader) longLine(b []byte) ([]byte, error) {
	r.long = append(r.long[:0], b...)
	for {
		b, err := r.in.ReadSlice('\n')
		r.long = append(r.long, b...)
		if err != bufio.ErrBufferFull {
			return r.long, err
		}
		if len(r.long) > maxLine {
			return nil, fmt.Errorf("line %d is longer than %d bytes: is this a text table?", r.line+1, maxLine)
		}
	}
}

func (r *Reader) wrap(err error) error {
	if err == io.EOF {
		return err
	}
	return fmt.Errorf("read %s: %w", r.name, err)
}

// Read returns the fields of the next record, valid until the next call.
func (r *Reader) Read() ([][]byte, error) {
	b, err := r.ReadLine()
	if err != nil {
		return nil, err
	}
	r.fields, r.quoted = r.fields[:0], r.quoted[:0]
	for {
		field, rest, more, err := r.field(b)
		if err != nil {
			return nil, r.Fail(len(r.fields)+1, err)
		}
		r.fields = append(r.fields, field)
		if !more {
			return r.fields, nil
		}
		b = rest
	}
}

// field cuts the first field off b; more says that another one follows.
func (r *Reader) field(b []byte) (field, rest []byte, more bool, err error) {
	if len(b) == 0 || b[0] != '"' {
		field, rest, more = bytes.Cut(b, []byte{','})
		return field, rest, more, nil
	}
	start := len(r.quoted)
	for i := 1; i < len(b); i++ {
		switch {
		case b[i] != '"':
			r.quoted = append(r.quoted, b[i])
		case i+1 < len(b) && b[i+1] == '"':
			r.quoted = append(r.quoted, '"')
			i++
		case i+1 == len(b):
			return r.quoted[start:], nil, false, nil
		case b[i+1] == ',':
			return r.quoted[start:], b[i+2:], true, nil
		default:
			return nil, nil, false, errors.New("text after a closing quote: double quotes inside a quoted field")
		}
	}
	return nil, nil, false, errors.New("a quoted field is not closed: fields may not span lines")
}

// ReadHeader reads the first record as the names of the columns and returns
// the position of each name in want, from 0; a name that ends in "?" may be
// missing and gets -1. Names are compared without case and surrounding spaces.
func (r *Reader) ReadHeader(want ...string) ([]int, error) {
	fields, err := r.Read()
	if err == io.EOF {
		return nil, r.Fail(0, fmt.Errorf("the file is empty, want the header %s", strings.Join(want, ",")))
	}
	if err != nil {
		return nil, err
	}
	r.header = make([]string, len(fields))
	for i, f := range fields {
		r.header[i] = strings.TrimSpace(string(f))
	}
	at := make([]int, len(want))
	for i, name := range want {
		bare, optional := strings.CutSuffix(name, "?")
		if at[i] = r.Column(bare); at[i] < 0 && !optional {
			return nil, r.Fail(0, fmt.Errorf("no column %q: the header is %s", bare, shorten(strings.Join(r.header, ","))))
		}
	}
	return at, nil
}

// Header is the names of the columns, after ReadHeader.
func (r *Reader) Header() []string { return r.header }

// Column is the position of a named column, -1 if there is none.
func (r *Reader) Column(name string) int {
	for i, h := range r.header {
		if strings.EqualFold(h, name) {
			return i
		}
	}
	return -1
}

// Field returns field i of the current record, empty if the record is shorter.
func (r *Reader) Field(i int) []byte {
	if i < 0 || i >= len(r.fields) {
		return nil
	}
	return bytes.TrimSpace(r.fields[i])
}

// Text returns field i, which must not be empty.
func (r *Reader) Text(i int) (string, error) {
	b := r.Field(i)
	if len(b) == 0 {
		return "", r.Fail(i+1, errors.New("is empty, want a name"))
	}
	return string(b), nil
}

// Float returns field i as a finite number in [low, high].
func (r *Reader) Float(i int, low, high float64) (float64, error) {
	b := r.Field(i)
	v, err := strconv.ParseFloat(string(b), 64)
	if err != nil || math.IsNaN(v) || v < low || v > high {
		return 0, r.Fail(i+1, fmt.Errorf("%q: want a number from %g to %g", shorten(string(b)), low, high))
	}
	return v, nil
}

// Fail makes an Error about the line read last. Column counts from 1; 0 means
// the whole line.
func (r *Reader) Fail(column int, err error) error {
	e := &Error{File: r.name, Line: max(r.line, 1), Column: column, Err: err}
	if column > 0 && column <= len(r.header) {
		e.Field = r.header[column-1]
	}
	return e
}

func shorten(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
