package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/NVIDIA/go-dcgm/pkg/dcgm"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/gpu"
)

// source is a gpu.Source over DCGM.
type source struct {
	cfg     config
	cleanup func()
	watch   watch
	boards  []board
	pids    []uint
	scanned time.Time
}

// board is a GPU as DCGM numbers it.
type board struct {
	id        uint
	known     gpu.Board // UUID, model, limit
	instances []instance
}

// instance is a GPU instance (MIG).
type instance struct {
	entity uint
	known  gpu.Instance // key and slices
}

// Boards implements gpu.Source.
func (s *source) Boards(_ context.Context, dst []gpu.Board) ([]gpu.Board, error) {
	if err := s.open(); err != nil {
		return dst, err
	}
	if now := time.Now(); s.scanned.IsZero() || now.Sub(s.scanned) >= s.cfg.rescan {
		if err := s.scan(); err != nil {
			return dst, errors.Join(err, s.Close())
		}
		s.scanned = now
	}
	lost := len(s.boards) > 0
	for _, b := range s.boards {
		o := s.observe(b)
		lost = lost && o.Err != nil
		dst = append(dst, o)
	}
	if lost {
		_ = s.Close() // the host engine ended: the next Boards connects anew
	}
	return dst, nil
}

func (s *source) open() error {
	if s.cleanup != nil {
		return nil
	}
	var err error
	var cleanup func()
	if s.cfg.address == "" {
		cleanup, err = dcgm.Init(dcgm.Embedded)
	} else {
		cleanup, err = dcgm.Init(dcgm.Standalone, s.cfg.address, isSocket(s.cfg.address))
	}
	if err != nil {
		return fmt.Errorf("start DCGM: %w; install datacenter-gpu-manager-4 or give -address of nv-hostengine", err)
	}
	s.cleanup = cleanup
	return nil
}

// isSocket is "1" for a path, as dcgm.Init wants it.
func isSocket(address string) string {
	if strings.HasPrefix(address, "/") {
		return "1"
	}
	return "0"
}

// scan lists GPUs and MIG instances and watches their fields.
func (s *source) scan() error {
	ids, err := dcgm.GetSupportedDevices()
	if err != nil {
		return fmt.Errorf("list GPUs: %w", err)
	}
	s.boards = s.boards[:0]
	for _, id := range ids {
		d, err := dcgm.GetDeviceInfo(id)
		if err != nil || gpu.MissingText(d.UUID) {
			continue
		}
		s.boards = append(s.boards, board{id: id, known: gpu.Board{UUID: d.UUID, Model: d.Identifiers.Model, Limit: wattle.Watts(d.Power)}})
	}
	s.scanInstances()
	if s.cfg.proc != "" {
		s.pids = holders(os.DirFS(s.cfg.proc))
	}
	return s.watch.renew(s.boards, s.cfg)
}

// scanInstances adds GPU instances to their boards. A node without MIG answers
// with an error or an empty list.
func (s *source) scanInstances() {
	h, err := dcgm.GetGPUInstanceHierarchy()
	if err != nil {
		return
	}
	for _, e := range h.EntityList[:min(h.Count, uint(len(h.EntityList)))] {
		if e.Entity.EntityGroupId != dcgm.FE_GPU_I || e.Parent.EntityGroupId != dcgm.FE_GPU {
			continue
		}
		for i := range s.boards {
			if b := &s.boards[i]; b.id == e.Parent.EntityId {
				b.instances = append(b.instances, newInstance(b, e))
			}
		}
	}
}

// newInstance takes the slices from the profile; a blank counts as one.
func newInstance(b *board, e dcgm.MigHierarchyInfo_v2) instance {
	of := gpu.BoardSlices(b.known.Model)
	slices := int(e.Info.NvmlProfileSlices)
	if slices < 1 || slices > of {
		slices = 1
	}
	key := fmt.Sprintf("%s/gi-%d", b.known.UUID, e.Info.NvmlInstanceId)
	return instance{entity: e.Entity.EntityId, known: gpu.Instance{Key: key, Slices: slices, OfSlices: of}}
}

// Close implements gpu.Source.
func (s *source) Close() error {
	if s.cleanup == nil {
		return nil
	}
	err := s.watch.drop()
	s.cleanup()
	s.cleanup, s.scanned, s.watch = nil, time.Time{}, watch{}
	return err
}

