// Package fake is a deterministic meter with a scripted load, for demos, tests
// and end-to-end runs on machines without a power meter, and a builder for
// powercap trees on disk that look like the kernel's.
//
// A script is text, one statement a line; # starts a comment:
//
//	zone package-0 range=262143J bound=400W socket=0
//	at 0s 40W          # constant from here on
//	at 10s 120W
//	ramp 20s 60W       # linear from the power before to 60 W at 20 s
//	repeat 60s         # the load starts again every minute
//	reset 30s          # the register falls to 0
//	stuck 40s 5s       # the register shows one value for 5 s
//	error 50s 2s       # the zone cannot be read for 2 s
//	unplug 55s 3s      # the zone is not listed for 3 s
//
// Statements after "zone" apply to that zone. Energy is integer arithmetic on
// the script, so that the same script and instants give the same register.
package fake

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
)

// Script is a parsed script.
type Script struct {
	zones []*zone
}

// window is a span of script time, end not included.
type window struct{ from, to time.Duration }

func (w window) has(t time.Duration) bool { return t >= w.from && t < w.to }

// zone is one scripted register.
type zone struct {
	info    telemetry.Zone
	power   bool   // shows momentary power instead of a register
	start   uint64 // µJ in the register at time 0
	load    profile
	resets  []time.Duration
	stuck   []window
	failing []window
	away    []window
}

// MaxScriptTime bounds the instants of a script, so that no sum overflows.
const MaxScriptTime = 10 * 365 * 24 * time.Hour

// MaxScriptPower bounds the power of a script for the same reason.
const MaxScriptPower wattle.Watts = 20_000

