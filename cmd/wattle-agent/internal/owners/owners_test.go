package owners_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/owners"
	"github.com/wattle-project/wattle/telemetry/attribution"
	"github.com/wattle-project/wattle/telemetry/cgroup"
	"github.com/wattle-project/wattle/telemetry/gpu"
	"github.com/wattle-project/wattle/telemetry/kube"
)

const townPods = `{"kind":"PodList","items":[
{"metadata":{"name":"resize-1","namespace":"openfaas-fn","uid":"u1","labels":{"functionName":"resize","functionNamespace":"team"}},
 "spec":{"containers":[{"name":"main","resources":{"requests":{"cpu":"500m","memory":"64Mi"}}}]},
 "status":{"containerStatuses":[{"name":"main","containerID":"containerd://c1"}]}},
{"metadata":{"name":"nginx","namespace":"web","uid":"u2"},"spec":{"containers":[{"name":"c"}]},"status":{"containerStatuses":[{"name":"c","containerID":"containerd://c2"}]}}]}`

// asked is a mapper that notes who is missed.
type asked struct {
	*kube.Mapper
	missed []string
}

func (a *asked) Unknown(key string) { a.missed = append(a.missed, key) }

func newAsked(t *testing.T) *asked {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(townPods)) }))
	t.Cleanup(s.Close)
	c := kube.DefaultConfig()
	c.Kubelet, c.TokenFile, c.ResourcesSocket = s.URL, "", ""
	m, err := kube.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return &asked{Mapper: m}
}

func (a *asked) refresh(t *testing.T, at int64) {
	t.Helper()
	if err := a.Refresh(context.Background(), time.Unix(at, 0)); err != nil {
		t.Fatal(err)
	}
}

// TestOwnerOfACgroup goes from a pattern over the container to the pod, which is
// believed only after the kubelet was asked once more.
func TestOwnerOfACgroup(t *testing.T) {
	a := newAsked(t)
	d := owners.New(a)
	in := func(id uint64, container, pod string) *cgroup.Usage {
		return &cgroup.Usage{ID: id, Identity: cgroup.Identity{Container: container, PodUID: pod}}
	}
	check := func(what string, u *cgroup.Usage, at int64, want attribution.Owner) {
		t.Helper()
		got, ok := d.Owner(u, time.Unix(at, 0))
		if ok != (want != attribution.Owner{}) || ok && got != want {
			t.Errorf("%s: %+v, %v; want %+v", what, got, ok, want)
		}
	}
	nobody := attribution.Owner{}
	resize := attribution.Owner{Namespace: "team", Pod: "resize-1", Function: "resize", CPU: 500, Memory: 64 * wattle.MiB}
	pod := attribution.Owner{Namespace: "team", Pod: "resize-1", Function: "resize"}

	check("before the kubelet was asked", in(1, "c1", "u1"), 0, nobody)
	a.refresh(t, 1)
	check("a container of a function", in(1, "c1", "u1"), 2, resize)
	check("one of no function", in(2, "c2", "u2"), 2, attribution.Owner{Namespace: "web", Pod: "nginx"})
	byPattern := in(3, "c1", "u1")
	byPattern.Function, byPattern.Namespace = "mine", "here"
	check("a pattern goes first", byPattern, 2, attribution.Owner{Namespace: "here", Function: "mine"})

	check("an unlisted container of a known pod", in(4, "pause", "u1"), 3, nobody)
	check("as long as nobody was asked again", in(4, "pause", "u1"), 4, nobody)
	a.refresh(t, 5)
	check("and after", in(4, "pause", "u1"), 6, pod)
	gone := in(5, "brief", "u1")
	gone.Gone = true
	check("one that is gone is not waited for", gone, 6, pod)
	check("a pod that nobody knows", in(6, "x", "u9"), 7, nobody)
	check("work beside pods", in(7, "", ""), 7, nobody)
	if want := []string{"c1", "pause", "pause", "pause", "x"}; !slices.Equal(a.missed, want) {
		t.Errorf("asked for %q, want %q", strings.Join(a.missed, " "), strings.Join(want, " "))
	}
	if _, ok := owners.New(nil).Owner(in(8, "c1", "u1"), time.Unix(9, 0)); ok {
		t.Error("a host without Kubernetes knows a pod")
	}
}

// TestMissedPodOfABoard: a pod that the meter names and nobody lists is asked for.
func TestMissedPodOfABoard(t *testing.T) {
	a := newAsked(t)
	a.refresh(t, 1)
	g := owners.NewGPUs(t.TempDir(), a)
	uses := g.Join(nil, []gpu.Use{{Board: board, Share: 1, Owner: gpu.Owner{Namespace: "faas", Pod: "new"}}}, nil, usages(1))
	if len(uses) != 1 || uses[0].ID != 0 || !slices.Equal(a.missed, []string{"faas/new"}) {
		t.Errorf("uses %+v, asked for %v", uses, a.missed)
	}
}
