package bootstrap

import (
	"errors"
	"io/fs"
	"maps"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/local"
	"github.com/sluice-cd/sluice/internal/local/rehearsal"
	"github.com/sluice-cd/sluice/internal/secret"
	"github.com/sluice-cd/sluice/internal/service"
	"github.com/sluice-cd/sluice/internal/step"
)

// A stage holds the local accounts of rehearsals. They start with their first use. It is safe for concurrent use.
type stage struct {
	wiring *Wiring

	mu       sync.Mutex
	accounts map[string]*local.Account // by plan and account
}

// rehearsing returns steps that use stand-ins in a rehearsal, and the real world everywhere else.
func (w *Wiring) rehearsing(d step.Deps) sluice.Steps {
	s := &stage{wiring: w, accounts: map[string]*local.Account{}}
	return rehearsal.Steps(rehearsal.Parts{
		Real: live{w.current, d}, Secrets: d.Secrets, Catalogue: d.Catalogue, Callback: d.Callbacks,
		Make: func(p *sluice.Plan, within rehearsal.Surroundings) sluice.Steps {
			own := w.current.into(d)
			own.Accounts, own.Secrets, own.HTTP, own.Catalogue = s.of(p), within.Secrets, within.HTTP, within.Catalogue
			own.Beside = nil // stand-ins have no Jobs of Sluice's own
			own.Replace, own.Metrics = nil, maps.Clone(own.Metrics)
			maps.Copy(own.Metrics, within.Metrics)
			return step.New(own)
		},
	})
}

// of returns the accounts that the plan names.
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
	dir := s.wiring.dir.account(rehearsal.DirName(name))
	a := local.Open(local.Config{Dir: dir, Name: name, Images: images, Look: s.wiring.looks})
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

// executable is the path of this program, which also serves as the stand-in.
func executable() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

// localAccounts returns the local accounts of the configuration and those that rehearsals left in the state directory.
func (w *Wiring) localAccounts() (map[string]config.Account, error) {
	all := map[string]config.Account{}
	for name, c := range w.config.Accounts {
		if c.Type == config.AccountLocal {
			all[name] = c
		}
	}
	dirs, err := os.ReadDir(w.dir.Path("local"))
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

// A Rehearsal says how the stand-ins of a rehearsal behave.
type Rehearsal = rehearsal.Options

// Rehearse returns the plan of the rehearsal on this machine. Unsupported: this machine runs no local accounts.
func Rehearse(p *sluice.Plan, c *config.Config, o Rehearsal) (*sluice.Plan, error) {
	if err := local.Supported(); err != nil {
		return nil, err
	}
	o.Images = func(account string) map[string]string { return commands(rehearsedImages(c, account)) }
	o.Local = service.LocalAccounts(c)
	o.Providers, o.Secrets, o.MayBind = map[string]bool{}, map[string]string{}, mayBind
	for name := range c.Metrics {
		o.Providers[name] = true
	}
	for name, source := range c.Secrets {
		o.Secrets[name] = unreadable(source)
	}
	return rehearsal.Prepare(p, o)
}

// unreadable returns why the secret cannot be read, "" if it can.
func unreadable(s config.Source) string {
	_, err := new(secret.Redactor).Read(s)
	if e, ok := errors.AsType[*sluice.Error](err); ok {
		return e.Message
	}
	return ""
}

func commands(images map[string]config.Image) map[string]string {
	all := map[string]string{}
	for name, i := range images {
		all[name] = strings.Join(i.Command, " ")
	}
	return all
}

// rehearsedImages returns the programs for images in an account: those of the account itself in sluice.yaml, otherwise
// those of the account local.
func rehearsedImages(c *config.Config, account string) map[string]config.Image {
	all := map[string]config.Image{}
	for _, name := range []string{config.AccountLocal, account} {
		maps.Copy(all, c.Accounts[name].Images)
	}
	return all
}

// mayBind reports whether this user may listen on a port. It tries an address that no program uses.
func mayBind(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.255.255.254", strconv.Itoa(port)))
	if err != nil {
		return !errors.Is(err, syscall.EACCES)
	}
	return l.Close() == nil
}
