//go:build !linux

package rapl

import "os"

// modified returns the modification time of f in ns, 0 if it cannot be told.
func modified(f *os.File) int64 {
	st, err := f.Stat()
	if err != nil {
		return 0
	}
	return st.ModTime().UnixNano()
}