// Parse reads a script. Errors name the line.
func Parse(r io.Reader) (*Script, error) {
	s := &Script{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		if err := s.statement(words); err != nil {
			return nil, fmt.Errorf("fake: script line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("fake: script: %w", err)
	}
	return s, s.check()
}

func (s *Script) check() error {
	if len(s.zones) == 0 {
		return fmt.Errorf("fake: script has no zone; start with for example \"zone package-0 range=262143J\"")
	}
	for _, z := range s.zones {
		if err := z.load.check(); err != nil {
			return fmt.Errorf("fake: zone %s: %w", z.info.Key, err)
		}
	}
	return nil
}

func (s *Script) statement(words []string) error {
	verb, args := words[0], words[1:]
	if verb == "zone" {
		return s.open(args)
	}
	if len(s.zones) == 0 {
		return fmt.Errorf("%q stands before the first zone", verb)
	}
	z := s.zones[len(s.zones)-1]
	switch verb {
	case "at", "ramp":
		return z.addPoint(verb == "ramp", args)
	case "repeat":
		return z.addRepeat(args)
	case "reset":
		return z.addReset(args)
	case "stuck":
		return addWindow(&z.stuck, args)
	case "error":
		return addWindow(&z.failing, args)
	case "unplug":
		return addWindow(&z.away, args)
	}
	return fmt.Errorf("unknown statement %q: want zone, at, ramp, repeat, reset, stuck, error or unplug", verb)
}

func (s *Script) open(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("zone needs a key, for example package-0")
	}
	for _, z := range s.zones {
		if z.info.Key == args[0] {
			return fmt.Errorf("zone %s is there already", args[0])
		}
	}
	z := &zone{info: guess(args[0])}
	for _, a := range args[1:] {
		if err := z.option(a); err != nil {
			return fmt.Errorf("zone %s: %w", args[0], err)
		}
	}
	if z.info.Range > 0 && z.start > z.info.Range {
		return fmt.Errorf("zone %s: start %d µJ is above its range", args[0], z.start)
	}
	s.zones = append(s.zones, z)
	return nil
}

// guess derives component, socket and parent from a powercap-like key.
func guess(key string) telemetry.Zone {
	z := telemetry.Zone{Key: key, Component: wattle.OtherComponent, Socket: -1}
	top, sub, nested := strings.Cut(key, "/")
	if n, ok := strings.CutPrefix(top, "package-"); ok {
		n, _, _ = strings.Cut(n, "-")
		if i, err := strconv.Atoi(n); err == nil {
			z.Socket = i
		}
		z.Component = wattle.Package
	}
	name := top
	if nested {
		name = sub
	}
	switch {
	case strings.HasPrefix(name, "core"):
		z.Component, z.Parent = wattle.Core, top
	case strings.HasPrefix(name, "uncore"):
		z.Component, z.Parent = wattle.Uncore, top
	case strings.HasPrefix(name, "dram"):
		z.Component = wattle.DRAM
	case strings.HasPrefix(name, "gpu"), strings.HasPrefix(name, "GPU-"):
		z.Component = wattle.GPU
	case strings.HasPrefix(name, "psys"), strings.HasPrefix(name, "platform"):
		z.Component = wattle.Platform
	}
	if z.Parent == key {
		z.Parent = ""
	}
	return z
}

func (z *zone) option(arg string) error {
	name, value, _ := strings.Cut(arg, "=")
	switch name {
	case "overlap":
		z.info.Overlap = true
	case "power":
		z.power = true
	case "parent":
		z.info.Parent = value
	case "component":
		return z.info.Component.UnmarshalText([]byte(value))
	case "socket":
		n, err := strconv.Atoi(value)
		z.info.Socket = n
		return err
	case "bound":
		return z.info.Bound.UnmarshalText([]byte(value))
	case "range":
		return microjoules(&z.info.Range, value)
	case "start":
		return microjoules(&z.start, value)
	default:
		return fmt.Errorf("unknown option %q: want range, start, bound, component, socket, parent, overlap or power", name)
	}
	return nil
}

// microjoules reads an amount of energy such as 262143J, or 262143328850uJ exactly.
func microjoules(to *uint64, text string) error {
	for _, unit := range []string{"uJ", "µJ"} {
		if n, ok := strings.CutSuffix(text, unit); ok {
			v, err := strconv.ParseUint(n, 10, 64)
			*to = v
			return err
		}
	}
	var j wattle.Joules
	if err := j.UnmarshalText([]byte(text)); err != nil {
		return err
	}
	if !(j >= 0 && j < 9e12) {
		return fmt.Errorf("energy %s is not within 0 to 9 TJ", text)
	}
	*to = uint64(j.Micro())
	return nil
}

func (z *zone) addPoint(ramp bool, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want an instant and a power, for example \"10s 120W\"")
	}
	at, err := instant(args[0])
	if err != nil {
		return err
	}
	var w wattle.Watts
	if err := w.UnmarshalText([]byte(args[1])); err != nil {
		return err
	}
	if !(w >= 0 && w <= MaxScriptPower) {
		return fmt.Errorf("power %s is not within 0 to %s", args[1], MaxScriptPower)
	}
	return z.load.add(point{at: at, micro: uint64(w.For(time.Second).Micro()), ramp: ramp})
}

func (z *zone) addRepeat(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("repeat wants a period, for example \"repeat 60s\"")
	}
	d, err := instant(args[0])
	z.load.period = d
	return err
}

func (z *zone) addReset(args []string) error {
	if len(args) == 2 && args[0] == "at" {
		args = args[1:]
	}
	if len(args) != 1 {
		return fmt.Errorf("reset wants an instant, for example \"reset 30s\"")
	}
	at, err := instant(args[0])
	if err != nil {
		return err
	}
	if n := len(z.resets); n > 0 && at < z.resets[n-1] {
		return fmt.Errorf("reset at %s stands after one at %s", at, z.resets[n-1])
	}
	z.resets = append(z.resets, at)
	return nil
}

// addWindow reads "START LENGTH"; without a length the window has no end.
func addWindow(to *[]window, args []string) error {
	if len(args) != 1 && len(args) != 2 {
		return fmt.Errorf("want an instant and a length, for example \"40s 5s\"")
	}
	from, err := instant(args[0])
	if err != nil {
		return err
	}
	w := window{from: from, to: 2 * MaxScriptTime}
	if len(args) == 2 {
		d, err := instant(args[1])
		if err != nil {
			return err
		}
		w.to = from + d
	}
	*to = append(*to, w)
	return nil
}

func instant(text string) (time.Duration, error) {
	d, err := wattle.ParseDuration(text)
	if err == nil && (d < 0 || d > MaxScriptTime) {
		err = fmt.Errorf("%s is not within 0 to %s", text, MaxScriptTime)
	}
	return d, err
}
