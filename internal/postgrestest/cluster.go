package postgrestest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// ErrAbsent means that no PostgreSQL is installed.
var ErrAbsent = errors.New("no PostgreSQL is installed; on Debian: apt-get install postgresql")

// A Cluster is a PostgreSQL server that clients of this machine reach by a socket. Everybody may connect as the
// superuser "sluice" without a password; the user "locked", which a test can create, needs one. It dies with this
// process.
type Cluster struct {
	Dir string // where its socket is

	programs string // the directory of the server's programs
	owner    *syscall.Credential
	settings []string

	process *exec.Cmd
	exited  chan error
}

// Start makes a cluster and runs it with the settings, such as fsync=on. ErrAbsent if none is installed.
func Start(settings ...string) (*Cluster, error) {
	programs, err := installed()
	if err != nil {
		return nil, err
	}
	owner, err := unprivileged()
	if err != nil {
		return nil, err
	}
	place := fastest()
	if slices.Contains(settings, "fsync=on") { // a disk is measured
		place = ""
	}
	dir, err := os.MkdirTemp(place, "pg") // short, because the path of a socket is
	if err != nil {
		return nil, err
	}
	c := &Cluster{Dir: dir, programs: programs, owner: owner, settings: settings}
	if err := errors.Join(c.own(), c.initialize(), c.Up()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return c, nil
}

// installed returns the directory with the newest server's programs. Distributions keep most of them off the PATH.
func installed() (string, error) {
	if path, err := exec.LookPath("postgres"); err == nil {
		real, err := filepath.EvalSymlinks(path) // the other programs are beside it
		return filepath.Dir(real), err
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // the pattern is right
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if len(found) == 0 {
		return "", ErrAbsent
	}
	return filepath.Dir(found[0]), nil
}

func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // 0: not one of the distribution
	return n
}

// unprivileged returns whom the server runs as, nil for the user of this process: PostgreSQL refuses root.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

// own gives the directory to the server.
func (c *Cluster) own() error {
	if c.owner == nil {
		return nil
	}
	return os.Chown(c.Dir, int(c.owner.Uid), int(c.owner.Gid))
}

func (c *Cluster) data() string { return filepath.Join(c.Dir, "data") }

// Program returns a command of the server's programs, which runs as the owner of the cluster.
func (c *Cluster) Program(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.programs, name), args...)
	cmd.Dir = c.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.owner}
	return cmd
}

func (c *Cluster) initialize() error {
	out, err := c.Program("initdb", "--pgdata", c.data(), "--username=sluice", "--auth=trust", "--encoding=UTF8",
		"--locale=C", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	access := "local all locked scram-sha-256\nlocal all all trust\n"
	return os.WriteFile(filepath.Join(c.data(), "pg_hba.conf"), []byte(access), 0o644)
}

// Up runs the server, which was down, and returns once clients can connect.
func (c *Cluster) Up() error {
	args := []string{"-D", c.data(), "-k", c.Dir}
	for _, s := range append([]string{"listen_addresses=", "fsync=off", "max_connections=200", "shared_buffers=32MB",
		"autovacuum=off", "log_checkpoints=off"}, c.settings...) {
		args = append(args, "-c", s)
	}
	c.process, c.exited = c.Program("postgres", args...), make(chan error, 1)
	tie(c.process)
	output, err := c.process.StderrPipe()
	if err != nil {
		return err
	}
	started := make(chan error)
	go c.run(started)
	if err := <-started; err != nil {
		return err
	}
	return ready(bufio.NewReader(output))
}

// run keeps its thread, because the kernel ends the server when the thread that started it ends.
func (c *Cluster) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	process, exited := c.process, c.exited
	err := process.Start()
	started <- err
	if err == nil {
		exited <- process.Wait()
	}
}

// ready reads what the server says until it accepts connections.
func ready(lines *bufio.Reader) error {
	var said strings.Builder
	for {
		line, err := lines.ReadString('\n')
		said.WriteString(line)
		if err != nil {
			return fmt.Errorf("the server ended: %s", said.String())
		}
		if strings.Contains(line, "ready to accept connections") {
			go func() { _, _ = io.Copy(io.Discard, lines) }()
			return nil
		}
	}
}

// Down ends the server as a crash does, without a checkpoint, and waits until it is gone.
func (c *Cluster) Down() {
	_ = c.process.Process.Signal(syscall.SIGQUIT) // gone already is as good
	<-c.exited
}

// Close ends the server and deletes the cluster.
func (c *Cluster) Close() error {
	c.Down()
	return os.RemoveAll(c.Dir)
}

// Address returns the address of a database.
func (c *Cluster) Address(database string) string {
	return fmt.Sprintf("host=%s user=sluice dbname=%s", c.Dir, database)
}

// Execute runs statements in a database.
func (c *Cluster) Execute(ctx context.Context, database, statements string) error {
	conn, err := pgx.Connect(ctx, c.Address(database))
	if err != nil {
		return err
	}
	_, err = conn.PgConn().Exec(ctx, statements).ReadAll()
	return errors.Join(err, conn.Close(ctx))
}
