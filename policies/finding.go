package policies

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Level says how bad a Finding is.
type Level string

// Levels of a Finding. An error keeps a policy from compiling.
const (
	LevelError   Level = "error"
	LevelWarning Level = "warning"
)

// Finding is something wrong, or worth knowing, at one place of a policy.
type Finding struct {
	File  string `json:"file"`
	Row   int    `json:"row"`
	Col   int    `json:"col"`
	Level Level  `json:"level"`
	// Rule is a short stable name, for example "unknown-field".
	Rule    string `json:"rule"`
	Message string `json:"message"`
}

// String prints "file:line:column: level: message (rule)".
func (f Finding) String() string {
	return fmt.Sprintf("%s:%d:%d: %s: %s (%s)", f.File, f.Row, f.Col, f.Level, f.Message, f.Rule)
}

// Findings is a list in order of file, line and column. As an error it prints
// one line each.
type Findings []Finding

// Error lists the findings.
func (f Findings) Error() string {
	lines := make([]string, len(f))
	for i, x := range f {
		lines[i] = x.String()
	}
	return strings.Join(lines, "\n")
}

// err returns those at LevelError, as an error or nil.
func (f Findings) err() error {
	var out Findings
	for _, x := range f {
		if x.Level == LevelError {
			out = append(out, x)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func at(loc *ast.Location, level Level, rule, format string, args ...any) Finding {
	f := Finding{Level: level, Rule: rule, Message: fmt.Sprintf(format, args...)}
	if loc != nil {
		f.File, f.Row, f.Col = loc.File, loc.Row, loc.Col
	}
	return f
}

// findingsOf turns the errors of OPA's parser and compiler into findings.
func findingsOf(err error) Findings {
	var list ast.Errors
	var one *ast.Error
	switch {
	case errors.As(err, &list):
	case errors.As(err, &one):
		list = ast.Errors{one}
	default:
		return Findings{{Level: LevelError, Rule: "compile", Message: err.Error()}}
	}
	out := make(Findings, 0, len(list))
	for _, e := range list {
		out = append(out, findingOf(e))
	}
	return out
}

func findingOf(e *ast.Error) Finding {
	rule := strings.TrimSuffix(strings.TrimPrefix(e.Code, "rego_"), "_error")
	if d, ok := e.Details.(*ast.RefErrInvalidDetail); ok && d.Pos > 0 && d.Pos < len(d.Ref) && len(d.OneOf) > 0 {
		return at(e.Location, LevelError, "unknown-field", "%v does not exist%s", d.Ref[:d.Pos+1], suggest(plain(d.Ref[d.Pos].Value), plains(d.OneOf)))
	}
	message := e.Message
	if name, ok := strings.CutPrefix(message, "undefined function "); ok {
		message += "; it does not exist or is not allowed in a policy: builtins that read a clock, a network or chance never are, and tenants have an allow list"
		if strings.HasPrefix(name, "time.now_ns") {
			message = "time.now_ns is not allowed: a policy decides the same in a simulation; read data.clock"
		}
	}
	return at(e.Location, LevelError, rule, "%s", internalVars().ReplaceAllString(message, "_"))
}

// internalVars matches the names that OPA's compiler gives to variables.
func internalVars() *regexp.Regexp { return regexp.MustCompile(`__local\d+__`) }

func plain(v ast.Value) string {
	if s, ok := v.(ast.String); ok {
		return string(s)
	}
	return v.String()
}

func plains(values []ast.Value) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = plain(v)
	}
	return out
}
