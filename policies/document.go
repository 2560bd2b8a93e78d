package policies

import (
	"encoding/json"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wattle-project/wattle"
)

// InputDocument returns, as JSON, the whole input document of candidate i of a
// batch: what a policy could read, for people and for Evaluate.
func InputDocument(f *wattle.Function, p *wattle.Params, attrs []wattle.Attributes, c *wattle.Columns, i int) ([]byte, error) {
	reads := splitReads(lookup(fields(), nil))
	r := row{function: f, params: p, attrs: attrs, columns: c, i: i}
	names := fieldNames()
	v, err := ast.JSON(document(&names, &r, &reads))
	if err != nil {
		return nil, fmt.Errorf("encode input: %w", err)
	}
	return json.MarshalIndent(v, "", "  ")
}

func splitReads(all []read) readSet {
	var s readSet
	for _, r := range all {
		switch {
		case r.id < paramsSLO:
			s.request = append(s.request, r)
		case r.id < slowTarget:
			s.params = append(s.params, r)
		default:
			s.candidate = append(s.candidate, r)
		}
	}
	return s
}

// fieldNames returns the last part of each field's path as a term.
func fieldNames() (names [fieldCount]*ast.Term) {
	for i, f := range fields() {
		start := 0
		for j := range f.path {
			if f.path[j] == '.' {
				start = j + 1
			}
		}
		names[i] = ast.StringTerm(f.path[start:])
	}
	return names
}

func (e *Engine) document(r *row, reads *readSet) ast.Value { return document(&e.names, r, reads) }

type items [][2]*ast.Term

func (t *items) add(key, value *ast.Term) { *t = append(*t, [2]*ast.Term{key, value}) }

// document builds OPA's input with exactly the fields that are read.
func document(names *[fieldCount]*ast.Term, r *row, reads *readSet) ast.Value {
	var root items
	root.add(ast.InternedTerm("request"), group(names, r, reads.request))
	root.add(ast.InternedTerm("params"), group(names, r, reads.params))
	if len(reads.candidate) > 0 {
		root.add(ast.InternedTerm("candidate"), candidateTerm(names, r, reads.candidate))
	}
	return ast.NewObject(root...)
}

func group(names *[fieldCount]*ast.Term, r *row, reads []read) *ast.Term {
	var out items
	for _, rd := range reads {
		if c := r.cell(rd); c.kind != 0 {
			out.add(names[rd.id], c.term())
		}
	}
	return ast.ObjectTerm(out...)
}

func candidateTerm(names *[fieldCount]*ast.Term, r *row, reads []read) *ast.Term {
	var out, accelerator, labels items
	whole := false // the read of all labels sorts before those of single ones
	for _, rd := range reads {
		c := r.cell(rd)
		switch {
		case c.kind == 0:
		case rd.id == slowLabels && rd.label != "":
			labels.add(ast.StringTerm(rd.label), c.term())
		case rd.id == slowLabels:
			whole = true
			out.add(names[rd.id], c.term())
		case rd.id >= slowVendor && rd.id <= slowSharing:
			accelerator.add(names[rd.id], c.term())
		default:
			out.add(names[rd.id], c.term())
		}
	}
	if len(accelerator) > 0 {
		out.add(ast.InternedTerm("accelerator"), ast.ObjectTerm(accelerator...))
	}
	if len(labels) > 0 && !whole {
		out.add(ast.InternedTerm("labels"), ast.ObjectTerm(labels...))
	}
	return ast.ObjectTerm(out...)
}

// term converts a present cell.
func (c cell) term() *ast.Term {
	switch c.kind {
	case kindInt:
		return ast.NewTerm(ast.Number(json.Number(fmt.Sprint(c.n))))
	case kindBool:
		return ast.BooleanTerm(c.n == 1)
	case kindTexts:
		list := make([]*ast.Term, len(c.list))
		for i, s := range c.list {
			list[i] = ast.StringTerm(s)
		}
		return ast.ArrayTerm(list...)
	case kindLabels:
		var out items
		for k, v := range c.labels { // objects sort their keys
			out.add(ast.StringTerm(k), ast.StringTerm(v))
		}
		return ast.ObjectTerm(out...)
	}
	return ast.StringTerm(c.s)
}
