package dcgmexporter

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/wattle-project/wattle/telemetry/gpu"
)

// line is one series of the Prometheus text format. Label names are lower-case:
// exporters changed their case between versions.
type line struct {
	name   string
	labels map[string]string
	value  string
}

// parseLine reads `name{label="value",…} value [timestamp]`. It returns false
// without an error for comments and empty lines.
func parseLine(s string) (line, bool, error) {
	s = strings.TrimSpace(s)
	if s == "" || s[0] == '#' {
		return line{}, false, nil
	}
	end := strings.IndexAny(s, "{ \t")
	if end <= 0 || strings.ContainsFunc(s[:end], notInName) {
		return line{}, false, fmt.Errorf("series %.80q: want a metric name and a value", s)
	}
	l := line{name: s[:end], labels: map[string]string{}}
	rest := s[end:]
	if rest[0] == '{' {
		var err error
		if rest, err = l.takeLabels(rest[1:]); err != nil {
			return line{}, false, fmt.Errorf("series %.80q: %w", s, err)
		}
	}
	fields := strings.Fields(rest)
	if len(fields) < 1 || len(fields) > 2 {
		return line{}, false, fmt.Errorf("series %.80q: want a value and at most a timestamp", s)
	}
	l.value = fields[0]
	return l, true, nil
}

// notInName reports characters that no metric name has.
func notInName(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == ':')
}

// takeLabels reads labels up to and including the closing brace.
func (l *line) takeLabels(s string) (rest string, err error) {
	for {
		s = strings.TrimLeft(s, " \t,")
		if rest, ok := strings.CutPrefix(s, "}"); ok {
			return rest, nil
		}
		name, after, ok := strings.Cut(s, "=")
		after = strings.TrimLeft(after, " \t")
		if !ok || !strings.HasPrefix(after, `"`) {
			return "", fmt.Errorf("label without a quoted value at %.40q", s)
		}
		value, n, err := unquote(after)
		if err != nil {
			return "", err
		}
		l.labels[strings.ToLower(strings.TrimSpace(name))] = value
		s = after[n:]
	}
}

// unquote reads a quoted value with the escapes \\, \" and \n, and returns how
// many bytes it took.
func unquote(s string) (string, int, error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), i + 1, nil
		case s[i] == '\\' && i+1 < len(s):
			i++
			if s[i] == 'n' {
				b.WriteByte('\n')
			} else {
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return "", 0, fmt.Errorf("label value %.40q does not end", s)
}

// first returns the first of the named labels that is not empty.
func (l *line) first(names ...string) string {
	for _, n := range names {
		if v := l.labels[n]; v != "" {
			return v
		}
	}
	return ""
}

// number makes a field value of the printed number. Whole numbers stay
// integers, so that counters keep all digits and blanks their exact value.
func (l *line) number(f gpu.Field) gpu.Value {
	v := gpu.Value{Field: f}
	if n, err := strconv.ParseInt(l.value, 10, 64); err == nil {
		v.Kind, v.Int = gpu.Int64, n
		return v
	}
	x, err := strconv.ParseFloat(l.value, 64)
	if err != nil {
		x = math.NaN()
	}
	v.Kind, v.Float = gpu.Double, x
	return v
}
