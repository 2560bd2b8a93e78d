package trace_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/wattle-project/wattle/simulator/trace"
)

// A trace of two functions over two minutes, replayed window by window.
func Example() {
	dir, err := os.MkdirTemp("", "trace")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	_ = os.WriteFile(filepath.Join(dir, "video*1.txt"), []byte("2\n0\n"), 0o600)
	_ = os.WriteFile(filepath.Join(dir, "dna*2.txt"), []byte("1\n1\n"), 0o600)

	c := trace.DefaultConfig()
	c.Placement = trace.Even
	t, err := trace.Read(trace.Counts, dir, c)
	if err != nil {
		fmt.Println(err)
		return
	}
	source, err := t.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	var window []trace.Arrival
	for {
		window, err = source.Next(window)
		if errors.Is(err, io.EOF) {
			break
		}
		for _, a := range window {
			fmt.Println(float64(a.At)/1e9, t.Functions()[a.Function].ID)
		}
	}
	// Output:
	// 15 video*1
	// 30 dna*2
	// 45 video*1
	// 90 dna*2
}
