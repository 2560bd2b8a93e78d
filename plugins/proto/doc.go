// Package proto is the seam between wattle and its plugins: the values that
// cross it, the gRPC messages, and the handshake of hashicorp/go-plugin.
//
// Zone and Reading have the fields of the telemetry types of the same names in
// the same order, so that they convert into each other without copying code.
// What arrives from a plugin is checked here before anything else sees it.
package proto

//go:generate protoc -I . --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative meterpb/meter.proto
