package platform

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle/telemetry"
)

const ipmitool = `
    Instantaneous power reading:                   220 Watts
    Minimum during sampling period:                  9 Watts
    Maximum during sampling period:                441 Watts
    Average power reading over sample period:      211 Watts
    IPMI timestamp:                           Thu Oct 29 10:12:13 2026
    Sampling period:                          00000001 Seconds.
    Power reading state is:                   activated

`

const freeipmi = `Current Power                        : 164 Watts
Minimum Power over sampling duration : 31 watts
Power Measurement                    : Active
`

func TestParseDCMI(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want float64
		err  string
	}{
		"ipmitool":    {ipmitool, 220, ""},
		"freeipmi":    {freeipmi, 164, ""},
		"deactivated": {strings.Replace(ipmitool, "activated", "deactivated", 1), 0, "not activated"},
		"zero":        {strings.Replace(ipmitool, "220 Watts", "0 Watts", 1), 0, "running machine"},
		"no value":    {strings.Replace(ipmitool, "220 Watts", "65535 Watts", 1), 0, "running machine"},
		"negative":    {strings.Replace(ipmitool, "220 Watts", "-5 Watts", 1), 0, "running machine"},
		"other unit":  {strings.Replace(ipmitool, "220 Watts", "220 BTU", 1), 0, "power in watts"},
		"error text":  {"DCMI request failed because: Invalid command (c1)\n", 0, "no line"},
		"empty":       {"", 0, "no line"},
	} {
		got, err := ParseDCMI([]byte(tc.text))
		if float64(got) != tc.want || (err != nil) != (tc.err != "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := ParseDCMI([]byte(strings.Replace(ipmitool, "activated", "deactivated", 1))); !errors.Is(err, ErrNotActivated) {
		t.Errorf("got %v", err)
	}
}

func FuzzParseDCMI(f *testing.F) {
	f.Add([]byte(ipmitool))
	f.Add([]byte(freeipmi))
	f.Fuzz(func(t *testing.T, text []byte) {
		w, err := ParseDCMI(text)
		if err == nil && !(w > 0 && w <= maxPlatform) {
			t.Fatalf("%q gives %v", text, w)
		}
	})
}

func TestDCMI(t *testing.T) {
	cfg := DefaultDCMIConfig()
	var out string
	var fail error
	cfg.Exec = func(_ context.Context, name string, args ...string) ([]byte, error) {
		if got := name + " " + strings.Join(args, " "); got != "ipmitool dcmi power reading" {
			t.Errorf("ran %q", got)
		}
		return []byte(out), fail
	}
	d, err := NewDCMI(cfg)
	if err != nil {
		t.Fatal(err)
	}
	read := func() ([]telemetry.Reading, error) {
		d.Poll(context.Background())
		return d.Read(context.Background(), nil)
	}
	fail = exec.ErrNotFound
	if _, err := read(); err == nil || !strings.Contains(err.Error(), "install ipmitool") {
		t.Errorf("got %v", err)
	}
	fail = errors.New("Could not open device at /dev/ipmi0")
	if _, err := read(); err == nil || !strings.Contains(err.Error(), "/dev/ipmi0") {
		t.Errorf("got %v", err)
	}
	out, fail = ipmitool, nil
	rs, err := read()
	if err != nil || len(rs) != 1 || rs[0].Power != 220 || d.Zones()[0].Key != "dcmi" {
		t.Fatalf("%+v, %v", rs, err)
	}
}

func TestDCMIConfigValidation(t *testing.T) {
	for name, edit := range map[string]func(*DCMIConfig){
		"command": func(c *DCMIConfig) { c.Command = nil }, "exec": func(c *DCMIConfig) { c.Exec = nil },
		"interval": func(c *DCMIConfig) { c.Interval = time.Second }, "timeout": func(c *DCMIConfig) { c.Timeout = 0 },
	} {
		cfg := DefaultDCMIConfig()
		edit(&cfg)
		if _, err := NewDCMI(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
