package version

import (
	"runtime/debug"
	"testing"
)

func TestDescribe(t *testing.T) {
	build := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}
	commit := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123"}
	dirty := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	for _, c := range []struct {
		release string
		info    *debug.BuildInfo
		ok      bool
		want    string
	}{
		{"v1.2.3", build("v0.0.1"), true, "v1.2.3"},
		{"", nil, false, "devel"},
		{"", build("v0.9.0"), true, "v0.9.0"},
		{"", build("(devel)", commit), true, "devel-0123456789ab"},
		{"", build("", commit, dirty), true, "devel-0123456789ab+dirty"},
		{"", build(""), true, "devel"},
		{"", build("", debug.BuildSetting{Key: "vcs.revision", Value: "short"}), true, "devel-short"},
	} {
		if got := describe(c.release, c.info, c.ok); got != c.want {
			t.Errorf("describe(%q, …) = %q, want %q", c.release, got, c.want)
		}
	}
}

func TestThisBuildHasAVersion(t *testing.T) {
	if String() == "" {
		t.Error("String is empty")
	}
	if Dependency("example.com/not/linked") != "" {
		t.Error("a module that is not linked has a version")
	}
}
