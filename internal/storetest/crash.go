package storetest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

// crashDir is the environment variable that tells a re-executed test binary to be the process that gets killed.
const crashDir = "STORETEST_CRASH_DIR"

// testCrash kills a process that appends as fast as it can, several times over the same store, and checks that every
// append that was acknowledged is there, and nothing but these and the one of each deployment that was under way.
func testCrash(t *testing.T, open Open) {
	if dir := os.Getenv(crashDir); dir != "" {
		appendUntilKilled(t, open(t, dir))
		return
	}
	dir := t.TempDir()
	for round := range 4 {
		acknowledged := killAfter(t, dir, 60+37*round)
		s := open(t, dir)
		for i := range appenders {
			checkSurvivors(t, s, deployment(i), acknowledged[deployment(i)])
		}
		must(t, s.Close())
	}
}

// checkSurvivors compares a log with the number of events that were acknowledged.
func checkSurvivors(t *testing.T, s sluice.Log, id sluice.DeploymentID, acknowledged int) {
	t.Helper()
	found := 0
	for e, err := range s.Read(context.Background(), id, 0) {
		if sluice.ErrorCode(err) == sluice.NotFound && acknowledged == 0 {
			return
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
		t.Errorf("%s: %d events are there, %d were acknowledged and one more may have been under way", id, found, acknowledged)
	}
}

// killAfter runs this test in another process, kills it once it has acknowledged n appends, and returns how many
// events of each deployment it acknowledged.
func killAfter(t *testing.T, dir string, n int) map[sluice.DeploymentID]int {
	t.Helper()
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$")
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	cmd.ExtraFiles = []*os.File{w}
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	must(t, cmd.Start())
	must(t, w.Close())

	acknowledged := make(map[sluice.DeploymentID]int)
	lines := bufio.NewReader(r)
	for count := 0; ; count++ {
		if count == n {
			must(t, cmd.Process.Kill())
		}
		var id sluice.DeploymentID
		var seq int
		if _, err := fmt.Fscanf(lines, "%s %d\n", &id, &seq); err != nil {
			if err != io.EOF {
				t.Fatal(err)
			}
			if count < n {
				t.Fatalf("the process ended by itself after %d appends: %v\n%s", count, cmd.Wait(), output.String())
			}
			break
		}
		acknowledged[id] = seq
	}
	_ = cmd.Wait() // it says that the process was killed
	return acknowledged
}

// appendUntilKilled appends to several deployments at once for ever, and writes each acknowledgement to file 3.
func appendUntilKilled(t *testing.T, s sluice.Store) {
	acknowledgements := os.NewFile(3, "acknowledgements")
	ctx := context.Background()
	inParallel(func(i int) {
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
			// One write, so that a line is whole or not there.
			if _, err := fmt.Fprintf(acknowledgements, "%s %d\n", deployment(i), seq+1); err != nil {
				t.Error(err)
				return
			}
		}
	})
}
