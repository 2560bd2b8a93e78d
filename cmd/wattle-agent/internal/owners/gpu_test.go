package owners_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	podresources "k8s.io/kubelet/pkg/apis/podresources/v1"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/cmd/wattle-agent/internal/owners"
	"github.com/wattle-project/wattle/telemetry/attribution"
	"github.com/wattle-project/wattle/telemetry/cgroup"
	"github.com/wattle-project/wattle/telemetry/gpu"
	"github.com/wattle-project/wattle/telemetry/kube"
)

const board = "GPU-1"

// containerID is the id of container n as runtimes make them.
func containerID(n int) string { return strings.Repeat(fmt.Sprintf("%x", n), 64) }

// usages are containers 1 to n with the cgroup paths of a node.
func usages(n int) []cgroup.Usage {
	var out []cgroup.Usage
	for i := 1; i <= n; i++ {
		key := "/kubepods/pod0b1c2d3e-0000-4000-8000-00000000000" + fmt.Sprint(i) + "/" + containerID(i)
		out = append(out, cgroup.Usage{ID: uint64(i), Key: key, Identity: cgroup.Identify(key), CPU: time.Second})
	}
	return out
}

// processes makes a /proc in which process 100+i is in the cgroup of usage i.
func processes(t *testing.T, usage []cgroup.Usage) string {
	t.Helper()
	root := t.TempDir()
	write := func(pid int, path string) {
		dir := filepath.Join(root, fmt.Sprint(pid))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup"), []byte("0::"+path+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, u := range usage {
		write(100+int(u.ID), u.Key)
		write(200+int(u.ID), u.Key+"/nested/deeper")
		write(300+int(u.ID), "/../../.."+u.Key) // as seen from a container of its own
	}
	write(999, "/user.slice/session-1.scope")
	return root
}

// given is a kubelet's socket that tells which devices each container p1, p2, …
// was given: a resource and an id, with a space between.
type given struct {
	podresources.UnimplementedPodResourcesListerServer
	devices map[string]string
}

// List implements the lister.
func (g given) List(context.Context, *podresources.ListPodResourcesRequest) (*podresources.ListPodResourcesResponse, error) {
	r := &podresources.ListPodResourcesResponse{}
	for pod, device := range g.devices {
		resource, id, _ := strings.Cut(device, " ")
		r.PodResources = append(r.PodResources, &podresources.PodResources{Name: pod, Namespace: "faas", Containers: []*podresources.ContainerResources{{
			Name: "main", Devices: []*podresources.ContainerDevices{{ResourceName: resource, DeviceIds: []string{id}}},
		}}})
	}
	return r, nil
}

func (g given) serve(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pr") // a socket's path is at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "k.sock"))
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	podresources.RegisterPodResourcesListerServer(s, g)
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() { s.Stop(); wg.Wait(); _ = os.RemoveAll(dir) })
	return l.Addr().String()
}

// pods is a map made from a kubelet's answers, as in production.
func pods(t *testing.T, list string, devices map[string]string) owners.Pods {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(list)) }))
	t.Cleanup(s.Close)
	c := kube.DefaultConfig()
	c.Kubelet, c.TokenFile, c.ResourcesSocket = s.URL, "", ""
	if devices != nil {
		c.ResourcesSocket = given{devices: devices}.serve(t)
	}
	m, err := kube.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Refresh(context.Background(), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	return m
}

