package footprint

import (
	"os"
	"testing"
)

// TestReleaseOfAProgramJustWritten: go test has just written the program, so the
// page cache has yet to write it back; its code is given back all the same, and
// the program goes on.
func TestReleaseOfAProgramJustWritten(t *testing.T) {
	released, err := Release()
	if err != nil {
		t.Fatal(err)
	}
	if least := 1 << 20; released < least {
		smaps, _ := os.ReadFile("/proc/self/smaps")
		t.Errorf("%d bytes of mappings were given back, want at least %d:\n%s", released, least, smaps)
	}
}

// TestMappings: what may be given back is read-only, of the program, and has no
// page of its own.
func TestMappings(t *testing.T) {
	const smaps = `00400000-00500000 r-xp 00000000 fe:00 12                     /bin/agent
Private_Dirty:       512 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
00500000-00600000 r--p 00100000 fe:00 12                     /bin/agent
Private_Dirty:         4 kB
Anonymous:             4 kB
00600000-00700000 rw-p 00200000 fe:00 12                     /bin/agent
Anonymous:             0 kB
00700000-00800000 r-xp 00000000 fe:00 13                     /lib/libc.so.6
Anonymous:             0 kB
00800000-00900000 r-xp 00000000 00:00 0
Anonymous:             0 kB
`
	got := mappings([]byte(smaps), "/bin/agent")
	if len(got) != 1 || got[0] != (mapping{0x400000, 0x500000}) {
		t.Errorf("mappings %x, want that of the code alone", got)
	}
}
