package postgres_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/postgrestest"
)

// theAddress is the environment variable that tells a re-executed test binary to be the other process of a test.
const theAddress = "POSTGRES_TEST_ADDRESS"

// A process is a test that runs once more in another process, on the same database. It says lines on its third
// descriptor.
type process struct {
	*exec.Cmd
	input  *os.File
	output strings.Builder
	lines  *bufio.Reader
}

func spawn(t *testing.T, address string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")}
	said, theirs, err := os.Pipe()
	must(t, err)
	stdin, input, err := os.Pipe()
	must(t, err)
	p.Env = append(os.Environ(), theAddress+"="+address)
	p.ExtraFiles, p.Stdin, p.Stdout, p.Stderr = []*os.File{theirs}, stdin, &p.output, &p.output
	must(t, p.Start())
	must(t, theirs.Close())
	must(t, stdin.Close())
	p.input, p.lines = input, bufio.NewReader(said)
	t.Cleanup(func() {
		_ = p.Process.Kill() // it may have ended already
		_ = p.Wait()
		_, _ = said.Close(), input.Close()
	})
	return p
}

// hear returns the next line that the process says.
func (p *process) hear(t *testing.T) string {
	t.Helper()
	line, err := p.lines.ReadString('\n')
	if err != nil {
		_ = p.Wait()
		t.Fatalf("the process ended: %s", p.output.String())
	}
	return strings.TrimSuffix(line, "\n")
}

// say says a line to the process that spawned this one.
func say(line string) { _, _ = fmt.Fprintln(os.NewFile(3, "said"), line) }

// database makes a database for the test and returns its address.
func database(t testing.TB) string {
	t.Helper()
	return postgrestest.Shared(t).Address(postgrestest.Database(t, t.TempDir()))
}

// execute runs a statement in the database with the address and returns how many rows it has.
func execute(t testing.TB, address, statement string, args ...any) int64 {
	t.Helper()
	c, err := pgx.Connect(context.Background(), address)
	must(t, err)
	defer c.Close(context.Background())
	tag, err := c.Exec(context.Background(), statement, args...)
	must(t, err)
	return tag.RowsAffected()
}

// endSessions ends the sessions of the database that have the name, and returns how many there were.
func endSessions(t testing.TB, address, name string) int64 {
	t.Helper()
	return execute(t, address, `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = $1`, name)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError fails the test unless err has the code and a hint.
func wantError(t testing.TB, err error, want sluice.Code) {
	t.Helper()
	if got := sluice.ErrorCode(err); got != want {
		t.Fatalf("code is %q (%v), want %q", got, err, want)
	}
	if sluice.ErrorHint(err) == "" {
		t.Errorf("no hint: %v", err)
	}
}

func started(application string) sluice.Event {
	return sluice.Event{At: time.Unix(1, 0).UTC(), Kind: sluice.DeploymentStarted,
		Plan: &sluice.Plan{Application: application}}
}

func progressed(message string) sluice.Event {
	return sluice.Event{At: time.Unix(2, 0).UTC(), Kind: sluice.StepProgressed, Step: "a/apply",
		Progress: &sluice.Progress{Message: message}}
}

// messages returns what the events after the first one say.
func messages(t testing.TB, s sluice.Log, id sluice.DeploymentID) (list []string) {
	t.Helper()
	for e, err := range s.Read(context.Background(), id, 1) {
		must(t, err)
		list = append(list, e.Progress.Message)
	}
	return list
}

// leaseSoon takes a lease that somebody else is about to lose.
func leaseSoon(t testing.TB, s sluice.Leases, id sluice.DeploymentID) sluice.Lease {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(30 * time.Second); ; <-again.C {
		l, err := s.Lease(context.Background(), id)
		if sluice.ErrorCode(err) == sluice.Conflict && time.Now().Before(end) {
			continue
		}
		must(t, err)
		return l
	}
}
