package workflow

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const diamond = `{"name": "diamond", "schemaVersion": "1.5", "workflow": {
	"specification": {"tasks": [
		{"id": "a", "children": ["b", "c"]}, {"id": "b", "parents": ["a"]},
		{"id": "c", "parents": ["a"], "children": ["d"]}, {"id": "d", "parents": ["b", "c"]}]},
	"execution": {"tasks": [
		{"id": "a", "runtimeInSeconds": 1.5}, {"id": "b", "runtimeInSeconds": 2},
		{"id": "c", "runtimeInSeconds": 0.123456789}, {"id": "d", "runtimeInSeconds": 1}]}}}`

func TestDiamond(t *testing.T) {
	w, err := Read(strings.NewReader(diamond))
	if err != nil {
		t.Fatal(err)
	}
	length, path := w.CriticalPath()
	if s := w.Replay(0); length != 4500*time.Millisecond || s.Makespan != length || !slices.Equal(path, []int32{0, 1, 3}) || s.Starts[3] != 3500*time.Millisecond {
		t.Errorf("path %s over %v, replay %+v", length, path, s)
	}
	if s := w.Replay(1); s.Makespan != w.Work() || s.Makespan != 4623456789 {
		t.Errorf("one worker: %s of %s", s.Makespan, w.Work())
	}
}

func TestReadSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{`"1.5", "workflow"`, `"1.4", "workflow"`, "want 1.5"},
		{`{"id": "d", "parents": ["b", "c"]}`, `{"id": "d", "parents": ["x"]}`, `"x"`},
		{`{"id": "d", "parents": ["b", "c"]}`, `{"id": "d", "children": ["a"]}`, "circle"},
		{`{"id": "a", "children": ["b", "c"]}`, `{"id": "a", "children": ["a"]}`, "circle"},
		{`{"id": "b", "parents": ["a"]}`, `{"id": "a"}`, "once in the specification"},
		{`"runtimeInSeconds": 2`, `"x": 2`, "runtimeInSeconds"},
		{`"runtimeInSeconds": 2`, `"runtimeInSeconds": -2`, "want 0 to"},
		{`"runtimeInSeconds": 2`, `"runtimeInSeconds": 1e300`, "want 0 to"},
		{`{"id": "b", "runtimeInSeconds": 2}`, `{"id": "a", "runtimeInSeconds": 2}`, "once"},
		{`"1.5",`, `"1.5"`, "not a WfFormat document"},
	} {
		text := strings.Replace(diamond, c.from, c.to, 1)
		if text == diamond {
			t.Fatalf("%q is not in the document", c.from)
		}
		if _, err := Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want it to say %q", c.to, err, c.want)
		}
	}
	for name, w := range map[string]Workflow{
		"one side": {Tasks: []Task{{Children: []int32{1}}, {}}},
		"other":    {Tasks: []Task{{}, {Parents: []int32{0}}}},
		"nowhere":  {Tasks: []Task{{Parents: []int32{7}}}},
		"too long": {Tasks: []Task{{Runtime: 1 << 62}, {Runtime: 1 << 62}, {Runtime: 1}}},
	} {
		if w.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func draw(t *rapid.T) *Workflow {
	w := &Workflow{Tasks: make([]Task, rapid.IntRange(0, 30).Draw(t, "tasks"))}
	order := rapid.Permutation(indices(len(w.Tasks))).Draw(t, "order")
	for k, i := range order {
		w.Tasks[i].Runtime = time.Duration(rapid.IntRange(0, 1000).Draw(t, "runtime"))
		for _, p := range order[:k] {
			if rapid.IntRange(0, 5).Draw(t, "edge") == 0 {
				w.Tasks[i].Parents = append(w.Tasks[i].Parents, p)
				w.Tasks[p].Children = append(w.Tasks[p].Children, i)
			}
		}
	}
	return w
}

func indices(n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(i)
	}
	return out
}

