package gpu

import (
	"context"
	"time"

	"github.com/wattle-project/wattle"
)

// Board is what a Source saw of one physical GPU.
type Board struct {
	UUID  string // "GPU-…"; boards without one are dropped
	Model string
	// At is when the values were current. A source that only repeats an older
	// value leaves At where it was.
	At    time.Time
	Limit wattle.Watts // enforced power limit; 0 if unknown
	// Energy is the driver's cumulative counter in µJ. Power is used only when
	// there is no counter (before Volta).
	Energy    uint64
	HasEnergy bool
	Power     wattle.Watts
	HasPower  bool
	// Utilisation is the share of time any kernel ran; missing in MIG mode.
	Utilisation Ratio
	// Graphics, SM, Tensor and DRAM are fields 1001, 1002, 1004 and 1005 of the
	// whole board.
	Graphics, SM, Tensor, DRAM Ratio
	Memory                     wattle.Bytes // in use
	Instances                  []Instance
	Processes                  []Process
	Owners                     []Owner
	Err                        error // why nothing could be read of this board
}

// Instance is a MIG instance of a board.
type Instance struct {
	// Key is the instance's UUID ("MIG-…"), or "<board UUID>/gi-<n>[/ci-<n>]".
	Key string
	// Place is "<board UUID>/gi-<n>" where Key is a UUID: by it go meters that
	// do not learn the UUIDs of instances, such as DCGM.
	Place   string
	Profile string // "1g.10gb", or empty
	// Slices is the number of compute slices of this instance, OfSlices that
	// of the whole board (7, or 4 on an A30).
	Slices, OfSlices int
	// Graphics, SM, Tensor and DRAM are fields 1001, 1002, 1004 and 1005,
	// relative to the instance, not to the board.
	Graphics, SM, Tensor, DRAM Ratio
	Memory                     wattle.Bytes
}

// Process is a process with work on a board.
type Process struct {
	PID      int
	Instance string // key of its instance, or empty
	// Busy is proportional to the SM time of the process since the last
	// observation; any unit, the same for all processes of a board.
	Busy float64
	// Energy is what the driver itself charges the process, in µJ since it
	// started; 0 if unknown. Concurrent processes are charged alike, so sums
	// may exceed the board's.
	Energy uint64
}

// Owner is a container to which a board or an instance was given.
type Owner struct {
	Namespace, Pod, Container string
	Instance                  string // key of its instance, or empty for the board
}

// Source observes boards. Implementations are not safe for concurrent use.
type Source interface {
	// Boards appends what it sees to dst, one entry per board. It fails only
	// when it sees no board at all.
	Boards(ctx context.Context, dst []Board) ([]Board, error)
	// Close releases the driver or connection.
	Close() error
}
