package cgroup

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const hex64 = "8c26b2f34f3f5e0d9b1c7a6e5d4c3b2a19081726354453627180f9e8d7c6b5a4"

func TestIdentify(t *testing.T) {
	const uid = "2f2b0b5e-8f6e-4c1d-9a57-0a1b2c3d4e5f"
	under := strings.ReplaceAll(uid, "-", "_")
	for _, c := range []struct {
		path string
		want Identity
	}{
		{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + under + ".slice/cri-containerd-" + hex64 + ".scope", Identity{"containerd", hex64, uid}},
		{"/kubepods.slice/kubepods-pod" + under + ".slice/crio-" + hex64 + ".scope", Identity{"cri-o", hex64, uid}},
		{"/kubepods.slice/kubepods-pod" + under + ".slice/crio-conmon-" + hex64 + ".scope", Identity{PodUID: uid}},
		{"/kubepods/besteffort/pod" + uid + "/" + hex64, Identity{"container", hex64, uid}},
		{"/kubepods/pod" + strings.ReplaceAll(uid, "-", "") + "/" + hex64, Identity{"container", hex64, strings.ReplaceAll(uid, "-", "")}},
		{"/kubepods/burstable/pod" + uid, Identity{PodUID: uid}},
		{"/kubepods/burstable/pod" + uid + "/crio-" + hex64, Identity{"cri-o", hex64, uid}},
		{"/system.slice/docker-" + hex64 + ".scope", Identity{Runtime: "docker", Container: hex64}},
		{"/docker/" + hex64, Identity{Runtime: "docker", Container: hex64}},
		{"/machine.slice/libpod-" + hex64 + ".scope", Identity{Runtime: "podman", Container: hex64}},
		{"/system.slice/containerd.service/kubepods-besteffort-pod" + under + ".slice:cri-containerd:" + hex64, Identity{"containerd", hex64, uid}},
		{"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" + under + ".slice/cri-containerd-" + hex64 + ".scope", Identity{"containerd", hex64, uid}},
		{"/system.slice/nerdctl-" + hex64 + ".scope", Identity{Runtime: "containerd", Container: hex64}},
		{"/system.slice/containerd-" + hex64 + ".scope", Identity{Runtime: "containerd", Container: hex64}},
		{"/system.slice/docker-" + hex64[:12] + ".scope", Identity{}}, // no whole id
		{"/kubepods/besteffort/pod" + uid + "/" + hex64[:12], Identity{PodUID: uid}},
		{"/system.slice/sshd.service", Identity{}},
		{"/user.slice/user-1000.slice/session-2.scope", Identity{}},
		{"/podman", Identity{}},
		{"/", Identity{}},
		{"", Identity{}},
	} {
		if got := Identify(c.path); got != c.want {
			t.Errorf("Identify(%q) = %+v, want %+v", c.path, got, c.want)
		}
	}
}

func FuzzIdentify(f *testing.F) {
	f.Add("/kubepods/pod0/" + hex64)
	f.Add("a:b:" + hex64)
	f.Add("//..//")
	f.Fuzz(func(t *testing.T, path string) {
		id := Identify(path)
		if id.Container != "" && (!strings.Contains(path, id.Container) || id.Runtime == "") {
			t.Fatalf("%q gave %+v", path, id)
		}
	})
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("usage_usec 12\nuser_usec 7\nsystem_usec 5\n"))
	f.Add([]byte("user_usec 7\nusage_usec 99999999999999999999\n"))
	f.Add([]byte("usage_usec -1\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := parseStat(b); err == nil && (v < 0 || v%time.Microsecond != 0) {
			t.Fatalf("%q gave %d", b, v)
		}
		if v, err := parseNanos(b); err == nil && v < 0 {
			t.Fatalf("%q gave %d", b, v)
		}
	})
}

func TestParseUintReadsWhatItPrints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Uint64().Draw(t, "v")
		var b []byte
		for x := v; x > 0 || len(b) == 0; x /= 10 {
			b = append([]byte{byte('0' + x%10)}, b...)
		}
		got, err := parseUint(append(b, '\n'))
		if err != nil || got != v {
			t.Fatalf("%s gave %d, %v", b, got, err)
		}
	})
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{"", "\n", "-3", "1 2", "18446744073709551616", "0x1", "99999999999999999999999"} {
		if v, err := parseUint([]byte(s)); err == nil {
			t.Errorf("parseUint(%q) = %d, want an error", s, v)
		}
	}
	for _, s := range []string{"", "usage_usec", "usage_usec \n", "usage 5", "usage_usec 9223372036854775807"} {
		if v, err := parseStat([]byte(s)); err == nil {
			t.Errorf("parseStat(%q) = %d, want an error", s, v)
		}
	}
}

func TestPatterns(t *testing.T) {
	rules, err := compile([]string{`^/faas\.slice/(?P<namespace>[^/]+)/fn-(?P<function>[^/]+)$`, `/job-([a-z]+)$`, `/idle-?([a-z]*)$`})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ key, function, namespace string }{
		{"/faas.slice/prod/fn-resize", "resize", "prod"},
		{"/x/job-train", "train", ""},
		{"/faas.slice/prod", "", ""},
		{"/x/idle-a", "a", ""},
		{"/x/idle", "", ""}, // names no function
	} {
		f, ns, ok := match(rules, c.key)
		if f != c.function || ns != c.namespace || ok != (c.function != "") {
			t.Errorf("match(%q) = %q, %q, %v", c.key, f, ns, ok)
		}
	}
	for _, bad := range []string{"(", "no group", "(?P<namespace>x)"} {
		if _, err := compile([]string{bad}); err == nil {
			t.Errorf("pattern %q was accepted", bad)
		}
	}
}
