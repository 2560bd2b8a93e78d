//go:build !linux || !(amd64 || arm64) || nonvml

package nvml

import "errors"

// library does not exist in this build.
type library struct{}

func openLibrary([]string) (*library, error) {
	return nil, errors.New("this binary was built without NVML: use a linux/amd64 or linux/arm64 build without the tag nonvml")
}

func (l *library) call(string, ...uintptr) code { return missingSymbol }

func (l *library) close() error { return nil }
