package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// JSON writes d as indented JSON in the order of its fields, every quantity in
// the base unit that ends its key: _s, _j, _g, _usd, _g_per_kwh, _share.
func JSON(w io.Writer, d *Document) error {
	if err := d.Validate(); err != nil {
		return err
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(d); err != nil {
		return fmt.Errorf("write report as JSON: %w", err)
	}
	return nil
}

// Decode reads what JSON wrote. It refuses unknown keys, text after the
// document and documents that do not pass Validate; a syntax error says its line.
func Decode(r io.Reader) (*Document, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	d := new(Document)
	if err := in.Decode(d); err != nil {
		return nil, fmt.Errorf("read report%s: %w", position(text, in.InputOffset(), err), err)
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read report: there is text after the document at byte %d", in.InputOffset())
	}
	if err := d.Validate(); err != nil {
		return nil, err
	}
	return d, nil
}

// position renders where in text err arose, as " at line 3".
func position(text []byte, offset int64, err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	case strings.Contains(err.Error(), "unknown field"):
	default:
		return ""
	}
	offset = min(offset, int64(len(text)))
	return fmt.Sprintf(" at line %d", 1+bytes.Count(text[:offset], []byte("\n")))
}
