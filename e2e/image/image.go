// Package image builds container images from Go programs, without a container
// engine: one layer with a static binary, as an archive that every runtime imports.
//
// It runs the go command; internal/oci, which also packs the image of a release,
// writes the archive.
package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/sluice-cd/sluice/internal/oci"
)

// A Source describes an image.
type Source struct {
	// Dir is the directory of a main package, inside its module. The program
	// becomes /NAME, after the directory, and the entry point.
	Dir string
	// Package is another main package to build in Dir, such as a tool that its
	// go.mod pins. The program is named after it.
	Package string
	// Large says that the program takes long to build and was already built on this
	// machine with cgo. So it is linked statically with the C library instead of
	// compiled again without cgo. It must not look up users or host names.
	Large bool
	// Name is the name of the image, with a tag.
	Name string
	// Args follow the program in the entry point.
	Args []string
	// Files are added to the image, by their absolute paths in it.
	Files map[string][]byte
	// Into is the directory for the archive. Build creates it if necessary.
	Into string
}

// Build builds the image and returns its archive. The same sources in the same
// directory give the same archive, byte for byte.
func Build(ctx context.Context, s Source) (archive string, err error) {
	if err := os.MkdirAll(s.Into, 0o755); err != nil {
		return "", err
	}
	binary, err := s.compile(ctx)
	if err != nil {
		return "", err
	}
	target := filepath.Join(s.Into, s.fileName()+".tar")
	temp, err := os.CreateTemp(s.Into, ".new-")
	if err != nil {
		return "", err
	}
	defer os.Remove(temp.Name())
	err = oci.Write(temp, s.Name, oci.Image{
		Arch: runtime.GOARCH, Files: s.files(binary), Entrypoint: append([]string{"/" + s.program()}, s.Args...),
	})
	if err := errors.Join(err, temp.Close()); err != nil {
		return "", err
	}
	return target, os.Rename(temp.Name(), target)
}

func (s Source) fileName() string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == ':' {
			return '-'
		}
		return r
	}, s.Name)
}

func (s Source) program() string {
	if s.Package != "" {
		return path.Base(s.Package)
	}
	return filepath.Base(s.Dir)
}

// compile builds a program that needs nothing else in its image.
func (s Source) compile(ctx context.Context) ([]byte, error) {
	target := filepath.Join(s.Into, s.fileName()+".bin")
	pkg := s.Package
	if pkg == "" {
		pkg = "."
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", target, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if s.Large && hasCgo(ctx) {
		cmd = exec.CommandContext(ctx, "go", "build", "-buildvcs=false",
			"-ldflags=-s -w -linkmode=external -extldflags=-static", "-o", target, pkg)
	}
	cmd.Dir = s.Dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build %s in %s: %w\n%s", pkg, s.Dir, err, out)
	}
	return os.ReadFile(target)
}

// hasCgo reports whether programs are built with cgo here, because there is a C compiler.
func hasCgo(ctx context.Context) bool {
	out, err := exec.CommandContext(ctx, "go", "env", "CGO_ENABLED").Output()
	return err == nil && strings.TrimSpace(string(out)) == "1"
}

// files is the file system: the program, the other files, and /tmp.
func (s Source) files(binary []byte) []oci.File {
	list := []oci.File{{Path: "/tmp/", Mode: 0o1777}, {Path: "/" + s.program(), Data: binary, Mode: 0o755}}
	for at, data := range s.Files {
		list = append(list, oci.File{Path: at, Data: data, Mode: 0o755})
	}
	return list
}
