// Command store is the stateful application of the rollout tests, with the other
// commands that their pods run.
//
//	store serve           answers on port 8080, and keeps a journal in /data
//	store print N [TEXT]  prints each text on a line and exits with status N
//	sh -c "test -f FILE"  the part of a shell that a probe for the primary needs
//
// Environment variables configure the application. It answers with VERSION and
// writes it into the journal when it starts. It exits after a second in the pod
// with the ordinal CRASH. The pod with the ordinal PRIMARY has the file
// /data/primary.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	if filepath.Base(os.Args[0]) == "sh" {
		os.Exit(shell(os.Args[1:]))
	}
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 1 && args[0] == "serve":
		return serve()
	case len(args) >= 2 && args[0] == "print":
		return printLines(args[1], args[2:])
	}
	return errors.New("use: store serve | store print STATUS [TEXT]")
}

func printLines(status string, lines []string) error {
	n, err := strconv.Atoi(status)
	if err != nil {
		return err
	}
	for _, line := range lines {
		fmt.Println(line)
	}
	os.Exit(n)
	return nil
}

// shell knows one command.
func shell(args []string) int {
	if len(args) == 2 && args[0] == "-c" {
		if file, ok := strings.CutPrefix(args[1], "test -f "); ok {
			if _, err := os.Stat(file); err == nil {
				return 0
			}
			return 1
		}
	}
	log.Printf("sh: this shell does not know %q", args)
	return 127
}

func serve() error {
	if err := prepare(); err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	ordinal := host[strings.LastIndexByte(host, '-')+1:]
	if ordinal == os.Getenv("PRIMARY") {
		if err := os.WriteFile("/data/primary", nil, 0o600); err != nil {
			return err
		}
	}
	if ordinal == os.Getenv("CRASH") {
		log.Printf("cannot open the tables of %s", os.Getenv("VERSION"))
		time.Sleep(time.Second)
		return errors.New("giving up")
	}
	log.Printf("serving %s", os.Getenv("VERSION"))
	return listen()
}

// prepare installs the image's only program as its shell, and writes the version into the journal.
func prepare() error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.Symlink(program, "/sh"); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := os.MkdirAll("/data", 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile("/data/journal", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, os.Getenv("VERSION"))
	return errors.Join(err, f.Close())
}

// listen answers until SIGTERM.
func listen() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	server := &http.Server{Addr: ":8080", Handler: newHandler(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return server.Close()
	}
}
