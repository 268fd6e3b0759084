package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// walk PAGE TIME [PORT] runs every sh block of the page in order, as a reader types them, in a home directory with
// Sluice's sources and its binary. Each must succeed, and print the lines of the text block that follows it, in their
// order. All of them together must not take longer than the time. For the port of the page a free one is typed.
func walk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: walk PAGE TIME [PORT]")
	}
	most, err := time.ParseDuration(args[1])
	ts.Check(err)
	source, err := os.ReadFile(filepath.Join(sourceDir, "..", "..", args[0]))
	ts.Check(err)
	page := string(source)
	if len(args) == 3 {
		page = strings.ReplaceAll(page, "127.0.0.1:"+args[2], freeAddress(ts))
	}
	r := newReader(ts)
	began := time.Now()
	list := commands(blocks(page))
	for i, c := range list {
		if c.second {
			continue // it has been typed already
		}
		run := r.start(c)
		if i+1 < len(list) && list[i+1].second {
			run.await()
			r.start(list[i+1]).end()
		}
		if c.again {
			within(time.Minute, func() bool {
				if run.wait() == nil && run.missing() != "" {
					run = r.start(c)
				}
				return run.wait() != nil || run.missing() == ""
			})
		}
		run.end()
	}
	if took := time.Since(began); took > most {
		ts.Fatalf("the commands of %s took %s, longer than %s", args[0], took.Round(time.Second), most)
	}
}

// freeAddress returns an address of this machine at which nobody listens, and from which nobody connects.
func freeAddress(ts *testscript.TestScript) string {
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 200+rand.N(50), rand.N(256), 1+rand.N(254)))
	ts.Check(err)
	defer l.Close()
	return l.Addr().String()
}

// A passage is a block of commands with what it prints.
type passage struct {
	text   string
	second bool // in a second terminal, while the command before it runs
	again  bool // until it prints its lines
	prints []string
}

func commands(list []fence) (all []passage) {
	for i, b := range list {
		if b.language != "sh" {
			continue
		}
		c := passage{text: b.text, second: strings.Contains(b.heading, "second terminal"),
			again: strings.Contains(b.heading, "again until")}
		if i+1 < len(list) && list[i+1].language == "text" {
			c.prints = lines(list[i+1].text)
		}
		all = append(all, c)
	}
	return all
}

// patience ends a command that hangs. It is longer than a page may take, so that a slow page says how long it took.
const patience = 10 * time.Minute

// A reader types the commands of a page. What a command exports, and where it goes, holds for the next one.
type reader struct {
	ts   *testscript.TestScript
	ctx  context.Context
	home string
	env  []string
}

func newReader(ts *testscript.TestScript) *reader {
	home := ts.MkAbs("home")
	sources := filepath.Join(home, "sluice")
	ts.Check(os.MkdirAll(filepath.Join(sources, "bin"), 0o700))
	ts.Check(os.Symlink(filepath.Join(sourceDir, "..", "..", "examples"), filepath.Join(sources, "examples")))
	built, err := exec.LookPath(filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], "sluice"))
	ts.Check(err)
	ts.Check(os.Symlink(built, filepath.Join(sources, "bin", "sluice")))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	ts.Defer(cancel)
	r := &reader{ts: ts, ctx: ctx, home: home, env: []string{"HOME=" + home, "NO_COLOR=1", "TZ=UTC"}}
	for _, name := range []string{"PATH", "TMPDIR", "XDG_CACHE_HOME", "TESTSCRIPT_COMMAND"} {
		r.env = append(r.env, name+"="+ts.Getenv(name))
	}
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS"} {
		value, err := exec.CommandContext(ctx, "go", "env", name).Output()
		ts.Check(err)
		r.env = append(r.env, name+"="+strings.TrimSpace(string(value)))
	}
	return r
}

// A started command is one that runs.
type started struct {
	passage
	ts     *testscript.TestScript
	output string       // its file
	wait   func() error // returns once it has ended
}

func (r *reader) start(c passage) *started {
	state := filepath.Join(r.home, ".typed")
	script := fmt.Sprintf("[ ! -e %s ] || . %[1]s\n%s{ export -p; echo cd \"'$PWD'\"; } >%[1]s\n", state, c.text)
	out, err := os.CreateTemp(r.home, "output-")
	r.ts.Check(err)
	defer out.Close()
	cmd := exec.CommandContext(r.ctx, "sh", "-e", "-c", script)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = r.home, r.env, out, out
	r.ts.Check(cmd.Start())
	return &started{c, r.ts, out.Name(), sync.OnceValue(cmd.Wait)}
}

// await returns once the command has printed its lines. It still runs.
func (s *started) await() {
	if !within(time.Minute, func() bool { return s.missing() == "" }) {
		s.ts.Fatalf("%s\nnever printed %q:\n%s", s.text, s.missing(), s.ts.ReadFile(s.output))
	}
}

// end waits until the command has ended.
func (s *started) end() {
	err := s.wait()
	s.ts.Logf("$ %s\n%s", s.text, s.ts.ReadFile(s.output))
	if err != nil {
		s.ts.Fatalf("%v", err)
	}
	if line := s.missing(); line != "" {
		s.ts.Fatalf("the page says that this is printed: %q", line)
	}
}

// missing returns the first line that was not printed after those before it, "" if there is none.
func (s *started) missing() string {
	printed := lines(s.ts.ReadFile(s.output))
	for _, want := range s.prints {
		for len(printed) > 0 && !says(printed[0], want) {
			printed = printed[1:]
		}
		if len(printed) == 0 {
			return want
		}
	}
	return ""
}

// says reports whether the line is what the page shows; a line of the page may end with three dots.
func says(line, page string) bool {
	begin, cut := strings.CutSuffix(page, "...")
	return line == page || cut && strings.HasPrefix(line, begin)
}

// varying are ids, times and durations, which differ from run to run.
var varying = regexp.MustCompile(
	`[0-9a-f]{11}-[0-9a-f]{8}|-[0-9a-f]{10}\b|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|\d\d:\d\d:\d\d|\d+(\.\d+)?m?s\b`)

// lines returns the lines of a text without what varies.
func lines(text string) (list []string) {
	for line := range strings.Lines(varying.ReplaceAllString(text, "_")) {
		list = append(list, strings.Join(strings.Fields(line), " "))
	}
	return list
}
