// Package report turns the outcome of a simulation into what people and
// programs read: a terminal table, JSON, CSV, Parquet and one self-contained
// HTML page.
//
// A [Document] is a plain value with every quantity in the base unit that its
// field name says. Whoever ran the simulation fills it in; nothing here knows
// the engine. Equal documents give equal bytes in every format, and the JSON
// form reads back to an equal document with [Decode].
//
// Parts that a run did not compute (bounds, intervals, robustness, sample
// decisions) are left empty and are then absent from every format.
package report
