package policies

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/wattle-project/wattle"
)

// generation is one immutable state of the data document.
type generation struct {
	store    storage.Store
	revision uint64
	// keys is, per entry point, a hash of the data that it reads.
	keys [entryCount][16]byte
}

// SetData lays epoch over Config.Data, key by key at the top level, and makes
// the result Rego's data document from the next call on. What an earlier call
// set and this one leaves out falls back to Config.Data. revision names the
// state in logs and explanations. Results that depend on nothing that changed
// stay cached. On error nothing changes.
func (e *Engine) SetData(epoch map[string]any, revision uint64) error {
	top, err := e.normalise(epoch)
	if err != nil {
		return fmt.Errorf("policy %s: data revision %d: %w", e.name, revision, err)
	}
	merged := maps.Clone(e.base)
	maps.Copy(merged, top)
	obj := ast.NewObject()
	for _, k := range slices.Sorted(maps.Keys(merged)) {
		obj.Insert(ast.StringTerm(k), ast.NewTerm(merged[k]))
	}
	g := &generation{store: inmem.NewFromASTObject(obj), revision: revision}
	for id, x := range e.entries {
		if x != nil {
			g.keys[id] = hashPaths(obj, x.reads.data)
		}
	}
	e.now.Store(g)
	return nil
}

// Revision is the data revision of the latest SetData, 0 before the first.
func (e *Engine) Revision() uint64 { return e.now.Load().revision }

// hashPaths hashes the values at paths; a missing value differs from every other.
func hashPaths(obj ast.Object, paths [][]string) [16]byte {
	h := sha256.New()
	for _, p := range paths {
		ref := make(ast.Ref, len(p))
		for i, s := range p {
			ref[i] = ast.StringTerm(s)
		}
		if v, err := obj.Find(ref); err == nil {
			fmt.Fprintf(h, "%q=%s;", p, v.String())
		} else {
			fmt.Fprintf(h, "%q;", p)
		}
	}
	return [16]byte(h.Sum(nil))
}

// normalise converts data to Rego values, by top-level key.
func (e *Engine) normalise(data map[string]any) (map[string]ast.Value, error) {
	out := map[string]ast.Value{}
	for _, k := range slices.Sorted(maps.Keys(data)) {
		if e.compiler.RuleTree.Child(ast.DefaultRootDocument.Value).Child(ast.String(k)) != nil {
			return nil, fmt.Errorf("data.%s is a package of the modules; name the data otherwise", k)
		}
		whole, err := wholeNumbers("data."+k, data[k])
		if err != nil {
			return nil, err
		}
		if out[k], err = ast.InterfaceToValue(whole); err != nil {
			return nil, fmt.Errorf("data.%s: %w", k, err)
		}
	}
	return out, nil
}

// wholeNumbers returns v with every number as an int64, and an error where one
// is not whole: the contract of policies is in integers.
func wholeNumbers(path string, v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, string, int, int64, int32, uint8, uint16, uint32:
		return v, nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v), nil
		}
		return nil, fmt.Errorf("%s: %v is not a whole number; state it in a finer unit (µs, µg, nUSD, ‰)", path, v)
	case json.Number:
		n, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %s is not a whole number of 64 bits; state it in a finer unit (µs, µg, nUSD, ‰)", path, v)
		}
		return n, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			x, err := wholeNumbers(path+"."+k, v[k])
			if err != nil {
				return nil, err
			}
			out[k] = x
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i := range v {
			x, err := wholeNumbers(path+"["+strconv.Itoa(i)+"]", v[i])
			if err != nil {
				return nil, err
			}
			out[i] = x
		}
		return out, nil
	}
	return throughJSON(path, v)
}

// throughJSON converts any other Go value by its JSON form.
func throughJSON(path string, v any) (any, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var out any
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return wholeNumbers(path, out)
}

// ClockData is the part of an epoch's data that policies with business hours
// read: data.clock.hour_utc (0 to 23), data.clock.weekday_utc (1 Monday to 7
// Sunday), and the same per grid zone in data.clock.local[zone] as hour and
// weekday. The hour is whole, so that a driver calls SetData once an hour.
func ClockData(now time.Time, zones map[wattle.ZoneID]*time.Location) map[string]any {
	local := make(map[string]any, len(zones))
	for zone, loc := range zones {
		t := now.In(loc)
		local[string(zone)] = map[string]any{"hour": t.Hour(), "weekday": weekday(t)}
	}
	u := now.UTC()
	return map[string]any{"clock": map[string]any{"hour_utc": u.Hour(), "weekday_utc": weekday(u), "local": local}}
}

// weekday counts as ISO 8601 does.
func weekday(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 }

// readable reads all of the data document once, so that a store that cannot
// serve it fails at compile time.
func (g *generation) readable(ctx context.Context) error {
	_, err := storage.ReadOne(ctx, g.store, storage.RootPath)
	return err
}
