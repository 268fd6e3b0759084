package tree

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
)

// isKept reports whether an extended attribute belongs to the content. Labels of SELinux and hashes of IMA belong to
// the machine, and those of overlayfs to a layer.
func isKept(name string) bool {
	switch name {
	case "security.selinux", "security.ima", "security.evm":
		return false
	}
	return !strings.HasPrefix(name, "trusted.overlay.")
}

// xattrs returns the extended attributes of an open file, nil if it has none.
func xattrs(f *os.File) (map[string][]byte, error) {
	list, err := whole(func(b []byte) (int, error) { return unix.Flistxattr(int(f.Fd()), b) })
	if errors.Is(err, unix.ENOTSUP) || len(list) == 0 {
		return nil, nil
	}
	var all map[string][]byte
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		if err != nil || !isKept(name) {
			continue
		}
		if all == nil {
			all = map[string][]byte{}
		}
		all[name], err = whole(func(b []byte) (int, error) { return unix.Fgetxattr(int(f.Fd()), name, b) })
	}
	return all, err
}

// whole asks for the size first.
func whole(get func([]byte) (int, error)) ([]byte, error) {
	size, err := get(nil)
	if err != nil || size == 0 {
		return []byte{}, err
	}
	b := make([]byte, size)
	n, err := get(b)
	return b[:max(n, 0)], err
}

func (w *writer) setXattrs(f *os.File, e Entry) error {
	for name, value := range e.Xattrs {
		err := unix.Fsetxattr(int(f.Fd()), name, value, 0)
		switch {
		case err == nil:
		case errors.Is(err, unix.ENOTSUP):
			return sluice.Errorf(sluice.Unsupported, "the volume of the claim %s cannot keep the extended attribute %s of %s",
				w.claim, name, e.Path).WithHint("use a storage class whose file system has extended attributes")
		case errors.Is(err, unix.EPERM) && !mayOwn() && !strings.HasPrefix(name, "user."):
			// as with owners: only root may set it
		default:
			return &os.PathError{Op: "set " + name, Path: e.Path, Err: err}
		}
	}
	return nil
}
