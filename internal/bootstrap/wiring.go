package bootstrap

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/database/mongodb"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/fetch"
	"github.com/sluice-cd/sluice/internal/inbound"
	"github.com/sluice-cd/sluice/internal/mover"
	"github.com/sluice-cd/sluice/internal/mover/csi"
	"github.com/sluice-cd/sluice/internal/mover/kopia"
	"github.com/sluice-cd/sluice/internal/mover/portworx"
	"github.com/sluice-cd/sluice/internal/mover/remote"
	"github.com/sluice-cd/sluice/internal/prometheus"
	"github.com/sluice-cd/sluice/internal/secret"
	"github.com/sluice-cd/sluice/internal/step"
)

// Fetch reads a manifest from an https address on the public internet.
func Fetch(address string) ([]byte, error) { return fetch.Get(address) }

// A Wiring ties the adapters of one configuration together.
type Wiring struct {
	dir          StateDir
	config       *config.Config
	store        sluice.Store // of the server that uses the wiring; nil: it is read from the directory
	current      *current
	key          *secret.Key
	opened       map[string]sluice.Account
	unopened     map[string]error
	looks        bool // local accounts are only looked at
	callbackBase string
	previewBase  string // previews have an address of their own, because they show what others wrote
	bench        *beside.Bench
	close        closers
}

// NewWiring returns a wiring that has opened nothing yet. The caller closes it.
func NewWiring(dir StateDir, c *config.Config) *Wiring {
	w := &Wiring{dir: dir, config: c, current: &current{dir: dir, config: c}}
	w.bench = w.newBench()
	return w
}

// follow lets steps use what sluice.yaml says when they run. It tells the user about a change that cannot be used.
func (w *Wiring) follow(note func(format string, args ...any)) {
	w.current.file, w.current.note = w.config.File, note
}

// steps opens all accounts and returns the maker of every step. Callbacks arrive at base.
func (w *Wiring) steps(ctx context.Context, store sluice.Store, base string) (sluice.Steps, error) {
	if err := w.accounts(ctx, store); err != nil {
		return nil, err
	}
	return w.maker(store, knows(store), base)
}

// Preview returns the maker of steps that only say what they would do, and the accounts of the plan. It starts nothing
// and changes nothing.
func (w *Wiring) Preview(ctx context.Context, p *sluice.Plan) (sluice.Steps, map[string]sluice.Account, error) {
	w.looks = true
	return w.reading(ctx, p, w.looking())
}

// Running returns the maker of steps, and the accounts of the plan that run. It starts nothing.
func (w *Wiring) Running(ctx context.Context, p *sluice.Plan) (sluice.Steps, map[string]sluice.Account, error) {
	locals, err := w.locals(ctx, true)
	if err != nil {
		return nil, nil, err
	}
	return w.reading(ctx, p, locals)
}

// reading returns the maker of steps over the local accounts and the plan's clusters, without an engine.
func (w *Wiring) reading(
	ctx context.Context, p *sluice.Plan, locals map[string]sluice.Account,
) (sluice.Steps, map[string]sluice.Account, error) {
	w.opened = locals
	if p.Rehearsal == nil { // a rehearsal leaves clusters alone
		clusters, err := w.Clusters(ctx, p)
		if err != nil {
			return nil, nil, err
		}
		maps.Copy(w.opened, clusters)
	}
	if w.store != nil {
		steps, err := w.maker(w.store, knows(w.store), "http://"+w.config.Webhooks.CallbackAddress)
		return steps, w.opened, err
	}
	var catalogue sluice.Catalogue = noCatalogue{}
	known := func(context.Context, sluice.DeploymentID) (bool, error) { return false, nil }
	store, err := w.dir.Read(ctx)
	if err == nil {
		w.close.add(store.Close)
		catalogue, known = store, knows(store)
	} else if sluice.ErrorCode(err) != sluice.NotFound {
		return nil, nil, err
	}
	steps, err := w.maker(catalogue, known, "http://"+w.config.Webhooks.CallbackAddress)
	return steps, w.opened, err
}

// knows returns a function that reports whether the deployment is in the log.
func knows(log sluice.Log) func(context.Context, sluice.DeploymentID) (bool, error) {
	return func(ctx context.Context, id sluice.DeploymentID) (bool, error) {
		for _, err := range log.Read(ctx, id, 0) {
			if sluice.ErrorCode(err) == sluice.NotFound {
				return false, nil
			}
			return true, err
		}
		return false, nil
	}
}

func (w *Wiring) maker(
	catalogue sluice.Catalogue, known func(context.Context, sluice.DeploymentID) (bool, error), base string,
) (sluice.Steps, error) {
	var err error
	if w.key, err = w.dir.Key(); err != nil {
		return nil, err
	}
	w.callbackBase = base
	if err := w.current.use(w.config); err != nil {
		return nil, err
	}
	return w.key.Steps(w.rehearsing(step.Deps{
		Accounts: w.opened, Unopened: w.unopened, Secrets: w.current,
		Sealer: w.key, MaskKey: []byte(w.key.Password("mask")),
		Movers: w.Movers(), Databases: databases(), Beside: w.databasesBeside(), Catalogue: catalogue,
		Migrators: map[string]sluice.Migrator{portworx.Name: portworx.New(portworx.Options{})},
		Callbacks: func(id sluice.DeploymentID, step sluice.StepID) (string, error) {
			return inbound.CallbackURL(w.callbackBase, w.key, id, step), nil
		},
		Preview: w.preview, Knows: known,
	})), nil
}

