package bootstrap

import (
	"cmp"
	"context"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/config"
	databaseremote "github.com/sluice-cd/sluice/internal/database/remote"
	"github.com/sluice-cd/sluice/internal/mover/remote"
)

// imageName is the public name of Sluice's image. Its tags are the versions.
const imageName = "ghcr.io/sluice-cd/sluice"

// newBench returns where work beside the data of clusters is done. It needs no key and listens for no Jobs before it is
// used.
func (w *Wiring) newBench() *beside.Bench {
	o := beside.Options{Settings: w.besideSettings, Secret: w.besideSecret}
	if w.config.Jobs.Listen != "" {
		o.Endpoint = sync.OnceValues(w.endpoint)
	}
	return beside.New(o)
}

func (w *Wiring) besideSecret(purpose string) (string, error) {
	key, err := w.dir.Key()
	if err != nil {
		return "", err
	}
	return key.Password("beside " + purpose), nil
}

// besideSettings are those of an account's Jobs, empty for an account of this machine.
func (w *Wiring) besideSettings(account string) beside.Settings {
	a := w.config.Accounts[account]
	if a.Type != config.AccountKubernetes {
		return beside.Settings{}
	}
	return beside.Settings{
		Image: cmp.Or(a.Job.Image, imageName+":"+tag(Version().Version)), User: a.Job.User,
		CPU: a.Job.CPU, Memory: a.Job.Memory,
	}
}

// tag returns the version as a tag of an image may be written.
func tag(version string) string { return strings.ReplaceAll(version, "+", "-") }

// endpoint listens for Jobs.
func (w *Wiring) endpoint() (*beside.Endpoint, error) {
	secret, err := w.besideSecret(beside.EndpointSecret)
	if err != nil {
		return nil, err
	}
	jobs := w.config.Jobs
	l, err := net.Listen("tcp", jobs.Listen)
	if err != nil {
		return nil, sluice.Errorf(sluice.Exhausted, "listen for Jobs at %s: %w", jobs.Listen, err).
			WithHint("choose another address for jobs.listen in sluice.yaml")
	}
	e, err := beside.NewEndpoint(l, cmp.Or(jobs.Address, l.Addr().String()), secret)
	if err == nil {
		w.close.add(e.Close)
	}
	return e, err
}

// ServeBeside is the program of a Job beside the data: it answers Sluice until Sluice no longer needs it.
func ServeBeside(ctx context.Context) error {
	c, err := beside.ReadConfig(func(file string) ([]byte, error) {
		return os.ReadFile(filepath.Join(beside.ConfigDir, file))
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	remote.Offer(mux, c.Volumes())
	databaseremote.Offer(mux, databases(), databaseremote.Inside)
	return beside.Serve(ctx, c, mux)
}

// databasesBeside reads the databases of clusters by Jobs.
func (w *Wiring) databasesBeside() databaseremote.Jobs {
	return databaseremote.Jobs{
		Bench: w.bench, Engines: slices.Sorted(maps.Keys(databases())),
		CanRun: func(account string) bool { return w.config.Accounts[account].Type == config.AccountKubernetes },
	}
}