// watch is what DCGM samples for us.
type watch struct {
	group     dcgm.GroupHandle
	device    dcgm.FieldHandle
	profile   dcgm.FieldHandle
	pids      dcgm.GroupHandle
	on        bool
	profiling bool // whether profiling fields could be watched
	processes bool // whether processes are accounted
	joules    bool // whether field 1611 is known
	seen      string
}

func deviceFields(joules bool) []dcgm.Short {
	fields := []dcgm.Short{dcgm.Short(gpu.PowerUsage), dcgm.Short(gpu.EnergyMillijoules), dcgm.Short(gpu.PowerInstant),
		dcgm.Short(gpu.Utilisation), dcgm.Short(gpu.FramebufferUsed)}
	if joules {
		fields = append(fields, dcgm.Short(gpu.EnergyJoules))
	}
	return fields
}

func profileFields() []dcgm.Short {
	return []dcgm.Short{dcgm.Short(gpu.GraphicsActive), dcgm.Short(gpu.SMActive), dcgm.Short(gpu.TensorActive), dcgm.Short(gpu.DRAMActive)}
}

// renew watches the entities, unless they are those watched already.
func (w *watch) renew(boards []board, c config) error {
	seen := fmt.Sprint(boards)
	if w.on && seen == w.seen {
		return nil
	}
	_ = w.drop() // entities may be gone, and their watches with them
	err := w.start(boards, c)
	w.on, w.seen = true, seen
	if err != nil {
		_ = w.drop() // what was made before it failed
	}
	return err
}

func (w *watch) start(boards []board, c config) (err error) {
	if w.group, err = dcgm.CreateGroup(fmt.Sprintf("wattle-%d", os.Getpid())); err != nil {
		return fmt.Errorf("create group: %w", err)
	}
	ids, err := fill(w.group, boards)
	if err != nil {
		return err
	}
	w.joules = true
	if w.device, err = watchFields("wattle-device", deviceFields(true), w.group, c); err != nil {
		w.joules = false // before DCGM 4.6
		w.device, err = watchFields("wattle-device", deviceFields(false), w.group, c)
	}
	if err != nil {
		return err
	}
	if c.profiling {
		w.profile, err = watchFields("wattle-profile", profileFields(), w.group, c)
		w.profiling = err == nil
	}
	if c.proc != "" {
		w.pids, err = dcgm.WatchPidFieldsEx(c.every, time.Minute, 0, ids...)
		w.processes = err == nil
	}
	return nil // profiling and accounting need root; energy does not
}

func fill(g dcgm.GroupHandle, boards []board) (ids []uint, err error) {
	for _, b := range boards {
		ids = append(ids, b.id)
		if err := dcgm.AddToGroup(g, b.id); err != nil {
			return nil, fmt.Errorf("watch GPU %d: %w", b.id, err)
		}
		for _, in := range b.instances {
			if err := dcgm.AddEntityToGroup(g, dcgm.FE_GPU_I, in.entity); err != nil {
				return nil, fmt.Errorf("watch MIG instance %s: %w", in.known.Key, err)
			}
		}
	}
	return ids, nil
}

func watchFields(name string, fields []dcgm.Short, g dcgm.GroupHandle, c config) (dcgm.FieldHandle, error) {
	f, err := dcgm.FieldGroupCreate(fmt.Sprintf("%s-%d", name, os.Getpid()), fields)
	if err != nil {
		return f, err
	}
	if err := dcgm.WatchFieldsWithGroupEx(f, g, c.every.Microseconds(), 0, 1); err != nil {
		return f, errors.Join(fmt.Errorf("watch %s: %w", name, err), dcgm.FieldGroupDestroy(f))
	}
	return f, nil
}

// drop ends the watches.
func (w *watch) drop() error {
	if !w.on {
		return nil
	}
	errs := []error{dcgm.UnwatchFields(w.device, w.group), dcgm.FieldGroupDestroy(w.device)}
	if w.profiling {
		errs = append(errs, dcgm.UnwatchFields(w.profile, w.group), dcgm.FieldGroupDestroy(w.profile))
	}
	if w.processes {
		errs = append(errs, dcgm.DestroyGroup(w.pids))
	}
	errs = append(errs, dcgm.DestroyGroup(w.group))
	*w = watch{}
	return errors.Join(errs...)
}
