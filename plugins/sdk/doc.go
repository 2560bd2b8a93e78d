// Package sdk is what the author of a plugin writes against: implement Meter
// and call Serve from main.
//
// A plugin is a process of its own. It may use cgo, crash or be replaced
// without touching the agent, and it ends when the agent does.
package sdk
