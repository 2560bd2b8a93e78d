package main

import (
	"flag"
	"fmt"
	"io"
	"time"
)

// config is what the plugin's flags say.
type config struct {
	// address of a running nv-hostengine ("host:5555" or a socket path); empty
	// runs DCGM inside this process.
	address string
	// every is how often DCGM samples.
	every time.Duration
	// rescan is how often GPUs, instances and processes are listed.
	rescan time.Duration
	// proc is where processes are looked for; empty for not at all.
	proc string
	// profiling watches the profiling fields, which exclude other profilers.
	profiling bool
}

func defaultConfig() config {
	return config{every: time.Second, rescan: 30 * time.Second, proc: "/proc", profiling: true}
}

// parse reads flags. Standard output belongs to the plugin handshake, so usage
// goes to w.
func parse(args []string, w io.Writer) (config, error) {
	c := defaultConfig()
	f := flag.NewFlagSet("dcgm", flag.ContinueOnError)
	f.SetOutput(w)
	f.StringVar(&c.address, "address", c.address, "host:port or socket of nv-hostengine; empty runs DCGM in this process")
	f.DurationVar(&c.every, "every", c.every, "how often DCGM samples")
	f.DurationVar(&c.rescan, "rescan", c.rescan, "how often GPUs, MIG instances and processes are listed")
	f.StringVar(&c.proc, "proc", c.proc, "folder in which processes are looked for; empty to skip")
	f.BoolVar(&c.profiling, "profiling", c.profiling, "watch fields 1001-1005")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	return c, c.validate()
}

func (c config) validate() error {
	if c.every < 100*time.Millisecond || c.rescan < c.every {
		return fmt.Errorf("every %s, rescan %s: want 100ms ≤ every ≤ rescan", c.every, c.rescan)
	}
	return nil
}
