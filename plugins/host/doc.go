// Package host runs meter plugins: it starts the process, checks it, reads it
// and starts it again when it dies.
//
// Each start makes a new client with a new configuration and hash, for those
// of hashicorp/go-plugin serve once. The binary must have the configured
// SHA-256; the connection is mutual TLS with certificates made for the start;
// the plugin sees only the environment that is given to it. Starts back off
// with jitter, a breaker stops a plugin that keeps failing, and readings of
// the last good answer, with their age, stand in for a while.
//
// A plugin is never on the path of a placement decision: one call costs some
// hundred microseconds.
package host
