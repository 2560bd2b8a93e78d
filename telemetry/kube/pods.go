package kube

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/wattle-project/wattle"
)

// podList is the part of a Kubernetes v1 PodList that is needed here.
type podList struct {
	Kind  string `json:"kind"`
	Items []pod  `json:"items"`
}

type pod struct {
	Metadata struct {
		Name        string            `json:"name"`
		Namespace   string            `json:"namespace"`
		UID         string            `json:"uid"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		Containers     []containerSpec `json:"containers"`
		InitContainers []containerSpec `json:"initContainers"`
	} `json:"spec"`
	Status struct {
		Containers []containerStatus `json:"containerStatuses"`
		Init       []containerStatus `json:"initContainerStatuses"`
		Ephemeral  []containerStatus `json:"ephemeralContainerStatuses"`
	} `json:"status"`
}

type containerSpec struct {
	Name      string `json:"name"`
	Resources struct {
		Requests map[string]string `json:"requests"`
		Limits   map[string]string `json:"limits"`
	} `json:"resources"`
}

type containerStatus struct {
	Name string `json:"name"`
	ID   string `json:"containerID"` // containerd://<id>
}

// mirrorHash is the annotation that holds the UID under which a static pod has
// its cgroup; its API object has another one.
const mirrorHash = "kubernetes.io/config.hash"

// decodePods reads a pod list and refuses anything else: a kubelet that denies
// access answers 200 with text behind some proxies.
func decodePods(r io.Reader) ([]pod, error) {
	var l podList
	if err := json.NewDecoder(r).Decode(&l); err != nil {
		return nil, fmt.Errorf("kubelet's list of pods: %w", err)
	}
	if l.Kind != "PodList" {
		return nil, fmt.Errorf("kubelet's list of pods is a %q, want a PodList: check the address", l.Kind)
	}
	return l.Items, nil
}

// containers lists what runs in p with its owner and reservations.
func (p *pod) containers(rules []Rule) []Container {
	named, _ := Name(rules, p.Metadata.Namespace, p.Metadata.Name, p.Metadata.Labels, p.Metadata.Annotations)
	if named.Namespace == "" {
		named.Namespace = p.Metadata.Namespace
	}
	var out []Container
	add := func(statuses []containerStatus, specs []containerSpec) {
		for _, s := range statuses {
			_, id, ok := strings.Cut(s.ID, "://")
			if !ok || id == "" {
				continue // not started yet
			}
			c := Container{ID: id, Name: s.Name, Pod: p.Metadata.Name, PodNamespace: p.Metadata.Namespace, PodUID: p.Metadata.UID, Named: named}
			c.CPU, c.Memory = requests(specs, s.Name)
			out = append(out, c)
		}
	}
	add(p.Status.Containers, p.Spec.Containers)
	add(p.Status.Init, nil) // reserves nothing beyond the others while it runs
	add(p.Status.Ephemeral, nil)
	return out
}

// requests returns what a container reserves. Without a request its limit
// counts, as in Kubernetes.
func requests(specs []containerSpec, name string) (wattle.MilliCPU, wattle.Bytes) {
	for i := range specs {
		if specs[i].Name != name {
			continue
		}
		r := specs[i].Resources
		cpu, _ := quantity(first([]string{"cpu"}, r.Requests, r.Limits))
		mem, _ := quantity(first([]string{"memory"}, r.Requests, r.Limits))
		return wattle.MilliCPU(clamp(math.Ceil(cpu * 1000))), wattle.Bytes(clamp(math.Ceil(mem)))
	}
	return 0, 0
}

func clamp(f float64) int64 {
	if !(f > 0) {
		return 0
	}
	return int64(math.Min(f, 1<<53))
}

// quantity reads a Kubernetes resource quantity: "500m", "1.5", "2Gi", "1e3",
// "128974848000m"
// (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/).
func quantity(s string) (float64, error) {
	end := len(s)
	for end > 0 && (s[end-1] < '0' || s[end-1] > '9') && s[end-1] != '.' {
		end--
	}
	scale, ok := suffixes(s[end:])
	v, err := strconv.ParseFloat(s[:end], 64)
	if err != nil || !ok || math.IsInf(v, 0) {
		return 0, fmt.Errorf("quantity %q: want for example 500m or 2Gi", s)
	}
	return v * scale, nil
}

func suffixes(s string) (float64, bool) {
	switch s {
	case "":
		return 1, true
	case "n":
		return 1e-9, true
	case "u":
		return 1e-6, true
	case "m":
		return 1e-3, true
	case "k", "M", "G", "T", "P", "E":
		return math.Pow(1000, float64(1+strings.Index("kMGTPE", s))), true
	case "Ki", "Mi", "Gi", "Ti", "Pi", "Ei":
		return math.Pow(1024, float64(1+strings.Index("KMGTPE", s[:1]))), true
	}
	return 0, false
}
