package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/api"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/local/process"
	"github.com/sluice-cd/sluice/internal/postgrestest"
	"github.com/sluice-cd/sluice/internal/secret"
	"github.com/sluice-cd/sluice/internal/service"
	"github.com/sluice-cd/sluice/internal/sweeptest"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "local" { // an account that this process opened starts its agent
		main()
	}
	testscript.Main(sweeptest.Wrap(withDatabase{m}), map[string]func(){"sluice": main})
}

// withDatabase ends the databases that tests have started.
type withDatabase struct{ *testing.M }

func (w withDatabase) Run() int { return postgrestest.Main(w.M) }

// sourceDir is this directory; scripts run in others.
var sourceDir, _ = os.Getwd()

func TestScripts(t *testing.T) {
	testscript.Run(t, scripts(t, "testdata/script/*.txtar"))
}

// scripts returns how the scripts that match are run.
func scripts(t *testing.T, pattern string) testscript.Params {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %q, %v", pattern, files, err)
	}
	return testscript.Params{
		Files: files,
		Setup: func(env *testscript.Env) error {
			env.Setenv("NO_COLOR", "1")
			env.Setenv("TZ", "UTC")
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, "cache"))
			env.Defer(func() { // what a failed script left running
				if err := sweeptest.Sweep(env.WorkDir); err != nil {
					t.Error(err)
				}
			})
			shareCorpus(env)
			return os.Chmod(env.WorkDir, 0o700)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"await": await, "awaittext": awaitText, "awaitperson": awaitPerson, "latest": latest, "someone": someone,
			"status": status, "recorded": recorded, "awaitidle": awaitIdle, "signalagent": signalAgent,
			"receive": receive, "fill": fill, "expire": expire, "upgrade": upgrade, "excerpt": excerpt,
			"replace": replace, "walk": walk, "conforms": conforms, "serve": serve, "unserve": unserve,
			"issuer": issuer(t), "admit": admit,
		},
		Condition: condition,
	}
}

func stateDir(path string) bootstrap.StateDir {
	dir, err := bootstrap.OpenState(path, new(secret.Redactor))
	if err != nil {
		panic(err) // the path is absolute
	}
	return dir
}

// await STEP KIND [APPLICATION] returns once the engine that runs in the script's directory has recorded such an event
// of the latest deployment that has not ended; with - for the step, an event of the deployment itself.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: await STEP KIND [APPLICATION]")
	}
	step := sluice.StepID(strings.Trim(args[0], "-"))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, id := running(ctx, ts, strings.Join(args[2:], ""))
	defer client.Close()
	for u, err := range client.Watch(ctx, id, 0) {
		ts.Check(err)
		if u.Event != nil && u.Event.Step == step && string(u.Event.Kind) == args[1] {
			return
		}
	}
	ts.Fatalf("%s of %q never came", args[1], step)
}

// awaitText FILE TEXT returns once a process in the background has written the text.
func awaitText(ts *testscript.TestScript, _ bool, args []string) {
	held := within(30*time.Second, func() bool {
		data, err := os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && strings.Contains(string(data), args[1])
	})
	if !held {
		ts.Fatalf("%s never held %q", args[0], args[1])
	}
}

// within reports whether something came true in time, because of another process.
func within(patience time.Duration, came func() bool) bool {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if came() {
			return true
		}
	}
	return false
}

// awaitIdle returns once no engine runs in the script's directory.
func awaitIdle(ts *testscript.TestScript, _ bool, _ []string) {
	socket := ts.MkAbs(filepath.Join(bootstrap.StateName, "sluice.sock"))
	ended := within(30*time.Second, func() bool {
		_, err := os.Stat(socket)
		return errors.Is(err, os.ErrNotExist)
	})
	if !ended {
		ts.Fatalf("an engine still runs")
	}
}

// signalagent KILL|STOP|CONT sends the signal to the agent of the account local. It returns when a killed agent has
// ended and a stopped one has stopped.
func signalAgent(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]unix.Signal{"KILL": unix.SIGKILL, "STOP": unix.SIGSTOP, "CONT": unix.SIGCONT}
	if neg || len(args) != 1 || signals[args[0]] == 0 {
		ts.Fatalf("usage: signalagent KILL|STOP|CONT")
	}
	var id process.Identity
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(filepath.Join(bootstrap.StateName, "local/local/agent.pid"))), &id))
	agent, err := process.Adopt(id)
	ts.Check(err)
	ts.Check(id.Signal(signals[args[0]]))
	if args[0] == "KILL" {
		<-agent.Done()
	}
	for args[0] == "STOP" && !process.Stopped(id) { // its threads stop one after the other
		time.Sleep(time.Millisecond)
	}
}

