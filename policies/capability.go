package policies

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// capabilities returns the builtins that a policy may use: none that is marked
// nondeterministic, none that reaches a network, and for tenants only those of
// tenantBuiltins. Schemas are not fetched either.
func capabilities(tenant bool) *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	allowed := tenantBuiltins()
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool {
		if b.Nondeterministic || b.Name == "trace" {
			return true
		}
		return tenant && !strings.HasPrefix(b.Name, "internal.") && !slices.Contains(allowed, b.Name)
	})
	c.AllowNet = []string{}
	return c
}

// tenantBuiltins is what a tenant's policy may call: work linear in its input,
// no regular expressions, graphs, walks, sorting, ranges or parsers. A deadline
// does not interrupt a running builtin, so none may run long.
func tenantBuiltins() []string {
	return strings.Fields(`
		eq assign equal neq lt lte gt gte
		plus minus mul div rem abs round ceil floor
		bits.and bits.or bits.xor bits.negate
		and or set_diff intersection union
		count sum product max min all any
		array.concat array.reverse array.slice
		object.get object.keys object.remove object.filter object.union object.subset
		concat contains endswith startswith format_int indexof lower upper replace
		split sprintf substring trim trim_left trim_right trim_prefix trim_suffix trim_space
		strings.any_prefix_match strings.any_suffix_match strings.count strings.reverse
		to_number type_name
		is_array is_boolean is_null is_number is_object is_set is_string
		time.add_date time.clock time.date time.weekday
		print`)
}
