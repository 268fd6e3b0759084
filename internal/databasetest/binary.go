package databasetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Binary returns the path of the example's server, such as ferretdb-1.24. It is built once for each version of its
// sources and kept in the user's cache. Several test binaries may build it at the same time.
func Binary(ctx context.Context, example string) (string, error) {
	source, err := exampleDir(example)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	fmt.Fprintln(hash, runtime.Version(), example)
	for _, name := range []string{"go.mod", "go.sum", "main.go"} {
		content, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return "", err
		}
		hash.Write(content)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "sluice-databasetest", fmt.Sprintf("%x", hash.Sum(nil)[:12]))
	binary := filepath.Join(dir, "mongo-server")
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	unfinished := fmt.Sprintf("%s.%d", binary, os.Getpid())
	out, err := exec.CommandContext(ctx, "go", "build", "-C", source, "-o", unfinished, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", example, err, out)
	}
	return binary, os.Rename(unfinished, binary)
}

// exampleDir looks for the example in the directory of the package under test and in those above.
func exampleDir(example string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		found := filepath.Join(dir, "examples", example)
		if _, err := os.Stat(found); !errors.Is(err, fs.ErrNotExist) {
			return found, err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("there is no examples/%s in a directory above", example)
		}
		dir = parent
	}
}
