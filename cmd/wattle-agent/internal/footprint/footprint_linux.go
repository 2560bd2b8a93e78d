package footprint

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"

	"golang.org/x/sys/unix"
)

// Release gives back the pages of the program's own file that are only read:
// most of them were needed for the start alone. Those in use come back from the
// page cache when they are touched. It returns the bytes of the mappings.
//
// A mapping is left alone unless the kernel says that it has no page of its own:
// the dynamic linker changes some and then makes them read-only. A page that is
// dirty only because the file itself was just written is the page cache's.
func Release() (int, error) {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return 0, err
	}
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return 0, err
	}
	debug.FreeOSMemory() // what the start has allocated and dropped
	released := 0
	for _, m := range mappings(text, program) {
		// Not by unix.Madvise: that takes a slice, and these are addresses of the
		// kernel's that no Go pointer may be made of.
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED); errno != 0 {
			return released, fmt.Errorf("give pages back: %w", errno)
		}
		released += int(m.to - m.from)
	}
	return released, nil
}

// mapping is a range of addresses.
type mapping struct{ from, to uintptr }

// mappings finds those of path in the text of smaps that cannot be written and
// hold no page of their own (proc_pid_smaps(5): Anonymous is what was copied when
// it was written).
func mappings(text []byte, path string) []mapping {
	var out []mapping
	var m mapping
	ours := false
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		f := bytes.Fields(lines.Bytes())
		if len(f) >= 5 && bytes.IndexByte(f[0], '-') > 0 && !bytes.HasSuffix(f[0], []byte(":")) {
			m, ours = header(f, path)
			continue
		}
		if ours && len(f) >= 2 && string(f[0]) == "Anonymous:" && string(f[1]) == "0" {
			out = append(out, m)
		}
	}
	return out
}

// header reads "00400000-00c00000 r-xp 00003000 fe:00 1234 /path".
func header(f [][]byte, path string) (mapping, bool) {
	from, to, _ := bytes.Cut(f[0], []byte("-"))
	a, errA := strconv.ParseUint(string(from), 16, 64)
	b, errB := strconv.ParseUint(string(to), 16, 64)
	ours := len(f) >= 6 && string(f[5]) == path && f[1][0] == 'r' && f[1][1] == '-' && errA == nil && errB == nil && b > a
	return mapping{uintptr(a), uintptr(b)}, ours
}
