package agent

import (
	"cmp"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/process"
)

// errLost says that the recorded process has ended while no agent was looking.
var errLost = errors.New("the process has ended")

// startOrAdopt returns the container's process: the recorded one if it still runs, a new one otherwise.
func (a *Agent) startOrAdopt(p *pod, c *container) (*process.Process, error) {
	if c.rec.Process != nil {
		proc, err := process.Adopt(*c.rec.Process)
		if errors.Is(err, os.ErrProcessDone) {
			return nil, errLost
		}
		return proc, err
	}
	return a.start(p, c)
}

// start starts the process and records it. An agent that dies between the two leaves a process that the next
// one finds by its mark and ends.
func (a *Agent) start(p *pod, c *container) (*process.Process, error) {
	a.mu.Lock()
	spec, err := a.command(p, c)
	if err == nil && a.ending {
		err = errors.New("the account is going down")
	}
	a.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.MkdirAll(spec.Dir, 0o700), os.MkdirAll(filepath.Join(a.containerRoot(p, c), "tmp"), 0o700),
		os.MkdirAll(filepath.Dir(spec.Log), 0o700)); err != nil {
		return nil, err
	}
	a.logs.keep(spec.Log)
	if err := a.freePorts(p, c); err != nil {
		return nil, err
	}
	a.starts.RLock()
	defer a.starts.RUnlock()
	proc, err := process.Start(spec)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	c.rec.Process, c.rec.StartedAt, c.rec.ExitCode = &proc.ID, time.Now().UTC(), nil
	c.reason = "not ready yet"
	if err := a.save(p); err != nil {
		return nil, errors.Join(err, process.Kill(containerMark(p.UID, c.spec.Name)))
	}
	a.wake()
	return proc, nil
}

// command makes the command to execute from the container's spec. The mutex is held.
func (a *Agent) command(p *pod, c *container) (process.Spec, error) {
	image, err := a.image(c.spec.Image)
	if err != nil {
		return process.Spec{}, err
	}
	if err := a.fill(p, c); err != nil {
		return process.Spec{}, err
	}
	mounts := a.mounts(p, c)
	vars, err := a.environment(p, c, image, mounts)
	if err != nil {
		return process.Spec{}, err
	}
	argv, err := arguments(c, image, vars, mounts)
	if err != nil {
		return process.Spec{}, err
	}
	file, err := lookUp(argv[0], image.Dir)
	if err != nil {
		return process.Spec{}, err
	}
	spec := process.Spec{
		Path: file, Args: argv, Env: vars.list(),
		Dir: a.workingDir(p, c, mounts),
		Log: filepath.Join(a.logDir(p.Namespace, p.Name), c.spec.Name+".log"),
	}
	if p.Owner.Kind == "Job" {
		return a.shimmed(spec, a.exitFile(p, c))
	}
	return spec, nil
}

func (a *Agent) workingDir(p *pod, c *container, mounts []mount) string {
	if c.spec.WorkingDir == "" {
		return a.containerRoot(p, c)
	}
	if at := rewritePath(c.spec.WorkingDir, mounts); at != c.spec.WorkingDir {
		return at
	}
	return filepath.Join(a.containerRoot(p, c), filepath.Clean("/"+c.spec.WorkingDir))
}

// arguments combines entrypoint and arguments as Kubernetes does.
func arguments(c *container, image Image, vars *environ, mounts []mount) ([]string, error) {
	argv := append(append([]string{}, c.spec.Command...), c.spec.Args...)
	for i := range argv {
		argv[i] = rewrite(expand(argv[i], vars.get), mounts)
	}
	if len(c.spec.Command) == 0 {
		argv = append(append([]string{}, image.Command...), argv...)
	}
	if len(argv) == 0 {
		return nil, errors.New("neither the container nor its image in sluice.yaml has a command")
	}
	return argv, nil
}

// lookUp finds a program: a path as it is or from dir, a name in dir and then in PATH.
func lookUp(name, dir string) (string, error) {
	if filepath.IsAbs(name) {
		return name, nil
	}
	if dir != "" {
		if at := filepath.Join(dir, name); executable(at) {
			return filepath.Abs(at)
		}
	}
	if strings.Contains(name, "/") {
		return filepath.Abs(name)
	}
	at, err := exec.LookPath(name)
	if err != nil {
		return "", sluice.Errorf(sluice.NotFound, "there is no program %q in %s or in PATH",
			name, cmp.Or(dir, "the image's dir")).
			WithHint("set command or dir of the image in sluice.yaml")
	}
	return at, nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() && info.Mode()&0o111 != 0
}

// image returns the program for a container image. The mutex is held.
func (a *Agent) image(name string) (Image, error) {
	image, ok := a.images[name]
	if !ok {
		return image, noProgram(name)
	}
	return image, nil
}

func noProgram(image string) *sluice.Error {
	quoted, _ := json.Marshal(image) // a string can always be encoded
	return sluice.Errorf(sluice.Unsupported, "the local account has no program for the image %s", image).
		WithHint("add to the images of the account in sluice.yaml:\n  %s:\n    command: [./path/to/program]", quoted)
}
