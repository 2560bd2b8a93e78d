package nvml

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/gpu"
)

var _ gpu.Source = (*Source)(nil)

// Source is a gpu.Source over NVML. It is not safe for concurrent use.
type Source struct {
	cfg     Config
	lib     *library
	boards  []*board
	scanned time.Time
	stale   bool            // a handle failed: list again
	procs   []processSample // scratch
}

// New returns a Source; nothing is opened before the first observation.
func New(c Config) (*Source, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &Source{cfg: c}, nil
}

// NewMeter returns the telemetry.Meter named "nvml".
func NewMeter(c Config, g gpu.Config) (*gpu.Meter, error) {
	s, err := New(c)
	if err != nil {
		return nil, err
	}
	return gpu.NewMeter("nvml", s, g)
}

// Boards implements gpu.Source. When NVML cannot be used at all the error is a
// *telemetry.Unavailable.
func (s *Source) Boards(_ context.Context, dst []gpu.Board) ([]gpu.Board, error) {
	if err := s.open(); err != nil {
		return dst, err
	}
	if now := time.Now(); s.stale || s.scanned.IsZero() || now.Sub(s.scanned) >= s.cfg.Rescan {
		if err := s.scan(); err != nil {
			// A reloaded driver answers no more until NVML is started anew.
			return dst, errors.Join(err, s.Close())
		}
		s.scanned, s.stale = now, false
	}
	for _, b := range s.boards {
		dst = append(dst, s.observe(b))
	}
	return dst, nil
}

func (s *Source) open() error {
	if s.lib != nil {
		return nil
	}
	lib, err := openLibrary(s.cfg.Libraries)
	if err != nil {
		return &telemetry.Unavailable{
			Reason: "the NVIDIA driver's library libnvidia-ml.so.1 cannot be opened",
			Mend:   "install the NVIDIA driver, or in a container run it with the NVIDIA runtime and capability \"utility\"",
			Err:    err,
		}
	}
	if c := lib.call("nvmlInit_v2"); c != success {
		_ = lib.close()
		return &telemetry.Unavailable{Reason: "NVML does not start", Mend: "check that nvidia-smi works on this node", Err: c}
	}
	s.lib = lib
	return nil
}

// Close implements gpu.Source.
func (s *Source) Close() error {
	if s.lib == nil {
		return nil
	}
	for _, b := range s.boards {
		b.free(s.lib)
	}
	var errs []error
	if c := s.lib.call("nvmlShutdown"); c != success {
		errs = append(errs, fmt.Errorf("shut NVML down: %w", c))
	}
	errs = append(errs, s.lib.close())
	s.lib, s.boards, s.scanned = nil, nil, time.Time{}
	return errors.Join(errs...)
}
