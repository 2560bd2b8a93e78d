package profile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/disaggregate"
)

// Version is that of the format. Read refuses any other.
const Version = 1

// Document is a file of profiles.
type Document struct {
	Version   int       `json:"wattle_profiles"`
	Node      string    `json:"node"`
	Hardware  string    `json:"hardware,omitempty"`
	Program   string    `json:"program,omitempty"`
	Sources   []string  `json:"sources"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Noise     float64   `json:"meter_noise"`
	IdleWatts float64   `json:"idle_watts"`
	// Remarks name functions whose figures are too low, and why.
	Remarks   []string   `json:"remarks,omitempty"`
	Functions []Function `json:"functions"`
}

// Function is what was learned of one function. Warm or Cold is nil when no such
// invocation ended in the window.
type Function struct {
	Function wattle.FunctionID `json:"function"`
	// CPU is reserved, in thousandths of a core; 0 if not known.
	CPU int64 `json:"cpu_milli,omitempty"`
	// Memory is reserved, or else the most that an instance held; 0 if not known.
	Memory int64  `json:"memory_bytes,omitempty"`
	Warm   *Start `json:"warm,omitempty"`
	Cold   *Start `json:"cold,omitempty"`
}

// Start is what was learned of invocations that began in one way.
type Start struct {
	// Invocations ended in the window, Seconds is the mean busy time of one; a
	// cold one's includes its start-up.
	Invocations float64 `json:"invocations"`
	// Untold are those of Invocations of which the platform does not tell how they
	// began. They stand with the warm ones, whose figures then hold what start-ups
	// took too.
	Untold  float64 `json:"untold_invocations,omitempty"`
	Seconds float64 `json:"seconds"`
	// Watts while busy, Joules of one invocation; dynamic only.
	Watts  Interval `json:"watts"`
	Joules Interval `json:"joules"`
	// ControlPlane and Idle are the shares of one invocation, J.
	ControlPlane float64 `json:"control_plane_joules"`
	Idle         float64 `json:"idle_joules"`
	// Steps are the intervals in which it ran.
	Steps int `json:"steps"`
}

// Interval is a value with its 95 % confidence interval; 0 ≤ Low ≤ Value ≤ High.
type Interval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

func intervalOf(i disaggregate.Interval) Interval { return Interval(i) }

// Modelled reports whether any of the energy is from a model and not from a meter.
func (d *Document) Modelled() bool { return slices.Contains(d.Sources, "model") }

// Validate says what cannot be.
func (d *Document) Validate() error {
	switch {
	case d.Version != Version:
		return fmt.Errorf("profiles of version %d, this program reads version %d", d.Version, Version)
	case d.Node == "":
		return errors.New("profiles without node")
	case len(d.Sources) == 0:
		return errors.New("profiles do not say which meters their energy is from (sources)")
	case !d.To.After(d.From):
		return fmt.Errorf("profiles from %s to %s: the window is empty", d.From.Format(time.RFC3339), d.To.Format(time.RFC3339))
	case !(d.Noise >= 0 && d.Noise < 100) || !(d.IdleWatts >= 0 && d.IdleWatts < 1e6):
		return fmt.Errorf("meter noise %g and idle power %g W cannot be", d.Noise, d.IdleWatts)
	}
	seen := map[wattle.FunctionID]bool{}
	for i := range d.Functions {
		f := &d.Functions[i]
		if seen[f.Function] {
			return fmt.Errorf("function %q is there twice", f.Function)
		}
		seen[f.Function] = true
		if err := f.validate(); err != nil {
			return fmt.Errorf("function %q: %w", f.Function, err)
		}
	}
	return nil
}

func (f *Function) validate() error {
	if f.Function == "" || f.CPU < 0 || f.Memory < 0 {
		return errors.New("no name, or a negative reservation")
	}
	return errors.Join(f.Warm.validate("warm"), f.Cold.validate("cold"))
}

func (s *Start) validate(name string) error {
	if s == nil {
		return nil
	}
	ok := s.Invocations > 0 && s.Untold >= 0 && s.Untold <= s.Invocations && s.Seconds >= 0 && s.ControlPlane >= 0 && s.Idle >= 0 && s.Steps >= 0
	if !ok || !s.Watts.valid() || !s.Joules.valid() || s.Seconds > 1e7 || s.Invocations > 1e15 {
		return fmt.Errorf("%s: want invocations above 0, no more untold ones, no negative figure, and low ≤ value ≤ high", name)
	}
	return nil
}

func (i Interval) valid() bool { return i.Low >= 0 && i.Low <= i.Value && i.Value <= i.High }

// Read reads a file of profiles; name is for errors, which give line and column.
func Read(r io.Reader, name string) (*Document, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var d Document
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return nil, locate(name, text, decoder.InputOffset(), err)
	}
	if rest := bytes.TrimSpace(text[decoder.InputOffset():]); len(rest) > 0 {
		return nil, locate(name, text, decoder.InputOffset(), errors.New("text after the object"))
	}
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &d, nil
}

// locate gives an error its line and column: its own where it knows one.
func locate(name string, text []byte, offset int64, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%s: empty, no profiles", name)
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	default: // encoding/json gives no place for an unknown key
		if _, key, ok := strings.Cut(err.Error(), "unknown field "); ok {
			offset = max(0, int64(bytes.Index(text, []byte(key))))
		}
	}
	before := text[:min(max(offset, 0), int64(len(text)))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Errorf("%s:%d:%d: %w", name, line, column, err)
}

// Write writes d as indented JSON. The same document gives the same bytes.
func (d *Document) Write(w io.Writer) error {
	if err := d.Validate(); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}
