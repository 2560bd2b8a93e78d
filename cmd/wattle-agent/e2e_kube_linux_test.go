//go:build e2e

package main

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	podresources "k8s.io/kubelet/pkg/apis/podresources/v1"
)

const (
	helloUID, resizeUID = "0b1c2d3e-0000-4000-8000-000000000001", "0b1c2d3e-0000-4000-8000-000000000002"
	helloBoard          = "GPU-aaaaaaaa-0000-0000-0000-000000000001"
	sharedBoard         = "GPU-bbbbbbbb-0000-0000-0000-000000000002"
	oldBoard            = "GPU-cccccccc-0000-0000-0000-000000000003"
)

var helloID, proxyID, resizeID = strings.Repeat("a1", 32), strings.Repeat("b2", 32), strings.Repeat("c3", 32)

// podsOfNode is what a kubelet answers: a Knative revision and an OpenFaaS function.
var podsOfNode = fmt.Sprintf(`{"kind":"PodList","apiVersion":"v1","items":[
{"metadata":{"name":"hello-00001-deployment-x","namespace":"team","uid":%q,"labels":{"serving.knative.dev/service":"hello","serving.knative.dev/revision":"hello-00001"}},
 "spec":{"containers":[{"name":"user-container","resources":{"requests":{"cpu":"100m","memory":"64Mi"}}},{"name":"queue-proxy"}]},
 "status":{"containerStatuses":[{"name":"user-container","containerID":"containerd://%s"},{"name":"queue-proxy","containerID":"containerd://%s"}]}},
{"metadata":{"name":"resize-7d9","namespace":"openfaas-fn","uid":%q,"labels":{"faas_function":"resize"}},
 "spec":{"containers":[{"name":"resize"}]},
 "status":{"containerStatuses":[{"name":"resize","containerID":"containerd://%s"}]}}]}`, helloUID, helloID, proxyID, resizeUID, resizeID)

// fakeKubelet serves the pods and the devices of a node until it is sick.
type fakeKubelet struct {
	podresources.UnimplementedPodResourcesListerServer
	url, socket string
	sick        atomic.Bool
	hello       string // the device of hello's container
	resize      string // that of resize's, if any
}

func newFakeKubelet(t *testing.T) *fakeKubelet {
	t.Helper()
	k := &fakeKubelet{hello: helloBoard}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case k.sick.Load():
			http.Error(w, "no", http.StatusInternalServerError)
		case r.URL.Path == "/pods":
			_, _ = w.Write([]byte(podsOfNode))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	dir, err := os.MkdirTemp("", "pr") // a socket's path is at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	k.url, k.socket = s.URL, filepath.Join(dir, "k.sock")
	l, err := net.Listen("unix", k.socket)
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	podresources.RegisterPodResourcesListerServer(g, k)
	var wg sync.WaitGroup
	wg.Go(func() { _ = g.Serve(l) })
	t.Cleanup(func() { g.Stop(); wg.Wait(); _ = os.RemoveAll(dir) })
	return k
}

// List tells which devices containers hold.
func (k *fakeKubelet) List(context.Context, *podresources.ListPodResourcesRequest) (*podresources.ListPodResourcesResponse, error) {
	holds := func(namespace, pod, container, device string) *podresources.PodResources {
		return &podresources.PodResources{Name: pod, Namespace: namespace, Containers: []*podresources.ContainerResources{{
			Name: container, Devices: []*podresources.ContainerDevices{{ResourceName: "nvidia.com/gpu", DeviceIds: []string{device}}},
		}}}
	}
	r := &podresources.ListPodResourcesResponse{PodResources: []*podresources.PodResources{holds("team", "hello-00001-deployment-x", "user-container", k.hello)}}
	if k.resize != "" {
		r.PodResources = append(r.PodResources, holds("openfaas-fn", "resize-7d9", "resize", k.resize))
	}
	return r, nil
}

// dcgmPages is a dcgm-exporter whose counters grow by 500 and 700 J from page to
// page, up to the third. Values without meaning are those that DCGM prints.
type dcgmPages struct{ served atomic.Int64 }

const grownPages = 2 // after the first

func (p *dcgmPages) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	n := min(p.served.Add(1)-1, grownPages)
	board := func(metric, uuid, more string, value any) {
		fmt.Fprintf(w, "%s{gpu=\"0\",UUID=%q,modelName=\"NVIDIA A100-SXM4-80GB\",Hostname=\"n\"%s} %v\n", metric, uuid, more, value)
	}
	const energy, power, engine = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
	board(energy, helloBoard, "", 7_000_000+500_000*n)
	board(power, helloBoard, "", 100.5)
	board("DCGM_FI_DEV_GPU_UTIL", helloBoard, "", 2147483632)
	parts := []struct {
		labels   string
		activity float64
	}{
		{`,GPU_I_PROFILE="1g.10gb",GPU_I_ID="7",container="resize",namespace="openfaas-fn",pod="resize-7d9"`, 0.8},
		{`,GPU_I_PROFILE="2g.20gb",GPU_I_ID="3"`, 0.4},
	}
	for _, part := range parts {
		board(energy, sharedBoard, part.labels, 9_000_000+700_000*n)
		board(power, sharedBoard, part.labels, 140)
		board(engine, sharedBoard, part.labels, part.activity)
	}
	board(energy, oldBoard, "", uint64(9223372036854775794))
	board(power, oldBoard, "", 40)
	board(energy, "GPU-dddddddd-0000-0000-0000-000000000004", "", uint64(9223372036854775792))
	board(power, "GPU-dddddddd-0000-0000-0000-000000000004", "", 140737488355328.0)
}

