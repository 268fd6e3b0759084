package movertest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// keepsMetadata: what a database's files have besides their content. Owners only if the test runs as root.
func keepsMetadata(t *testing.T, s Subject) {
	a, x := t.TempDir(), t.TempDir()
	write(t, filepath.Join(a, "dir", "one"), []byte("content"), 0o640)
	must(t, os.Link(filepath.Join(a, "dir", "one"), filepath.Join(a, "another name")))
	must(t, os.Link(filepath.Join(a, "dir", "one"), filepath.Join(a, "dir", "third name")))
	write(t, filepath.Join(a, "tool"), []byte("#!"), 0o755)
	must(t, os.Chmod(filepath.Join(a, "tool"), 0o755|os.ModeSetuid|os.ModeSetgid))
	must(t, os.Chmod(filepath.Join(a, "dir"), 0o771|os.ModeSticky))
	write(t, filepath.Join(a, "reserved"), make([]byte, 1<<20), 0o600) // zeros, but no hole
	must(t, os.Symlink("dir/one", filepath.Join(a, "symlink")))
	attributes := setAttribute(t, filepath.Join(a, "tool"), "user.\u00e9", "v\x00\xff") &&
		setAttribute(t, filepath.Join(a, "dir"), "user.empty", "")
	if os.Geteuid() == 0 {
		must(t, os.Chown(filepath.Join(a, "reserved"), 999, 998))
		must(t, os.Lchown(filepath.Join(a, "symlink"), 997, 996))
		must(t, os.Chown(filepath.Join(a, "dir"), 995, 994))
	}
	old := time.Date(2001, 2, 3, 4, 5, 6, 789, time.UTC)
	must(t, os.Chtimes(filepath.Join(a, "dir"), old, old))
	m := s.Open(t)
	c := copyOf(t, m, "d-1", a)
	if c.Bytes != 7+2+1<<20 {
		t.Errorf("a file with three names counts more than once: %+v", c)
	}
	must(t, restore(t.Context(), m, c, x))
	same(t, a, x)
	for _, name := range []string{"dir", "dir/one", "another name", "dir/third name", "tool", "reserved", "symlink"} {
		if want, got := metadata(t, filepath.Join(a, name)), metadata(t, filepath.Join(x, name)); want != got {
			t.Errorf("%s came back as %s, it was %s", name, got, want)
		}
	}
	if !sameFile(t, filepath.Join(x, "dir", "one"), filepath.Join(x, "another name")) ||
		!sameFile(t, filepath.Join(x, "dir", "one"), filepath.Join(x, "dir", "third name")) {
		t.Error("the names of one file came back as several files")
	}
	if attributes && attribute(t, filepath.Join(x, "tool"), "user.\u00e9") != "v\x00\xff" {
		t.Error("an extended attribute is lost")
	}
	if attributes && attribute(t, filepath.Join(x, "dir"), "user.empty") != "" {
		t.Error("an empty extended attribute is not empty")
	}
	if blocks := allocated(t, filepath.Join(x, "reserved")); blocks < 1<<20 {
		t.Errorf("space that was reserved came back as a hole: %d bytes", blocks)
	}
}

// setAttribute reports whether the file system has extended attributes.
func setAttribute(t *testing.T, name, key, value string) bool {
	t.Helper()
	err := unix.Setxattr(name, key, []byte(value), 0)
	if errors.Is(err, unix.ENOTSUP) {
		return false
	}
	must(t, err)
	return true
}

func attribute(t *testing.T, name, key string) string {
	t.Helper()
	value := make([]byte, 100)
	n, err := unix.Getxattr(name, key, value)
	must(t, err)
	return string(value[:n])
}

func sameFile(t *testing.T, a, b string) bool {
	t.Helper()
	one, err := os.Lstat(a)
	must(t, err)
	two, err := os.Lstat(b)
	must(t, err)
	return os.SameFile(one, two)
}

// metadata describes owner, mode and time.
func metadata(t *testing.T, name string) string {
	t.Helper()
	info, err := os.Lstat(name)
	must(t, err)
	st, _ := info.Sys().(*syscall.Stat_t)
	return fmt.Sprint(info.Mode(), " ", st.Uid, ":", st.Gid, " ", info.ModTime().UnixNano())
}

// copiesMany: more files than are read at once, in more directories than one.
func copiesMany(t *testing.T, s Subject) {
	a, x := t.TempDir(), t.TempDir()
	const files = 3000
	for i := range files {
		write(t, filepath.Join(a, fmt.Sprint(i%7), fmt.Sprint(i)), fmt.Append(nil, i), 0o600)
	}
	m := s.Open(t)
	first := copyOf(t, m, "d-1", a)
	must(t, os.Remove(filepath.Join(a, "3", "3")))
	write(t, filepath.Join(a, "2", "new"), []byte("new"), 0o600)
	write(t, filepath.Join(a, "5", "5"), []byte("changed"), 0o600)
	second := copyOf(t, m, "d-2", a)
	if first.Files != files || second.Files != files || second.Added > first.Added {
		t.Errorf("%d files are copied as %+v, then as %+v", files, first, second)
	}
	must(t, restore(t.Context(), m, second, x))
	same(t, a, x)
	must(t, verify(t.Context(), m, first))
}
