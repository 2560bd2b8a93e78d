package record

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// flusher is a writer that holds back until it is told not to.
type flusher interface {
	io.Writer
	Flush() error
}

// compressor returns a writer for the name's extension and what ends its stream.
func compressor(name string, w io.Writer) (flusher, func() error, error) {
	switch {
	case strings.HasSuffix(name, ".zst"):
		// One goroutine and the fastest level: the agent shares its machine.
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(256<<10))
		if err != nil {
			return nil, nil, fmt.Errorf("record: zstd: %w", err)
		}
		return z, z.Close, nil
	case strings.HasSuffix(name, ".gz"):
		z := gzip.NewWriter(w)
		return z, z.Close, nil
	}
	b := bufio.NewWriter(w)
	return b, b.Flush, nil
}

// decompressor returns a reader for the name's extension and what releases it.
func decompressor(name string, r io.Reader) (io.Reader, func(), error) {
	switch {
	case strings.HasSuffix(name, ".zst"):
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
		if err != nil {
			return nil, nil, fmt.Errorf("%s: zstd: %w", name, err)
		}
		return z, z.Close, nil
	case strings.HasSuffix(name, ".gz"):
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: gzip: %w", name, err)
		}
		return z, func() {}, nil
	}
	return r, func() {}, nil
}

// Create starts a recording in a new file; a file that exists is left alone.
func Create(name string, h Header) (*Writer, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if os.IsExist(err) {
		return nil, fmt.Errorf("record: %s exists already; name another file or remove it", name)
	}
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	w, err := NewWriter(f, name, h)
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", err, f.Close())
	}
	w.file = f
	return w, nil
}

// Open reads the header of a recording in a file.
func Open(name string) (*Reader, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	r, err := NewReader(f, name)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	r.file = f
	return r, nil
}
