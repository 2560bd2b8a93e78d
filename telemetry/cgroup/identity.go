package cgroup

import "strings"

// Identity is what a cgroup's path says about its owner.
type Identity struct {
	// Runtime is docker, containerd, cri-o, podman or, where only the id
	// shows, "container". Empty for a cgroup that is no container.
	Runtime string
	// Container is the full container id, usually 64 hexadecimal digits.
	Container string
	// PodUID is the Kubernetes pod's UID with dashes, or empty.
	PodUID string
}

// Identify reads a path below the cgroup root. It knows the systemd driver
// (cri-containerd-<id>.scope, docker-<id>.scope, crio-<id>.scope,
// libpod-<id>.scope), the cgroupfs driver (kubepods/<qos>/pod<uid>/<id>,
// docker/<id>, crio-<id>) and containerd's unconverted "<slice>:<prefix>:<id>".
// Conmon's own scopes and the scopes of systemd units are no containers.
func Identify(path string) Identity {
	var id Identity
	for rest := path; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(strings.TrimPrefix(rest, "/"), "/")
		if uid, ok := podOf(part); ok {
			id = Identity{PodUID: uid}
		}
		if rest == "" {
			id.container(part, path)
		}
	}
	return id
}

// container fills in the runtime and id that the last path element names.
func (id *Identity) container(name, path string) {
	if slice, last, ok := strings.Cut(name, ":"); ok { // <slice>:<prefix>:<id>
		if uid, ok := podOf(slice); ok {
			id.PodUID = uid
		}
		prefix, cid, _ := strings.Cut(last, ":")
		id.set(runtimeOf(prefix, path), cid)
		return
	}
	name = strings.TrimSuffix(name, ".scope")
	if i := strings.LastIndexByte(name, '-'); i >= 0 && !isHex(name) {
		if r := runtimeOf(name[:i], path); r != "" {
			id.set(r, name[i+1:])
		}
		return
	}
	id.set(runtimeOf("", path), name)
}

func (id *Identity) set(runtime, container string) {
	if isContainerID(container) && runtime != "" {
		id.Runtime, id.Container = runtime, container
	}
}

// runtimeOf names the runtime of a prefix; without a prefix the folder tells.
func runtimeOf(prefix, path string) string {
	switch prefix {
	case "docker":
		return "docker"
	case "cri-containerd", "containerd", "nerdctl":
		return "containerd"
	case "crio":
		return "cri-o"
	case "libpod":
		return "podman"
	case "":
		if strings.HasPrefix(path, "/docker/") {
			return "docker"
		}
		return "container"
	}
	return ""
}

// podOf recognises pod<uid> and kubepods[-<qos>]-pod<uid_with_underscores>.slice,
// with any prefix before kubepods (kind nests "kubelet-kubepods-…").
func podOf(name string) (string, bool) {
	if s, ok := strings.CutSuffix(name, ".slice"); ok {
		i := strings.LastIndex(s, "-pod")
		if i < 0 || !strings.Contains(s[:i], "kubepods") {
			return "", false
		}
		return strings.ReplaceAll(s[i+len("-pod"):], "_", "-"), i+len("-pod") < len(s)
	}
	s, ok := strings.CutPrefix(name, "pod")
	if !ok || len(s) < 32 || !isUID(s) {
		return "", false
	}
	return s, true
}

// isUID accepts a UUID with or without dashes (static pods have a hash).
func isUID(s string) bool {
	return isHex(strings.ReplaceAll(s, "-", ""))
}

func isContainerID(s string) bool { return len(s) == 64 && isHex(s) }

func isHex(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return s != ""
}
