//go:build !unix

package cgroup

import (
	"errors"
	"io/fs"
)

// descriptor has no meaning where there are no cgroups.
type descriptor struct{ open bool }

func openDescriptor(string) (descriptor, error) { return descriptor{}, errors.ErrUnsupported }

func (descriptor) read([]byte) (int, error) { return 0, errors.ErrUnsupported }

func (*descriptor) close() {}

func removed(err error) bool { return errors.Is(err, fs.ErrNotExist) }

type folder struct {
	leaf  bool
	inode uint64
}

func stat(string) (folder, error) { return folder{}, errors.ErrUnsupported }
