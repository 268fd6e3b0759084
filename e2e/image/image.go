// Package image builds container images from Go programs, without a container
// engine: one layer with a static binary, as an archive of the format that
// docker save writes and every runtime imports.
//
// It imports the standard library only and runs the go command.
package image

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
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
	layer, err := s.layer(binary)
	if err != nil {
		return "", err
	}
	data, err := s.archive(layer)
	if err != nil {
		return "", err
	}
	target := filepath.Join(s.Into, s.fileName()+".tar")
	temp, err := os.CreateTemp(s.Into, ".new-")
	if err != nil {
		return "", err
	}
	defer os.Remove(temp.Name())
	if _, err := temp.Write(data); err != nil {
		temp.Close()
		return "", err
	}
	if err := temp.Close(); err != nil {
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

// layer is the file system: the program, the files with their directories, and /tmp.
func (s Source) layer(binary []byte) ([]byte, error) {
	files := map[string][]byte{"/" + s.program(): binary}
	maps.Copy(files, s.Files)
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	made := map[string]bool{"/": true, "/tmp": true}
	if err := w.WriteHeader(&tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := writeDirs(w, path.Dir(name), made); err != nil {
			return nil, err
		}
		if err := writeFile(w, name, files[name], 0o755); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), w.Close()
}

func writeDirs(w *tar.Writer, dir string, made map[string]bool) error {
	if made[dir] {
		return nil
	}
	made[dir] = true
	if err := writeDirs(w, path.Dir(dir), made); err != nil {
		return err
	}
	return w.WriteHeader(&tar.Header{Name: strings.TrimPrefix(dir, "/") + "/", Typeflag: tar.TypeDir, Mode: 0o755})
}

func writeFile(w *tar.Writer, name string, data []byte, mode int64) error {
	if err := w.WriteHeader(&tar.Header{Name: strings.TrimPrefix(name, "/"), Mode: mode,
		Size: int64(len(data))}); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}

type object = map[string]any

// archive wraps the layer in the three files that make it an image.
func (s Source) archive(layer []byte) ([]byte, error) {
	config, err := json.Marshal(object{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config": object{
			"Entrypoint": append([]string{"/" + s.program()}, s.Args...), "Env": []string{"PATH=/"}, "WorkingDir": "/",
		},
		"rootfs": object{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}},
	})
	if err != nil {
		return nil, err
	}
	configName := fmt.Sprintf("%x.json", sha256.Sum256(config))
	manifest, err := json.Marshal([]object{{"Config": configName, "RepoTags": []string{s.Name},
		"Layers": []string{"layer.tar"}}})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range []struct {
		name string
		data []byte
	}{{configName, config}, {"layer.tar", layer}, {"manifest.json", manifest}} {
		if err := writeFile(w, f.name, f.data, 0o644); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), w.Close()
}
