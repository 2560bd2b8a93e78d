//go:build linux && (amd64 || arm64) && !nonvml

package nvml

import (
	"errors"
	"fmt"

	"github.com/ebitengine/purego"
)

// library is the driver's library with the addresses of the functions used.
type library struct {
	handle  uintptr
	symbols map[string]uintptr
}

// openLibrary opens the first of paths that can be opened.
func openLibrary(paths []string) (*library, error) {
	var errs []error
	for _, p := range paths {
		h, err := purego.Dlopen(p, purego.RTLD_NOW|purego.RTLD_LOCAL)
		if err == nil {
			return &library{handle: h, symbols: map[string]uintptr{}}, nil
		}
		errs = append(errs, fmt.Errorf("open %s: %w", p, err))
	}
	return nil, errors.Join(errs...)
}

// call calls an exported function whose arguments are integers and pointers.
// Pointers must be converted in the argument list, so that what they point to
// stays alive and in place.
//
//go:uintptrescapes
func (l *library) call(name string, args ...uintptr) code {
	fn, known := l.symbols[name]
	if !known {
		fn, _ = purego.Dlsym(l.handle, name)
		l.symbols[name] = fn
	}
	if fn == 0 {
		return missingSymbol
	}
	r, _, _ := purego.SyscallN(fn, args...)
	return code(uint32(r))
}

func (l *library) close() error { return purego.Dlclose(l.handle) }
