package cgroup_test

import (
	"fmt"
	"strings"

	"github.com/wattle-project/wattle/telemetry/cgroup"
)

func ExampleIdentify() {
	id := cgroup.Identify("/kubepods.slice/kubepods-pod11111111_2222_3333_4444_555555555555.slice/cri-containerd-" + strings.Repeat("ab", 32) + ".scope")
	fmt.Println(id.Runtime, id.PodUID, id.Container[:4])
	// Output: containerd 11111111-2222-3333-4444-555555555555 abab
}
