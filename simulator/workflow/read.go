package workflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"
)

// Version is the version of WfFormat that Read understands
// (github.com/wfcommons/WfFormat).
const Version = "1.5"

// document is the part of WfFormat that matters here.
type document struct {
	Name          string `json:"name"`
	SchemaVersion string `json:"schemaVersion"`
	Workflow      struct {
		Specification struct {
			Tasks []struct {
				ID       string   `json:"id"`
				Parents  []string `json:"parents"`
				Children []string `json:"children"`
			} `json:"tasks"`
		} `json:"specification"`
		Execution struct {
			Tasks []struct {
				ID      string   `json:"id"`
				Seconds *float64 `json:"runtimeInSeconds"`
			} `json:"tasks"`
		} `json:"execution"`
	} `json:"workflow"`
}

// Read reads a workflow with its recorded run times in WfFormat. Run times are
// rounded to whole nanoseconds. Edges may be given by parents, by children or by
// both.
func Read(r io.Reader) (*Workflow, error) {
	var d document
	if err := json.NewDecoder(r).Decode(&d); err != nil {
		return nil, fmt.Errorf("workflow: not a WfFormat document: %w", err)
	}
	if d.SchemaVersion != Version {
		return nil, fmt.Errorf("workflow %q: schema version %q: want %s; convert it with wfcommons", d.Name, d.SchemaVersion, Version)
	}
	runtimes, err := d.runtimes()
	if err != nil {
		return nil, fmt.Errorf("workflow %q: %w", d.Name, err)
	}
	w := &Workflow{Name: d.Name}
	index := map[string]int32{}
	for _, t := range d.Workflow.Specification.Tasks {
		runtime, ok := runtimes[t.ID]
		if _, twice := index[t.ID]; !ok || twice {
			return nil, fmt.Errorf("workflow %q: task %q: want it once in the specification, with a run time in the execution", d.Name, t.ID)
		}
		index[t.ID] = int32(len(w.Tasks))
		w.Tasks = append(w.Tasks, Task{ID: t.ID, Runtime: runtime})
	}
	if err := d.edges(w, index); err != nil {
		return nil, fmt.Errorf("workflow %q: %w", d.Name, err)
	}
	if err := w.Validate(); err != nil {
		return nil, err
	}
	return w, nil
}

// ReadFile reads the workflow in a file.
func ReadFile(name string) (*Workflow, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	w, err := Read(f)
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return w, errors.Join(err, f.Close())
}

func (d *document) runtimes() (map[string]time.Duration, error) {
	out := map[string]time.Duration{}
	for _, t := range d.Workflow.Execution.Tasks {
		if _, twice := out[t.ID]; t.Seconds == nil || twice {
			return nil, fmt.Errorf("execution of task %q: want it once, with runtimeInSeconds", t.ID)
		}
		if s := *t.Seconds; !(s >= 0 && s <= maxSeconds) {
			return nil, fmt.Errorf("execution of task %q: run time %g s: want 0 to %g", t.ID, s, maxSeconds)
		}
		out[t.ID] = time.Duration(math.Round(*t.Seconds * 1e9))
	}
	return out, nil
}

// edges links the tasks, each pair once.
func (d *document) edges(w *Workflow, index map[string]int32) error {
	type edge struct{ from, to int32 }
	seen := map[edge]bool{}
	link := func(from, to string) error {
		f, ok := index[from]
		t, also := index[to]
		if !ok || !also {
			return fmt.Errorf("edge from task %q to task %q: want both among the tasks", from, to)
		}
		if e := (edge{f, t}); !seen[e] {
			seen[e] = true
			w.Tasks[f].Children = append(w.Tasks[f].Children, t)
			w.Tasks[t].Parents = append(w.Tasks[t].Parents, f)
		}
		return nil
	}
	for _, t := range d.Workflow.Specification.Tasks {
		for _, p := range t.Parents {
			if err := link(p, t.ID); err != nil {
				return err
			}
		}
		for _, c := range t.Children {
			if err := link(t.ID, c); err != nil {
				return err
			}
		}
	}
	return nil
}
