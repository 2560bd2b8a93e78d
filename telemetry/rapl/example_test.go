package rapl_test

import (
	"context"
	"fmt"
	"os"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/fake"
	"github.com/wattle-project/wattle/telemetry/rapl"
)

func ExampleReader() {
	dir, err := os.MkdirTemp("", "powercap")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	tree, err := fake.NewTree(dir, fake.TreeZone{ID: "intel-rapl:0", Name: "package-0", Energy: 42_000_000, Range: fake.PackageRange})
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg := rapl.DefaultConfig()
	cfg.Root = tree.Root() // /sys on a real machine
	r, err := rapl.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	readings, err := r.Read(context.Background(), nil)
	for _, x := range readings {
		fmt.Println(r.Zones()[x.Zone].Key, wattle.Microjoules(x.Energy), err)
	}
	// Output:
	// package-0 42J <nil>
}
