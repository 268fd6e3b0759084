package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// On a terminal init asks for what it needs, and an empty answer takes what is offered.
func TestInitAsksOnATerminal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shop")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	outside, inside := openTerminal(t)
	cmd := exec.Command("sluice", "init")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "NO_COLOR=1", "KUBECONFIG=", "HOME="+dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = inside, inside, inside
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := inside.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(outside, "\n\n9090\nmongo:7\n"); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	_, _ = io.Copy(&said, outside) // ends with an error when the terminal is closed
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	for _, want := range []string{"Name of the application? [shop]", "Its image? [shop:1.0]", "wrote manifests.yaml"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q is missing in: %s", want, said.String())
		}
	}
	written, err := os.ReadFile(filepath.Join(dir, "manifests.yaml"))
	if err != nil || !strings.Contains(string(written), "port: 9090") || !strings.Contains(string(written), `"mongo:7"`) {
		t.Errorf("%v: %s", err, written)
	}
}
