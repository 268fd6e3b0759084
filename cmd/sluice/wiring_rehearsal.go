package main

import (
	"errors"
	"io/fs"
	"os"
	"sync"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/local"
	"github.com/sluice-cd/sluice/internal/local/rehearsal"
	"github.com/sluice-cd/sluice/internal/step"
)

// A stage holds the local accounts that rehearsals use, dialled when they are first needed. It is safe for
// concurrent use.
type stage struct {
	wiring *wiring

	mu       sync.Mutex
	accounts map[string]*local.Account // by plan and account
}

// rehearsing lets steps of rehearsals act through what stands for the world, and all others through real.
func (w *wiring) rehearsing(real sluice.Steps, d step.Deps) sluice.Steps {
	s := &stage{wiring: w, accounts: map[string]*local.Account{}}
	return rehearsal.Steps(rehearsal.Parts{
		Real: real, Secrets: d.Secrets, Catalogue: d.Catalogue, Callback: d.Callbacks,
		Make: func(p *sluice.Plan, within rehearsal.Surroundings) sluice.Steps {
			own := d
			own.Accounts, own.Secrets, own.HTTP, own.Catalogue, own.Replace = s.of(p), within.Secrets, within.HTTP, within.Catalogue, nil
			own.Metrics = map[string]sluice.Metrics{}
			for name, m := range d.Metrics {
				own.Metrics[name] = m
			}
			for name, m := range within.Metrics {
				own.Metrics[name] = m
			}
			return step.New(own)
		},
	})
}

// of returns every account that the plan names.
func (s *stage) of(p *sluice.Plan) map[string]sluice.Account {
	all := map[string]sluice.Account{}
	for _, name := range rehearsal.Accounts(p) {
		all[name] = rehearsal.NewAccount(s.account(p, name).Abilities(), p.Rehearsal.Services[name])
	}
	return all
}

func (s *stage) account(p *sluice.Plan, name string) *local.Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := p.Digest + " " + name
	if a, ok := s.accounts[key]; ok {
		return a
	}
	images := imagesOf(rehearsedImages(s.wiring.config, name))
	for _, image := range p.Rehearsal.Images[name] {
		images[image] = local.Image{Command: []string{executable(), "local", "stand-in"}}
	}
	a := local.Open(local.Config{Dir: s.wiring.dir.account(rehearsal.DirName(name)), Name: name, Images: images})
	s.accounts[key] = a
	return a
}

func imagesOf(configured map[string]config.Image) map[string]local.Image {
	images := map[string]local.Image{}
	for name, i := range configured {
		images[name] = local.Image{Command: i.Command, Dir: i.Dir, Env: i.Env}
	}
	return images
}

// executable is this program, which is its own stand-in.
func executable() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

// localAccounts returns the local accounts of the configuration and those that rehearsals left in the state
// directory.
func (w *wiring) localAccounts() (map[string]config.Account, error) {
	all := map[string]config.Account{}
	for name, c := range w.config.Accounts {
		if c.Type == config.AccountLocal {
			all[name] = c
		}
	}
	dirs, err := os.ReadDir(w.dir.path("local"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, d := range dirs {
		if _, known := all[d.Name()]; !known && d.IsDir() {
			all[d.Name()] = config.Account{Name: d.Name(), Type: config.AccountLocal}
		}
	}
	return all, nil
}
