//go:build unix

package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// descriptor is an open file that is read again and again from its start. It
// bypasses os.File: that would register every file with the poller, which
// cgroup files support, and then wake it at each notification.
type descriptor struct {
	fd   int
	open bool
}

func openDescriptor(path string) (descriptor, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return descriptor{}, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return descriptor{fd: fd, open: true}, nil
}

// read fills buf from the start of the file with one system call.
func (d descriptor) read(buf []byte) (int, error) {
	for {
		n, err := syscall.Pread(d.fd, buf, 0)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

func (d *descriptor) close() {
	if d.open {
		_ = syscall.Close(d.fd)
		d.open = false
	}
}

// removed reports whether err means that the cgroup is gone: the kernel answers
// ENODEV to reads through a descriptor of a removed cgroup.
func removed(err error) bool {
	return errors.Is(err, syscall.ENODEV) || errors.Is(err, fs.ErrNotExist)
}

// folder describes a directory: whether it can have sub-directories, and its
// inode, which tells a cgroup from a later one of the same name.
type folder struct {
	leaf  bool
	inode uint64
}

// stat uses that a cgroup directory has two links plus one per child; file
// systems that do not count links answer 1 and are listed.
func stat(path string) (folder, error) {
	fi, err := os.Lstat(path)
	if err != nil {
		return folder{}, err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || !fi.IsDir() {
		return folder{}, fmt.Errorf("%s is not a directory", path)
	}
	return folder{leaf: st.Nlink == 2, inode: uint64(st.Ino)}, nil
}
