package kube

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	podresources "k8s.io/kubelet/pkg/apis/podresources/v1"

	"github.com/wattle-project/wattle"
)

func TestName(t *testing.T) {
	type m = map[string]string
	for _, c := range []struct {
		name        string
		pod         string
		labels, ann m
		want        Named
	}{
		{"knative service", "p", m{"serving.knative.dev/service": "hello", "serving.knative.dev/configuration": "hello-c", "serving.knative.dev/revision": "hello-00001"}, nil, Named{"knative", "ns", "hello"}},
		{"knative configuration alone", "p", m{"serving.knative.dev/configuration": "conf", "serving.knative.dev/revision": "conf-00001"}, nil, Named{"knative", "ns", "conf"}},
		{"knative revision alone", "p", m{"serving.knative.dev/revision": "rev-00001"}, nil, Named{"knative", "ns", "rev-00001"}},
		{"openfaas", "p", m{"faas_function": "figlet"}, nil, Named{"openfaas", "ns", "figlet"}},
		{"openfaas annotation", "p", nil, m{"com.openfaas.function": "figlet"}, Named{"openfaas", "ns", "figlet"}},
		{"fission with its own namespace", "poolmgr-python-default-1", m{"functionName": "hello", "functionNamespace": "team", "environmentName": "python"}, nil, Named{"fission", "team", "hello"}},
		{"fission pool pod that serves nobody yet", "poolmgr-python-default-2", m{"environmentName": "python"}, nil, Named{}},
		{"nuclio", "p", m{"nuclio.io/function-name": "resize", "nuclio.io/project-name": "x"}, nil, Named{"nuclio", "ns", "resize"}},
		{"openwhisk label", "wskow-invoker-00-7-prewarm-nodejs14", m{"user-action-pod": "true", "openwhisk/action": "hello", "openwhisk/namespace": "guest"}, nil, Named{"openwhisk", "guest", "hello"}},
		{"openwhisk pod name", "wskow-invoker-00-2-guest-hello-world", m{"user-action-pod": "true"}, nil, Named{"openwhisk", "guest", "hello-world"}},
		{"openwhisk stem cell", "wskow-invoker-00-7-prewarm-nodejs14", m{"user-action-pod": "true"}, nil, Named{}},
		{"a name like openwhisk's without its label", "wskow-invoker-00-2-guest-hello", nil, nil, Named{}},
		{"keda job", "p", m{"scaledjob.keda.sh/name": "encode"}, nil, Named{"keda", "ns", "encode"}},
		{"keda object", "p", m{"scaledobject.keda.sh/name": "queue"}, nil, Named{"keda", "ns", "queue"}},
		{"keda http add-on", "p", m{"httpscaledobject.keda.sh/name": "site"}, nil, Named{"keda", "ns", "site"}},
		{"openwhisk's label on another pod", "team-00-2-guest-hello", m{"user-action-pod": "true"}, nil, Named{}},
		{"openwhisk's label switched off", "wskow-invoker-00-2-guest-hello", m{"user-action-pod": "false"}, nil, Named{}},
		{"ordinary", "nginx", m{"app": "nginx"}, nil, Named{}},
		{"empty label", "p", m{"faas_function": ""}, nil, Named{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := Name(DefaultRules(), "ns", c.pod, c.labels, c.ann)
			if got != c.want && ok || ok != (c.want.Function != "") {
				t.Errorf("got %+v, %v, want %+v", got, ok, c.want)
			}
		})
	}
}

func TestQuantity(t *testing.T) {
	for s, want := range map[string]float64{
		"500m": 0.5, "2": 2, "1.5": 1.5, "2Gi": 2 << 30, "64Ki": 65536, "1e3": 1000, "129M": 129e6,
		"100k": 1e5, "1E": 1e18, "250000u": 0.25, "5n": 5e-9,
	} {
		if got, err := quantity(s); err != nil || got < want*(1-1e-12) || got > want*(1+1e-12) {
			t.Errorf("quantity(%q) = %g, %v, want %g", s, got, err, want)
		}
	}
	for _, s := range []string{"", "m", "1x", "Gi", "--3", "1 Gi", "1e999"} {
		if got, err := quantity(s); err == nil {
			t.Errorf("quantity(%q) = %g, want an error", s, got)
		}
	}
}

