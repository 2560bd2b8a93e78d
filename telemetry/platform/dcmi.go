package platform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
)

// ErrNotActivated is the error of a controller whose power measurement is off.
var ErrNotActivated = errors.New("power measurement is not activated")

// DCMIConfig configures a DCMI meter.
type DCMIConfig struct {
	// Command prints a power reading as ipmitool does. For a remote controller
	// add "-I lanplus -H host -U user -f passwordfile".
	Command []string
	// Interval between two polls, at least MinInterval. Default 15 s.
	Interval time.Duration
	// Timeout of one poll. Default 8 s.
	Timeout time.Duration
	// Exec runs a command and returns its standard output. Default os/exec.
	Exec func(ctx context.Context, name string, args ...string) ([]byte, error)
	// Now stamps readings. Default time.Now.
	Now func() time.Time
}

// DefaultDCMIConfig reads this machine's controller with ipmitool.
func DefaultDCMIConfig() DCMIConfig {
	return DCMIConfig{
		Command:  []string{"ipmitool", "dcmi", "power", "reading"},
		Interval: 15 * time.Second, Timeout: 8 * time.Second, Exec: output, Now: time.Now,
	}
}

// Validate checks the configuration.
func (c DCMIConfig) Validate() error {
	switch {
	case len(c.Command) == 0 || c.Command[0] == "":
		return errors.New("ipmi: no command; use \"ipmitool dcmi power reading\"")
	case c.Exec == nil || c.Now == nil:
		return errors.New("ipmi: exec and clock are required; start from DefaultDCMIConfig")
	}
	return checkTimes("ipmi", c.Interval, c.Timeout)
}

func checkTimes(what string, interval, timeout time.Duration) error {
	if interval < MinInterval {
		return fmt.Errorf("%s: interval %s is under %s, which controllers do not bear", what, interval, MinInterval)
	}
	if timeout <= 0 || timeout >= interval {
		return fmt.Errorf("%s: timeout %s is not within 0 and the interval %s", what, timeout, interval)
	}
	return nil
}

func output(ctx context.Context, name string, args ...string) ([]byte, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr, cmd.WaitDelay = &stderr, time.Second
	out, err := cmd.Output()
	if text := bytes.TrimSpace(stderr.Bytes()); err != nil && len(text) > 0 {
		err = fmt.Errorf("%w: %s", err, text[:min(len(text), 200)])
	}
	return out, err
}

// DCMI meters the platform by IPMI DCMI "Get Power Reading" (DCMI 1.5,
// section 6.6.1): whole watts, averaged by the controller. It implements
// telemetry.Meter, telemetry.Runner and telemetry.Poller.
type DCMI struct {
	cfg DCMIConfig
	poller
}

// NewDCMI returns a meter that shows nothing until Run has polled.
func NewDCMI(cfg DCMIConfig) (*DCMI, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &DCMI{cfg: cfg, poller: poller{interval: cfg.Interval, timeout: cfg.Timeout, now: cfg.Now}}, nil
}

// Name returns "ipmi".
func (d *DCMI) Name() string { return "ipmi" }

// Zones lists the one zone "dcmi" once a poll has succeeded.
func (d *DCMI) Zones() []telemetry.Zone { return d.listed }

// Read appends what Run saw last.
func (d *DCMI) Read(_ context.Context, dst []telemetry.Reading) ([]telemetry.Reading, error) {
	return d.read(dst)
}

// Run polls until ctx ends.
func (d *DCMI) Run(ctx context.Context) error { return d.run(ctx, d.poll) }

// Poll asks the controller once, for programs that exit after one reading.
func (d *DCMI) Poll(ctx context.Context) { d.once(ctx, d.poll) }

func (d *DCMI) poll(ctx context.Context) ([]observation, error) {
	out, err := d.cfg.Exec(ctx, d.cfg.Command[0], d.cfg.Command[1:]...)
	if err != nil {
		u := &telemetry.Unavailable{Reason: "cannot run " + strings.Join(d.cfg.Command, " "), Err: err,
			Mend: "load ipmi_si and ipmi_devintf; the agent needs access to /dev/ipmi0"}
		if errors.Is(err, exec.ErrNotFound) {
			u.Mend = "install ipmitool, or switch this meter off"
		}
		return nil, u
	}
	w, err := ParseDCMI(out)
	if err != nil {
		return nil, &telemetry.Unavailable{Reason: "the controller shows no power by DCMI", Err: err,
			Mend: "activate power measurement in the controller, or switch this meter off"}
	}
	return []observation{{zone: telemetry.Zone{Key: "dcmi", Component: wattle.Platform, Socket: -1}, power: w}}, nil
}

// maxPlatform is the largest power that is believed of one controller; DCMI
// shows 65,535 W where it has no value.
const maxPlatform wattle.Watts = 50_000

// ParseDCMI reads the output of "ipmitool dcmi power reading", or of FreeIPMI's
// "ipmi-dcmi --get-system-power-statistics", and returns the momentary power.
func ParseDCMI(text []byte) (wattle.Watts, error) {
	power, found := wattle.Watts(0), false
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.ToLower(strings.TrimSpace(value))
		switch name {
		case "power reading state is", "power measurement":
			if value != "activated" && value != "active" {
				return 0, fmt.Errorf("%w: it is %q", ErrNotActivated, value)
			}
		case "instantaneous power reading", "current power":
			w, err := wattsOf(value)
			if err != nil {
				return 0, err
			}
			power, found = w, true
		}
	}
	if !found {
		return 0, errors.New("no line with the instantaneous power")
	}
	return power, nil
}

// wattsOf reads "220 watts".
func wattsOf(value string) (wattle.Watts, error) {
	f := strings.Fields(value)
	if len(f) != 2 || f[1] != "watts" && f[1] != "watt" {
		return 0, fmt.Errorf("%q is not a power in watts", value)
	}
	n, err := strconv.ParseUint(f[0], 10, 32)
	if err != nil || n == 0 || wattle.Watts(n) > maxPlatform {
		return 0, fmt.Errorf("%q is not the power of a running machine", value)
	}
	return wattle.Watts(n), nil
}
