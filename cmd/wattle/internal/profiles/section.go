package profiles

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/disaggregate/profile"
)

// ImportConfig says how documents become a section of an experiment file.
type ImportConfig struct {
	// Hardware maps a node or the hardware that a document names to the name of
	// the fleet; the empty key stands for all.
	Hardware map[string]string
	// Least is the number of warm invocations under which a function is left out.
	Least float64
	// Wide is the half width of an interval, as a part of its value, from which
	// a figure is remarked upon.
	Wide float64
}

// entry is one function on one hardware, added up over documents.
type entry struct {
	exec, cold   time.Duration
	execEnergy   profile.Interval
	coldEnergy   float64
	warm, starts float64
	from         []string
}

// Section is a "functions" section of an experiment file.
type Section struct {
	functions map[wattle.FunctionID]*imported
	// Remarks are what a user should know of the figures, in order.
	Remarks []string
}

type imported struct {
	cpu, memory int64
	on          map[string]*entry
}

// Import joins documents. Where several have one function on one hardware, the
// mean by invocations is taken.
func Import(docs []*profile.Document, c ImportConfig) *Section {
	s := &Section{functions: map[wattle.FunctionID]*imported{}}
	for _, d := range docs {
		hardware := c.hardwareOf(d)
		if d.Modelled() {
			s.remark("%s: the energy is from a model of utilisation, not from a meter", d.Node)
		}
		for _, r := range d.Remarks {
			s.remark("%s: %s", d.Node, r)
		}
		for i := range d.Functions {
			s.add(d, &d.Functions[i], hardware, c)
		}
	}
	return s
}

func (c *ImportConfig) hardwareOf(d *profile.Document) string {
	for _, key := range []string{d.Node, d.Hardware, ""} {
		if h, ok := c.Hardware[key]; ok {
			return h
		}
	}
	if d.Hardware != "" {
		return d.Hardware
	}
	return d.Node
}

func (s *Section) remark(format string, args ...any) {
	s.Remarks = append(s.Remarks, fmt.Sprintf(format, args...))
}

func (s *Section) add(d *profile.Document, f *profile.Function, hardware string, c ImportConfig) {
	if f.Warm == nil || f.Warm.Invocations < c.Least {
		s.remark("%s: left out, it has too few warm invocations to tell a run from a start-up", f.Function)
		return
	}
	if f.Warm.Untold > 0 {
		s.remark("%s on %s: the platform does not tell cold starts, so that the figures of a run hold what start-ups took", f.Function, hardware)
	}
	j := f.Warm.Joules
	if half := (j.High - j.Low) / 2; half > c.Wide*j.Value {
		s.remark("%s on %s: %.3g J is known to ±%.2g J only: it runs seldom, or always together with others", f.Function, hardware, j.Value, half)
	}
	g := s.functions[f.Function]
	if g == nil {
		g = &imported{on: map[string]*entry{}}
		s.functions[f.Function] = g
	}
	g.cpu, g.memory = max(g.cpu, f.CPU), max(g.memory, f.Memory)
	e := g.on[hardware]
	if e == nil {
		e = &entry{}
		g.on[hardware] = e
	}
	e.add(f, d)
}

// add takes the weighted mean. A cold invocation's figures include the run: what
// is above a warm one is the start-up.
func (e *entry) add(f *profile.Function, d *profile.Document) {
	n := f.Warm.Invocations
	blend := func(old, v, weight, extra float64) float64 {
		return float64(old*float64(weight/(weight+extra))) + float64(v*float64(extra/(weight+extra)))
	}
	e.exec = time.Duration(blend(float64(e.exec), f.Warm.Seconds*1e9, e.warm, n))
	j := f.Warm.Joules
	e.execEnergy = profile.Interval{Value: blend(e.execEnergy.Value, j.Value, e.warm, n),
		Low: blend(e.execEnergy.Low, j.Low, e.warm, n), High: blend(e.execEnergy.High, j.High, e.warm, n)}
	e.warm += n
	if s := f.Cold; s != nil {
		e.cold = time.Duration(blend(float64(e.cold), max(0, s.Seconds-f.Warm.Seconds)*1e9, e.starts, s.Invocations))
		e.coldEnergy = blend(e.coldEnergy, max(0, s.Joules.Value-j.Value), e.starts, s.Invocations)
		e.starts += s.Invocations
	}
	e.from = append(e.from, fmt.Sprintf("%s by %s, %s to %s", d.Node, strings.Join(d.Sources, "+"), d.From.Format(time.RFC3339), d.To.Format(time.RFC3339)))
}

