package experiment

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
)

// Read decodes an experiment file. An unknown key, a bad unit or a bad type is
// an error that names file, line and column.
func Read(path string) (*File, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("experiment file: %w", err)
	}
	return Parse(path, b)
}

// Parse decodes the text of an experiment file; path is for messages and for
// finding files beside it.
func Parse(path string, b []byte) (*File, error) {
	f := &File{path: path}
	if err := decode(b, f); err != nil {
		return nil, explain(path, b, err)
	}
	return f, nil
}

// decode survives the decoder's own failures: goccy/go-yaml 1.19 panics where a
// tag stands before a value of another kind ("policies: !x 0").
func decode(b []byte, v any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("not readable as YAML (%v): look for a tag (!) or an alias (*) where a list or an object belongs", p)
		}
	}()
	return yaml.UnmarshalWithOptions(b, v, yaml.Strict())
}

// explain gives an error its place and the line that it is about.
func explain(path string, b []byte, err error) error {
	var p *positioned
	if errors.As(err, &p) {
		return fmt.Errorf("%s:%d:%d: %w%s", path, p.line, p.column, p.err, excerpt(b, p.line, p.column))
	}
	var y yaml.Error
	if errors.As(err, &y) && y.GetToken() != nil {
		pos := y.GetToken().Position
		msg := y.GetMessage()
		if name, ok := strings.CutPrefix(msg, "unknown field "); ok {
			msg = "unknown key " + name + suggest(strings.Trim(name, `"`))
		}
		return fmt.Errorf("%s:%d:%d: %s%s", path, pos.Line, pos.Column, msg, excerpt(b, pos.Line, pos.Column))
	}
	return fmt.Errorf("%s: %w", path, err)
}

func excerpt(b []byte, line, column int) string {
	lines := strings.Split(string(b), "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	return fmt.Sprintf("\n  %d | %s\n    %s^", line, lines[line-1], strings.Repeat(" ", len(fmt.Sprint(line))+column))
}

// suggest names the known key nearest to a misspelt one.
func suggest(key string) string {
	best, distance := "", 3
	for _, k := range Keys() {
		if d := edits(key, k); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", best)
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// find resolves a path: absolute, beside the experiment file, under data, or
// as it stands.
func (f *File) find(p, data string) string {
	if filepath.IsAbs(p) {
		return p
	}
	for _, base := range []string{filepath.Dir(f.path), data} {
		if base == "" {
			continue
		}
		q := filepath.Join(base, p)
		if matches, _ := filepath.Glob(q); len(matches) > 0 {
			return q
		}
	}
	return p
}