// running returns a client of the engine and the deployment that has not ended. It waits for both: the process in the
// background may still be starting.
func running(ctx context.Context, ts *testscript.TestScript, app string) (*api.Client, sluice.DeploymentID) {
	dir := stateDir(ts.MkAbs(bootstrap.StateName))
	for ; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		client, err := dir.Control(ctx, sluice.Actor{})
		if err != nil {
			continue
		}
		store, err := dir.Read(ctx)
		ts.Check(err)
		d, found, err := service.Unended(ctx, store, app)
		ts.Check(errors.Join(err, store.Close()))
		if found {
			return client, d.ID
		}
		client.Close()
	}
	ts.Fatalf("no deployment runs")
	return nil, ""
}

// latest VAR [APPLICATION] puts the id of the latest deployment into the variable.
func latest(ts *testscript.TestScript, _ bool, args []string) {
	dir := stateDir(ts.MkAbs(bootstrap.StateName))
	store, err := dir.Read(context.Background())
	ts.Check(err)
	defer store.Close()
	list, err := store.Deployments(context.Background(), strings.Join(args[1:], ""))
	ts.Check(err)
	ts.Setenv(args[0], string(list[0].ID))
}

// status N COMMAND... runs the command, which must end with the status.
func status(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		ended, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = ended.ExitCode()
	}
	if got != want {
		ts.Fatalf("the exit status is %d, want %d", got, want)
	}
}

// recorded FORMAT puts a state directory in place that the first version with this format has written. Its process was
// killed.
func recorded(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: recorded FORMAT")
	}
	dir := ts.MkAbs(bootstrap.StateName)
	ts.Check(os.Mkdir(dir, 0o700))
	ts.Check(ts.Exec("tar", "-xzf", filepath.Join(sourceDir, "testdata", "recorded", args[0]+".tar.gz"), "-C", dir))
}

// Of each format that the store has had there is a state directory, and a script that opens it.
func TestEveryFormatIsRecorded(t *testing.T) {
	migrations, err := filepath.Glob("../../internal/sqlite/migrations/*.sql")
	if err != nil || len(migrations) == 0 {
		t.Fatalf("migrations: %q, %v", migrations, err)
	}
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, name := range scripts {
		script, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, script...)
	}
	for _, name := range migrations {
		format, _, _ := strings.Cut(filepath.Base(name), "_")
		if !strings.Contains(string(all), "\nrecorded "+format+"\n") {
			t.Errorf("no script opens a state directory of format %s: kill a run, and pack its .sluice for it", format)
		}
	}
}

// upgrade VERSION changes the state directory as a later version with another format would.
func upgrade(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: upgrade VERSION")
	}
	dir := stateDir(ts.MkAbs(bootstrap.StateName))
	db, err := sql.Open("sqlite", dir.Path("sluice.db"))
	ts.Check(err)
	_, err = db.Exec("PRAGMA user_version = 1000")
	ts.Check(errors.Join(err, db.Close()))
	ts.Check(os.WriteFile(dir.Path("version"), []byte(args[0]+"\n"), 0o600))
}

// expire CHECKPOINT|ACCOUNT/NAMESPACE lets the time of the checkpoint or the branch be over.
func expire(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: expire CHECKPOINT|ACCOUNT/NAMESPACE")
	}
	ctx := context.Background()
	if strings.Contains(args[0], "/") {
		ts.Check(expireBranch(ctx, stateDir(ts.MkAbs(bootstrap.StateName)), args[0]))
		return
	}
	ts.Check(stateDir(ts.MkAbs(bootstrap.StateName)).Change(ctx, func(store sluice.Store) error {
		c, err := store.Checkpoint(ctx, sluice.CheckpointID(args[0]))
		if err != nil {
			return err
		}
		c.Expires = c.TakenAt
		return store.PutCheckpoint(ctx, c)
	}))
}

func expireBranch(ctx context.Context, dir bootstrap.StateDir, name string) error {
	c, err := dir.Configuration("", "")
	if err != nil {
		return err
	}
	w := bootstrap.NewWiring(dir, c)
	accounts, _, err := w.Answering(ctx)
	if err != nil {
		return errors.Join(err, w.Close())
	}
	t, err := service.FindBranch(ctx, accounts, name)
	if err == nil {
		_, err = t.Extend(ctx, t.Branch.MadeAt)
	}
	return errors.Join(err, w.Close())
}
