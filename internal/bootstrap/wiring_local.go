package bootstrap

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/local"
	"github.com/sluice-cd/sluice/internal/local/agent"
	"github.com/sluice-cd/sluice/internal/service"
)

// A LocalPod is a pod with the name of its account.
type LocalPod struct {
	Account string `json:"account"`
	sluice.Pod
}

// A Lost account has no agent although it was not taken down. Its pods, if any, run on.
type Lost struct {
	agent.Remnant
	Name string // "" for the account of another state directory
}

// State returns the state directory that the account belongs to.
func (l Lost) State() string { return filepath.Dir(filepath.Dir(l.Dir)) }

// CheckMachine returns Unsupported if the plan uses a local account and this machine cannot run one.
func CheckMachine(p *sluice.Plan, c *config.Config) error {
	for name := range c.Accounts {
		if service.LocalAccounts(c)(name) && service.Uses(p, name) {
			return local.Supported()
		}
	}
	return nil
}

// LocalPods returns the pods of the accounts of this machine, or only of the named one, also of those without an agent.
// It starts nothing. Accounts whose agents do not answer are in the error; what it returns is right without them.
func (w *Wiring) LocalPods(ctx context.Context, only, namespace string) ([]LocalPod, error) {
	names, err := w.localNames(only)
	if err != nil {
		return nil, err
	}
	lost, err := w.Lost(ctx)
	if err != nil {
		return nil, err
	}
	pods := []LocalPod{}
	add := func(name string, found []sluice.Pod) {
		for _, p := range found {
			if namespace == "" || p.Namespace == namespace {
				pods = append(pods, LocalPod{name, p})
			}
		}
	}
	var silent error
	for _, name := range names {
		for _, l := range lost {
			if l.Name == name {
				add(name, l.Pods)
			}
		}
		if !agent.Answers(ctx, w.dir.account(name)) {
			continue
		}
		found, err := local.Open(local.Config{Dir: w.dir.account(name), Name: name}).Pods(ctx, namespace)
		silent = errors.Join(silent, err)
		add(name, found)
	}
	return pods, errors.Join(silent, ctx.Err()) // an interrupted question looks like one that nobody answers
}

// localNames returns the names of the accounts of this machine, or only the given one.
func (w *Wiring) localNames(only string) ([]string, error) {
	known, err := w.localAccounts()
	if err != nil {
		return nil, err
	}
	if only == "" {
		return slices.Sorted(maps.Keys(known)), nil
	}
	if _, ok := known[only]; !ok {
		return nil, sluice.Errorf(sluice.NotFound, "there is no account %q on this machine", only).
			WithHint("the accounts are: %s", service.Names(known))
	}
	return []string{only}, nil
}

// Lost returns the accounts without an agent: those of this state directory, and those of others whose pods still run.
func (w *Wiring) Lost(ctx context.Context) ([]Lost, error) {
	remnants, err := agent.Remnants(ctx)
	if err != nil {
		return nil, err
	}
	names, err := w.localNames("")
	if err != nil {
		return nil, err
	}
	var all []Lost
	for _, r := range remnants {
		name := ""
		if w.holds(r.Dir) {
			name = filepath.Base(r.Dir)
		}
		all = append(all, Lost{r, name})
	}
	for _, name := range names {
		isFound := slices.ContainsFunc(all, func(l Lost) bool { return l.Name == name })
		if !isFound && w.up(ctx, name) && !agent.Answers(ctx, w.dir.account(name)) {
			all = append(all, Lost{agent.Remnant{Dir: w.dir.account(name)}, name})
		}
	}
	return all, nil
}

// holds reports whether the directory is that of an account of this state directory.
func (w *Wiring) holds(account string) bool {
	above := w.dir.Path("local")
	if real, err := filepath.EvalSymlinks(above); err == nil { // as agents spell it
		above = real
	}
	return filepath.Dir(account) == above
}

// Down ends everything that runs in the accounts of this machine, or only in the named one. It returns the accounts
// that it ended.
func (w *Wiring) Down(ctx context.Context, only string) ([]string, error) {
	known, err := w.localAccounts()
	if err != nil {
		return nil, err
	}
	ended := []string{}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if only != "" && name != only || !w.up(ctx, name) {
			continue
		}
		account := local.Open(local.Config{Dir: w.dir.account(name), Name: name})
		if err := account.Down(ctx); err != nil { // a killed agent must not be started again
			return nil, err
		}
		ended = append(ended, name)
	}
	orphaned, err := w.endOrphans(ctx, only)
	if err != nil {
		return nil, err
	}
	ended = slices.Compact(slices.Sorted(slices.Values(append(ended, orphaned...))))
	if only != "" && len(ended) == 0 {
		return nil, sluice.Errorf(sluice.NotFound, "account %q does not run on this machine", only).
			WithHint("the accounts are: %s", service.Names(known))
	}
	return ended, nil
}

// orphanGrace is how long pods whose directory is gone have to end.
const orphanGrace = 10 * time.Second

// endOrphans ends pods of accounts that were in this state directory, but are no longer.
func (w *Wiring) endOrphans(ctx context.Context, only string) ([]string, error) {
	lost, err := w.Lost(ctx)
	if err != nil {
		return nil, err
	}
	var ended []string
	for _, l := range lost {
		if !l.Gone || l.Name == "" || only != "" && l.Name != only {
			continue
		}
		if err := l.End(orphanGrace); err != nil {
			return nil, err
		}
		ended = append(ended, l.Name)
	}
	return ended, nil
}

// up reports whether any process of the account may still run.
func (w *Wiring) up(ctx context.Context, name string) bool {
	dir := w.dir.account(name)
	_, err := os.Stat(dir)
	return !errors.Is(err, fs.ErrNotExist) && (!agent.IsDown(dir) || agent.Answers(ctx, dir))
}
