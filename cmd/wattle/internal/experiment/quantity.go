package experiment

import (
	"encoding"
	"errors"
	"fmt"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/wattle-project/wattle"
)

// text is what a quantity must be able to read.
type text[T any] interface {
	*T
	encoding.TextUnmarshaler
}

// Quantity is a value with a unit in an experiment file. A bad one is reported
// with its line and column.
type Quantity[T any, P text[T]] struct {
	V   T
	Set bool
}

// UnmarshalYAML reads a scalar through T's own UnmarshalText.
func (q *Quantity[T, P]) UnmarshalYAML(node ast.Node) error {
	s, err := scalar(node)
	if err != nil {
		return err
	}
	q.Set = true
	if err := P(&q.V).UnmarshalText([]byte(s)); err != nil {
		return at(node, err)
	}
	return nil
}

// Or returns the value that was set, or d.
func (q Quantity[T, P]) Or(d T) T {
	if q.Set {
		return q.V
	}
	return d
}

// Duration reads "300ms", "15m", "12d".
type Duration struct {
	V   time.Duration
	Set bool
}

// UnmarshalYAML reads a duration.
func (d *Duration) UnmarshalYAML(node ast.Node) error {
	s, err := scalar(node)
	if err != nil {
		return err
	}
	d.Set = true
	if d.V, err = wattle.ParseDuration(s); err != nil {
		return at(node, err)
	}
	return nil
}

// Or returns the value that was set, or o.
func (d Duration) Or(o time.Duration) time.Duration {
	if d.Set {
		return d.V
	}
	return o
}

// Time reads RFC 3339: "2026-06-15T00:00:00Z".
type Time struct{ V time.Time }

// UnmarshalYAML reads an instant and converts it to UTC.
func (t *Time) UnmarshalYAML(node ast.Node) error {
	s, err := scalar(node)
	if err != nil {
		return err
	}
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return at(node, fmt.Errorf("time %q: want RFC 3339 such as \"2026-06-15T00:00:00Z\"", s))
	}
	t.V = v.UTC()
	return nil
}

// positioned is an error at a place in the file.
type positioned struct {
	line, column int
	err          error
}

func (p *positioned) Error() string { return p.err.Error() }
func (p *positioned) Unwrap() error { return p.err }

func at(node ast.Node, err error) error {
	pos := node.GetToken().Position
	return &positioned{pos.Line, pos.Column, err}
}

func scalar(node ast.Node) (string, error) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.LiteralNode:
		return n.GetToken().Value, nil
	case *ast.TagNode:
		return scalar(n.Value)
	case *ast.AnchorNode:
		return scalar(n.Value)
	}
	return "", at(node, errors.New("want a single value with a unit, not "+node.Type().String()))
}
