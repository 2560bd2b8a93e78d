package policies

import (
	_ "embed" // the schemas
	"encoding/json"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/wattle-project/wattle"
)

//go:embed schemas/input.json
var inputSchema []byte

//go:embed schemas/output.json
var outputSchema []byte

// InputSchema returns the JSON schema of the input document, with the unit and
// meaning of every field. The Rego compiler checks policies against it.
func InputSchema() []byte { return append([]byte(nil), inputSchema...) }

// OutputSchema returns the JSON schema of what package wattle.placement may define.
func OutputSchema() []byte { return append([]byte(nil), outputSchema...) }

// schemaSet is the input schema as the Rego compiler takes it.
func schemaSet() (*ast.SchemaSet, error) {
	var raw any
	if err := util.UnmarshalJSON(inputSchema, &raw); err != nil {
		return nil, err
	}
	set := ast.NewSchemaSet()
	set.Put(ast.SchemaRootRef, raw)
	return set, nil
}

// property is one JSON schema; unexported because its JSON form is the product.
type property struct {
	Schema      string               `json:"$schema,omitempty"`
	Title       string               `json:"title,omitempty"`
	Description string               `json:"description,omitempty"`
	Type        any                  `json:"type,omitempty"`
	Unit        string               `json:"unit,omitempty"`
	Enum        []any                `json:"enum,omitempty"`
	Minimum     *int64               `json:"minimum,omitempty"`
	Maximum     *int64               `json:"maximum,omitempty"`
	Items       *property            `json:"items,omitempty"`
	Unique      bool                 `json:"uniqueItems,omitempty"`
	Properties  map[string]*property `json:"properties,omitempty"`
	Additional  any                  `json:"additionalProperties,omitempty"`
	Required    []string             `json:"required,omitempty"`
}

func object(title, doc string) *property {
	return &property{Title: title, Description: doc, Type: "object", Properties: map[string]*property{}, Additional: false}
}

const draft = "http://json-schema.org/draft-07/schema#"

// describeInput makes schemas/input.json from fields().
func describeInput() *property {
	root := object("wattle policy input", "What one evaluation may read. Fields without a value are absent, hence undefined in Rego.")
	root.Schema = draft
	for _, f := range fields() {
		at, parts := root, strings.Split(f.path, ".")
		for _, name := range parts[:len(parts)-1] {
			if at.Properties[name] == nil {
				at.Properties[name] = object("", "")
			}
			at = at.Properties[name]
		}
		at.Properties[parts[len(parts)-1]] = describeField(f)
	}
	root.Properties["request"].Description = "Constants of the function."
	root.Properties["params"].Description = "Values of one request."
	root.Properties["candidate"].Description = "One placement. Only deny and score may read it."
	return root
}

func describeField(f field) *property {
	p := &property{Description: f.doc, Unit: f.unit}
	switch f.kind {
	case kindInt:
		p.Type = "integer"
	case kindText:
		p.Type = "string"
	case kindBool:
		p.Type = "boolean"
	case kindTexts:
		p.Type, p.Items = "array", &property{Type: "string"}
	case kindLabels:
		p.Type, p.Additional = "object", &property{Type: "string"}
	}
	return p
}

// describeOutput makes schemas/output.json from the output tables.
func describeOutput() *property {
	root := object("wattle.placement", "What a policy may define. Everything is optional; what is missing takes the built-in default.")
	root.Schema = draft
	denial := object("", "One reason why the candidate is forbidden.")
	for _, k := range denialKeys() {
		denial.Properties[k.name] = describeOut(k)
	}
	denial.Required = []string{"code", "msg"}
	root.Properties["deny"] = &property{Description: "The candidate is forbidden if there is one.", Type: "array", Items: denial, Unique: true}
	root.Properties["score"] = &property{Description: "Added to G for this candidate.", Type: "integer", Unit: "µg"}
	for name, keys := range map[string][]outputKey{"limits": limitKeys(), "objective": objectiveKeys(), "lifecycle": lifecycleKeys()} {
		o := object("", "From request, params and data alone.")
		for _, k := range keys {
			o.Properties[k.name] = describeOut(k)
		}
		root.Properties[name] = o
	}
	return root
}

func describeOut(k outputKey) *property {
	p := &property{Description: k.doc, Unit: k.unit}
	for _, s := range k.enum {
		p.Enum = append(p.Enum, s)
	}
	switch k.kind {
	case outInt:
		zero := int64(0)
		p.Type, p.Minimum = "integer", &zero
		if k.max > 0 {
			p.Maximum = &k.max
		}
	case outBool:
		p.Type = "boolean"
	case outText:
		p.Type = "string"
	case outAny:
		p.Type = []string{"string", "integer", "boolean"}
	case outLevel:
		for level := range k.max + 1 {
			p.Enum = append(p.Enum, level, wattle.Isolation(level).String())
		}
	}
	return p
}

func encodeSchema(p *property) ([]byte, error) {
	b, err := json.MarshalIndent(p, "", "  ")
	return append(b, '\n'), err
}
