// Package wattle is the vocabulary of the project: units, identities and
// values that every other package speaks in.
//
// wattle places serverless functions where, when and on which device they cost
// the least carbon, money and time, within limits that people write in Rego.
// This package holds no behaviour beyond unit conversion, parsing and
// validation, declares no service interface and imports only the standard
// library.
//
// Quantities that a user reads are typed floats (Joules, GramsCO2e, USD).
// Sums that must close exactly are integers (Microjoules, nanoseconds).
// A product of two units exists only as a method here, so that rounding is the
// same on every processor: compilers may fuse a·b+c across an expression, and
// the explicit conversions in these methods forbid that.
package wattle
