package proto

import (
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/plugins/proto/meterpb"
)

func TestZonesCrossTheSeam(t *testing.T) {
	zones := []Zone{
		{Key: "GPU-1", Component: wattle.GPU, Socket: -1, Bound: 800, Range: 12},
		{Key: "MIG-1", Component: wattle.GPU, Parent: "GPU-1", Socket: -1, Overlap: true},
	}
	got, err := DecodeZones(EncodeZones(zones))
	if err != nil || len(got) != 2 || got[0] != zones[0] || got[1] != zones[1] {
		t.Fatalf("%+v, %v", got, err)
	}
	ms := EncodeZones(zones[:1])
	ms[0].Component = "quantum"
	if got, err := DecodeZones(ms); err != nil || got[0].Component != wattle.OtherComponent {
		t.Errorf("unknown component: %+v, %v", got, err)
	}
}

func TestZonesThatCannotBe(t *testing.T) {
	for name, ms := range map[string][]*meterpb.Zone{
		"no key":         {{}},
		"long key":       {{Key: strings.Repeat("x", 600)}},
		"twice":          {{Key: "a"}, {Key: "a"}},
		"no parent":      {{Key: "a", Parent: "b"}},
		"its own parent": {{Key: "a", Parent: "a"}},
		"NaN bound":      {{Key: "a", BoundWatts: math.NaN()}},
		"negative bound": {{Key: "a", BoundWatts: -1}},
		"too many":       make([]*meterpb.Zone, MaxZones+1),
	} {
		if got, err := DecodeZones(ms); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestReadingsCrossTheSeam(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Now()
		var rs []Reading
		for i := range rapid.IntRange(0, 5).Draw(t, "n") {
			r := Reading{Zone: i, At: now.Add(-time.Duration(rapid.IntRange(0, 1e9).Draw(t, "age")))}
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				r.Energy, r.HasEnergy = rapid.Uint64().Draw(t, "energy"), true
			case 1:
				r.Power, r.HasPower = wattle.Watts(rapid.Float64Range(0, 1e6).Draw(t, "power")), true
			case 2:
				r.Err = errors.New("gone")
			}
			rs = append(rs, r)
		}
		received := now.Add(time.Hour) // another clock
		got, err := DecodeReadings(nil, EncodeReadings(rs, now), len(rs), received)
		if err != nil || len(got) != len(rs) {
			t.Fatalf("%+v, %v", got, err)
		}
		for i, g := range got {
			w := rs[i]
			if g.Zone != w.Zone || g.Energy != w.Energy || g.Power != w.Power || g.HasEnergy != w.HasEnergy || g.HasPower != w.HasPower || (g.Err == nil) != (w.Err == nil) {
				t.Fatalf("%+v, want %+v", g.Reading, w)
			}
			if age := received.Sub(g.At); age != now.Sub(w.At) || g.Stamp != w.At.UnixNano() {
				t.Fatalf("age %v, want %v", age, now.Sub(w.At))
			}
		}
	})
}

