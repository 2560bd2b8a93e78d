// Package arch reads the source of the project and says where it breaks the
// rules that keep it readable: which package may import which, what the
// decision core may not touch, how long functions and files may be, and what
// must be documented.
//
// The rules are data in layers.go and limits.go. Packages are parsed in this
// process, test files and testdata apart, for every build tag at once; nothing
// is compiled and no tool is run, so a result never comes from a stale cache.
package arch
