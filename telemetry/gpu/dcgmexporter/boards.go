package dcgmexporter

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry/gpu"
)

// maxSeries bounds a page; an exporter prints some 30 series per GPU and pod.
const maxSeries = 200_000

// Parse reads a page of a dcgm-exporter into one Board per GPU, sorted by
// UUID. Lines that are no series are errors of the page; unknown metrics and
// values without meaning are skipped.
func Parse(r io.Reader) ([]gpu.Board, error) {
	p := page{boards: map[string]*gpu.Board{}}
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, 4096), 1<<20)
	for n := 1; in.Scan(); n++ {
		l, ok, err := parseLine(in.Text())
		switch {
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", n, err)
		case n > maxSeries:
			return nil, fmt.Errorf("page has more than %d lines", maxSeries)
		case ok:
			p.take(&l)
		}
	}
	if err := in.Err(); err != nil {
		return nil, err
	}
	return p.sorted(), nil
}

type page struct{ boards map[string]*gpu.Board }

func (p *page) sorted() []gpu.Board {
	var boards []gpu.Board
	for _, b := range p.boards {
		boards = append(boards, *b)
	}
	slices.SortFunc(boards, func(a, b gpu.Board) int { return strings.Compare(a.UUID, b.UUID) })
	return boards
}

// take books one series on its board.
func (p *page) take(l *line) {
	field, ok := gpu.FieldOf(l.name)
	uuid := l.first("uuid", "gpu_uuid")
	if !ok || gpu.MissingText(uuid) || strings.HasPrefix(uuid, "MIG-") {
		return
	}
	b := p.boards[uuid]
	if b == nil {
		b = &gpu.Board{UUID: uuid, Model: l.first("modelname", "model")}
		p.boards[uuid] = b
	}
	in := p.instance(b, l)
	p.own(b, in, l)
	v := l.number(field)
	if unit, _ := gpu.UnitOf(field); unit == gpu.Ratios || unit == gpu.Mebibytes {
		takeActivity(b, in, field, v)
		return
	}
	takeBoard(b, v)
}

// instance finds or adds the MIG instance that a series is about, -1 if none.
func (p *page) instance(b *gpu.Board, l *line) int {
	id := l.first("gpu_i_id")
	if id == "" {
		return -1
	}
	key := b.UUID + "/gi-" + id
	if i := slices.IndexFunc(b.Instances, func(in gpu.Instance) bool { return in.Key == key }); i >= 0 {
		return i
	}
	in := gpu.Instance{Key: key, Profile: l.first("gpu_i_profile"), Slices: 1, OfSlices: gpu.BoardSlices(b.Model)}
	if profile, err := gpu.ParseProfile(in.Profile); err == nil {
		in.Slices = profile.GPU
	}
	b.Instances = append(b.Instances, in)
	return len(b.Instances) - 1
}

// own notes the container that a series names. The same container is named on
// each of its series.
func (p *page) own(b *gpu.Board, instance int, l *line) {
	o := gpu.Owner{
		Namespace: l.first("namespace", "pod_namespace", "exported_namespace"),
		Pod:       l.first("pod", "pod_name", "exported_pod"),
		Container: l.first("container", "container_name", "exported_container"),
	}
	if o.Pod == "" {
		return
	}
	if instance >= 0 {
		o.Instance = b.Instances[instance].Key
	}
	if !slices.Contains(b.Owners, o) {
		b.Owners = append(b.Owners, o)
	}
}

// takeActivity books what is measured per instance.
func takeActivity(b *gpu.Board, instance int, field gpu.Field, v gpu.Value) {
	if used, ok := v.Bytes(); ok && field == gpu.FramebufferUsed {
		if instance >= 0 {
			b.Instances[instance].Memory = used
		} else {
			b.Memory = max(b.Memory, used)
		}
	}
	engine, sm, tensor, dram := &b.Graphics, &b.SM, &b.Tensor, &b.DRAM
	if instance >= 0 {
		in := &b.Instances[instance]
		engine, sm, tensor, dram = &in.Graphics, &in.SM, &in.Tensor, &in.DRAM
	}
	ratio := v.Ratio()
	if !ratio.Known {
		return
	}
	switch field {
	case gpu.GraphicsActive:
		*engine = ratio
	case gpu.SMActive:
		*sm = ratio
	case gpu.TensorActive:
		*tensor = ratio
	case gpu.DRAMActive:
		*dram = ratio
	}
}

// takeBoard books what is measured per board. Repetitions on instances and
// pods are the same counter read moments apart: the newest, largest one holds.
// An energy in J is as good as one in mJ.
func takeBoard(b *gpu.Board, v gpu.Value) {
	if energy, ok := v.Microjoules(); ok {
		b.Energy, b.HasEnergy = max(b.Energy, energy), true
	}
	if power, ok := v.Watts(); ok && v.Field != gpu.GraceCPUPower && (v.Field == gpu.PowerUsage || !b.HasPower) {
		b.Power, b.HasPower = plausible(power, b), true
	}
	if v.Field == gpu.Utilisation {
		if r := v.Ratio(); r.Known && r.Value >= b.Utilisation.Value {
			b.Utilisation = r
		}
	}
}

// plausible keeps the larger of repeated readings of one sensor.
func plausible(power wattle.Watts, b *gpu.Board) wattle.Watts {
	if b.HasPower {
		return max(power, b.Power)
	}
	return power
}