func TestReadingsThatCannotBe(t *testing.T) {
	now := time.Now()
	for name, ms := range map[string][]*meterpb.Reading{
		"no such zone": {{Zone: 2}},
		"twice":        {{Zone: 1}, {Zone: 1}},
	} {
		if got, err := DecodeReadings(nil, ms, 2, now); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for name, m := range map[string]*meterpb.Reading{
		"nothing": {}, "NaN": {Value: &meterpb.Reading_Watts{Watts: math.NaN()}}, "negative": {Value: &meterpb.Reading_Watts{Watts: -1}},
		"endless": {Value: &meterpb.Reading_Watts{Watts: math.Inf(1)}}, "error": {Value: &meterpb.Reading_Error{Error: "x"}},
	} {
		got, err := DecodeReadings(nil, []*meterpb.Reading{m}, 1, now)
		if err != nil || got[0].Err == nil || got[0].HasPower || got[0].HasEnergy {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	got, _ := DecodeReadings(nil, []*meterpb.Reading{{AgeNanos: -5}, {Zone: 1, AgeNanos: math.MaxInt64}}, 2, now)
	if !got[0].At.Equal(now) || now.Sub(got[1].At) != maxAge {
		t.Errorf("ages: %v, %v", now.Sub(got[0].At), now.Sub(got[1].At))
	}
}

func TestUsesAndCapabilities(t *testing.T) {
	u := Use{Zone: "GPU-1", Instance: "MIG-1", PID: 7, Namespace: "n", Pod: "p", Container: "c", Share: 0.25, Basis: "engine", Slices: 2, OfSlices: 7}
	got := DecodeUses(nil, append(EncodeUses([]Use{u}), &meterpb.Use{Zone: "z", Share: 1.5}, &meterpb.Use{Share: 1}, &meterpb.Use{Zone: "z", Share: math.NaN()}))
	if len(got) != 1 || got[0] != u {
		t.Errorf("uses %+v", got)
	}
	for _, m := range []*meterpb.Use{{Zone: "z", Slices: 8, OfSlices: 7}, {Zone: "z", Slices: -1, OfSlices: 7}, {Zone: "z", Slices: 3}, {Zone: "z", Slices: 1, OfSlices: 1 << 30}} {
		if got := DecodeUses(nil, []*meterpb.Use{m}); len(got) != 1 || got[0].Slices != 0 || got[0].OfSlices != 0 {
			t.Errorf("slices %d of %d became %+v", m.GetSlices(), m.GetOfSlices(), got)
		}
	}
	g := Gauge{Zone: "GPU-1", Name: "sm", Ratio: 0.5}
	if got := DecodeGauges(nil, append(EncodeGauges([]Gauge{g}), &meterpb.Gauge{Zone: "z", Name: "sm", Ratio: 2}, &meterpb.Gauge{Zone: "z"})); len(got) != 1 || got[0] != g {
		t.Errorf("gauges %+v", got)
	}
	c := Capabilities{Name: "dcgm", Version: "1", Uses: true, Every: time.Second}
	if got, err := DecodeCapabilities(EncodeCapabilities(c)); got != c || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := DecodeCapabilities(&meterpb.CapabilitiesResponse{}); err == nil {
		t.Errorf("nameless plugin: %+v", got)
	}
}

func FuzzDecode(f *testing.F) {
	seed, err := pb.Marshal(&meterpb.ReadResponse{
		Revision: 1, Zones: EncodeZones([]Zone{{Key: "GPU-1"}}),
		Readings: EncodeReadings([]Reading{{Energy: 5, HasEnergy: true}}, time.Now()), Uses: EncodeUses([]Use{{Zone: "GPU-1", Share: 1}}),
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m meterpb.ReadResponse
		if pb.Unmarshal(b, &m) != nil {
			return
		}
		zones, err := DecodeZones(m.GetZones())
		if err != nil {
			return
		}
		rs, err := DecodeReadings(nil, m.GetReadings(), len(zones), time.Now())
		if err == nil && len(rs) > len(zones) {
			t.Fatalf("%d readings of %d zones", len(rs), len(zones))
		}
		for _, u := range DecodeUses(nil, m.GetUses()) {
			if !(u.Share >= 0 && u.Share <= 1) {
				t.Fatalf("share %v", u.Share)
			}
		}
	})
}

// TestGeneratedCodeHasTheFieldsOfTheSource compares meter.proto with the
// descriptor in the generated code; it needs no tool.
func TestGeneratedCodeHasTheFieldsOfTheSource(t *testing.T) {
	source, err := os.ReadFile("meterpb/meter.proto")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	message := ""
	for line := range strings.SplitSeq(string(source), "\n") {
		if m := regexp.MustCompile(`^message (\w+) \{`).FindStringSubmatch(line); m != nil {
			message = m[1]
		}
		if m := regexp.MustCompile(`^ +(?:repeated )?\w+ (\w+) = (\d+);`).FindStringSubmatch(line); m != nil {
			want[message+"."+m[1]] = m[2]
		}
	}
	n := 0
	messages := meterpb.File_meterpb_meter_proto.Messages()
	for i := range messages.Len() {
		fields := messages.Get(i).Fields()
		for j := range fields.Len() {
			key := string(messages.Get(i).Name()) + "." + string(fields.Get(j).Name())
			if got := want[key]; got != strconv.Itoa(int(fields.Get(j).Number())) {
				t.Errorf("%s = %d in the generated code, %q in the source: run go generate", key, fields.Get(j).Number(), got)
			}
			n++
		}
	}
	if n != len(want) || n < 20 {
		t.Errorf("%d fields in the generated code, %d in the source: run go generate", n, len(want))
	}
}

// TestGeneratedCodeIsFresh generates again where the tools are installed.
func TestGeneratedCodeIsFresh(t *testing.T) {
	for _, tool := range []string{"protoc", "protoc-gen-go", "protoc-gen-go-grpc"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed; the field comparison stands in", tool)
		}
	}
	out := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "protoc", "-I", ".", "--go_out="+out, "--go_opt=paths=source_relative",
		"--go-grpc_out="+out, "--go-grpc_opt=paths=source_relative", "meterpb/meter.proto")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("protoc: %v\n%s", err, b)
	}
	for _, name := range []string{"meter.pb.go", "meter_grpc.pb.go"} {
		fresh, err1 := os.ReadFile(filepath.Join(out, "meterpb", name))
		kept, err2 := os.ReadFile(filepath.Join("meterpb", name))
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if withoutVersions(fresh) != withoutVersions(kept) {
			t.Errorf("%s is stale: run go generate ./plugins/proto", name)
		}
	}
}

// withoutVersions drops the comment lines that name the tools' versions.
func withoutVersions(b []byte) string {
	return regexp.MustCompile(`(?m)^// (-|\t)\s*proto.*$`).ReplaceAllString(string(b), "")
}
