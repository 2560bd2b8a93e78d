package nvml

import (
	"bytes"
	"fmt"
	"unsafe"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/gpu"
)

// board is what is known of a GPU between observations.
type board struct {
	dev         device
	uuid, model string
	limit       wattle.Watts
	gpm         bool
	instances   []*instance
	lastSample  uint64 // µs, newest process sample that was taken
}

// instance is a MIG device: a compute instance within a GPU instance.
type instance struct {
	dev      device
	key      string
	gi       uint32
	slices   int
	of       int
	old, new sample
	filled   bool // old holds a sample
}

// get calls a function with one out parameter.
func get[T any](l *library, name string, d device, out *T) code {
	return l.call(name, uintptr(d), uintptr(unsafe.Pointer(out)))
}

func (l *library) text(name string, d device) (string, code) {
	buf := new([bufferSize]byte)
	c := l.call(name, uintptr(d), uintptr(unsafe.Pointer(buf)), bufferSize)
	s, _, _ := bytes.Cut(buf[:], []byte{0})
	return string(s), c
}

// scan lists boards and their MIG instances. Boards and instances that were
// known keep their sampling state.
func (s *Source) scan() error {
	n := new(uint32)
	if c := s.lib.call("nvmlDeviceGetCount_v2", uintptr(unsafe.Pointer(n))); c != success {
		return fmt.Errorf("count GPUs: %w", c)
	}
	old := map[string]*board{}
	for _, b := range s.boards {
		old[b.uuid] = b
	}
	s.boards = s.boards[:0]
	for i := range *n {
		if b := s.scanBoard(i, old); b != nil {
			s.boards = append(s.boards, b)
			delete(old, b.uuid)
		}
	}
	for _, b := range old {
		b.free(s.lib)
	}
	return nil
}

// scanBoard returns nil for a board that cannot even tell its UUID.
func (s *Source) scanBoard(index uint32, old map[string]*board) *board {
	d := new(device)
	if c := s.lib.call("nvmlDeviceGetHandleByIndex_v2", uintptr(index), uintptr(unsafe.Pointer(d))); c != success {
		return nil
	}
	uuid, c := s.lib.text("nvmlDeviceGetUUID", *d)
	if c != success {
		return nil
	}
	b := old[uuid]
	if b == nil {
		b = &board{uuid: uuid}
	}
	b.dev = *d
	b.model, _ = s.lib.text("nvmlDeviceGetName", *d)
	milliwatts := new(uint32)
	if get(s.lib, "nvmlDeviceGetEnforcedPowerLimit", *d, milliwatts) == success {
		b.limit = wattle.Watts(*milliwatts) / 1000
	}
	b.scanInstances(s.lib)
	support := &gpmSupport{Version: gpmVersion}
	b.gpm = s.cfg.Profiling && get(s.lib, "nvmlGpmQueryDeviceSupport", *d, support) == success && support.Supported != 0
	return b
}

// migOn reports whether MIG mode is enabled on the board.
func (b *board) migOn(l *library) bool {
	current, pending := new(uint32), new(uint32)
	c := l.call("nvmlDeviceGetMigMode", uintptr(b.dev), uintptr(unsafe.Pointer(current)), uintptr(unsafe.Pointer(pending)))
	return c == success && *current == 1
}

func (b *board) scanInstances(l *library) {
	old := map[string]*instance{}
	for _, in := range b.instances {
		old[in.key] = in
	}
	b.instances = b.instances[:0]
	most := new(uint32)
	if !b.migOn(l) || get(l, "nvmlDeviceGetMaxMigDeviceCount", b.dev, most) != success {
		*most = 0
	}
	for i := range *most {
		if in := b.scanInstance(l, i, old); in != nil {
			in.of = max(int(*most), gpu.BoardSlices(b.model))
			b.instances = append(b.instances, in)
			delete(old, in.key)
		}
	}
	for _, in := range old {
		in.free(l)
	}
}

// scanInstance returns nil for an unused index.
func (b *board) scanInstance(l *library, index uint32, old map[string]*instance) *instance {
	d := new(device)
	if c := l.call("nvmlDeviceGetMigDeviceHandleByIndex", uintptr(b.dev), uintptr(index), uintptr(unsafe.Pointer(d))); c != success {
		return nil
	}
	uuid, c := l.text("nvmlDeviceGetUUID", *d)
	gi, a := new(uint32), new(attributes)
	if c != success || get(l, "nvmlDeviceGetGpuInstanceId", *d, gi) != success || get(l, "nvmlDeviceGetAttributes_v2", *d, a) != success {
		return nil
	}
	in := old[uuid]
	if in == nil {
		in = &instance{key: uuid}
	}
	in.dev, in.gi = *d, *gi
	in.slices = int(max(a.ComputeSlices, 1))
	return in
}

func (b *board) free(l *library) {
	for _, in := range b.instances {
		in.free(l)
	}
}

func (in *instance) free(l *library) {
	for _, s := range []sample{in.old, in.new} {
		if s != 0 {
			l.call("nvmlGpmSampleFree", uintptr(s))
		}
	}
	in.old, in.new, in.filled = 0, 0, false
}
