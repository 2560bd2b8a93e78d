// Package nvml observes NVIDIA GPUs through the driver's own library,
// libnvidia-ml.so.1.
//
// The library is opened when it is first read, without cgo: purego calls
// dlopen of the C library directly, so a binary built with CGO_ENABLED=0 has
// NVML on linux/amd64 and linux/arm64. The price is that such a binary is
// linked dynamically against glibc. Build with the tag "nonvml" for a wholly
// static binary; its Source then says that NVML was left out.
//
// Only C signatures and layouts published in nvml.h are used: energy counter,
// power, limit, utilisation, MIG geometry, per-process utilisation and, where
// the driver has it (Hopper and later), GPM for the activity of MIG instances.
//
// Tests call a scripted library that is compiled against NVIDIA's own nvml.h,
// with and without cgo. The package has not been run on a machine with a GPU.
package nvml
