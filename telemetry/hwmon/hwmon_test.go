package hwmon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle/telemetry"
)

// build writes files ("hwmon0/name": "ina3221") under a class directory; a name
// with an @ in "hwmonN/device" becomes a link to that device directory.
func build(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for path, content := range files {
		full := filepath.Join(root, "class", "hwmon", path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, ok := strings.CutPrefix(content, "@"); ok {
			dir := filepath.Join(root, "devices", target)
			if err := errors.Join(os.MkdirAll(dir, 0o755), os.Symlink(dir, full)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(full, []byte(content+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func reader(t *testing.T, root string) *Reader {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Root = root
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// lines prints each zone with its reading.
func lines(r *Reader, rs []telemetry.Reading) (out []string) {
	for _, x := range rs {
		z := r.Zones()[x.Zone]
		value := fmt.Sprintf("%gW", float64(x.Power))
		if x.HasEnergy {
			value = fmt.Sprintf("%dµJ", x.Energy)
		}
		if x.Err != nil {
			value = "error"
		}
		s := fmt.Sprintf("%s %s %d %s", z.Key, z.Component, z.Socket, value)
		if z.Parent != "" {
			s += " in " + z.Parent
		}
		out = append(out, s)
	}
	return out
}

func TestSensors(t *testing.T) {
	for name, tc := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"grace hopper": {map[string]string{
			"hwmon1/name": "power_meter", "hwmon1/power1_average": "310000000", "hwmon1/device/power1_oem_info": "Module Power Socket 0",
			"hwmon2/name": "power_meter", "hwmon2/power1_average": "120500000", "hwmon2/device/power1_oem_info": "Grace Power Socket 0",
			"hwmon3/name": "power_meter", "hwmon3/power1_average": "80000000", "hwmon3/device/power1_oem_info": "CPU Power Socket 0",
			"hwmon4/name": "power_meter", "hwmon4/power1_average": "20000000", "hwmon4/device/power1_oem_info": "SysIO Power Socket 0",
		}, []string{
			"power_meter@device/Module-Power-Socket-0 platform 0 310W",
			"power_meter@device-2/Grace-Power-Socket-0 package 0 120.5W",
			"power_meter@device-3/CPU-Power-Socket-0 core 0 80W in power_meter@device-2/Grace-Power-Socket-0",
			"power_meter@device-4/SysIO-Power-Socket-0 uncore 0 20W in power_meter@device-2/Grace-Power-Socket-0",
		}},
		"acpi meter without a label": {map[string]string{
			"hwmon0/name": "power_meter", "hwmon0/power1_average": "250000000", "hwmon0/device": "@ACPI000D:00",
		}, []string{"power_meter@ACPI000D:00/power1 platform -1 250W"}},
		"jetson by voltage and current": {map[string]string{
			"hwmon0/name": "ina3221", "hwmon0/device": "@1-0040",
			"hwmon0/in1_label": "VDD_IN", "hwmon0/in1_input": "19000", "hwmon0/curr1_input": "500",
			"hwmon0/in2_label": "VDD_CPU_CV", "hwmon0/in2_input": "5000", "hwmon0/curr2_input": "400",
			"hwmon0/in3_label": "VDD_GPU_SOC", "hwmon0/in3_input": "5000", "hwmon0/curr3_input": "-3",
		}, []string{
			"ina3221@1-0040/VDD_IN platform -1 9.5W", "ina3221@1-0040/VDD_CPU_CV package -1 2W", "ina3221@1-0040/VDD_GPU_SOC gpu -1 0W",
		}},
		"two INA226 of one name": {map[string]string{
			"hwmon0/name": "ina226", "hwmon0/device": "@0-0041", "hwmon0/power1_input": "1500000", "hwmon0/in1_label": "VDDQ_DDR",
			"hwmon1/name": "ina226", "hwmon1/device": "@0-0045", "hwmon1/power1_input": "700000",
		}, []string{"ina226@0-0041/VDDQ_DDR dram -1 1.5W", "ina226@0-0045/power1 platform -1 0.7W"}},
		"amd_energy": {map[string]string{
			"hwmon0/name": "amd_energy", "hwmon0/device": "@amd_energy.0",
			"hwmon0/energy1_input": "111", "hwmon0/energy1_label": "Ecore000",
			"hwmon0/energy2_input": "222", "hwmon0/energy2_label": "Esocket0",
		}, []string{
			"amd_energy@amd_energy.0/Ecore000 core -1 111µJ in amd_energy@amd_energy.0/Esocket0", "amd_energy@amd_energy.0/Esocket0 package 0 222µJ",
		}},
		"graphics card": {map[string]string{
			"hwmon0/name": "amdgpu", "hwmon0/device": "@0000:03:00.0", "hwmon0/power1_average": "36000000", "hwmon0/power1_input": "40000000", "hwmon0/power1_label": "PPT",
		}, []string{"amdgpu@0000:03:00.0/PPT gpu -1 36W"}},
		"xe: the package is on the card": {map[string]string{
			"hwmon0/name": "xe", "hwmon0/device": "@0000:03:00.0",
			"hwmon0/energy1_input": "500", "hwmon0/energy1_label": "card", "hwmon0/energy2_input": "300", "hwmon0/energy2_label": "pkg",
			"hwmon1/name": "xe", "hwmon1/device": "@0000:04:00.0", "hwmon1/energy2_input": "200", "hwmon1/energy2_label": "pkg",
		}, []string{
			"xe@0000:03:00.0/card gpu -1 500µJ", "xe@0000:03:00.0/pkg gpu -1 300µJ in xe@0000:03:00.0/card", "xe@0000:04:00.0/pkg gpu -1 200µJ",
		}},
		"a rail of another kind": {map[string]string{
			"hwmon0/name": "ina3221", "hwmon0/device": "@1-0041", "hwmon0/in1_label": "VDD_SOC", "hwmon0/in1_input": "5000", "hwmon0/curr1_input": "200",
		}, []string{"ina3221@1-0041/VDD_SOC other -1 1W"}},
		"one bad sensor beside a good one": {map[string]string{
			"hwmon0/name": "ina226", "hwmon0/device": "@a", "hwmon0/power1_input": "n/a",
			"hwmon1/name": "ina226", "hwmon1/device": "@b", "hwmon1/power1_input": "1000000",
		}, []string{"ina226@a/power1 platform -1 error", "ina226@b/power1 platform -1 1W"}},
		"an impossible rail": {map[string]string{
			"hwmon0/name": "ina3221", "hwmon0/device": "@a", "hwmon0/in1_input": "9223372036854775807", "hwmon0/curr1_input": "9223372036854775807",
			"hwmon0/in2_input": "5000", "hwmon0/curr2_input": "1000",
		}, []string{"ina3221@a/rail1 platform -1 error", "ina3221@a/rail2 platform -1 5W"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := reader(t, build(t, tc.files))
			rs, err := r.Read(context.Background(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := lines(r, rs); !slices.Equal(got, tc.want) {
				t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}

func TestOtherDevicesAreSkippedAndExplained(t *testing.T) {
	r := reader(t, build(t, map[string]string{
		"hwmon0/name": "BAT0", "hwmon0/power1_input": "9000000",
		"hwmon1/name": "coretemp", "hwmon1/temp1_input": "40000",
	}))
	var u *telemetry.Unavailable
	for range 2 {
		if _, err := r.Read(context.Background(), nil); !errors.As(err, &u) || u.Mend == "" {
			t.Fatalf("got %v", err)
		}
	}
	if p := r.Probes(); len(p) != 2 || !strings.Contains(p[0].Reason, `"BAT0"`) {
		t.Fatalf("probes %+v", p)
	}
	if _, err := reader(t, t.TempDir()).Read(context.Background(), nil); !errors.As(err, &u) {
		t.Fatalf("no class: %v", err)
	}
}

func TestSensorComesAndGoes(t *testing.T) {
	root := build(t, map[string]string{"hwmon0/name": "ina226", "hwmon0/device": "@a", "hwmon0/power1_input": "1000000"})
	now := time.Now()
	cfg := DefaultConfig()
	cfg.Root, cfg.Now = root, func() time.Time { return now }
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Read(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "class", "hwmon", "hwmon0")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Minute)
	if _, err := r.Read(context.Background(), nil); err == nil {
		t.Fatal("a removed sensor is still read")
	}
}

// A sensor whose driver was loaded anew is opened again at the next Read, and
// what no sensor can show is an error of that one.
func TestBadValues(t *testing.T) {
	root := build(t, map[string]string{
		"hwmon0/name": "amd_energy", "hwmon0/energy1_input": "-1", "hwmon0/energy1_label": "Esocket0",
		"hwmon1/name": "ina226", "hwmon1/power1_input": "-2000000",
	})
	r := reader(t, root)
	rs, err := r.Read(context.Background(), nil)
	if err != nil || len(rs) != 2 || rs[0].Err == nil || rs[0].HasEnergy || rs[1].Err != nil || !rs[1].HasPower || rs[1].Power != 0 {
		t.Errorf("%+v, %v, want an error and 0 W", rs, err)
	}
	r.sensors[1].files[0].Close()
	if rs, err = r.Read(context.Background(), nil); err == nil {
		t.Fatalf("a closed descriptor is read: %+v", rs)
	}
	if rs, err = r.Read(context.Background(), nil); err != nil || rs[1].Err != nil {
		t.Errorf("not opened again: %+v, %v", rs, err)
	}
}

// What is read never adds up to more than the machine draws: of a board with
// several unlabelled monitors, of a card with its package, of a Grace socket
// with its rails, the cover holds the whole once.
func TestCoverOfSensors(t *testing.T) {
	for name, tc := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"unlabelled monitors, one may feed the other": {map[string]string{
			"hwmon0/name": "ina226", "hwmon0/device": "@0-0040", "hwmon0/power1_input": "9000000",
			"hwmon1/name": "ina226", "hwmon1/device": "@0-0041", "hwmon1/power1_input": "7000000",
		}, []string{"ina226@0-0040/power1"}},
		"jetson: rails, not the input": {map[string]string{
			"hwmon0/name": "ina3221", "hwmon0/device": "@1-0040",
			"hwmon0/in1_label": "VDD_IN", "hwmon0/in1_input": "19000", "hwmon0/curr1_input": "500",
			"hwmon0/in2_label": "VDD_CPU_CV", "hwmon0/in2_input": "5000", "hwmon0/curr2_input": "400",
		}, []string{"ina3221@1-0040/VDD_CPU_CV"}},
		"two cards": {map[string]string{
			"hwmon0/name": "xe", "hwmon0/device": "@0000:03:00.0",
			"hwmon0/energy1_input": "500", "hwmon0/energy1_label": "card", "hwmon0/energy2_input": "300", "hwmon0/energy2_label": "pkg",
			"hwmon1/name": "xe", "hwmon1/device": "@0000:04:00.0", "hwmon1/energy2_input": "200", "hwmon1/energy2_label": "pkg",
		}, []string{"xe@0000:03:00.0/card", "xe@0000:04:00.0/pkg"}},
		"grace": {map[string]string{
			"hwmon1/name": "power_meter", "hwmon1/power1_average": "310000000", "hwmon1/device/power1_oem_info": "Module Power Socket 0",
			"hwmon2/name": "power_meter", "hwmon2/power1_average": "120500000", "hwmon2/device/power1_oem_info": "Grace Power Socket 0",
			"hwmon3/name": "power_meter", "hwmon3/power1_average": "80000000", "hwmon3/device/power1_oem_info": "CPU Power Socket 0",
		}, []string{"power_meter@device-2/Grace-Power-Socket-0"}},
	} {
		r := reader(t, build(t, tc.files))
		if _, err := r.Read(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		var views []telemetry.View
		for _, z := range r.Zones() {
			views = append(views, telemetry.View{Meter: "hwmon", Zone: z})
		}
		var got []string
		for _, v := range telemetry.Cover(views) {
			if !v.Zone.Overlap {
				got = append(got, v.Zone.Key)
			}
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: cover %q, want %q", name, got, tc.want)
		}
	}
}

func TestReadDoesNotAllocate(t *testing.T) {
	r := reader(t, build(t, map[string]string{
		"hwmon0/name": "ina3221", "hwmon0/device": "@1-0040", "hwmon0/in1_label": "VDD_IN", "hwmon0/in1_input": "19000", "hwmon0/curr1_input": "500",
		"hwmon1/name": "amd_energy", "hwmon1/device": "@amd_energy.0", "hwmon1/energy1_input": "111", "hwmon1/energy1_label": "Esocket0",
	}))
	buf := make([]telemetry.Reading, 0, 4)
	if n := testing.AllocsPerRun(200, func() {
		if _, err := r.Read(context.Background(), buf); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per Read", n)
	}
}

func FuzzParseValue(f *testing.F) {
	for _, s := range []string{"0", "-3\n", "9223372036854775808", "", "1e3", "5\nx"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if v, err := ParseValue(text); err == nil && !strings.Contains(string(text), strings.TrimLeft(fmt.Sprint(v), "-")) {
			t.Fatalf("%q became %d", text, v)
		}
	})
}

func FuzzInterpret(f *testing.F) {
	for _, s := range []string{"Grace Power Socket 1", "Esocket0", "VDD_GPU_SOC", "CPU Power Socket x", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, label string) {
		for _, d := range drivers() {
			if m := interpret(d, label); strings.HasPrefix(m.component.String(), "invalid") {
				t.Fatalf("%q: %v", label, m)
			}
		}
	})
}