func FuzzQuantity(f *testing.F) {
	for _, s := range []string{"500m", "2Gi", "1e3", "", "-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { _, _ = quantity(s) })
}

func FuzzDecodePods(f *testing.F) {
	f.Add([]byte(podsJSON))
	f.Add([]byte(`{"kind":"PodList","items":[{"status":{"containerStatuses":[{"containerID":"x://"}]}}]}`))
	f.Add([]byte(`{"kind":"Status"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		pods, err := decodePods(bytes.NewReader(b))
		if err != nil {
			return
		}
		for _, c := range build(pods, DefaultRules(), nil).Containers() {
			if c.ID == "" || c.CPU < 0 || c.Memory < 0 {
				t.Fatalf("container %+v", c)
			}
		}
	})
}

const podsJSON = `{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[
{"metadata":{"name":"hello-00001-deployment-abc","namespace":"team","uid":"u-1","labels":{"serving.knative.dev/service":"hello"}},
 "spec":{"containers":[{"name":"user-container","resources":{"requests":{"cpu":"400m","memory":"256Mi"},"limits":{"nvidia.com/gpu":"1"}}},
                       {"name":"queue-proxy","resources":{"limits":{"cpu":"25m","memory":"8Mi"}}}],
         "initContainers":[{"name":"setup","resources":{"requests":{"cpu":"2","memory":"1Gi"}}}]},
 "status":{"containerStatuses":[{"name":"user-container","containerID":"containerd://aaa"},{"name":"queue-proxy","containerID":"cri-o://bbb"}],
           "initContainerStatuses":[{"name":"setup","containerID":"containerd://iii"}],
           "ephemeralContainerStatuses":[{"name":"debug","containerID":"containerd://eee"}]}},
{"metadata":{"name":"kube-proxy","namespace":"kube-system","uid":"u-2","annotations":{"kubernetes.io/config.hash":"h-2"}},
 "spec":{"containers":[{"name":"c"}]},
 "status":{"containerStatuses":[{"name":"c","containerID":"docker://ccc"}]}},
{"metadata":{"name":"pending","namespace":"team","uid":"u-3"},"spec":{"containers":[{"name":"c"}]},"status":{}}
]}`

// kubelet is a fake kubelet whose answer can be changed.
type kubelet struct {
	*httptest.Server
	body   atomic.Value // string
	status atomic.Int64
	auth   atomic.Value // string
	asked  atomic.Int64
}

func newKubelet(t *testing.T) *kubelet {
	k := &kubelet{}
	k.body.Store(podsJSON)
	k.status.Store(200)
	k.auth.Store("")
	k.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.asked.Add(1)
		k.auth.Store(r.Header.Get("Authorization"))
		if r.URL.Path != "/pods" {
			http.NotFound(w, r)
			return
		}
		w.WriteHeader(int(k.status.Load()))
		_, _ = w.Write([]byte(k.body.Load().(string)))
	}))
	t.Cleanup(k.Close)
	return k
}

func (k *kubelet) config(t *testing.T) Config {
	cfg := DefaultConfig()
	cfg.Kubelet, cfg.ResourcesSocket = k.URL, ""
	cfg.TokenFile = filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(cfg.TokenFile, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func mustNew(t *testing.T, cfg Config) *Mapper {
	t.Helper()
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRefreshFindsContainersAndPods(t *testing.T) {
	k := newKubelet(t)
	m := mustNew(t, k.config(t))
	if _, ok := m.Current().Container("aaa"); ok {
		t.Fatal("a container is known before the first refresh")
	}
	if err := m.Refresh(t.Context(), time.Unix(100, 0)); err != nil {
		t.Fatal(err)
	}
	if got := k.auth.Load(); got != "Bearer secret" {
		t.Errorf("authorization %q", got)
	}
	now := m.Current()
	c, ok := now.Container("aaa")
	if !ok || c.Function != "hello" || c.Namespace != "team" || c.Platform != "knative" || c.CPU != 400 || c.Memory != 256*wattle.MiB {
		t.Errorf("user container %+v", c)
	}
	if c, ok := now.Container("bbb"); !ok || c.Function != "hello" || c.CPU != 25 || c.Memory != 8*wattle.MiB {
		t.Errorf("queue proxy %+v: a limit stands for a missing request", c)
	}
	if c, ok := now.Container("iii"); !ok || c.Function != "hello" || c.CPU != 0 || c.Memory != 0 {
		t.Errorf("init container %+v, want one that reserves nothing beside the others", c)
	}
	if c, ok := now.Container("eee"); !ok || c.Function != "hello" || c.CPU != 0 {
		t.Errorf("ephemeral container %+v", c)
	}
	if c, ok := now.Container("ccc"); !ok || c.Function != "" || c.Namespace != "kube-system" {
		t.Errorf("ordinary container %+v", c)
	}
	for _, uid := range []string{"u-1", "u-2", "h-2", "u-3"} {
		if _, ok := now.Pod(uid); !ok {
			t.Errorf("pod %s is not known", uid)
		}
	}
	if len(now.Containers()) != 5 || !now.At().Equal(time.Unix(100, 0)) {
		t.Errorf("%d containers at %s", len(now.Containers()), now.At())
	}
}

// TestTokenIsReadAgainAndGoesNowhereElse: tokens rotate, a missing file is that of
// a host without one, and neither plain text nor another server sees it.
func TestTokenIsReadAgainAndGoesNowhereElse(t *testing.T) {
	k := newKubelet(t)
	cfg := k.config(t)
	m := mustNew(t, cfg)
	for _, c := range []struct{ file, want string }{{"one", "Bearer one"}, {" two\n", "Bearer two"}, {"", ""}} {
		if err := os.WriteFile(cfg.TokenFile, []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := m.Refresh(t.Context(), time.Unix(1, 0)); err != nil || k.auth.Load() != c.want {
			t.Errorf("sent %q (%v), want %q", k.auth.Load(), err, c.want)
		}
	}
	if err := os.Remove(cfg.TokenFile); err != nil {
		t.Fatal(err)
	}
	if err := m.Refresh(t.Context(), time.Unix(1, 0)); err != nil || k.auth.Load() != "" {
		t.Errorf("without a file: %q, %v", k.auth.Load(), err)
	}

	other := newKubelet(t)
	other.auth.Store("nobody asked")
	var plain atomic.Value
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		plain.Store(r.Header.Get("Authorization"))
		http.Redirect(w, r, other.URL+"/pods", http.StatusFound)
	}))
	defer s.Close()
	cfg.Kubelet = s.URL
	if err := os.WriteFile(cfg.TokenFile, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := mustNew(t, cfg).Refresh(t.Context(), time.Unix(1, 0)); err == nil || !strings.Contains(err.Error(), "302") {
		t.Errorf("a redirect: %v", err)
	}
	if plain.Load() != "" || other.asked.Load() != 0 {
		t.Errorf("the token went in plain text (%q), or the redirect was followed (%d)", plain.Load(), other.asked.Load())
	}
}

// TestRefreshEnds: a kubelet that never answers costs one timeout.
func TestRefreshEnds(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer s.Close()
	cfg := DefaultConfig()
	cfg.Kubelet, cfg.ResourcesSocket, cfg.TokenFile, cfg.Timeout = s.URL, "", "", 50*time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := mustNew(t, cfg).Refresh(ctx, time.Unix(1, 0)); !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		t.Errorf("err = %v, of the caller %v; want the refresh's own timeout", err, ctx.Err())
	}
}

func TestCAIsVerified(t *testing.T) {
	k := newKubelet(t)
	cfg := k.config(t)
	cfg.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.Certificate().Raw})
	if err := os.WriteFile(cfg.CAFile, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := mustNew(t, cfg).Refresh(t.Context(), time.Unix(1, 0)); err != nil {
		t.Errorf("right CA: %v", err)
	}
	if err := os.WriteFile(cfg.CAFile, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := mustNew(t, cfg).Refresh(t.Context(), time.Unix(1, 0)); err == nil {
		t.Error("a CA file without a certificate was accepted")
	}
}

// TestBadAnswersKeepWhatWasKnown: whatever the kubelet answers, look-ups go on.
func TestBadAnswersKeepWhatWasKnown(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int64
		body   string
		want   string
	}{
		{"401", 401, "Unauthorized", "token"},
		{"403", 403, "Forbidden", "nodes/proxy"},
		{"500", 500, "", "500"},
		{"redirect", 302, "", "302"},
		{"html", 200, "<html>login</html>", "list of pods"},
		{"truncated", 200, podsJSON[:300], "list of pods"},
		{"another kind", 200, `{"kind":"Status","message":"no"}`, "Status"},
		{"too long", 200, `{"kind":"PodList","items":[` + strings.Repeat(" ", 4000) + `]}`, "exceeds"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newKubelet(t)
			cfg := k.config(t)
			cfg.MaxBytes = 3000
			m := mustNew(t, cfg)
			if err := m.Refresh(t.Context(), time.Unix(1, 0)); err != nil {
				t.Fatal(err)
			}
			k.status.Store(c.status)
			k.body.Store(c.body)
			err := m.Refresh(t.Context(), time.Unix(2, 0))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("err = %v, want it to speak of %q", err, c.want)
			}
			now := m.Current()
			if _, ok := now.Container("aaa"); !ok || now.Err() == nil || !now.At().Equal(time.Unix(1, 0)) {
				t.Errorf("what was known is lost, or its age is hidden: at %s, err %v", now.At(), now.Err())
			}
		})
	}
}

func TestContainersThatLeftStayKnownForAWhile(t *testing.T) {
	k := newKubelet(t)
	cfg := k.config(t)
	cfg.Keep = 10 * time.Second
	m := mustNew(t, cfg)
	refresh := func(at int64) {
		t.Helper()
		if err := m.Refresh(t.Context(), time.Unix(at, 0)); err != nil {
			t.Fatal(err)
		}
	}
	refresh(0)
	k.body.Store(`{"kind":"PodList","items":[]}`)
	refresh(5) // it left
	refresh(12)
	if c, ok := m.Current().Container("aaa"); !ok || c.Function != "hello" || len(m.Current().Containers()) != 0 {
		t.Error("a container that left 7 s ago is not known, or is listed as running")
	}
	if c, ok := m.Current().Pod("u-1"); !ok || c.Function != "hello" {
		t.Error("a pod that left 7 s ago is not known")
	}
	refresh(15)
	_, byID := m.Current().Container("aaa")
	_, byPod := m.Current().Pod("u-1")
	if byID || byPod {
		t.Error("a container that left 10 s ago is still known")
	}
}

// lister is a fake pod-resources server.
type lister struct {
	podresources.UnimplementedPodResourcesListerServer
	answer *podresources.ListPodResourcesResponse
	err    error
}

func (l *lister) List(context.Context, *podresources.ListPodResourcesRequest) (*podresources.ListPodResourcesResponse, error) {
	return l.answer, l.err
}

func serve(t *testing.T, l *lister) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pr") // a socket's path is at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "k.sock")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	podresources.RegisterPodResourcesListerServer(s, l)
	go func() { _ = s.Serve(ln) }()
	t.Cleanup(func() { s.Stop(); _ = os.RemoveAll(dir) })
	return socket
}

func TestDevices(t *testing.T) {
	l := &lister{answer: &podresources.ListPodResourcesResponse{PodResources: []*podresources.PodResources{{
		Name: "hello-00001-deployment-abc", Namespace: "team",
		Containers: []*podresources.ContainerResources{
			{Name: "user-container", Devices: []*podresources.ContainerDevices{
				{ResourceName: "nvidia.com/mig-1g.10gb", DeviceIds: []string{"MIG-1"}},
				{ResourceName: "nvidia.com/gpu.shared", DeviceIds: []string{"GPU-2::3", "GPU-3::99999999999999999999"}},
				{ResourceName: "nvidia.com/mig-2g.20gb.shared", DeviceIds: []string{"MIG-4::0"}},
			}, DynamicResources: []*podresources.DynamicResource{{ClaimResources: []*podresources.ClaimResource{
				{DriverName: "gpu.nvidia.com", PoolName: "node", DeviceName: "gpu-0"},
			}}}},
			{Name: "queue-proxy"},
		},
	}}}}
	k := newKubelet(t)
	cfg := k.config(t)
	cfg.ResourcesSocket = serve(t, l)
	m := mustNew(t, cfg)
	if err := m.Refresh(t.Context(), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	c, _ := m.Current().Container("aaa")
	want := []Device{
		{"nvidia.com/mig-1g.10gb", "MIG-1", -1, "1g.10gb"},
		{"nvidia.com/gpu.shared", "GPU-2", 3, ""},
		{"nvidia.com/gpu.shared", "GPU-3::99999999999999999999", -1, ""}, // no number of a replica
		{"nvidia.com/mig-2g.20gb.shared", "MIG-4", 0, "2g.20gb"},
		{"gpu.nvidia.com", "gpu-0", -1, ""},
	}
	if !slices.Equal(c.Devices, want) {
		t.Errorf("devices %+v, want %+v", c.Devices, want)
	}
	if c, _ := m.Current().Container("bbb"); len(c.Devices) != 0 {
		t.Errorf("queue proxy holds %+v", c.Devices)
	}
	l.err = errors.New("plugin gone")
	if err := m.Refresh(t.Context(), time.Unix(2, 0)); err == nil || !strings.Contains(err.Error(), "plugin gone") {
		t.Errorf("err = %v", err)
	}
	if c, ok := m.Current().Container("aaa"); !ok || c.Function != "hello" {
		t.Error("without devices the pods are lost")
	}
}

func TestNoSocketLeavesPods(t *testing.T) {
	k := newKubelet(t)
	cfg := k.config(t)
	cfg.ResourcesSocket = filepath.Join(t.TempDir(), "none.sock")
	m := mustNew(t, cfg)
	if err := m.Refresh(t.Context(), time.Unix(1, 0)); err == nil {
		t.Error("a missing socket was not reported")
	}
	if _, ok := m.Current().Container("aaa"); !ok || m.Current().Err() == nil {
		t.Errorf("pods are lost, or the failure is hidden: %v", m.Current().Err())
	}
}

// TestLargeListOfDevices: gRPC's own limit of 4 MiB does not hold, the configured
// one does.
func TestLargeListOfDevices(t *testing.T) {
	held := &podresources.ContainerDevices{ResourceName: "nvidia.com/gpu"}
	for i := range 50_000 {
		held.DeviceIds = append(held.DeviceIds, fmt.Sprintf("GPU-%0100d", i))
	}
	k := newKubelet(t)
	cfg := k.config(t)
	cfg.ResourcesSocket = serve(t, &lister{answer: &podresources.ListPodResourcesResponse{PodResources: []*podresources.PodResources{{
		Name: "hello-00001-deployment-abc", Namespace: "team",
		Containers: []*podresources.ContainerResources{{Name: "user-container", Devices: []*podresources.ContainerDevices{held}}},
	}}}})
	m := mustNew(t, cfg)
	if err := m.Refresh(t.Context(), time.Unix(1, 0)); err != nil {
		t.Error(err)
	}
	if c, _ := m.Current().Container("aaa"); len(c.Devices) != 50_000 {
		t.Errorf("%d devices, want 50000", len(c.Devices))
	}
	cfg.MaxBytes = 1 << 20
	if err := mustNew(t, cfg).Refresh(t.Context(), time.Unix(1, 0)); err == nil || !strings.Contains(err.Error(), "larger than max") {
		t.Errorf("err = %v, want the limit", err)
	}
}

// TestRunLogsAFailureOnce runs against an address where nobody listens.
func TestRunLogsAFailureOnce(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		cfg := DefaultConfig()
		cfg.CAFile = filepath.Join(dir, "missing.pem") // fails before any network
		cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
		m := mustNew(t, cfg)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := m.Run(ctx); err != nil {
			t.Error(err)
		}
		if n := strings.Count(log.String(), "not up to date"); n != 1 {
			t.Errorf("%d log lines for one lasting failure:\n%s", n, log.String())
		}
	})
}

func TestConfig(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"address":    func(c *Config) { c.Kubelet = "127.0.0.1:10250" },
		"unverified": func(c *Config) { c.Kubelet = "https://10.0.0.1:10250" },
		"every":      func(c *Config) { c.Every = 0 },
		"bytes":      func(c *Config) { c.MaxBytes = 0 },
		"log":        func(c *Config) { c.Log = nil },
		"rule":       func(c *Config) { c.Rules = []Rule{{Platform: "x"}} },
	} {
		c := DefaultConfig()
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	k := newKubelet(t)
	m := mustNew(t, k.config(t))
	if err := m.Refresh(t.Context(), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { m.Current().Container("aaa") }); n != 0 {
		t.Errorf("%g allocations, want 0", n)
	}
}

// TestWhatIsMissedIsAskedForOutOfTurn: a pod that started between two refreshes
// is known soon after somebody met it.
func TestWhatIsMissedIsAskedForOutOfTurn(t *testing.T) {
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		items := ""
		if asked.Add(1) > 1 {
			items = `{"metadata":{"name":"p","namespace":"faas"},"status":{"containerStatuses":[{"name":"main","containerID":"containerd://abc"}]}}`
		}
		fmt.Fprintf(w, `{"kind":"PodList","items":[%s]}`, items)
	}))
	defer s.Close()
	cfg := DefaultConfig()
	cfg.Kubelet, cfg.ResourcesSocket, cfg.TokenFile, cfg.Every = s.URL, "", "", time.Hour
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	known := func() bool { _, ok := m.Current().Container("abc"); return ok }
	begin := time.Now()
	for !known() && time.Since(begin) < 20*time.Second {
		if asked.Load() > 0 {
			m.Unknown("abc")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := asked.Load(); !known() || n != 2 {
		t.Errorf("the container is known: %v, after %d requests", known(), n)
	}
	if d := time.Since(begin); d < soonest {
		t.Errorf("asked again after %s already", d)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestWhatNobodyKnowsIsMissedForAWhile: containers that the kubelet never lists
// do not make it be asked each second for ever.
func TestWhatNobodyKnowsIsMissedForAWhile(t *testing.T) {
	m, err := New(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1000, 0)
	asks := 0
	for i := range 3600 {
		now := at.Add(time.Duration(i) * time.Second)
		if m.miss("docker", now) {
			asks++
		}
		m.forget(now)
	}
	if asks < 5 || asks > 60 { // five seconds now, and again when it is forgotten
		t.Errorf("asked %d times in an hour", asks)
	}
	m.forget(at.Add(2 * time.Hour))
	if len(m.missed) != 0 {
		t.Errorf("%d are kept for ever", len(m.missed))
	}
}
