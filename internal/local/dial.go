package local

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/agent"
)

// An Image says which program runs in place of a container image. Command is its entrypoint. Dir is the directory where
// programs without a path are looked up first. Env is added to the environment.
type Image = agent.Image

// Config says which account to open.
type Config struct {
	Dir        string           // everything of the account; made when absent
	Name       string           // of the account, for messages
	Executable string           // run as "<Executable> local agent --dir <Dir>"; "" is the running program
	Images     map[string]Image // by image name
	// Look lets the account only say what it has and what it would do. It starts no agent and tells a running one
	// nothing. Without an agent, the account's directory says what it has.
	Look bool
}

// readyVariable names the descriptor on which a new agent says that it answers.
const readyVariable = "SLUICE_READY_FD"

// Dial opens the account, starts its agent if none runs, and tells it which programs run for images. The agent stays
// when the caller ends.
func Dial(ctx context.Context, c Config) (*Account, error) {
	a := Open(c)
	return a, a.dial(ctx)
}

// dial does so once. If it fails, the next call tries again.
func (a *Account) dial(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.dialed {
		return a.silent
	}
	if a.config.Look {
		return a.look(ctx)
	}
	if err := a.ensure(ctx, bringBack); err != nil {
		return err
	}
	if len(a.config.Images) > 0 {
		images, err := absolute(a.config.Images)
		if err != nil {
			return err
		}
		if err := a.ask(ctx, "/images", images, nil); err != nil {
			return err
		}
	}
	a.dialed = true
	return nil
}

// absolute resolves relative paths here, because the agent works in another directory.
func absolute(images map[string]Image) (map[string]Image, error) {
	all := map[string]Image{}
	for name, image := range images {
		image.Command = slices.Clone(image.Command)
		for _, path := range []*string{&image.Dir, first(image.Command)} {
			if path == nil || *path == "" || path != &image.Dir && (image.Dir != "" || !strings.Contains(*path, "/")) {
				continue
			}
			abs, err := filepath.Abs(*path)
			if err != nil {
				return nil, err
			}
			*path = abs
		}
		all[name] = image
	}
	return all, nil
}

func first(command []string) *string {
	if len(command) == 0 {
		return nil
	}
	return &command[0]
}

// RunAgent runs the agent of the directory, for the hidden command "local agent --dir". It returns when ctx ends,
// leaving the pods to the next agent, or after Down.
func RunAgent(ctx context.Context, dir string) error {
	return agent.Run(ctx, dir, sayReady)
}

// sayReady tells the process that started this agent how the start went.
func sayReady(err error) {
	if os.Getenv(readyVariable) == "" {
		return
	}
	f := os.NewFile(3, "ready")
	message := "ready"
	if err != nil {
		message = string(sluice.ErrorCode(err)) + "\n" + sluice.ErrorHint(err) + "\n" + err.Error()
	}
	_, _ = io.WriteString(f, message) // the caller may have gone
	_ = f.Close()
	_ = os.Unsetenv(readyVariable)
}

// How a new agent begins.
type beginning int

const (
	bringBack beginning = iota // run everything again
	endOnly                    // run nothing: only end what is left
	heal                       // start an account again that has died, but not one that was taken down on purpose
)

// ensure starts the agent unless it answers. Clients do so one after the other.
func (a *Account) ensure(ctx context.Context, how beginning) error {
	if a.answers(ctx) {
		return nil
	}
	if err := Supported(); err != nil {
		return err
	}
	if how == heal && agent.IsDown(a.config.Dir) {
		return sluice.Errorf(sluice.Unavailable, "the local account %s was taken down", a.config.Name)
	}
	if err := os.MkdirAll(a.config.Dir, 0o700); err != nil {
		return sluice.Errorf(sluice.Denied, "the directory of the local account %s cannot be made: %w", a.config.Name, err)
	}
	lock := flock.New(filepath.Join(a.config.Dir, "start.lock"), flock.SetPermissions(0o600))
	defer lock.Unlock()
	if _, err := lock.TryLockContext(ctx, 50*time.Millisecond); err != nil { // locks of files bring no event
		return err
	}
	if a.answers(ctx) {
		return nil
	}
	return a.start(ctx, how)
}

func (a *Account) answers(ctx context.Context) bool { return agent.Answers(ctx, a.config.Dir) }

// start starts the agent in its own session and waits until it answers.
func (a *Account) start(ctx context.Context, how beginning) error {
	executable, err := a.executable()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(a.config.Dir, "agent.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command(executable, "local", "agent", "--dir", a.config.Dir)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, []*os.File{w}
	cmd.Dir = a.config.Dir
	// The agent outlives this command and must not keep the secrets of its environment. Programs are looked up in PATH.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), readyVariable + "=3"}
	if how == endOnly {
		cmd.Env = append(cmd.Env, agent.EndOnly)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return sluice.Errorf(sluice.Unavailable, "the agent of the local account %s does not start: %w", a.config.Name, err)
	}
	go func() { _ = cmd.Wait() }() // how it ends is in its log
	return a.awaitReady(ctx, r)
}

func (a *Account) executable() (string, error) {
	if a.config.Executable == "" {
		return os.Executable()
	}
	found, err := exec.LookPath(a.config.Executable)
	if err != nil {
		return "", err
	}
	return filepath.Abs(found)
}

func (a *Account) awaitReady(ctx context.Context, r *os.File) error {
	stop := context.AfterFunc(ctx, func() { r.Close() })
	defer stop()
	said, err := io.ReadAll(r)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	case bytes.Equal(said, []byte("ready")):
		return nil
	}
	unavailable := sluice.Errorf(sluice.Unavailable, "the agent of the local account %s ended at once", a.config.Name).
		WithHint("see %s", filepath.Join(a.config.Dir, "agent.log"))
	parts := strings.SplitN(string(said), "\n", 3)
	if len(parts) < 3 {
		return unavailable
	}
	op := "start the local account " + a.config.Name
	return &sluice.Error{Code: sluice.Code(parts[0]), Op: op, Message: parts[2], Hint: parts[1]}
}

// isGone reports whether no agent answered.
func isGone(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOENT)
}
