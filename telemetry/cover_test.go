package telemetry

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wattle-project/wattle"
	"pgregory.net/rapid"
)

// view builds a view from "rapl package-0 package 0 [parent] [overlap]".
func view(text string) View {
	f := strings.Fields(text)
	v := View{Meter: f[0], Zone: Zone{Key: f[1]}}
	if err := v.Zone.Component.UnmarshalText([]byte(f[2])); err != nil {
		panic(err)
	}
	if _, err := fmt.Sscan(f[3], &v.Zone.Socket); err != nil {
		panic(err)
	}
	if len(f) > 4 && f[4] == "overlap" {
		v.Zone.Overlap = true
	} else if len(f) > 4 {
		v.Zone.Parent = f[4]
	}
	return v
}

func TestCover(t *testing.T) {
	for name, tc := range map[string]struct{ in, want []string }{
		"client: package over core, uncore and psys": {
			[]string{"rapl psys platform -1", "rapl package-0 package 0", "rapl package-0/core core 0 package-0", "rapl package-0/uncore uncore 0 package-0"},
			[]string{"rapl/package-0"}},
		"server: DRAM beside packages, psys twice": {
			[]string{"rapl package-0 package 0", "rapl package-0/dram dram 0", "rapl package-1 package 1", "rapl package-1/dram dram 1", "rapl psys platform -1", "rapl psys-1 platform -1"},
			[]string{"rapl/package-0", "rapl/package-0/dram", "rapl/package-1", "rapl/package-1/dram"}},
		"two dies of one socket are both counted": {
			[]string{"rapl package-0-die-0 package 0", "rapl package-0-die-1 package 0"},
			[]string{"rapl/package-0-die-0", "rapl/package-0-die-1"}},
		"only psys: one of two": {
			[]string{"rapl psys platform -1", "rapl psys-1 platform -1"},
			[]string{"rapl/psys"}},
		"rapl before hwmon before model": {
			[]string{"model package package -1", "model dram dram -1", "hwmon socket-0 package 0", "rapl package-0 package 0"},
			[]string{"model/dram", "rapl/package-0"}},
		"hwmon for a socket that rapl lacks": {
			[]string{"rapl package-0 package 0", "hwmon s0 package 0", "hwmon s1 package 1"},
			[]string{"rapl/package-0", "hwmon/s1"}},
		"platform meters step back behind parts": {
			[]string{"redfish chassis-1 platform -1", "ipmi dcmi platform -1", "rapl package-0 package 0", "nvml GPU-1 gpu -1"},
			[]string{"rapl/package-0", "nvml/GPU-1"}},
		"platform alone: one, and no model beside it": {
			[]string{"ipmi dcmi platform -1", "redfish chassis-1 platform -1", "model package package -1"},
			[]string{"redfish/chassis-1"}},
		"one GPU by three meters": {
			[]string{"dcgm-exporter GPU-1 gpu -1", "dcgm GPU-1 gpu -1", "nvml GPU-1 gpu -1", "dcgm GPU-2 gpu -1", "dcgm MIG-1 gpu -1 GPU-2"},
			[]string{"nvml/GPU-1", "dcgm/GPU-2"}},
		"one GPU by two meters of one name": {
			[]string{"dcgm GPU-1 gpu -1", "dcgm GPU-1 gpu -1", "dcgm GPU-2 gpu -1"},
			[]string{"dcgm/GPU-1", "dcgm/GPU-2"}},
		"AMD: package over core, model for the memory that nobody meters": {
			[]string{"rapl package-0 package 0", "rapl package-0/core core 0 package-0", "model package package -1", "model dram dram -1"},
			[]string{"rapl/package-0", "model/dram"}},
		"GPU alone: the model fills in for processors and memory": {
			[]string{"nvml GPU-1 gpu -1", "model package package -1", "model dram dram -1"},
			[]string{"nvml/GPU-1", "model/package", "model/dram"}},
		"core where no package is": {
			[]string{"hwmon core0 core 0", "hwmon core1 core 0"},
			[]string{"hwmon/core0", "hwmon/core1"}},
		"core of a better source keeps a package of a worse one in": {
			[]string{"rapl core core 0", "hwmon package package 0"},
			[]string{"hwmon/package"}},
		"marked by the meter": {
			[]string{"rapl package-0 package 0", "rapl package-0-die-1 package 0 overlap"},
			[]string{"rapl/package-0"}},
		"grandparents contain too": {
			[]string{"hwmon c other 0 b", "hwmon b other 0 a", "hwmon a other 0"},
			[]string{"hwmon/a"}},
		"nothing but a model": {
			[]string{"model package package -1", "model dram dram -1"},
			[]string{"model/package", "model/dram"}},
		"a cycle of parents ends": {
			[]string{"hwmon a other 0 b", "hwmon b other 0 a"},
			[]string{"hwmon/a"}},
	} {
		t.Run(name, func(t *testing.T) {
			var in []View
			for _, s := range tc.in {
				in = append(in, view(s))
			}
			if got := chosen(Cover(in)); !slices.Equal(got, tc.want) {
				t.Fatalf("cover %q, want %q", got, tc.want)
			}
		})
	}
}

func chosen(views []View) (names []string) {
	for _, v := range views {
		if !v.Zone.Overlap {
			names = append(names, v.name())
		}
	}
	return names
}

// No two zones of a cover are the same part, parent and child, or a part and
// the platform; every zone that is left out has a reason; and the order of the
// meters does not matter.
func TestCoverIsDisjoint(t *testing.T) {
	one := rapid.Custom(func(t *rapid.T) View {
		c := rapid.SampledFrom([]wattle.Component{wattle.Platform, wattle.Package, wattle.Core, wattle.Uncore, wattle.DRAM, wattle.GPU}).Draw(t, "component")
		socket := rapid.IntRange(-1, 2).Draw(t, "socket")
		return View{
			Meter: rapid.SampledFrom([]string{"rapl", "hwmon", "redfish", "ipmi", "nvml", "dcgm", "model"}).Draw(t, "meter"),
			Zone:  Zone{Key: fmt.Sprintf("%s-%d", c, socket), Component: c, Socket: socket},
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOfNDistinct(one, 1, 14, View.name).Draw(t, "views")
		out := Cover(in)
		var used []View
		for _, v := range out {
			if v.Zone.Overlap == (v.Reason == "") {
				t.Fatalf("%+v", v)
			}
			if !v.Zone.Overlap {
				used = append(used, v)
			}
		}
		if len(used) == 0 {
			t.Fatalf("nothing is used of %v", in)
		}
		for i, a := range used {
			for _, b := range used[i+1:] {
				if a.whole() || b.whole() || a.Meter != b.Meter && same(a.Zone, b.Zone) ||
					meet(a.Zone.Socket, b.Zone.Socket) && (a.nested() && b.Zone.Component == wattle.Package || b.nested() && a.Zone.Component == wattle.Package) {
					t.Fatalf("%s and %s are both in the cover", a.name(), b.name())
				}
			}
		}
		again := Cover(rapid.Permutation(in).Draw(t, "permuted"))
		names, others := chosen(out), chosen(again)
		slices.Sort(names)
		slices.Sort(others)
		if !slices.Equal(names, others) {
			t.Fatalf("cover depends on the order: %q and %q", names, others)
		}
	})
}
