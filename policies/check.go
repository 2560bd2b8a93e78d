package policies

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Check compiles a policy and looks for what the compiler cannot see:
//
//	contract       limits, objective or lifecycle reads input.candidate; a tenant sets score or objective
//	integers       a fractional literal (error), or a division without round, floor or ceil (warning)
//	unknown-key    a misspelt key of a denial, limits, objective or lifecycle
//	unknown-field  a misspelt input field, with a suggestion
//	unknown-param  a key of data.params that no rule reads
//	misspelt       a rule of wattle.placement named almost like an entry point (warning)
//	wide-read      an alias of, or a dynamic reference into, a whole object (warning)
//	set-relative   an aggregate over candidates or data in a score (warning)
//
// It returns nothing for a clean policy.
func Check(src Source, cfg Config) Findings {
	cfg.Data = src.dataUnder(cfg.Data)
	if err := cfg.Validate(); err != nil {
		return Findings{at(nil, LevelError, "config", "%v", err)}
	}
	e, found := build(src.Name, src.Modules, cfg)
	if found.err() != nil || e == nil {
		return found
	}
	if err := e.load(); err != nil {
		found = append(found, at(nil, LevelError, "data", "%v", err))
	}
	return found
}

func compareFindings(a, b Finding) int {
	return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Row, b.Row), cmp.Compare(a.Col, b.Col), strings.Compare(a.Rule, b.Rule))
}

// checkEntry checks what an entry point may read and who may define it.
func checkEntry(x *entry, loc *ast.Location, tenant bool) Findings {
	var found Findings
	if tenant && (x.id == entryScore || x.id == entryObjective) {
		found = append(found, at(loc, LevelError, "contract", "a tenant's policy may only narrow: remove %s", x.name()))
	}
	if !x.id.judges() && len(x.reads.candidate) > 0 {
		r := x.reads.candidate[0]
		found = append(found, at(x.reads.where[r], LevelError, "contract",
			"%s reads input.%s, but it must depend on request, params and data alone; only deny and score judge a candidate", x.name(), fields()[r.id].path))
	}
	for _, w := range x.reads.wide {
		found = append(found, at(w.at, LevelWarning, "wide-read",
			"%s as a whole makes the results of %s depend on %d fields; name the fields that are meant", w.path, x.name(), w.fields))
	}
	return found
}

// checkParams refuses parameters that no rule reads: they are misspelt.
func (e *Engine) checkParams() Findings {
	params, _ := e.cfg.Data["params"].(map[string]any)
	var known []string
	for _, x := range e.entries {
		if x == nil {
			continue
		}
		for _, p := range x.reads.data {
			if len(p) == 0 || len(p) == 1 && p[0] == "params" {
				return nil // all of it is read
			}
			if p[0] == "params" {
				known = append(known, p[1])
			}
		}
	}
	slices.Sort(known)
	known = slices.Compact(known)
	var found Findings
	for _, k := range slices.Sorted(maps.Keys(params)) {
		if !slices.Contains(known, k) {
			found = append(found, at(nil, LevelError, "unknown-param", "data.params.%s is read by no rule%s", k, suggest(k, known)))
		}
	}
	return found
}

// checkModules runs the checks of the syntax tree over the policy's own modules.
func checkModules(c *ast.Compiler, parsed map[string]*ast.Module, own map[string]string) Findings {
	var found Findings
	scoring := map[string]bool{} // places of rules that score can reach
	a := newAnalyser(c)
	a.follow(placement("score"))
	for rule := range a.rules {
		scoring[place(rule.Location)] = true
	}
	fresh, _ := parse(own) // the compiler has rewritten the others
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if parsed[name] == nil {
			continue
		}
		isPlacement := fresh[name].Package.Path.Equal(placement("")[:3])
		for _, rule := range fresh[name].Rules {
			if isPlacement {
				found = append(found, checkHead(rule)...)
			}
			found = append(found, checkNumbers(rule)...)
			if scoring[place(rule.Location)] {
				found = append(found, checkRelative(rule)...)
			}
		}
	}
	return found
}

func place(l *ast.Location) string {
	return l.File + ":" + strconv.Itoa(l.Row) + ":" + strconv.Itoa(l.Col)
}

