// Package tabular finds and reads the text tables that traces and signals come
// in: single files, globs, directories and zip archives; gzip and zstd
// transparently, told by their magic bytes and never by name; comma-separated
// records with errors that name file, line and column.
package tabular

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zip"
	"github.com/klauspost/compress/zstd"
)

// ErrNoFile is returned by Find when a path matches nothing.
var ErrNoFile = errors.New("no such file")

// maxWindow bounds what a zstd frame may ask the decoder to hold.
const maxWindow = 128 << 20

// File is one table that can be opened any number of times.
type File struct {
	// Name is what error messages call it: the path, or "archive.zip:member".
	Name string
	open func() (io.ReadCloser, error)
}

// Base is the last element of the name without a .gz, .zst or .zstd ending.
func (f File) Base() string {
	base := f.Name[strings.LastIndexAny(f.Name, `/\:`)+1:]
	for _, ending := range []string{".gz", ".zst", ".zstd"} {
		base = strings.TrimSuffix(base, ending)
	}
	return base
}

// Open returns the decompressed content.
func (f File) Open() (io.ReadCloser, error) {
	raw, err := f.open()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", f.Name, err)
	}
	r, err := Decompress(raw)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", f.Name, err), raw.Close())
	}
	return r, nil
}

// Memory returns a File over bytes, for tables that are not on disk.
func Memory(name string, content []byte) File {
	return File{Name: name, open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}}
}

// Find lists the tables that path names, sorted by name: a file, a zip archive
// (its members), a directory (everything below it) or a glob over those.
// Hidden files are skipped.
func Find(path string) ([]File, error) {
	paths := []string{path}
	if _, err := os.Lstat(path); err != nil {
		if paths, err = filepath.Glob(path); err != nil {
			return nil, fmt.Errorf("%s: bad pattern: want for example data/*.csv: %w", path, err)
		}
	}
	var files []File
	for _, p := range paths {
		below, err := walk(p)
		if err != nil {
			return nil, err
		}
		files = append(files, below...)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: %w: check the path, or the pattern's spelling", path, ErrNoFile)
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

func walk(root string) ([]File, error) {
	var files []File
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		hidden := path != root && strings.HasPrefix(d.Name(), ".")
		switch {
		case err != nil:
			return err
		case hidden && d.IsDir():
			return fs.SkipDir
		case hidden || d.IsDir():
			return nil
		}
		found, err := expand(path)
		files = append(files, found...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", root, err)
	}
	return files, nil
}

func expand(path string) ([]File, error) {
	if !strings.EqualFold(filepath.Ext(path), ".zip") {
		return []File{{Name: path, open: func() (io.ReadCloser, error) { return os.Open(path) }}}, nil
	}
	archive, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer archive.Close()
	files := make([]File, 0, len(archive.File))
	for i, member := range archive.File {
		if member.FileInfo().IsDir() || strings.HasPrefix(member.FileInfo().Name(), ".") {
			continue
		}
		files = append(files, File{Name: path + ":" + member.Name, open: func() (io.ReadCloser, error) { return openMember(path, i) }})
	}
	return files, nil
}

// openMember opens the archive anew, so that a File holds no descriptor.
func openMember(path string, i int) (io.ReadCloser, error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return nil, err
	}
	if i >= len(archive.File) {
		return nil, errors.Join(errors.New("the archive changed while it was read"), archive.Close())
	}
	r, err := archive.File[i].Open()
	if err != nil {
		return nil, errors.Join(err, archive.Close())
	}
	return closers{r, []io.Closer{r, archive}}, nil
}

// Each calls fn with every file in turn, opening an archive once for all of its
// members; it is the fast way to read many small files. It stops at the first error.
func Each(files []File, fn func(File, io.Reader) error) error {
	archives := map[string]*zip.ReadCloser{}
	defer func() {
		for _, a := range archives {
			a.Close()
		}
	}()
	for _, f := range files {
		if err := each(f, archives, fn); err != nil {
			return err
		}
	}
	return nil
}

func each(f File, archives map[string]*zip.ReadCloser, fn func(File, io.Reader) error) error {
	r, err := f.member(archives)
	if err != nil {
		return err
	}
	defer r.Close()
	return fn(f, r)
}

// member opens f, from an archive that is open already where there is one.
func (f File) member(archives map[string]*zip.ReadCloser) (io.ReadCloser, error) {
	path, name, inside := strings.Cut(f.Name, ".zip:")
	if !inside {
		return f.Open()
	}
	path += ".zip"
	archive, ok := archives[path]
	if !ok {
		var err error
		if archive, err = zip.OpenReader(path); err != nil {
			return f.Open()
		}
		archives[path] = archive
	}
	raw, err := archive.Open(name)
	if err != nil { // a name that fs.FS does not accept
		return f.Open()
	}
	r, err := Decompress(raw)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", f.Name, err), raw.Close())
	}
	return r, nil
}

// Decompress returns the content of r, unpacked if it begins with the magic
// bytes of gzip (RFC 1952) or zstd (RFC 8878). Closing it closes r.
func Decompress(r io.ReadCloser) (io.ReadCloser, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	magic, err := b.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, err
		}
		return closers{z, []io.Closer{z, r}}, nil
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return closers{z, []io.Closer{z.IOReadCloser(), r}}, nil
	}
	return closers{b, []io.Closer{r}}, nil
}

// closers is a reader with what must be closed after it.
type closers struct {
	io.Reader
	all []io.Closer
}

// Close closes everything, first things first.
func (c closers) Close() error {
	errs := make([]error, len(c.all))
	for i, one := range c.all {
		errs[i] = one.Close()
	}
	return errors.Join(errs...)
}
