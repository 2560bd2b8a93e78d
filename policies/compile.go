package policies

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Compile builds an Engine from Rego modules by file name. They may import the
// shipped parts (data.wattle.lib.…), which are added by themselves. All that is
// wrong is reported together, as Findings with file, line and column.
func Compile(name string, modules map[string]string, cfg Config) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("policy %s: %w", name, err)
	}
	e, found := build(name, modules, cfg)
	if err := found.err(); err != nil {
		return nil, fmt.Errorf("policy %s:\n%w", name, err)
	}
	if err := e.load(); err != nil {
		return nil, fmt.Errorf("policy %s: %w", name, err)
	}
	return e, nil
}

// Load compiles the policy in a file or directory. A data.json beside the
// modules lies under cfg.Data.
func Load(path string, cfg Config) (*Engine, error) {
	src, err := ReadSource(path)
	if err != nil {
		return nil, err
	}
	return src.Compile(cfg)
}

// Library compiles a shipped policy; LibraryNames lists them.
func Library(name string, cfg Config) (*Engine, error) {
	src, err := LibrarySource(name)
	if err != nil {
		return nil, err
	}
	return src.Compile(cfg)
}

// Compile compiles s with its data under cfg.Data.
func (s Source) Compile(cfg Config) (*Engine, error) {
	cfg.Data = s.dataUnder(cfg.Data)
	return Compile(s.Name, s.Modules, cfg)
}

func (s Source) dataUnder(over map[string]any) map[string]any {
	if len(s.Data) == 0 {
		return over
	}
	out := maps.Clone(s.Data)
	maps.Copy(out, over)
	return out
}

// build compiles modules and learns what each entry point reads.
func build(name string, modules map[string]string, cfg Config) (*Engine, Findings) {
	if found := sizes(modules, cfg); len(found) > 0 {
		return nil, found
	}
	all, found := withLibrary(modules)
	if len(found) > 0 {
		return nil, found
	}
	parsed, _ := parse(all) // every text was parsed without an error above
	if found := ownPackages(parsed, modules); len(found) > 0 {
		return nil, found
	}
	e := &Engine{name: name, cfg: cfg, modules: all, names: fieldNames()}
	e.scratch.New = func() any { return new(scratch) }
	e.fallback = outcome{limits: cfg.Default.Limits, objective: cfg.Default.Objective, lifecycle: cfg.Default.Lifecycle}
	compiler, err := compileModules(parsed, cfg.Tenant)
	if err != nil {
		return nil, findingsOf(err)
	}
	e.compiler = compiler
	found = e.addEntries()
	found = append(found, checkModules(compiler, parsed, modules)...)
	found = append(found, e.checkParams()...)
	slices.SortStableFunc(found, compareFindings)
	return e, found
}

func sizes(modules map[string]string, cfg Config) Findings {
	total := 0
	for _, text := range modules {
		total += len(text)
	}
	if len(modules) == 0 {
		return Findings{at(nil, LevelError, "empty", "there is no module")}
	}
	if total > cfg.MaxBytes {
		return Findings{at(nil, LevelError, "size", "the modules have %d bytes, more than %d", total, cfg.MaxBytes)}
	}
	return nil
}

// ownPackages refuses modules that would replace or extend the shipped ones.
func ownPackages(parsed map[string]*ast.Module, own map[string]string) Findings {
	var found Findings
	for _, name := range slices.Sorted(maps.Keys(own)) {
		p := parsed[name].Package
		if path := constants(p.Path); len(path) > 1 && path[0] == "wattle" && path[1] == "lib" {
			found = append(found, at(p.Location, LevelError, "package", "package wattle.lib belongs to the shipped modules; choose another name"))
		}
	}
	return found
}

// compileModules compiles strictly, against the input schema and without the
// builtins that policies may not use.
func compileModules(parsed map[string]*ast.Module, tenant bool) (*ast.Compiler, error) {
	schemas, err := schemaSet()
	if err != nil {
		return nil, fmt.Errorf("input schema: %w", err)
	}
	c := ast.NewCompiler().WithStrict(true).WithCapabilities(capabilities(tenant)).WithSchemas(schemas)
	c.Compile(parsed)
	if c.Failed() {
		return nil, c.Errors
	}
	return c, nil
}

// placement is the reference to an entry point.
func placement(name string) ast.Ref {
	return ast.Ref{ast.DefaultRootDocument, ast.StringTerm("wattle"), ast.StringTerm("placement"), ast.StringTerm(name)}
}

func (e *Engine) addEntries() Findings {
	var found Findings
	for id := range entryCount {
		ref := placement(entryNames()[id])
		rules := reachable(e.compiler.RuleTree, ref)
		if len(rules) == 0 {
			continue
		}
		x := newEntry(id, e.cfg.CacheSize)
		x.reads = newAnalyser(e.compiler).reads(ref)
		x.slow = x.reads.slow()
		body, err := e.compiler.QueryCompiler().Compile(ast.NewBody(ast.Equality.Expr(ast.NewTerm(resultVar), ast.NewTerm(ref))))
		if err != nil {
			return append(found, findingsOf(err)...)
		}
		x.body = body
		e.entries[id] = x
		found = append(found, checkEntry(x, rules[0].Location, e.cfg.Tenant)...)
	}
	if e.entries == [entryCount]*entry{} {
		found = append(found, at(nil, LevelError, "no-entry", "package wattle.placement defines none of %v", entryNames()))
	}
	return found
}

// load sets the first generation of data and the digest.
func (e *Engine) load() error {
	base, err := e.normalise(e.cfg.Data)
	if err != nil {
		return err
	}
	e.base = base
	if err := e.SetData(nil, 0); err != nil {
		return err
	}
	e.digest, err = e.hash()
	if err != nil {
		return err
	}
	return e.now.Load().readable(context.Background())
}

func (e *Engine) hash() (string, error) {
	h := sha256.New()
	for _, text := range slices.Sorted(maps.Values(e.modules)) { // file names do not decide
		fmt.Fprintf(h, "%d:%s", len(text), text)
	}
	for _, k := range slices.Sorted(maps.Keys(e.base)) {
		fmt.Fprintf(h, "%q=%s;", k, e.base[k])
	}
	settings, err := json.Marshal([]any{e.cfg.Default, e.cfg.FailClosed, e.cfg.Tenant})
	if err != nil {
		return "", fmt.Errorf("digest: %w", err)
	}
	h.Write(settings)
	return fmt.Sprintf("sha256:%x", h.Sum(nil)[:8]), nil
}
