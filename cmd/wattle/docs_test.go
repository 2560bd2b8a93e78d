package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/wattle-project/wattle/policies"
)

//go:generate go test . -run TestPagesAreFresh -update

const docsDir = "../../docs"

// TestPagesAreFresh holds the pages that are made from the code to it.
func TestPagesAreFresh(t *testing.T) {
	t.Setenv("COLUMNS", "80") // help is wrapped to the terminal
	pages := map[string]func(*testing.T) string{"cli.md": cliPage, "policy-reference.md": policyPage}
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		file, want := filepath.Join(docsDir, name), pages[name](t)
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		have, err := os.ReadFile(file)
		if err != nil || string(have) != want {
			t.Errorf("docs/%s is not what the code says: run \"make docs\" (%v)", name, err)
		}
	}
}

// cliPage is the help of every command.
func cliPage(t *testing.T) string {
	var b strings.Builder
	b.WriteString("# Command line\n\nGenerated from the code by `make docs`. Exit codes: 0 success, 1 failure, 2 wrong usage, 130 interrupted (nothing is\nwritten).\n")
	k, err := kong.New(&cli{}, kong.Name("wattle"))
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range k.Model.Leaves(true) {
		args := append(strings.Fields(strings.TrimPrefix(leaf.FullPath(), "wattle ")), "--help")
		var out, errs bytes.Buffer
		if code := run(context.Background(), args, &out, &errs); code != 0 {
			t.Fatalf("%v: exit %d: %s", args, code, errs.String())
		}
		fmt.Fprintf(&b, "\n## %s\n\n```\n%s\n```\n", leaf.FullPath(), strings.TrimSpace(out.String()))
	}
	return b.String()
}

// schema is the part of JSON Schema that the contract uses.
type schema struct {
	Description          string
	Type                 any
	Unit                 string
	Enum                 []any
	Minimum              *int64
	Properties           map[string]*schema
	Items                *schema
	AdditionalProperties any
}

// policyPage lists every field of the contract.
func policyPage(t *testing.T) string {
	var b strings.Builder
	b.WriteString("# Policy reference\n\nGenerated from the JSON schemas by `make docs`. Every number is an integer in the unit that its name ends in. A field\nwithout a value is absent, hence undefined in Rego. The [guide](policy.md) says how to use them.\n")
	for _, part := range []struct {
		title, prefix string
		text          []byte
	}{{"Input", "input", policies.InputSchema()}, {"Output", "", policies.OutputSchema()}} {
		var s schema
		if err := json.Unmarshal(part.text, &s); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "\n## %s\n\n| field | type | unit | meaning |\n|---|---|---|---|\n", part.title)
		s.rows(&b, part.prefix)
	}
	return b.String()
}

func (s *schema) rows(b *strings.Builder, prefix string) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p, path := s.Properties[name], strings.TrimPrefix(prefix+"."+name, ".")
		kind, of := strings.Trim(fmt.Sprint(p.Type), "[]"), p
		if p.Type == nil {
			kind = "one of the values"
		}
		if p.Items != nil {
			kind, of, path = "list of "+strings.Trim(fmt.Sprint(p.Items.Type), "[]"), p.Items, path+"[]"
		}
		doc := p.Description
		if len(p.Enum) > 0 {
			doc += fmt.Sprintf(" One of %s.", strings.Trim(fmt.Sprint(p.Enum), "[]"))
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", path, kind, p.Unit, doc)
		of.rows(b, path)
	}
}

// TestLinksLeadSomewhere follows every relative link of the documentation.
func TestLinksLeadSomewhere(t *testing.T) {
	pages, err := filepath.Glob("../../*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"../../docs/*.md", "../../docs/adr/*.md", "../../examples/*.md"} {
		more, err := filepath.Glob(dir)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, more...)
	}
	link := regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)
	followed := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			followed++
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			}
		}
	}
	if followed < 10 {
		t.Errorf("only %d links were followed", followed)
	}
}
