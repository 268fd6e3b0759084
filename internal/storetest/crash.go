package storetest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

// processDir is the environment variable that tells a re-executed test binary to be the other process of a test.
const processDir = "STORETEST_DIR"

// A process is a test that runs once more in another process, on the store in the same directory.
type process struct {
	cmd    *exec.Cmd
	output strings.Builder
	lines  *bufio.Reader // the lines that it writes with say
}

// spawn starts the running test in another process. The test finds processDir set there.
func spawn(t *testing.T, dir string) *process {
	t.Helper()
	r, w, err := os.Pipe()
	must(t, err)
	p := &process{cmd: exec.Command(os.Args[0], "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$")}
	p.cmd.Env = append(os.Environ(), processDir+"="+dir)
	p.cmd.ExtraFiles = []*os.File{w}
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	must(t, p.cmd.Start())
	must(t, w.Close())
	p.lines = bufio.NewReader(r)
	t.Cleanup(func() {
		p.kill()
		_ = r.Close()
	})
	return p
}

// said is where a process writes to the one that spawned it.
var said = os.NewFile(3, "said")

// say writes a line to the process that spawned this one. It is one write, so that a line is whole or not there.
func say(t *testing.T, line string) {
	t.Helper()
	if _, err := fmt.Fprintln(said, line); err != nil {
		t.Error(err)
	}
}

// hear returns the next line that the process says; false if it has ended.
func (p *process) hear() (string, bool) {
	line, err := p.lines.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err == nil
}

// kill ends the process as kill -9 does, and returns when it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	_ = p.cmd.Wait()         // it says that the process was killed
}

// testCrash kills a process that appends as fast as it can, several times over the same store. It checks that the store
// has every acknowledged append, and besides them at most the append of each deployment that was under way. A server
// may still carry that one out when the process is gone, but not after its lease was given to another process.
func testCrash(t *testing.T, open Open) {
	if dir := os.Getenv(processDir); dir != "" {
		appendUntilKilled(t, open(t, dir))
		return
	}
	dir, before := t.TempDir(), map[sluice.DeploymentID]int{}
	for round := range 4 {
		acknowledged := killAfter(t, dir, 60+37*round)
		s := open(t, dir)
		for i := range appenders { // on a busy machine a process may be killed before each has appended
			id := deployment(i)
			l := leaseOfKilled(t, s, id)
			before[id] = checkSurvivors(t, s, id, max(acknowledged[id], before[id]))
			must(t, l.Release())
		}
		must(t, s.Close())
	}
}

// checkSurvivors compares a log with the number of events that were acknowledged, and returns how many it has.
func checkSurvivors(t *testing.T, s sluice.Log, id sluice.DeploymentID, acknowledged int) (found int) {
	t.Helper()
	for e, err := range s.Read(context.Background(), id, 0) {
		if sluice.ErrorCode(err) == sluice.NotFound && acknowledged == 0 {
			return 0
		}
		must(t, err)
		found++
		if e.Seq != sluice.Seq(found) {
			t.Fatalf("%s: event %d is numbered %d", id, found, e.Seq)
		}
		if found > 1 && e.Progress.Message != progressed(found-1).Progress.Message {
			t.Fatalf("%s: event %d holds %q", id, found, e.Progress.Message)
		}
	}
	if found < acknowledged || found > acknowledged+1 {
		t.Errorf("%s: %d events are there, %d were acknowledged and one more may have been under way", id, found,
			acknowledged)
	}
	return found
}

// killAfter runs this test in another process, kills it once it has acknowledged n appends, and returns how many
// events of each deployment it acknowledged.
func killAfter(t *testing.T, dir string, n int) map[sluice.DeploymentID]int {
	t.Helper()
	p := spawn(t, dir)
	acknowledged := make(map[sluice.DeploymentID]int)
	for count := 0; ; count++ {
		if count == n {
			p.kill()
		}
		line, ok := p.hear()
		if !ok && count < n {
			t.Fatalf("the process ended by itself after %d appends: %s", count, p.output.String())
		}
		if !ok {
			return acknowledged
		}
		var id sluice.DeploymentID
		var seq int
		_, err := fmt.Sscanf(line, "%s %d", &id, &seq)
		must(t, err)
		acknowledged[id] = seq
	}
}

// appendUntilKilled leases several deployments and appends to them at once for ever, and says each acknowledgement.
func appendUntilKilled(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	inParallel(func(i int) {
		leaseOfKilled(t, s, deployment(i))
		seq := 0
		for e := range s.Read(ctx, deployment(i), 0) {
			seq = int(e.Seq)
		}
		for ; ; seq++ {
			e := progressed(seq)
			if seq == 0 {
				e = started(application(i), 0)
			}
			if err := s.Append(ctx, deployment(i), sluice.Seq(seq), e); err != nil {
				t.Error(err)
				return
			}
			say(t, fmt.Sprintf("%s %d", deployment(i), seq+1))
		}
	})
}
