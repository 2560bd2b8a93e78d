package kube

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	podresources "k8s.io/kubelet/pkg/apis/podresources/v1"

	"github.com/wattle-project/wattle"
)

// Device is an accelerator, or a part of one, that a container holds.
type Device struct {
	// Resource is the extended resource, "nvidia.com/gpu" or
	// "nvidia.com/mig-1g.10gb", or the DRA driver's name.
	Resource string
	// ID is what the device plugin calls it: "GPU-…", "MIG-…", or with
	// time-slicing "GPU-…::3", of which Replica is cut off.
	ID wattle.DeviceID
	// Replica is the number of a time-sliced share, or -1.
	Replica int
	// Profile is the MIG profile when Resource names one: "1g.10gb".
	Profile string
}

// owner names a container by pod, as pod-resources does.
type owner struct{ namespace, pod, container string }

// devices asks the kubelet which devices each container holds.
func devices(ctx context.Context, socket string, maxBytes int) (map[owner][]Device, error) {
	conn, err := grpc.NewClient("unix://"+socket,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxBytes)))
	if err != nil {
		return nil, fmt.Errorf("pod resources at %s: %w", socket, err)
	}
	defer func() { _ = conn.Close() }()
	list, err := podresources.NewPodResourcesListerClient(conn).List(ctx, &podresources.ListPodResourcesRequest{})
	if err != nil {
		return nil, fmt.Errorf("pod resources at %s: %w", socket, err)
	}
	out := map[owner][]Device{}
	for _, p := range list.GetPodResources() {
		for _, c := range p.GetContainers() {
			if ds := devicesOf(c); len(ds) > 0 {
				out[owner{p.GetNamespace(), p.GetName(), c.GetName()}] = ds
			}
		}
	}
	return out, nil
}

func devicesOf(c *podresources.ContainerResources) []Device {
	var out []Device
	for _, d := range c.GetDevices() {
		for _, id := range d.GetDeviceIds() {
			out = append(out, device(d.GetResourceName(), id))
		}
	}
	for _, dyn := range c.GetDynamicResources() {
		for _, claim := range dyn.GetClaimResources() {
			if claim.GetDeviceName() != "" {
				out = append(out, device(claim.GetDriverName(), claim.GetDeviceName()))
			}
		}
	}
	return out
}

// device splits a replica number off an id and a MIG profile off a resource.
func device(resource, id string) Device {
	d := Device{Resource: resource, ID: wattle.DeviceID(id), Replica: -1}
	if base, n, ok := strings.Cut(id, "::"); ok && number(n) && len(n) < 6 {
		d.ID, d.Replica = wattle.DeviceID(base), 0
		for _, c := range n {
			d.Replica = 10*d.Replica + int(c-'0')
		}
	}
	if _, profile, ok := strings.Cut(resource, "/mig-"); ok {
		d.Profile = strings.TrimSuffix(profile, ".shared")
	}
	return d
}
