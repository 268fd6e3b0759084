package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/rogpeppe/go-internal/testscript"
)

// receive VAR FILE [STATUS[/RETRYAFTER]...] starts a server and puts its URL into the variable. It writes what it gets
// into the file and answers with each status in turn, then with 204.
func receive(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: receive VAR FILE [STATUS...]")
	}
	file, err := os.Create(ts.MkAbs(args[1]))
	ts.Check(err)
	statuses := args[2:]
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a broken request shows in the file
		n := int(calls.Add(1))
		fmt.Fprintf(file, "%d %s %s %s\n", n, r.Method, r.URL, body)
		if n > len(statuses) {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		written, after, _ := strings.Cut(statuses[n-1], "/")
		status, err := strconv.Atoi(written)
		if err != nil {
			status = http.StatusTeapot
		}
		w.Header().Set("Location", "/elsewhere?token=hush")
		w.Header().Set("Retry-After", after)
		w.WriteHeader(status)
	}))
	ts.Defer(func() {
		server.Close()
		ts.Check(file.Close())
	})
	ts.Setenv(args[0], server.URL)
}

// fill FILE... puts the values of variables, such as $URL, into files.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: fill FILE...")
	}
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}
