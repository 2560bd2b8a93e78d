package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"wattle": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
			defer stop()
			os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
		},
	})
}

func TestScripts(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("ROOT", root)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": exitCode, "fakerecording": fakeRecording, "checktruth": checkTruth, "checkenergy": checkEnergy, "profileserver": profileServer, "gridserver": gridServer,
		},
	})
}

// exitCode is the script command "code N ARGS…": wattle must exit with N.
func exitCode(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec("wattle", args[1:]...)
	got := 0
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		got = failed.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("wattle %v: exit %d, want %s", args[1:], got, args[0])
	}
}

// simulate runs an experiment and returns the table that it prints.
func simulate(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs strings.Builder
	if code := run(context.Background(), append([]string{"simulate", "-q"}, args...), &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	return out.String()
}

// hash is the result hash under a table.
func hash(t *testing.T, table string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^result ([0-9a-f]{16})$`).FindStringSubmatch(table)
	if m == nil {
		t.Fatalf("no result hash in:\n%s", table)
	}
	return m[1]
}

// steady is a table without what differs between machines: versions and speed.
func steady(table string) string {
	table = regexp.MustCompile(`(?m)^computed by.*\n`).ReplaceAllString(table, "")
	return strings.TrimSpace(regexp.MustCompile(`(?s)\nDeciding\n.*?\n\n`).ReplaceAllString(table, "\n"))
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(file, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != strings.TrimSpace(string(want)) {
		t.Errorf("result %s, pinned %s: if the change is meant, run the test with -update", got, want)
	}
}

func TestExampleIsPinned(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: takes seconds")
	}
	table := simulate(t, "../../examples/follow-the-sun.yaml")
	golden(t, "follow-the-sun.txt", hash(t, table))
	leastMean(t, table)
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "<!-- run:begin -->\n```\n")
	quoted, _, ok := strings.Cut(rest, "\n```\n<!-- run:end -->")
	if !ok || !*update && steady(quoted) != steady(table) {
		t.Error("README.md does not quote what the example prints: run docs/refresh.sh")
	}
}

// leastMean holds that no policy of the example has a lower mean latency than
// the one that asks for it.
func leastMean(t *testing.T, table string) {
	t.Helper()
	_, service, _ := strings.Cut(table, "\nService\n")
	service, _, _ = strings.Cut(service, "\n\n")
	means := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^(.*?) +[\d,]+ +[\d,]+ +[\d.]+ +([\d,]+) `).FindAllStringSubmatch(service, -1) {
		means[m[1]], _ = strconv.Atoi(strings.ReplaceAll(m[2], ",", ""))
	}
	least := means["least latency"]
	if least == 0 || len(means) < 8 {
		t.Fatalf("no means in the table: %v", means)
	}
	for name, v := range means {
		if v < least {
			t.Errorf("%s has a mean latency of %d ms, least latency %d ms", name, v, least)
		}
	}
}

func TestDeferrableExampleIsPinned(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: takes seconds")
	}
	golden(t, "deferrable.txt", hash(t, simulate(t, "../../examples/deferrable.yaml")))
}

func TestPublishedTraceIsPinned(t *testing.T) {
	data := os.Getenv("WATTLE_DATA")
	if data == "" {
		data = "../../../shared/data"
	}
	if _, err := os.Stat(filepath.Join(data, "azure-functions-2019-ecolife")); err != nil {
		t.Skip("the published data is not here: set WATTLE_DATA to its directory")
	}
	if testing.Short() {
		t.Skip("-short: takes half a minute")
	}
	golden(t, "azure-2019-five-grids.txt", hash(t, simulate(t, "../../examples/azure-2019-five-grids.yaml", "--data", data)))
}

func TestInterruptedRunWritesNothing(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, errs strings.Builder
	code := run(ctx, []string{
		"simulate", "-q", "../../examples/follow-the-sun.yaml", "--report", filepath.Join(dir, "r.html"), "--save", filepath.Join(dir, "run.json"),
	}, &out, &errs)
	if code != 130 || out.Len() > 0 {
		t.Errorf("exit %d, want 130; printed %q", code, out.String())
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("an interrupted run left %v (%v)", left, err)
	}
}
