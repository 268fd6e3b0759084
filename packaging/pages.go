package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// The files that come with the program in every archive.
const (
	licenseFile = "LICENSE"
	readmeFile  = "README.md"
	completions = "completions" // a directory: sluice.bash, sluice.zsh, sluice.fish
	manual      = "man"         // a directory: sluice.1, sluice-run.1, ...
)

var shells = []string{"bash", "zsh", "fish"}

// writePages writes these files into dir. The program of this machine says what it completes and explains.
func writePages(ctx context.Context, p product, programs []program, dir string) error {
	at := slices.IndexFunc(programs, func(p program) bool { return p.platform == host })
	if at < 0 {
		return fmt.Errorf("no program runs on %s, and man pages come from a program", host)
	}
	for _, page := range []string{licenseFile, readmeFile} {
		if err := copyFile(filepath.Join(p.root, page), filepath.Join(dir, page)); err != nil {
			return err
		}
	}
	for _, sub := range []string{completions, manual} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	for _, shell := range shells {
		text, err := say(ctx, programs[at], "completion", shell)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, completions, name+"."+shell), text, 0o644); err != nil {
			return err
		}
	}
	_, err := say(ctx, programs[at], "manual", filepath.Join(dir, manual))
	return err
}

// say returns what the program prints. It has no environment: a variable of this machine could change what it says.
func say(ctx context.Context, p program, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, p.path, args...)
	cmd.Env, cmd.Stderr = []string{}, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", name, args[0], err)
	}
	return out, nil
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}
