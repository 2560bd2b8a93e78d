package deploy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// kept says whether the rules of a .dockerignore leave a file in: the last that
// matches it or a folder above it decides.
func kept(rules []string, file string) bool {
	in := true
	for _, rule := range rules {
		pattern, not := strings.CutPrefix(rule, "!")
		pattern, anywhere := strings.CutPrefix(pattern, "**/")
		for p := file; p != "."; p = path.Dir(p) {
			name := p
			if anywhere {
				name = path.Base(p)
			}
			if ok, err := path.Match(pattern, name); ok && err == nil {
				in = not
			}
		}
	}
	return in
}

func ignoreRules(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			rules = append(rules, line)
		}
	}
	return rules
}

// TestImagesGetWhatTheyBuildFrom: every file that the programs are built from
// passes .dockerignore, and what they are not built from mostly does not.
func TestImagesGetWhatTheyBuildFrom(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-tags", "nonvml", "-json=Dir,Standard,Module,GoFiles,EmbedFiles", "./cmd/wattle", "./cmd/wattle-agent")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	rules, files := ignoreRules(t), []string{"go.mod", "go.sum", "LICENSE", "NOTICE"}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Dir                 string
			Standard            bool
			Module              *struct{ Main bool }
			GoFiles, EmbedFiles []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Module == nil || !p.Module.Main {
			continue
		}
		for _, f := range append(p.GoFiles, p.EmbedFiles...) {
			rel, err := filepath.Rel(root, filepath.Join(p.Dir, f))
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, filepath.ToSlash(rel))
		}
	}
	if len(files) < 100 {
		t.Fatalf("only %d files are built from: %v", len(files), files)
	}
	for _, f := range files {
		if !kept(rules, f) {
			t.Errorf(".dockerignore leaves out %s, which the programs are built from", f)
		}
	}
	for _, f := range []string{".git/config", "bin/wattle", "run.json", "docs/agent.md", "plugins/dcgm/main.go", "cmd/wattle-agent/testdata/x.txt", "units_test.go", "policies/engine_test.go"} {
		if kept(rules, f) {
			t.Errorf(".dockerignore sends %s", f)
		}
	}
}

// TestImageIsTheOneThatIsDeployed: the DaemonSet runs the last stage's binary.
func TestImageIsTheOneThatIsDeployed(t *testing.T) {
	b, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	c := at(t, documents(t, "agent/daemonset.yaml")["DaemonSet"], "spec", "template", "spec", "containers", 0)
	name, _, _ := strings.Cut(at(t, c, "image").(string), ":")
	stages := strings.Split(text, "\nFROM ")
	last := stages[len(stages)-1]
	command := at(t, c, "command", 0).(string)
	if !strings.HasPrefix(last, "scratch AS "+name+"\n") || !strings.Contains(last, "COPY --from=build /out/"+name+" "+command+"\n") || !strings.Contains(last, `ENTRYPOINT ["`+command+`"]`) {
		t.Errorf("the last stage is not %s with %s:\n%s", name, command, last)
	}
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(mod), "\ngo ")
	version, _, _ := strings.Cut(rest, "\n")
	if minor := strings.Join(strings.SplitN(version, ".", 3)[:2], "."); !strings.Contains(text, "golang:"+minor+" ") {
		t.Errorf("the image is not built with the Go %s of go.mod", minor)
	}
}
