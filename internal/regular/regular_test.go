package regular_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sluice-cd/sluice/internal/regular"
)

func TestFileReadsOnlyRegularFiles(t *testing.T) {
	t.Chdir(t.TempDir()) // the address of a socket is short
	for name, content := range map[string]string{"full": "12345", "empty": ""} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("unix", "socket")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := errors.Join(os.Symlink("full", "link"), os.Symlink("pipe", "link-to-pipe"),
		syscall.Mkfifo("pipe", 0o600)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct{ content, says string }{
		"full": {"12345", ""}, "link": {"12345", ""}, "empty": {"", ""},
		"pipe": {"", "it is a pipe"}, "link-to-pipe": {"", "it is a pipe"}, "socket": {"", "it is a socket"},
		".": {"", "it is a directory"}, "/dev/zero": {"", "it is a device"}, "absent": {"", "no such file"},
	} {
		data, err := regular.File(name, 5)
		if string(data) != want.content || (err == nil) != (want.says == "") ||
			err != nil && !strings.Contains(err.Error(), want.says) {
			t.Errorf("%s: got %q, %v; want %q, %q", name, data, err, want.content, want.says)
		}
	}
	if _, err := regular.File("absent", 5); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent file gives %v", err)
	}
	if _, err := regular.File("full", 4); !errors.Is(err, regular.ErrTooLarge) {
		t.Errorf("a file above the limit gives %v", err)
	}
}

func TestReadStaysWithinARoot(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "in"), []byte("x"), 0o600),
		os.Symlink("/etc/hostname", filepath.Join(dir, "out"))); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if data, err := regular.Read(root.Stat, root.Open, "in", 9); string(data) != "x" || err != nil {
		t.Errorf("got %q, %v", data, err)
	}
	if _, err := regular.Read(root.Stat, root.Open, "out", 9); err == nil {
		t.Error("a link leads out of the root")
	}
}
