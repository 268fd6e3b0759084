package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/present"
)

type detachedOutput struct {
	Deployment sluice.DeploymentID `json:"deployment"`
}

// detach leaves the deployment to a process in the background, unless another process already runs it.
func (a *app) detach(ctx context.Context, f *follower) error {
	own := f.session.IsOwner()
	if err := f.session.Close(); err != nil {
		return err
	}
	if own {
		if err := a.background(ctx, f.config.File); err != nil {
			return err
		}
	}
	if a.json() {
		return present.JSON(a.out, "Detached", detachedOutput{f.state.ID})
	}
	const text = "deployment %s continues in the background; see it with: sluice status %[1]s\n"
	err := present.Printf(a.out, text, f.state.ID)
	return err
}

// background starts "sluice run --resume" as a process of its own and returns when its engine runs.
func (a *app) background(ctx context.Context, configuration string) error {
	program, err := os.Executable()
	if err != nil {
		return sluice.Errorf(sluice.Internal, "find this program: %w", err)
	}
	log, err := os.OpenFile(a.dir.Path("engine.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return sluice.Errorf(sluice.Unavailable, "the engine's log cannot be opened: %w", err)
	}
	defer log.Close()
	begun, tell, err := os.Pipe()
	if err != nil {
		return sluice.Errorf(sluice.Exhausted, "no pipe can be created: %w", err)
	}
	defer begun.Close()
	args := []string{"run", "--resume", "--state", a.dir.String(), "--ready-fd", "3"}
	if configuration != "" {
		args = append(args, "--config", configuration)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, []*os.File{tell}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = errors.Join(cmd.Start(), tell.Close())
	if err != nil {
		return sluice.Errorf(sluice.Unavailable, "the background process cannot be started: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = begun.Close() }) // ends the wait, not the process
	defer stop()
	if _, err := io.ReadFull(begun, make([]byte, 1)); err != nil {
		return sluice.Errorf(sluice.Unavailable, "the background process did not start").
			WithHint("see why in %s", present.ShortPath(log.Name()))
	}
	return cmd.Process.Release()
}