// checkHead looks for misspelt entry points and keys of their objects.
func checkHead(rule *ast.Rule) Findings {
	ref := rule.Head.Ref()
	head, ok := ref[0].Value.(ast.Var)
	if !ok {
		return nil
	}
	name := string(head)
	id := slices.Index(entryNames(), name)
	if id < 0 {
		return misspelt(rule, name)
	}
	keys := outputKeys(entryID(id))
	if keys == nil {
		return nil
	}
	if len(ref) > 1 && entryID(id) != entryDeny {
		return unknownKey(ref[1], name, keys)
	}
	value := rule.Head.Value
	if entryID(id) == entryDeny {
		value = rule.Head.Key
	}
	return unknownKeys(value, name, keys)
}

func misspelt(rule *ast.Rule, name string) Findings {
	for _, n := range entryNames() {
		if d := distance(name, n); d == 1 || d == 2 && len(n) > 5 {
			return Findings{at(rule.Location, LevelWarning, "misspelt", "rule %q has no effect on its own; did you mean %q?", name, n)}
		}
	}
	return nil
}

func outputKeys(id entryID) []outputKey {
	switch id {
	case entryDeny:
		return denialKeys()
	case entryLimits:
		return limitKeys()
	case entryObjective:
		return objectiveKeys()
	case entryLifecycle:
		return lifecycleKeys()
	}
	return nil
}

func unknownKeys(value *ast.Term, name string, keys []outputKey) Findings {
	if value == nil {
		return nil
	}
	obj, ok := value.Value.(ast.Object)
	if !ok {
		return nil
	}
	var found Findings
	obj.Foreach(func(k, _ *ast.Term) { found = append(found, unknownKey(k, name, keys)...) })
	return found
}

func unknownKey(k *ast.Term, name string, keys []outputKey) Findings {
	s, ok := k.Value.(ast.String)
	if !ok || slices.Contains(keyNames(keys), string(s)) {
		return nil
	}
	return Findings{at(k.Location, LevelError, "unknown-key", "%s has no key %q%s", name, string(s), suggest(string(s), keyNames(keys)))}
}

// checkNumbers looks for numbers that are not whole.
func checkNumbers(rule *ast.Rule) Findings {
	var found Findings
	var vis *ast.GenericVisitor
	warn := func(loc *ast.Location) {
		found = append(found, at(loc, LevelWarning, "integers", "a division may give a fraction, which is refused as a result; put it in round, floor or ceil"))
	}
	vis = ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			if terms, ok := x.Terms.([]*ast.Term); ok && called(terms) == "div" {
				warn(x.Location)
			}
		case *ast.Term:
			switch v := x.Value.(type) {
			case ast.Number:
				if _, err := decodeInt(v); err != nil {
					found = append(found, at(x.Location, LevelError, "integers", "%v; the contract is in integers (µs, µJ, µg, nUSD, ‰)", err))
				}
			case ast.Call:
				if called(v) == "div" {
					warn(x.Location)
				}
				if slices.Contains([]string{"round", "floor", "ceil"}, called(v)) {
					walkRounded(vis, v[1:])
					return true
				}
			}
		}
		return false
	})
	vis.Walk(rule)
	return found
}

// walkRounded walks arguments of a rounding, where a division is in order.
func walkRounded(vis *ast.GenericVisitor, args []*ast.Term) {
	for _, arg := range args {
		if call, ok := arg.Value.(ast.Call); ok && called(call) == "div" {
			for _, t := range call[1:] {
				vis.Walk(t)
			}
		} else {
			vis.Walk(arg)
		}
	}
}

// called names the function of a call's terms.
func called(terms []*ast.Term) string {
	if len(terms) == 0 {
		return ""
	}
	ref, ok := terms[0].Value.(ast.Ref)
	if !ok {
		return ""
	}
	return ref.String()
}

// checkRelative looks for scores relative to a set: they change their ranking
// when a candidate is added.
func checkRelative(rule *ast.Rule) Findings {
	var found Findings
	look := func(terms []*ast.Term) {
		if !slices.Contains([]string{"max", "min", "sum", "sort"}, called(terms)) || len(terms) < 2 || !setLike(terms[1]) {
			return
		}
		found = append(found, at(terms[0].Location, LevelWarning, "set-relative",
			"a score that depends on %s of a set changes its ranking when the set grows; use exchange rates in objective", called(terms)))
	}
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			if terms, ok := x.Terms.([]*ast.Term); ok {
				look(terms)
			}
		case ast.Call:
			look(x)
		}
		return false
	}).Walk(rule)
	return found
}

func setLike(t *ast.Term) bool {
	switch v := t.Value.(type) {
	case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
		return true
	case ast.Ref:
		p := constants(v)
		return v[0].Equal(ast.DefaultRootDocument) && (len(p) == 0 || p[0] != "params" && p[0] != "clock")
	}
	return false
}
