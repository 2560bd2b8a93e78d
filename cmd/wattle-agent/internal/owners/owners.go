// Package owners joins what cgroups, the kubelet and GPU meters say into whom
// energy is charged to.
package owners

import (
	"time"

	"github.com/wattle-project/wattle/telemetry/attribution"
	"github.com/wattle-project/wattle/telemetry/cgroup"
	"github.com/wattle-project/wattle/telemetry/kube"
)

// Pods answers with what is known of the node's containers, without waiting.
type Pods interface {
	Current() *kube.Map
	// Unknown says that a container or a pod is missed.
	Unknown(key string)
}

// Directory names the owner of cgroups. It is for one goroutine.
type Directory struct {
	pods  Pods
	first map[uint64]time.Time // when a container without a name was seen first
}

// New returns a Directory; pods is nil on hosts without Kubernetes.
func New(pods Pods) *Directory {
	return &Directory{pods: pods, first: map[uint64]time.Time{}}
}

// Owner names the owner of u at now, and false while it may become known yet.
// A pattern on the path wins over the kubelet. Containers that neither names
// have no owner, and are booked as the system's when their grace is over.
func (d *Directory) Owner(u *cgroup.Usage, now time.Time) (attribution.Owner, bool) {
	if u.Function != "" {
		return attribution.Owner{Namespace: u.Namespace, Function: u.Function}, true
	}
	if d.pods == nil {
		return attribution.Owner{}, false
	}
	m := d.pods.Current()
	if c, ok := m.Container(u.Container); ok {
		delete(d.first, u.ID)
		return owner(c), true
	}
	if u.Container != "" && !u.Gone {
		d.pods.Unknown(u.Container)
	}
	return d.byPod(m, u, now)
}

// byPod charges what runs in a pod beside its listed containers, such as the
// pause container, but only after the kubelet was asked once more: a container
// that started a moment ago is listed with its reservation soon.
func (d *Directory) byPod(m *kube.Map, u *cgroup.Usage, now time.Time) (attribution.Owner, bool) {
	c, ok := m.Pod(u.PodUID)
	if !ok {
		return attribution.Owner{}, false
	}
	since, seen := d.first[u.ID]
	switch {
	case u.Gone:
		delete(d.first, u.ID)
		return owner(c), true
	case !seen:
		d.first[u.ID] = now
		return attribution.Owner{}, false
	case !m.At().After(since):
		return attribution.Owner{}, false
	}
	delete(d.first, u.ID)
	return owner(c), true
}

func owner(c *kube.Container) attribution.Owner {
	o := attribution.Owner{Namespace: c.Namespace, Pod: c.Pod, Function: c.Function, CPU: c.CPU, Memory: c.Memory}
	if o.Namespace == "" {
		o.Namespace = c.PodNamespace
	}
	return o
}
