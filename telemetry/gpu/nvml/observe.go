package nvml

import (
	"fmt"
	"math"
	"time"
	"unsafe"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/gpu"
)

// observe reads one board. A failing handle is listed again next time.
func (s *Source) observe(b *board) gpu.Board {
	o := gpu.Board{UUID: b.uuid, Model: b.model, At: time.Now(), Limit: b.limit}
	if o.Err = s.readEnergy(b, &o); o.Err != nil {
		s.stale = true
		return o
	}
	u, m := new(utilization), new(memoryInfo)
	if get(s.lib, "nvmlDeviceGetUtilizationRates", b.dev, u) == success {
		o.Utilisation = gpu.KnownRatio(float64(u.GPU) / 100)
	}
	if get(s.lib, "nvmlDeviceGetMemoryInfo", b.dev, m) == success && m.Used < math.MaxInt64 {
		o.Memory = wattle.Bytes(m.Used)
	}
	for _, in := range b.instances {
		o.Instances = append(o.Instances, s.observeInstance(b, in))
	}
	if s.cfg.Processes && len(b.instances) == 0 {
		o.Processes = s.processes(b)
	}
	return o
}

// readEnergy prefers the energy counter (mJ, Volta and later) to power (mW).
func (s *Source) readEnergy(b *board, o *gpu.Board) error {
	millijoules, milliwatts := new(uint64), new(uint32)
	c := get(s.lib, "nvmlDeviceGetTotalEnergyConsumption", b.dev, millijoules)
	if c == success && *millijoules <= math.MaxInt64/1000 {
		o.Energy, o.HasEnergy = *millijoules*1000, true
		return nil
	}
	if c != notSupported && c != missingSymbol && c != success {
		return fmt.Errorf("gpu %s energy counter: %w", b.uuid, c)
	}
	c = get(s.lib, "nvmlDeviceGetPowerUsage", b.dev, milliwatts)
	if c != success || gpu.MissingInt(int64(*milliwatts)) {
		return fmt.Errorf("gpu %s has no energy counter, and its power: %w", b.uuid, c)
	}
	o.Power, o.HasPower = wattle.Watts(*milliwatts)/1000, true
	return nil
}

func (s *Source) observeInstance(b *board, in *instance) gpu.Instance {
	o := gpu.Instance{Key: in.key, Place: fmt.Sprintf("%s/gi-%d", b.uuid, in.gi), Slices: in.slices, OfSlices: in.of}
	m := new(memoryInfo)
	if get(s.lib, "nvmlDeviceGetMemoryInfo", in.dev, m) == success && m.Used < math.MaxInt64 {
		o.Memory = wattle.Bytes(m.Used)
	}
	if b.gpm {
		o.Graphics, o.SM = s.activity(b, in)
	}
	return o
}

// activity takes a GPM sample and returns what happened since the one before.
func (s *Source) activity(b *board, in *instance) (engine, sm gpu.Ratio) {
	for _, p := range []*sample{&in.old, &in.new} {
		if *p == 0 && s.lib.call("nvmlGpmSampleAlloc", uintptr(unsafe.Pointer(p))) != success {
			return
		}
	}
	if s.lib.call("nvmlGpmMigSampleGet", uintptr(b.dev), uintptr(in.gi), uintptr(in.new)) != success {
		in.filled = false
		return
	}
	if in.filled {
		engine, sm = s.metrics(in)
	}
	in.old, in.new, in.filled = in.new, in.old, true
	return
}

func (s *Source) metrics(in *instance) (engine, sm gpu.Ratio) {
	q := &gpmMetricsGet{Version: gpmVersion, Count: 2, First: in.old, Second: in.new}
	q.Metrics[0].ID, q.Metrics[1].ID = gpmGraphics, gpmSM
	if s.lib.call("nvmlGpmMetricsGet", uintptr(unsafe.Pointer(q))) != success {
		return
	}
	percent := func(m gpmMetric) gpu.Ratio {
		if code(m.Code) != success {
			return gpu.Ratio{}
		}
		return gpu.KnownRatio(m.Value / 100)
	}
	return percent(q.Metrics[0]), percent(q.Metrics[1])
}

// processes sums the SM utilisation samples of each process since last time.
func (s *Source) processes(b *board) []gpu.Process {
	n := new(uint32)
	c := s.lib.call("nvmlDeviceGetProcessUtilization", uintptr(b.dev), 0, uintptr(unsafe.Pointer(n)), uintptr(b.lastSample))
	if c != insufficientSize && c != success || *n == 0 || *n > 1<<16 {
		return nil
	}
	*n += 16 // processes that appear between the two calls
	if int(*n) > len(s.procs) {
		s.procs = make([]processSample, *n)
	}
	c = s.lib.call("nvmlDeviceGetProcessUtilization", uintptr(b.dev), uintptr(unsafe.Pointer(&s.procs[0])), uintptr(unsafe.Pointer(n)), uintptr(b.lastSample))
	if c != success {
		return nil
	}
	return b.sum(s.procs[:min(int(*n), len(s.procs))])
}

// sum adds up samples by process, in order of first appearance. Drivers return
// some samples older than asked for, and unused ones stamped 0.
func (b *board) sum(samples []processSample) []gpu.Process {
	var ps []gpu.Process
	index, newest := map[uint32]int{}, b.lastSample
	for _, p := range samples {
		if p.Time <= b.lastSample || p.PID == 0 || p.SM > 100 {
			continue
		}
		i, ok := index[p.PID]
		if !ok {
			i = len(ps)
			index[p.PID] = i
			ps = append(ps, gpu.Process{PID: int(p.PID)})
		}
		ps[i].Busy += float64(p.SM)
		newest = max(newest, p.Time)
	}
	b.lastSample = newest
	return ps
}