// Len is the number of functions.
func (s *Section) Len() int { return len(s.functions) }

// Write writes YAML that stands in an experiment file as it is, or is named by
// its functions.measured. The same section gives the same bytes.
func (s *Section) Write(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Written by \"wattle profile import\". Energy is dynamic: what a run adds to the machine at rest.\nfunctions:\n  match:\n")
	for _, id := range slices.Sorted(maps.Keys(s.functions)) {
		f := s.functions[id]
		fmt.Fprintf(&b, "    - id: %s\n", strconv.Quote(literal(string(id))))
		if f.cpu > 0 {
			fmt.Fprintf(&b, "      cpu: %dm\n", f.cpu)
		}
		if f.memory > 0 {
			fmt.Fprintf(&b, "      memory: %dB\n", f.memory)
		}
		b.WriteString("      measurements:\n")
		for _, hardware := range slices.Sorted(maps.Keys(f.on)) {
			f.on[hardware].write(&b, hardware)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (e *entry) write(b *strings.Builder, hardware string) {
	for _, from := range e.from {
		fmt.Fprintf(b, "        # %s\n", strings.ReplaceAll(from, "\n", " "))
	}
	fmt.Fprintf(b, "        # %.4g warm at %.4g J [%.4g, %.4g], %.4g cold\n", e.warm, e.execEnergy.Value, e.execEnergy.Low, e.execEnergy.High, e.starts)
	fmt.Fprintf(b, "        %s: {exec: %s, exec_energy: %s", strconv.Quote(hardware), e.exec, joules(e.execEnergy.Value))
	if e.starts > 0 {
		fmt.Fprintf(b, ", cold: %s, cold_energy: %s", e.cold, joules(e.coldEnergy))
	}
	b.WriteString("}\n")
}

func joules(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) + "J" }

// literal escapes what a shell pattern gives a meaning to.
func literal(id string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(id)
}

// Show writes profiles as a table for people.
func Show(w io.Writer, d *profile.Document) error {
	fmt.Fprintf(w, "%s (%s) by %s from %s to %s: %.4g W at rest, meter noise %.2g %%\n", d.Node, orUnknown(d.Hardware), strings.Join(d.Sources, "+"),
		d.From.Format(time.RFC3339), d.To.Format(time.RFC3339), d.IdleWatts, 100*d.Noise)
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "function\tstart\tinvocations\tseconds\twatts\tJ/invocation\t95 % interval\tcontrol plane J\tidle J")
	for i := range d.Functions {
		f := &d.Functions[i]
		warm := "warm"
		if f.Warm != nil && f.Warm.Untold > 0 {
			warm = "not told"
		}
		row(tw, f.Function, warm, f.Warm)
		row(tw, f.Function, "cold", f.Cold)
	}
	err := tw.Flush()
	for _, r := range d.Remarks {
		fmt.Fprintln(w, r)
	}
	return err
}

func row(w io.Writer, id wattle.FunctionID, start string, s *profile.Start) {
	if s != nil {
		fmt.Fprintf(w, "%s\t%s\t%.6g\t%.3g\t%.3g\t%.3g\t%.3g – %.3g\t%.3g\t%.3g\n", id, start, s.Invocations, s.Seconds, s.Watts.Value,
			s.Joules.Value, s.Joules.Low, s.Joules.High, s.ControlPlane, s.Idle)
	}
}

func orUnknown(s string) string {
	if s == "" {
		return "hardware not named"
	}
	return s
}
