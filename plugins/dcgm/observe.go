package main

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/NVIDIA/go-dcgm/pkg/dcgm"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/gpu"
)

// read returns the values of one entity by field. DCGM answers in the order in
// which it was asked.
func read(kind dcgm.Field_Entity_Group, id uint, fields []dcgm.Short) (map[gpu.Field]gpu.Value, error) {
	raw, err := dcgm.EntityGetLatestValues(kind, id, fields)
	if err != nil {
		return nil, err
	}
	if len(raw) != len(fields) {
		return nil, fmt.Errorf("DCGM answers %d values for %d fields", len(raw), len(fields))
	}
	values := make(map[gpu.Field]gpu.Value, len(raw))
	for i, r := range raw {
		v := gpu.Value{Field: gpu.Field(fields[i]), Kind: gpu.Kind(r.FieldType), Status: int(r.Status), At: time.UnixMicro(int64(r.TS))}
		switch v.Kind {
		case gpu.Double:
			v.Float = r.Float64()
		case gpu.Int64:
			v.Int = r.Int64()
		}
		values[v.Field] = v
	}
	return values, nil
}

func (s *source) observe(b board) gpu.Board {
	o := b.known
	values, err := read(dcgm.FE_GPU, b.id, deviceFields(s.watch.joules))
	if err != nil {
		o.At, o.Err = time.Now(), fmt.Errorf("read %s: %w", o.UUID, err)
		return o
	}
	takeEnergy(&o, values)
	o.Utilisation = values[gpu.Utilisation].Ratio()
	o.Memory, _ = values[gpu.FramebufferUsed].Bytes()
	if s.watch.profiling {
		if p, err := read(dcgm.FE_GPU, b.id, profileFields()); err == nil {
			o.Graphics, o.SM, o.Tensor, o.DRAM = profile(p)
		}
	}
	for _, in := range b.instances {
		o.Instances = append(o.Instances, s.observeInstance(in))
	}
	if s.watch.processes && len(b.instances) == 0 {
		o.Processes = s.processes(b.id)
	}
	return o
}

// takeEnergy prefers counters to power, and mJ to J for its resolution.
func takeEnergy(o *gpu.Board, values map[gpu.Field]gpu.Value) {
	for _, f := range []gpu.Field{gpu.EnergyMillijoules, gpu.EnergyJoules} {
		if e, ok := values[f].Microjoules(); ok {
			o.Energy, o.HasEnergy, o.At = e, true, values[f].At
			return
		}
	}
	for _, f := range []gpu.Field{gpu.PowerUsage, gpu.PowerInstant} {
		if p, ok := values[f].Watts(); ok {
			o.Power, o.HasPower, o.At = p, true, values[f].At
			return
		}
	}
	o.At = time.Now()
}

func profile(v map[gpu.Field]gpu.Value) (engine, sm, tensor, dram gpu.Ratio) {
	return v[gpu.GraphicsActive].Ratio(), v[gpu.SMActive].Ratio(), v[gpu.TensorActive].Ratio(), v[gpu.DRAMActive].Ratio()
}

func (s *source) observeInstance(in instance) gpu.Instance {
	o := in.known
	if v, err := read(dcgm.FE_GPU_I, in.entity, []dcgm.Short{dcgm.Short(gpu.FramebufferUsed)}); err == nil {
		o.Memory, _ = v[gpu.FramebufferUsed].Bytes()
	}
	if !s.watch.profiling {
		return o
	}
	if p, err := read(dcgm.FE_GPU_I, in.entity, profileFields()); err == nil {
		o.Graphics, o.SM, o.Tensor, o.DRAM = profile(p)
	}
	return o
}

// processes asks for each process that holds a GPU open. Its utilisation is the
// mean over the samples that DCGM keeps for us, the last minute, so shares of
// processes follow a change of load within a minute. A blank utilisation is left
// out; go-dcgm turns a blank energy into 0.
func (s *source) processes(id uint) []gpu.Process {
	var ps []gpu.Process
	for _, pid := range s.pids {
		infos, err := dcgm.GetProcessInfo(s.watch.pids, pid)
		if err != nil {
			continue // never used this GPU, or ended
		}
		for _, i := range infos {
			u := i.ProcessUtilization
			if i.GPU != id || u.SmUtil == nil || gpu.MissingFloat(*u.SmUtil) || *u.SmUtil < 0 {
				continue
			}
			p := gpu.Process{PID: int(pid), Busy: *u.SmUtil}
			if u.EnergyConsumed != nil {
				p.Energy = uint64(wattle.Joules(*u.EnergyConsumed).Micro())
			}
			ps = append(ps, p)
		}
	}
	return ps
}

// holders lists the processes that hold an NVIDIA device open, which takes root
// for those of others.
func holders(proc fs.FS) []uint {
	links, ok := proc.(fs.ReadLinkFS)
	dirs, err := fs.ReadDir(proc, ".")
	if err != nil || !ok {
		return nil
	}
	var pids []uint
	for _, d := range dirs {
		pid, err := strconv.ParseUint(d.Name(), 10, 31)
		if err != nil {
			continue
		}
		if holds(proc, links, d.Name()+"/fd") {
			pids = append(pids, uint(pid))
		}
	}
	return pids
}

func holds(proc fs.FS, links fs.ReadLinkFS, dir string) bool {
	fds, err := fs.ReadDir(proc, dir)
	if err != nil {
		return false
	}
	for _, fd := range fds {
		to, err := links.ReadLink(dir + "/" + fd.Name())
		rest, ok := strings.CutPrefix(to, "/dev/nvidia")
		if err == nil && ok && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
			return true
		}
	}
	return false
}