// TestAgentChargesPodsAndTheirGPUs runs the agent beside a kubelet and a
// dcgm-exporter. Processes burn in cgroups that are named as a kubelet names
// them; one function holds a whole board, of which the kubelet alone knows, and
// another a MIG instance, which the exporter names.
func TestAgentChargesPodsAndTheirGPUs(t *testing.T) {
	base, hello, resize := podCgroups(t)
	k, pages := newFakeKubelet(t), &dcgmPages{}
	gpus := httptest.NewServer(pages)
	t.Cleanup(gpus.Close)
	tree := newPowercap(t, map[string]float64{"intel-rapl:0": 80, "intel-rapl:0:1": 8}, twoSockets()[0], twoSockets()[2])
	a := startConfigured(t, tree, base, fmt.Sprintf(`
meters: {skip: [nvml, hwmon, ipmi, model], dcgm_exporter: {url: %s/metrics}}
kubernetes: {enabled: "on", kubelet: %s, resources_socket: %s}
attribution: {idle: {gpu: 14W, package: 1W}}
`, gpus.URL, k.url, k.socket))

	one, two := burner(t, hello, 3*time.Second), burner(t, resize, time.Second)
	t.Cleanup(func() { _, _ = one.Process.Kill(), two.Process.Kill(); _, _ = one.Wait(), two.Wait() })
	const counted = "wattle_function_energy_joules_total"
	onHello, onResize := []string{"namespace=team", "function=hello"}, []string{"namespace=openfaas-fn", "function=resize"}
	joules := func(m metrics, who []string, more ...string) float64 {
		return m.sum(counted, append(append([]string{}, who...), more...)...)
	}
	a.wait("the board of hello is counted", func() bool {
		return math.Abs(joules(a.scrape(), onHello, "component=gpu")-500*grownPages) < 1e-3
	})
	m := a.scrape()
	idle := joules(m, onHello, "component=gpu", "share=idle")
	if idle < 14*8 || idle > 14*15 {
		t.Errorf("idle energy of the whole board: %g J in about 10 s at 14 W", idle)
	}
	if got := joules(m, onResize, "component=gpu", "share=idle"); math.Abs(got-idle/7) > 0.01 {
		t.Errorf("a seventh of a board pays %g J idle, want %g", got, idle/7)
	}
	if got, want := joules(m, onResize, "component=gpu", "share=active"), (700*grownPages-idle)/2; math.Abs(got-want) > 0.01 {
		t.Errorf("half of the instances' activity × slices pays %g J, want %g", got, want)
	}
	if x, y := joules(m, onHello, "component=package"), joules(m, onResize, "component=package"); x < 1.5*y || y < 1 {
		t.Errorf("package energy %g J of hello and %g J of resize: want three to one", x, y)
	}
	if got := m.sum("wattle_node_energy_joules_total", "component=gpu"); got < 1200*grownPages || got > 1200*grownPages+40*25 {
		t.Errorf("all boards spent %g J, want %d and a power of 40 W", got, 1200*grownPages)
	}
	checkSums(t, m)
	promtool(t, a.body())

	k.sick.Store(true)
	a.wait("the kubelet is missed", func() bool { return hasZero(a.scrape(), "wattle_collector_up", "collector=kubelet") })
	before := joules(a.scrape(), onHello, "component=package")
	a.wait("functions stay known", func() bool { return joules(a.scrape(), onHello, "component=package") > before })
	checkSums(t, a.scrape())
	a.stop()
}

// podCgroups makes the cgroups of the pods, named as a kubelet names them.
func podCgroups(t *testing.T) (base, hello, resize string) {
	t.Helper()
	root, group := cgroupV2(t)
	base = filepath.Join(root, group)
	pod := func(uid string) string {
		return filepath.Join(base, "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod"+strings.ReplaceAll(uid, "-", "_")+".slice")
	}
	hello, resize = filepath.Join(pod(helloUID), "cri-containerd-"+helloID+".scope"), filepath.Join(pod(resizeUID), "cri-containerd-"+resizeID+".scope")
	for _, dir := range []string{hello, filepath.Join(pod(helloUID), "cri-containerd-"+proxyID+".scope"), resize} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return base, hello, resize
}

// startConfigured starts the agent on a powercap tree with a configuration file.
func startConfigured(t *testing.T, tree *powercap, cgroups, text string) *process {
	t.Helper()
	config := filepath.Join(t.TempDir(), "agent.yaml")
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return startOn(t, tree, nil, "--config", config, "--cgroup-root", cgroups)
}

// hasZero tells a series that is there with the value 0 from one that is not.
func hasZero(m metrics, family string, labels ...string) bool {
	for _, x := range m[family].GetMetric() {
		if hasAll(x, labels) {
			return x.GetGauge().GetValue() == 0
		}
	}
	return false
}
