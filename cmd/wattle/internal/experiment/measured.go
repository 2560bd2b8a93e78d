package experiment

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
)

// profile is what was metered of one benchmark on several machines.
type profile struct {
	hardware map[string]wattle.Measurement
	memory   wattle.Bytes // 0 if not known
}

// apply puts measurements into a function; its memory only where no layer says
// otherwise.
func (p *profile) apply(f *wattle.Function, layers []*Function) {
	f.Profile.Measured = p.hardware
	if p.memory > 0 && !first(layers, func(l *Function) (bool, bool) { return true, l.Memory.Set }, false) {
		f.Needs.Memory = (p.memory + wattle.MiB - 1) / wattle.MiB * wattle.MiB
	}
	for _, m := range p.hardware {
		f.Profile.Exec = max(f.Profile.Exec, m.Exec) // for messages; targets use their own
	}
}

// server is one machine of a measurement campaign.
type server struct {
	Name  string  `json:"name"`
	Cores int     `json:"core"`
	Mem   float64 `json:"mem"`
	// Idle joules of the package and of the memory per 10 minutes.
	CPUIdle  float64 `json:"cpu_idle_energy"`
	DRAMIdle float64 `json:"dram_idle_energy"`
}

// run is one measured benchmark: start-up and execution, whole package and
// whole memory.
type measuredRun struct {
	Cold     float64 `json:"cs"`
	ColdCPU  float64 `json:"cs_energy_cpu"`
	ColdDRAM float64 `json:"cs_energy_dram"`
	Exec     float64 `json:"exe"`
	ExecCPU  float64 `json:"exe_energy_cpu"`
	ExecDRAM float64 `json:"exe_energy_dram"`
}

// readMeasured reads a directory of <profile>_<hardware>.metal.json files with
// server_info.json beside them and, if present, function_mem.csv (GB).
// Whole-package joules become dynamic ones by taking off what the machine draws
// at rest in the same time; the reserved share of that is attributed apart.
func readMeasured(dir string) (map[string]profile, error) {
	servers, err := readServers(filepath.Join(dir, "server_info.json"))
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.metal.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("measured profiles: no *.metal.json in %s", dir)
	}
	out := make(map[string]profile)
	for _, name := range files {
		base := strings.TrimSuffix(filepath.Base(name), ".metal.json")
		cut := strings.LastIndexByte(base, '_')
		if cut < 0 {
			return nil, fmt.Errorf("measured profiles: %s: want <profile>_<hardware>.metal.json", name)
		}
		s, ok := servers[base[cut+1:]]
		if !ok {
			return nil, fmt.Errorf("measured profiles: %s: hardware %q is not in server_info.json", name, base[cut+1:])
		}
		m, err := readRun(name, &s)
		if err != nil {
			return nil, err
		}
		p := out[base[:cut]]
		if p.hardware == nil {
			p.hardware = make(map[string]wattle.Measurement)
		}
		p.hardware[s.Name] = m
		out[base[:cut]] = p
	}
	return out, readMemory(filepath.Join(dir, "function_mem.csv"), out)
}

func readServers(name string) (map[string]server, error) {
	var list []server
	if err := readJSON(name, &list); err != nil {
		return nil, err
	}
	out := make(map[string]server)
	for _, s := range list {
		out[s.Name] = s
	}
	return out, nil
}

func readRun(name string, s *server) (wattle.Measurement, error) {
	var list []measuredRun
	if err := readJSON(name, &list); err != nil {
		return wattle.Measurement{}, err
	}
	if len(list) != 1 || list[0].Exec <= 0 || list[0].Cold < 0 {
		return wattle.Measurement{}, fmt.Errorf("measured profiles: %s: want one object with exe above 0", name)
	}
	r, idle := list[0], (s.CPUIdle+s.DRAMIdle)/600 // W
	seconds := func(v float64) time.Duration { return time.Duration(v * float64(time.Second)) }
	return wattle.Measurement{
		Cold: seconds(r.Cold), Exec: seconds(r.Exec),
		ColdEnergy: wattle.Joules(max(0, r.ColdCPU+r.ColdDRAM-float64(idle*r.Cold))),
		ExecEnergy: wattle.Joules(max(0, r.ExecCPU+r.ExecDRAM-float64(idle*r.Exec))),
	}, nil
}

func readMemory(name string, out map[string]profile) error {
	b, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("measured profiles: %w", err)
	}
	for i, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		var gb float64
		id, value, _ := strings.Cut(strings.TrimSpace(line), ",")
		if _, err := fmt.Sscan(value, &gb); err != nil || gb <= 0 {
			return fmt.Errorf("measured profiles: %s:%d: want <profile>,<GB>", name, i+1)
		}
		if p, ok := out[id]; ok {
			p.memory = wattle.Bytes(gb * 1e9)
			out[id] = p
		}
	}
	return nil
}

func readJSON(name string, v any) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("measured profiles: %w", err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("measured profiles: %s: %w", name, err)
	}
	return nil
}
