// Package library holds the shipped policies as embedded Rego.
//
// Each file <name>.rego is a policy (package wattle.placement) with its tests
// in <name>_test.rego. The reusable parts are in lib/: module <part> is package
// wattle.lib.<part>, and any policy may import it as data.wattle.lib.<part>.
package library

import "embed"

//go:embed *.rego lib/*.rego
var files embed.FS

// Files returns the shipped modules: policies at the top, parts in lib/.
func Files() embed.FS { return files }
