package local_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/internal/local"
	"github.com/sluice-cd/sluice/internal/sweeptest"
)

// TestMain makes the test binary three things: the tests, the agent that they talk to, and the program that
// stands for every image.
func TestMain(m *testing.M) {
	if len(os.Args) == 5 && os.Args[1] == "local" && os.Args[2] == "agent" {
		if err := local.RunAgent(context.Background(), os.Args[4]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if program := os.Getenv("PROGRAM"); program != "" {
		programs[program]()
		return
	}
	if err := os.Setenv(secretOfTheCommand, "hunter2"); err != nil {
		panic(err)
	}
	os.Exit(sweeptest.Wrap(m).Run())
}

// secretOfTheCommand is a variable of the process that starts agents.
const secretOfTheCommand = "SECRET_OF_THE_COMMAND"

var programs = map[string]func(){
	"web": web, "echo": echo, "exit": exit, "twins": twins, "forking": forking, "speak": speak, "falls": falls,
	"courteous": courteous, "fail": fail,
}

// web answers with its version and pod, slowly where asked to, until it is told to end.
func web() {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if d, err := time.ParseDuration(r.URL.Query().Get("wait")); err == nil {
			<-time.After(d)
		}
		w.Header().Set("Forwarded-For", r.Header.Get("X-Forwarded-For"))
		fmt.Fprintf(w, "%s %s", os.Getenv("VERSION"), os.Getenv("HOSTNAME"))
	})
	mux.HandleFunc("/env",
		func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getenv(r.URL.Query().Get("name"))) })
	mux.HandleFunc("/args", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "%q", os.Args[1:]) })
	mux.HandleFunc("/file",
		func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, r.URL.Query().Get("path")) })
	mux.HandleFunc("/ready", statusFromFile("not-ready"))
	mux.HandleFunc("/live", statusFromFile("not-live"))
	s := &http.Server{Addr: net.JoinHostPort(os.Getenv("POD_IP"), "8080"), Handler: mux}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		defer close(done)
		<-ended
		_ = s.Shutdown(context.Background())
	}()
	fmt.Println("listening", os.Getenv("VERSION"))
	if err := s.ListenAndServe(); err != http.ErrServerClosed {
		fmt.Println(err)
		os.Exit(1)
	}
	<-done
}

func statusFromFile(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if _, err := os.Stat(filepath.Join(os.Getenv("HOME"), name)); err == nil {
			http.Error(w, name, http.StatusServiceUnavailable)
		}
	}
}

// echo sends back what it gets once the client has closed its side.
func echo() {
	l, err := net.Listen("tcp", net.JoinHostPort(os.Getenv("POD_IP"), "7"+"000"))
	if err != nil {
		panic(err)
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			defer conn.Close()
			all := make([]byte, 0, 1<<16)
			buf := make([]byte, 4096)
			for {
				n, err := conn.Read(buf)
				all = append(all, buf[:n]...)
				if err != nil {
					break
				}
			}
			_, _ = conn.Write(append(all, " "+os.Getenv("HOSTNAME")...))
		}()
	}
}

// exit ends with the status of its last argument, after having waited for the file HOME/go if told to.
func exit() {
	fmt.Println("exiting with", os.Args[len(os.Args)-1])
	if os.Getenv("WAIT_FOR") != "" {
		f, err := os.Open(os.Getenv("WAIT_FOR")) // a named pipe: it opens when somebody writes
		if err == nil {
			f.Close()
		}
	}
	code, err := strconv.Atoi(os.Args[len(os.Args)-1])
	if err != nil {
		panic(err)
	}
	os.Exit(code)
}

// falls is web until it ends, after a second.
func falls() {
	time.AfterFunc(time.Second, func() {
		fmt.Println("falling")
		os.Exit(3)
	})
	web()
}

// speak prints three lines and waits until it is told to end.
func speak() {
	fmt.Print("one\ntwo\nthree\n")
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	<-ended
}

// courteous says goodbye when it is told to end.
func courteous() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	fmt.Println("listening")
	<-ended
	fmt.Println("goodbye")
}

// fail prints a line and ends with the status 3.
func fail() {
	fmt.Println("no such table")
	os.Exit(3)
}

// twins writes a counter to two files, always to the first one first, as fast as it can.
func twins() {
	first, err := os.OpenFile(os.Args[1]+"/first", os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	second, err := os.OpenFile(os.Args[2]+"/second", os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	for i := 0; ; i++ {
		for _, f := range []*os.File{first, second} {
			if _, err := f.WriteAt(fmt.Appendf(nil, "%020d", i), 0); err != nil {
				panic(err)
			}
		}
	}
}

// forking leaves a child in a session of its own and sleeps.
func forking() {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	if os.Getenv("CHILD") == "" {
		_, err := os.StartProcess(exe, os.Args,
			&os.ProcAttr{Env: append(os.Environ(), "CHILD=1"), Sys: &syscall.SysProcAttr{Setsid: true}})
		if err != nil {
			panic(err)
		}
	}
	select {}
}
