package main

import (
	"syscall"
	"time"
)

// threadCPU is the processor time of the calling thread; the monitoring loop
// keeps to one thread.
func threadCPU() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_THREAD, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