// Close closes everything that was opened.
func (w *Wiring) Close() error {
	w.bench.Close() // it needs the accounts
	return w.close.run()
}

// Metrics returns the metric providers.
func (w *Wiring) Metrics() (map[string]sluice.Metrics, error) { return w.dir.metrics(w.config) }

func (d StateDir) metrics(c *config.Config) (map[string]sluice.Metrics, error) {
	all := map[string]sluice.Metrics{}
	for name, m := range c.Metrics {
		p, err := prometheus.New(m.URL, prometheus.Options{
			Username: m.Username, Password: d.reader(m.Password), Bearer: d.reader(m.Bearer), CAFile: m.CAFile,
		})
		if err != nil {
			return nil, sluice.Errorf(sluice.ErrorCode(err), "metric provider %s: %w", name, err).At(m.Pos)
		}
		all[name] = p
	}
	return all, nil
}

// ReadSecret returns the value of the source.
func (w *Wiring) ReadSecret(s config.Source) (string, error) { return w.dir.redactor.Read(s) }

// reader returns a function that reads the secret each time it is called, nil if there is none.
func (d StateDir) reader(s config.Source) func(context.Context) (string, error) {
	if !s.IsSet() {
		return nil
	}
	return func(context.Context) (string, error) { return d.redactor.Read(s) }
}

// Movers returns the movers. They open their repository at the first use.
func (w *Wiring) Movers() map[string]sluice.Mover {
	password := w.dir.reader(w.config.Repository.Password)
	if password == nil {
		password = func(context.Context) (string, error) {
			key, err := w.dir.RepositoryKey(w.RepositoryDir())
			if err != nil {
				return "", err
			}
			return key.Password("repository"), nil
		}
	}
	trees := remote.New(w.bench)
	m := kopia.New(kopia.Options{
		Dir: w.RepositoryDir(), S3: w.bucket(), CacheDir: w.dir.Path("cache"), Password: password,
		Reader: trees.Reader, Writer: trees.Writer,
	})
	w.close.add(func() error { return m.Close(context.Background()) })
	return map[string]sluice.Mover{
		kopia.Name: mover.Wrap(remote.Ending(m, trees)), csi.Name: mover.Wrap(csi.New(trees)),
	}
}

// bucket returns the bucket of the checkpoint repository, nil if it is in a directory.
func (w *Wiring) bucket() *kopia.S3 {
	s := w.config.Repository.S3
	if s == nil {
		return nil
	}
	endpoint, _ := url.Parse(s.Endpoint) // the configuration was checked
	return &kopia.S3{
		Endpoint: endpoint, Bucket: s.Bucket, Prefix: s.Prefix, Region: s.Region, CAFile: s.CAFile,
		AccessKey: w.dir.reader(s.AccessKey), SecretKey: w.dir.reader(s.SecretKey),
	}
}

// RepositoryDir returns the directory of the checkpoint repository, "" if it is in a bucket.
func (w *Wiring) RepositoryDir() string {
	if w.config.Repository.S3 != nil {
		return ""
	}
	return cmp.Or(w.config.Repository.Path, w.dir.Path("repository"))
}

// IsListening reports whether an engine of the state directory may be listening for callbacks.
func (w *Wiring) IsListening() bool {
	_, err := os.Stat(w.dir.socket())
	return err == nil
}

// databases are the database engines that datasets can use.
func databases() map[string]sluice.Databases {
	return map[string]sluice.Databases{"mongodb": mongodb.New()}
}

// noCatalogue is the catalogue of a state directory without a store.
type noCatalogue struct{}

func (noCatalogue) PutCheckpoint(context.Context, sluice.Checkpoint) error {
	return sluice.Errorf(sluice.Denied, "a preview keeps no checkpoint")
}

func (noCatalogue) Checkpoint(_ context.Context, id sluice.CheckpointID) (sluice.Checkpoint, error) {
	return sluice.Checkpoint{}, sluice.Errorf(sluice.NotFound, "there is no checkpoint %s", id)
}

func (noCatalogue) Checkpoints(context.Context, string) ([]sluice.Checkpoint, error) { return nil, nil }

func (noCatalogue) DeleteCheckpoint(context.Context, sluice.CheckpointID) error { return nil }

// preview returns the URL of the preview of a Service in a cluster, "" for an account with addresses on this machine.
func (w *Wiring) preview(account, namespace, service string, port int, until time.Time) (string, error) {
	if _, opened := w.opened[account]; !opened || w.config.Accounts[account].Type != config.AccountKubernetes {
		return "", nil
	}
	p := inbound.Preview{Account: account, Namespace: namespace, Service: service, Port: port, Expires: until}
	return inbound.PreviewURL(w.previewBase, w.key, p)
}

// inbound serves callbacks and previews at the callback address.
func (w *Wiring) inbound(e *engine.Engine, log sluice.Log) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/callbacks/", inbound.NewCallbacks(e, log, w.key, time.Now))
	mux.Handle("/", inbound.NewPreviews(w.key, w.carry, time.Now))
	return mux
}

// carry returns the transport to a Service that is previewed.
func (w *Wiring) carry(ctx context.Context, p inbound.Preview) (http.RoundTripper, error) {
	a, ok := w.opened[p.Account]
	if !ok {
		return nil, sluice.Errorf(sluice.NotFound, "account %q is not open here any more", p.Account)
	}
	return a.Transport(ctx, p.Namespace, p.Service, p.Port)
}
