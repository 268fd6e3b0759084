// Command talker is the program in the pods of the tests of package host. "serve" answers on port 8080, "say" prints
// a text and ends, "fall" serves for some seconds and ends with status 3, "put" writes a text to a file and "get"
// prints it, "unready" makes a serving program report that it is not ready.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// unready is a file that exists if the pod is not ready.
const unready = "/tmp/unready"

func main() {
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 0 || args[0] == "serve":
		err = serve()
	case args[0] == "fall":
		time.AfterFunc(3*time.Second, func() {
			fmt.Println("falling")
			os.Exit(3)
		})
		err = serve()
	case args[0] == "say" && len(args) == 4:
		err = say(args[1], args[2], args[3])
	case args[0] == "wait" && len(args) == 2:
		fmt.Println(args[1])
		wait()
	case args[0] == "put" && len(args) == 3:
		err = os.WriteFile(args[1], []byte(args[2]), 0o600)
	case args[0] == "get" && len(args) == 2:
		err = get(args[1])
	case args[0] == "unready":
		err = os.WriteFile(unready, nil, 0o600)
	default:
		err = fmt.Errorf("unknown arguments %q", args)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func get(file string) error {
	data, err := os.ReadFile(file)
	fmt.Print(string(data))
	return err
}

func wait() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	<-ended
}

func say(status, out, complaint string) error {
	code, err := strconv.Atoi(status)
	if err != nil {
		return err
	}
	fmt.Print(out)
	fmt.Fprint(os.Stderr, complaint)
	os.Exit(code)
	return nil
}

func serve() error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	fmt.Println("serving as", name)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s auth=%s x=%s", name, r.Method, r.URL.RequestURI(), r.Header.Get("Authorization"),
			r.Header.Get("X-Own"))
	})
	mux.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {
		if _, err := os.Stat(unready); !errors.Is(err, fs.ErrNotExist) {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/away",
		func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/page?from=away", http.StatusFound) })
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<a href="/next">next</a>`)
	})
	return http.ListenAndServe(":8080", mux)
}