// A replay keeps every edge and never runs more than its workers; without bound
// it lasts as long as the critical path, with one it keeps Graham's.
func TestReplayKeepsTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := draw(t)
		if err := w.Validate(); err != nil {
			t.Fatal(err)
		}
		length, path := w.CriticalPath()
		sum := time.Duration(0)
		for k, i := range path {
			if sum += w.Tasks[i].Runtime; k > 0 && !slices.Contains(w.Tasks[i].Parents, path[k-1]) {
				t.Fatalf("%v is not a path", path)
			}
		}
		if free := w.Replay(0).Makespan; sum != length || free != length {
			t.Fatalf("critical path %d, its tasks %d, makespan %d", length, sum, free)
		}
		m := rapid.IntRange(1, 5).Draw(t, "workers")
		s := w.Replay(m)
		for i := range w.Tasks {
			busy := 0
			for _, p := range w.Tasks[i].Parents {
				if s.Starts[p]+w.Tasks[p].Runtime > s.Starts[i] {
					t.Fatalf("task %d starts at %d before its parent %d ends", i, s.Starts[i], p)
				}
			}
			for j := range w.Tasks {
				if s.Starts[j] <= s.Starts[i] && s.Starts[i] < s.Starts[j]+w.Tasks[j].Runtime {
					busy++
				}
			}
			if busy > m {
				t.Fatalf("%d tasks run on %d workers", busy, m)
			}
		}
		workers, work := time.Duration(m), w.Work()
		if s.Makespan < length || s.Makespan*workers < work || s.Makespan*workers > work+(workers-1)*length {
			t.Fatalf("%d workers: makespan %d, work %d, path %d", m, s.Makespan, work, length)
		}
	})
}

// TestRecordedWorkflows replays published traces.
func TestRecordedWorkflows(t *testing.T) {
	dir := os.Getenv("WATTLE_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	files, err := filepath.Glob(filepath.Join(dir, "wfcommons", "*.json"))
	if err != nil || len(files) == 0 {
		t.Skip("no recorded workflows here: set WATTLE_DATA to the directory that holds wfcommons")
	}
	for _, f := range files {
		w, err := ReadFile(f)
		if err != nil {
			t.Error(err)
			continue
		}
		if length, path := w.CriticalPath(); w.Replay(0).Makespan != length || length <= 0 || len(path) < 2 {
			t.Errorf("%s: makespan %s, critical path %s over %d tasks", f, w.Replay(0).Makespan, length, len(path))
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(diamond)
	f.Add(`{"schemaVersion": "1.5"}`)
	f.Add(`{"schemaVersion": "1.5", "workflow": {"specification": {"tasks": [{"id": ""}]}, "execution": {"tasks": [{"id": "", "runtimeInSeconds": 1e9}]}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		w, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		if length, _ := w.CriticalPath(); w.Replay(0).Makespan != length || w.Replay(2).Makespan < length {
			t.Errorf("critical path %s, makespans %s and %s", length, w.Replay(0).Makespan, w.Replay(2).Makespan)
		}
	})
}

func ExampleWorkflow_Replay() {
	w, err := Read(strings.NewReader(diamond))
	if err != nil {
		panic(err)
	}
	length, path := w.CriticalPath()
	fmt.Println(length, path, w.Replay(0).Makespan, w.Replay(1).Makespan)
	// Output: 4.5s [0 1 3] 4.5s 4.623456789s
}

func BenchmarkReplay(b *testing.B) {
	w := &Workflow{Tasks: make([]Task, 10_000)}
	for i := range w.Tasks {
		w.Tasks[i].Runtime = time.Duration(i * 7919 % 1000)
		for _, p := range []int{i - 1 - i%13, i - 100} {
			if p >= 0 && p < i {
				w.Tasks[i].Parents = append(w.Tasks[i].Parents, int32(p))
				w.Tasks[p].Children = append(w.Tasks[p].Children, int32(i))
			}
		}
	}
	if err := w.Validate(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		w.Replay(16)
	}
}
