package policies

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// WriteFindings prints one line per finding, or a JSON array.
func WriteFindings(w io.Writer, found Findings, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(append(Findings{}, found...)) // [] and not null
	}
	for _, f := range found {
		if _, err := fmt.Fprintln(w, f); err != nil {
			return err
		}
	}
	return nil
}

// Evaluation is what a policy says of one input document.
type Evaluation struct {
	Policy string `json:"policy"`
	Digest string `json:"digest"`
	// Results holds, per entry point that the policy defines, its value; null
	// means undefined, so that the built-in default holds.
	Results map[string]any `json:"results"`
	// Reads holds, per entry point, the paths that it can depend on.
	Reads map[string][]string `json:"reads"`
}

// Evaluate runs every entry point of e once on input, a JSON document as
// InputSchema describes it and InputDocument writes it. Unknown keys and
// wrong types are errors, in the input and in the results.
func Evaluate(ctx context.Context, e *Engine, input []byte) (Evaluation, error) {
	out := Evaluation{Policy: e.name, Digest: e.digest, Results: map[string]any{}, Reads: e.Reads()}
	doc, err := parseInput(input)
	if err != nil {
		return out, fmt.Errorf("input: %w", err)
	}
	g := e.now.Load()
	for _, x := range e.entries {
		if x == nil {
			continue
		}
		v, err := e.query(ctx, x, g, doc, topdown.NewCancel())
		if err == nil {
			_, err = decode(x.id, v, &e.fallback)
		}
		if err == nil && v != nil {
			out.Results[x.name()], err = ast.JSON(v)
		} else {
			out.Results[x.name()] = nil
		}
		if err != nil {
			return out, fmt.Errorf("policy %s: %w", e.name, err)
		}
	}
	return out, nil
}

// parseInput decodes an input document and checks it against the fields.
func parseInput(input []byte) (ast.Value, error) {
	d := json.NewDecoder(bytes.NewReader(input))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("want a JSON object: %w", err)
	}
	if d.More() {
		return nil, fmt.Errorf("something follows the JSON object")
	}
	if err := checkInput(doc, "", fields()); err != nil {
		return nil, err
	}
	return ast.InterfaceToValue(doc)
}

// checkInput checks the object at prefix, a path that ends in a dot or is empty.
func checkInput(doc map[string]any, prefix string, all []field) error {
	for _, k := range slices.Sorted(maps.Keys(doc)) {
		path := prefix + k
		i := slices.IndexFunc(all, func(f field) bool { return f.path == path })
		switch {
		case i >= 0:
			if err := checkType(doc[k], all[i]); err != nil {
				return err
			}
		case slices.ContainsFunc(all, func(f field) bool { return strings.HasPrefix(f.path, path+".") }):
			object, ok := doc[k].(map[string]any)
			if !ok {
				return fmt.Errorf("input.%s is not an object", path)
			}
			if err := checkInput(object, path+".", all); err != nil {
				return err
			}
		default:
			return fmt.Errorf("unknown field input.%s%s", path, suggest(k, siblings(prefix, all)))
		}
	}
	return nil
}

// siblings lists the keys that the object at prefix may have.
func siblings(prefix string, all []field) []string {
	var out []string
	for _, f := range all {
		if rest, ok := strings.CutPrefix(f.path, prefix); ok {
			name, _, _ := strings.Cut(rest, ".")
			out = append(out, name)
		}
	}
	return slices.Compact(out)
}

func checkType(v any, f field) error {
	ok := false
	switch f.kind {
	case kindInt:
		var n json.Number
		if n, ok = v.(json.Number); ok {
			_, err := n.Int64()
			ok = err == nil
		}
	case kindText:
		_, ok = v.(string)
	case kindBool:
		_, ok = v.(bool)
	case kindTexts:
		var list []any
		if list, ok = v.([]any); ok {
			ok = !slices.ContainsFunc(list, func(x any) bool { _, text := x.(string); return !text })
		}
	case kindLabels:
		var labels map[string]any
		if labels, ok = v.(map[string]any); ok {
			for _, x := range labels {
				_, text := x.(string)
				ok = ok && text
			}
		}
	}
	if !ok {
		return fmt.Errorf("input.%s: %v is not %s", f.path, v, kindNames()[f.kind])
	}
	return nil
}

func kindNames() []string {
	return []string{"", "an integer of 64 bits", "a string", "a boolean", "an array of strings", "an object of strings"}
}

// Format returns Rego text in OPA's standard layout.
func Format(name string, text []byte) ([]byte, error) {
	out, err := format.SourceWithOpts(name, text, format.Opts{RegoVersion: ast.RegoV1, ParserOptions: &ast.ParserOptions{RegoVersion: ast.RegoV1}})
	if err != nil {
		return nil, fmt.Errorf("format: %w", findingsOf(err))
	}
	return out, nil
}

// FormatFiles formats the .rego files among paths and below those that are
// directories. It prints the names of files that are not in the standard layout
// and returns their number; with write it rewrites them.
func FormatFiles(w io.Writer, paths []string, write bool) (int, error) {
	changed := 0
	for _, root := range paths {
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(name, ".rego") {
				return err
			}
			did, err := formatFile(name, write)
			if did {
				changed++
				fmt.Fprintln(w, name)
			}
			return err
		})
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}

func formatFile(name string, write bool) (bool, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return false, fmt.Errorf("format: %w", err)
	}
	out, err := Format(name, text)
	if err != nil || bytes.Equal(text, out) {
		return false, err
	}
	if !write {
		return true, nil
	}
	info, err := os.Stat(name)
	if err != nil {
		return true, fmt.Errorf("format: %w", err)
	}
	if err := os.WriteFile(name, out, info.Mode().Perm()); err != nil {
		return true, fmt.Errorf("format: %w", err)
	}
	return true, nil
}
