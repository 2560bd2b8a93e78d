package experiment

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
)

//go:generate go test . -run TestReferenceIsFresh -update

// Entry is one key of the experiment file.
type Entry struct {
	Path, Type, Doc, Default string
}

// Entries lists every key in file order.
func Entries() []Entry {
	var out []Entry
	walk(reflect.TypeFor[File](), "", &out, 0)
	return out
}

// Keys lists the distinct last parts of all keys.
func Keys() []string {
	var keys []string
	for _, e := range Entries() {
		k := e.Path[strings.LastIndexAny(e.Path, ".")+1:]
		keys = append(keys, strings.TrimSuffix(k, "[]"))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func walk(t reflect.Type, prefix string, out *[]Entry, depth int) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if strings.Contains(opts, "inline") {
			walk(f.Type, prefix, out, depth)
			continue
		}
		if name == "" || name == "-" {
			continue
		}
		path := prefix + name
		inner, suffix, kind := unwrap(f.Type)
		if doc := f.Tag.Get("doc"); doc != "" {
			*out = append(*out, Entry{path + suffix, kind, doc, f.Tag.Get("default")})
		}
		if inner != nil && depth < 6 {
			walk(inner, path+suffix+".", out, depth+1)
		}
	}
}

// unwrap returns the struct inside a field's type, what to append to its path,
// and the type's name for people.
func unwrap(t reflect.Type) (inner reflect.Type, suffix, kind string) {
	switch t.Kind() {
	case reflect.Pointer:
		return unwrap(t.Elem())
	case reflect.Slice:
		in, s, k := unwrap(t.Elem())
		return in, "[]" + s, "list of " + k
	case reflect.Map:
		in, s, k := unwrap(t.Elem())
		return in, ".<name>" + s, "map to " + k
	case reflect.Struct:
		if k, ok := quantity(t); ok {
			return nil, "", k
		}
		return t, "", "object"
	case reflect.Interface:
		return nil, "", "any"
	}
	return nil, "", t.Kind().String()
}

func quantity(t reflect.Type) (string, bool) {
	switch t {
	case reflect.TypeFor[Duration]():
		return "duration", true
	case reflect.TypeFor[Time]():
		return "time", true
	}
	if v, ok := t.FieldByName("V"); ok && t.NumField() == 2 {
		return strings.ToLower(v.Type.Name()), true
	}
	return "", false
}

// Reference writes the reference of the experiment file as Markdown.
func Reference(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Experiment file\n\nGenerated from the code by `make docs`. Unknown keys and bad units are errors that name file, line and column.\n\n")
	b.WriteString("| key | type | meaning | default |\n|---|---|---|---|\n")
	for _, e := range Entries() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", e.Path, e.Type, e.Doc, e.Default)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
