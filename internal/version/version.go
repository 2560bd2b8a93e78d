// Package version says which build of wattle is running.
package version

import (
	"runtime/debug"
	"strings"
)

// release is set by the linker for released builds:
//
//	go build -ldflags "-X github.com/wattle-project/wattle/internal/version.release=v1.2.3"
var release string

// Unknown is what String returns for a build that carries no information.
const Unknown = "devel"

// String returns the version of this build: the release that the linker was
// told, else the module version for builds by "go install …@version", else
// "devel" with the first 12 digits of the commit and "+dirty" if files had
// changed since.
func String() string {
	info, ok := debug.ReadBuildInfo()
	return describe(release, info, ok)
}

// Dependency returns the version of a module that is linked into this build,
// such as "github.com/open-policy-agent/opa", or "" if there is none.
func Dependency(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path != path {
			continue
		}
		if m.Replace != nil {
			return m.Replace.Version
		}
		return m.Version
	}
	return ""
}

// describe is String on given build information.
func describe(release string, info *debug.BuildInfo, ok bool) string {
	switch {
	case release != "":
		return release
	case !ok:
		return Unknown
	case info.Main.Version != "" && info.Main.Version != "(devel)":
		return info.Main.Version
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	var b strings.Builder
	b.WriteString(Unknown)
	if r := settings["vcs.revision"]; r != "" {
		b.WriteString("-" + r[:min(12, len(r))])
	}
	if settings["vcs.modified"] == "true" {
		b.WriteString("+dirty")
	}
	return b.String()
}
