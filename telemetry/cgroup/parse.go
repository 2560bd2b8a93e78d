package cgroup

import (
	"bytes"
	"errors"
	"math"
	"time"
)

// ErrFormat marks a cgroup file whose content is not what the kernel writes.
var ErrFormat = errors.New("unexpected content")

// parseStat returns usage_usec of a cpu.stat file.
func parseStat(b []byte) (time.Duration, error) {
	const key = "usage_usec "
	for len(b) > 0 {
		line := b
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			line, b = b[:i], b[i+1:]
		} else {
			b = nil
		}
		if len(line) > len(key) && string(line[:len(key)]) == key {
			v, err := parseUint(line[len(key):])
			if err != nil || v > math.MaxInt64/uint64(time.Microsecond) {
				return 0, ErrFormat
			}
			return time.Duration(v) * time.Microsecond, nil
		}
	}
	return 0, ErrFormat
}

// parseNanos reads cpuacct.usage.
func parseNanos(b []byte) (time.Duration, error) {
	v, err := parseUint(b)
	if err != nil || v > math.MaxInt64 {
		return 0, ErrFormat
	}
	return time.Duration(v), nil
}

// parseUint reads a decimal number up to the end of the line.
func parseUint(b []byte) (uint64, error) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		b = b[:i]
	}
	if len(b) == 0 || len(b) > 20 {
		return 0, ErrFormat
	}
	var v uint64
	for _, c := range b {
		d := uint64(c - '0')
		if c < '0' || c > '9' || v > (math.MaxUint64-d)/10 {
			return 0, ErrFormat
		}
		v = v*10 + d
	}
	return v, nil
}
