package experiment

import (
	"errors"
	"fmt"
	"os"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/scheduler/state"
)

// measurements are what "functions.measured" names: published ones by the
// trace's profile name, or learned ones by patterns of function ids.
type measurements struct {
	published map[string]profile
	learned   []Override
}

// measurements reads the directory or the file that the experiment names.
func (f *File) measurements(data string) (*measurements, error) {
	m := &measurements{}
	if f.Functions.Measured == "" {
		return m, nil
	}
	name := f.find(f.Functions.Measured, data)
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, fmt.Errorf("measured profiles: %w", err)
	case info.IsDir():
		m.published, err = readMeasured(name)
	default:
		m.learned, err = readLearned(name)
	}
	return m, err
}

// section is a file that "wattle profile import" writes: the part of an
// experiment file about functions, which can stand in one as it is.
type section struct {
	Functions struct {
		Match []Override `yaml:"match"`
	} `yaml:"functions"`
}

func readLearned(name string) ([]Override, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("measured profiles: %w", err)
	}
	var s section
	if err := decode(b, &s); err != nil {
		return nil, explain(name, b, err)
	}
	if len(s.Functions.Match) == 0 {
		return nil, fmt.Errorf("%s: no functions: want a file written by \"wattle profile import\"", name)
	}
	for _, o := range s.Functions.Match {
		if o.Share != 0 || o.ID == "" {
			return nil, fmt.Errorf("%s: function %q: want an id and no share", name, o.ID)
		}
	}
	return s.Functions.Match, nil
}

// measure puts the measurements of all layers into a function, the strongest
// layer first. Elsewhere it runs as long as on the slowest measured hardware,
// unless a layer says how long.
func measure(fn *wattle.Function, layers []*Function, fleet *state.Fleet) error {
	own := map[string]wattle.Measurement{}
	for _, l := range layers {
		for hardware, m := range l.Measurements {
			if _, ok := own[hardware]; ok {
				continue
			}
			if err := m.check(); err != nil {
				return fmt.Errorf("function %s: measurement on %s: %w", fn.ID, hardware, err)
			}
			own[hardware] = wattle.Measurement{Exec: m.Exec.V, ExecEnergy: m.ExecEnergy.V, Cold: m.Cold.V, ColdEnergy: m.ColdEnergy.V}
		}
	}
	if len(own) == 0 {
		return nil
	}
	used, longest := false, wattle.Measurement{}
	for i := range fleet.Targets {
		_, ok := own[fleet.Targets[i].Attributes.Hardware]
		used = used || ok
	}
	if !used {
		return fmt.Errorf("function %s is measured on %s, which no pool of the fleet has: name it with \"wattle profile import --hardware\" or in a pool's hardware", fn.ID, list(sortedKeys(own)))
	}
	for hardware, m := range fn.Profile.Measured {
		if _, ok := own[hardware]; !ok {
			own[hardware] = m
		}
	}
	for _, m := range own {
		longest.Exec = max(longest.Exec, m.Exec)
	}
	fn.Profile.Measured = own
	if !first(layers, func(l *Function) (bool, bool) { return true, l.Exec.Set }, false) {
		fn.Profile.Exec = longest.Exec
	}
	return nil
}

func (m *Measurement) check() error {
	switch {
	case !m.Exec.Set || !m.ExecEnergy.Set:
		return errors.New("needs exec and exec_energy")
	case m.Exec.V < 0 || m.Cold.V < 0 || m.ExecEnergy.V < 0 || m.ColdEnergy.V < 0:
		return errors.New("must not be negative")
	}
	return nil
}
