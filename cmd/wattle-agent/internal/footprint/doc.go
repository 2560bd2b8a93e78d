// Package footprint keeps the resident set of a long-running program small.
package footprint
