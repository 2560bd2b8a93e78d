package known

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/wattle-project/wattle/simulator/workflow"
)

// workflows replays recorded workflows on workers without bound, warm and without
// transfers: they last as long as their critical path, to the nanosecond.
func workflows(ctx context.Context, dir string, yield func(Case) bool) bool {
	files, err := filepath.Glob(filepath.Join(dir, "wfcommons", "*.json"))
	if dir == "" || err != nil || len(files) == 0 {
		return yield(Case{Group: "workflow", Name: "recorded workflows", Skipped: "the published data is not in --data"})
	}
	for _, f := range files {
		if ctx.Err() != nil {
			return false
		}
		c := Case{Group: "workflow", Name: strings.TrimSuffix(filepath.Base(f), ".json") + ": makespan", Unit: "s"}
		w, err := workflow.ReadFile(f)
		if err != nil {
			c.Err = err
		} else {
			length, _ := w.CriticalPath()
			c.Expected, c.Got = length.Seconds(), w.Replay(0).Makespan.Seconds()
		}
		if !yield(c) {
			return false
		}
	}
	return true
}
