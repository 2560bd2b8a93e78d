package settings

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
)

// Read decodes a configuration file over the defaults. An unknown key, a bad
// unit or a bad type is an error that names file, line and column.
func Read(path string) (Settings, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Settings{}, fmt.Errorf("configuration: %w", err)
	}
	return Parse(path, b)
}

// Parse decodes the text of a configuration file; path is for messages.
func Parse(path string, b []byte) (Settings, error) {
	s := Default()
	if err := decode(b, &s); err != nil {
		return Settings{}, explain(path, b, err)
	}
	return s, nil
}

// decode survives the decoder's own failures: goccy/go-yaml 1.19 panics where a
// tag stands before a value of another kind.
func decode(b []byte, s *Settings) (err error) {
	if len(strings.TrimSpace(string(b))) == 0 {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("not readable as YAML (%v): look for a tag (!) or an alias (*) where a list or an object belongs", p)
		}
	}()
	return yaml.UnmarshalWithOptions(b, s, yaml.Strict())
}

// explain gives an error its place and the line that it is about.
func explain(path string, b []byte, err error) error {
	var y yaml.Error
	if !errors.As(err, &y) || y.GetToken() == nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	pos := y.GetToken().Position
	msg := y.GetMessage()
	if name, ok := strings.CutPrefix(msg, "unknown field "); ok {
		msg = "unknown key " + name
	}
	return fmt.Errorf("%s:%d:%d: %s%s", path, pos.Line, pos.Column, msg, excerpt(b, pos.Line, pos.Column))
}

func excerpt(b []byte, line, column int) string {
	lines := strings.Split(string(b), "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	return fmt.Sprintf("\n  %d | %s\n    %s^", line, lines[line-1], strings.Repeat(" ", len(fmt.Sprint(line))+column))
}