// node divides a board's energy over containers, with idle power of 30 W.
func node(t *testing.T) *attribution.Attributor {
	t.Helper()
	c := attribution.DefaultConfig()
	c.CPU, c.Memory = 1000, wattle.GiB
	c.Idle = map[attribution.Zone]wattle.Watts{{Component: wattle.GPU}: 30}
	a, err := attribution.New(c, func(u *attribution.Usage) (attribution.Owner, bool) {
		return attribution.Owner{Namespace: "faas", Function: fmt.Sprint(u.ID)}, true
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// step lets the board spend energy for a second while the uses hold.
func step(a *attribution.Attributor, at time.Time, energy wattle.Microjoules, uses []attribution.GPUUse, usage []cgroup.Usage) {
	in := attribution.Input{At: at, UsageRead: true, GPU: uses}
	for _, u := range usage {
		in.Usage = append(in.Usage, attribution.Usage{ID: u.ID, Key: u.Key, CPU: u.CPU})
	}
	in.Energy = []wattle.Sample{{Component: wattle.GPU, Device: board, From: at.Add(-time.Second), To: at, Energy: energy}}
	a.Step(in)
}

func charges(a *attribution.Attributor) map[string]attribution.Charge {
	out := map[string]attribution.Charge{}
	for _, acc := range a.AppendAccounts(nil) {
		out[acc.Function] = acc.Charges[wattle.GPU]
	}
	out["system"], out["unallocated"] = a.System()[wattle.GPU], a.Unallocated()[wattle.GPU]
	return out
}

const (
	mig1 = board + "/gi-7"
	mig2 = board + "/gi-3"
)

func instances() []gpu.Instance {
	return []gpu.Instance{{Key: mig1, Slices: 1, OfSlices: 7}, {Key: mig2, Slices: 2, OfSlices: 7}}
}

// TestBoardEnergyReachesThoseWhoUsedIt: in each story a board spends 100 J in a
// second, of which 30 J are idle. Active J, then idle J by who pays.
func TestBoardEnergyReachesThoseWhoUsedIt(t *testing.T) {
	held := func(ids ...int) string {
		var items []string
		for _, i := range ids {
			items = append(items, fmt.Sprintf(`{"metadata":{"name":"p%d","namespace":"faas"},"status":{"containerStatuses":[{"name":"main","containerID":"containerd://%s"}]}}`, i, containerID(i)))
		}
		return `{"kind":"PodList","items":[` + strings.Join(items, ",") + `]}`
	}
	owner := func(i int, instance string) gpu.Owner {
		return gpu.Owner{Namespace: "faas", Pod: fmt.Sprintf("p%d", i), Container: "main", Instance: instance}
	}
	type paid map[string][2]float64
	for name, tc := range map[string]struct {
		uses      []gpu.Use
		instances []gpu.Instance
		devices   map[string]string // that the kubelet gave to pods
		want      paid
	}{
		"nobody is known": {
			uses: []gpu.Use{{Board: board, Share: 1}},
			want: paid{"system": {70, 0}, "unallocated": {0, 30}},
		},
		"no use at all": {want: paid{"unallocated": {70, 30}}},
		"one process": {
			uses: []gpu.Use{{Board: board, PID: 101, Share: 1}},
			want: paid{"1": {70, 30}},
		},
		"processes of a nested cgroup count for the container": {
			uses: []gpu.Use{{Board: board, PID: 202, Share: 1}},
			want: paid{"2": {70, 30}},
		},
		"processes as a container with a cgroup namespace sees them": {
			uses: []gpu.Use{{Board: board, PID: 302, Share: 1}},
			want: paid{"2": {70, 30}},
		},
		"a container with three processes holds the board once": {
			uses: []gpu.Use{{Board: board, PID: 101, Share: 0.2}, {Board: board, PID: 201, Share: 0.3}, {Board: board, PID: 102, Share: 0.5}},
			want: paid{"1": {35, 15}, "2": {35, 15}},
		},
		"a process of the host pays for itself": {
			uses: []gpu.Use{{Board: board, PID: 101, Share: 0.3}, {Board: board, PID: 999, Share: 0.7}},
			want: paid{"1": {21, 30}, "system": {49, 0}},
		},
		"a process that is gone pays for itself": {
			uses: []gpu.Use{{Board: board, PID: 101, Share: 0.5}, {Board: board, PID: 12345, Share: 0.5}},
			want: paid{"1": {35, 30}, "system": {35, 0}},
		},
		"instances by activity × slices, idle by slices": {
			uses:      []gpu.Use{{Board: board, Instance: mig1, Owner: owner(1, mig1), Share: 0.5}, {Board: board, Instance: mig2, Owner: owner(2, mig2), Share: 0.5}},
			instances: instances(),
			want:      paid{"1": {35, 30.0 / 7}, "2": {35, 60.0 / 7}, "unallocated": {0, 120.0 / 7}},
		},
		"an instance of nobody": {
			uses:      []gpu.Use{{Board: board, Instance: mig1, Owner: owner(1, mig1), Share: 0.25}, {Board: board, Instance: mig2, Share: 0.75}},
			instances: instances(),
			want:      paid{"1": {17.5, 30.0 / 7}, "system": {52.5, 0}, "unallocated": {0, 180.0 / 7}},
		},
		"two containers share an instance": {
			uses:      []gpu.Use{{Board: board, Instance: mig2, Owner: owner(1, mig2), Share: 0.5}, {Board: board, Instance: mig2, Owner: owner(2, mig2), Share: 0.5}},
			instances: instances(),
			want:      paid{"1": {35, 30.0 / 7}, "2": {35, 30.0 / 7}, "unallocated": {0, 150.0 / 7}},
		},
		"the kubelet alone knows who holds the instances, by UUIDs that NVML places": {
			uses: []gpu.Use{{Board: board, Instance: mig1, Share: 0.5}, {Board: board, Instance: mig2, Share: 0.5}},
			instances: append(instances(),
				gpu.Instance{Key: "MIG-uuid-a", Place: mig1, Slices: 1, OfSlices: 7}, gpu.Instance{Key: "MIG-uuid-b", Place: mig2, Slices: 2, OfSlices: 7}),
			devices: map[string]string{"p1": "nvidia.com/mig-1g.10gb MIG-uuid-a", "p2": "nvidia.com/mig-2g.20gb MIG-uuid-b"},
			want:    paid{"1": {35, 30.0 / 7}, "2": {35, 60.0 / 7}, "unallocated": {0, 120.0 / 7}},
		},
		"a container that holds a board beside the one that uses it": {
			uses:    []gpu.Use{{Board: board, PID: 101, Share: 1}},
			devices: map[string]string{"p1": "nvidia.com/gpu.shared " + board + "::0", "p2": "nvidia.com/gpu.shared " + board + "::1"},
			want:    paid{"1": {70, 15}, "2": {0, 15}},
		},
		"holders of an instance have equal parts of its use, beside another": {
			uses:      []gpu.Use{{Board: board, Instance: mig1, Share: 0.5}, {Board: board, Instance: mig2, Share: 0.5}},
			instances: append(instances(), gpu.Instance{Key: "MIG-uuid-a", Place: mig1, Slices: 1, OfSlices: 7}),
			devices:   map[string]string{"p1": "nvidia.com/mig-1g.10gb.shared MIG-uuid-a::0", "p2": "nvidia.com/mig-1g.10gb.shared MIG-uuid-a::1"},
			want:      paid{"1": {17.5, 15.0 / 7}, "2": {17.5, 15.0 / 7}, "system": {35, 0}, "unallocated": {0, 180.0 / 7}},
		},
		"UUIDs that nobody places": {
			uses:      []gpu.Use{{Board: board, Instance: mig1, Share: 0.5}, {Board: board, Instance: mig2, Share: 0.5}},
			instances: instances(),
			devices:   map[string]string{"p1": "nvidia.com/mig-1g.10gb MIG-uuid-a", "p2": "nvidia.com/mig-2g.20gb MIG-uuid-b"},
			want:      paid{"system": {70, 0}, "unallocated": {0, 30}},
		},
		"names of drivers before 470 tell the place": {
			uses:      []gpu.Use{{Board: board, Instance: mig1, Share: 0.5}, {Board: board, Instance: mig2, Share: 0.5}},
			instances: instances(),
			devices:   map[string]string{"p1": "nvidia.com/mig-1g.10gb MIG-" + board + "/7/0", "p2": "nvidia.com/mig-2g.20gb MIG-" + board + "/3/0"},
			want:      paid{"1": {35, 30.0 / 7}, "2": {35, 60.0 / 7}, "unallocated": {0, 120.0 / 7}},
		},
		"two compute instances of one instance share it": {
			uses:      []gpu.Use{{Board: board, Instance: mig2, Share: 1}},
			instances: append(instances(), gpu.Instance{Key: "MIG-uuid-a", Place: mig2, Slices: 1, OfSlices: 7}, gpu.Instance{Key: "MIG-uuid-b", Place: mig2, Slices: 1, OfSlices: 7}),
			devices:   map[string]string{"p1": "nvidia.com/mig-1c.2g.20gb MIG-uuid-a", "p2": "nvidia.com/mig-1c.2g.20gb MIG-uuid-b"},
			want:      paid{"1": {35, 30.0 / 7}, "2": {35, 30.0 / 7}, "unallocated": {0, 150.0 / 7}},
		},
		"a meter that names instances by UUID is taken at its word": {
			uses:      []gpu.Use{{Board: board, Instance: "MIG-uuid-a", Share: 0.25}, {Board: board, Instance: "MIG-uuid-b", Share: 0.75}},
			instances: []gpu.Instance{{Key: "MIG-uuid-a", Place: mig2, Slices: 1, OfSlices: 7}, {Key: "MIG-uuid-b", Place: mig2, Slices: 1, OfSlices: 7}},
			devices:   map[string]string{"p1": "nvidia.com/mig-1c.2g.20gb MIG-uuid-a", "p2": "nvidia.com/mig-1c.2g.20gb MIG-uuid-b"},
			want:      paid{"1": {17.5, 30.0 / 7}, "2": {52.5, 30.0 / 7}, "unallocated": {0, 150.0 / 7}},
		},
		"a pod that the kubelet does not list": {
			uses: []gpu.Use{{Board: board, Owner: gpu.Owner{Namespace: "other", Pod: "p1", Container: "main"}, Share: 1}},
			want: paid{"system": {70, 0}, "unallocated": {0, 30}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			usage := usages(2)
			g := owners.NewGPUs(processes(t, usage), pods(t, held(1, 2), tc.devices))
			a := node(t)
			at := time.Unix(100, 0)
			for i := range 3 { // the zone is known from the second second on
				step(a, at.Add(time.Duration(i)*time.Second), 100e6, g.Join(nil, tc.uses, tc.instances, usage), usage)
			}
			got := charges(a)
			for who, want := range tc.want {
				c := got[who]
				if math.Abs(float64(c.Active)/3e6-want[0]) > 1e-3 || math.Abs(float64(c.Idle)/3e6-want[1]) > 1e-3 {
					t.Errorf("%s pays %v + %v in 3 s, want %g + %g J each second", who, c.Active, c.Idle, want[0], want[1])
				}
				delete(got, who)
			}
			for who, c := range got {
				if c.Sum() != 0 {
					t.Errorf("%s pays %v without cause", who, c)
				}
			}
		})
	}
}

// TestBoardEnergyCloses: whatever meters say, what all pay is what the board
// spent, to the microjoule, and shares are those that the meter told.
func TestBoardEnergyCloses(t *testing.T) {
	usage := usages(4)
	proc := processes(t, usage)
	r := rand.New(rand.NewPCG(1, 2))
	pids := []int{101, 201, 102, 103, 104, 204, 999, 12345}
	for range 200 {
		g, a := owners.NewGPUs(proc, nil), node(t)
		var spent wattle.Microjoules
		told, active := map[string]float64{}, 0.0
		for i := range 6 {
			var uses []gpu.Use
			sum := 0.0
			for _, pid := range pids {
				if r.IntN(3) > 0 {
					continue
				}
				u := gpu.Use{Board: board, PID: pid, Instance: []string{"", mig1, mig2}[r.IntN(3)], Share: r.Float64()}
				uses, sum = append(uses, u), sum+u.Share
			}
			energy := wattle.Microjoules(30e6 + r.IntN(300e6))
			spent += energy
			for k := range uses {
				uses[k].Share /= sum
				who := map[int]string{101: "1", 201: "1", 102: "2", 103: "3", 104: "4", 204: "4"}[uses[k].PID]
				told[who] += uses[k].Share * float64(energy-30e6)
			}
			if len(uses) > 0 {
				active += float64(energy - 30e6)
			}
			step(a, time.Unix(int64(100+i), 0), energy, g.Join(nil, uses, instances(), usage), usage)
		}
		b := a.Balance(wattle.GPU)
		if b.Metered != spent || b.Functions+b.System+b.Unallocated+b.Held+b.Pending != spent {
			t.Fatalf("spent %d µJ, booked %+v", spent, b)
		}
		for who, c := range charges(a) {
			if who == "system" {
				told[who] = told[""]
			}
			if who != "unallocated" && math.Abs(float64(c.Active)-told[who]) > 1e-4*active {
				t.Fatalf("%s pays %d µJ of active energy, told are %.0f", who, c.Active, told[who])
			}
		}
	}
}
