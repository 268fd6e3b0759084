package step

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

const (
	autoMover   = "auto"
	kopiaMover  = "kopia" // what auto means where volumes can be read from here
	engineFiles = "files" // a dataset without a database
)

// dataset is what every data step acts on and with. Everything it makes is named from key, which stands for the
// deployment and step, so that a step finds its own work again after a crash.
type dataset struct {
	deps Deps
	sc   sluice.StepContext
	spec sluice.Dataset
	key  string
}

// A place is where a dataset lives: one target of the plan.
type place struct {
	account   sluice.Account // its Volumes are never nil
	name      string         // of the account
	namespace string
	target    string
}

func newDataset(d Deps, sc sluice.StepContext, spec sluice.Dataset) (dataset, error) {
	if spec.Engine != engineFiles && d.Databases[spec.Engine] == nil {
		return dataset{}, sluice.Errorf(sluice.Unsupported, "there is no reader for databases of the engine %q", spec.Engine).
			WithHint("the engines here are: %s and %s", names(d.Databases), engineFiles).At(sc.Step.Pos)
	}
	sum := sha256.Sum256([]byte(string(sc.Deployment) + "\n" + string(sc.Step.ID)))
	s := dataset{deps: d, sc: sc, spec: spec, key: hex.EncodeToString(sum[:5])}
	if _, err := s.mover(cmp.Or(spec.Mover, autoMover)); err != nil {
		return dataset{}, err
	}
	return s, nil
}

// at returns the place of a target.
func (s dataset) at(t sluice.PlannedTarget) (place, error) {
	a, err := s.deps.Account(t.Account, s.sc.Step.Pos)
	if a.Volumes == nil {
		a.Volumes = noVolumes{t.Account}
	}
	return place{a, t.Account, orDefault(t.Namespace, "default"), t.Name}, err
}

// mover returns the mover of that name.
func (s dataset) mover(name string) (sluice.Mover, error) {
	if name == autoMover {
		name = kopiaMover
	}
	if m, ok := s.deps.Movers[name]; ok {
		return m, nil
	}
	return nil, sluice.Errorf(sluice.Invalid, "there is no mover %q", name).
		WithHint("the movers here are: %s", names(s.deps.Movers)).At(s.sc.Step.Pos)
}

// id names the checkpoint that the step makes; more tells several of one step apart.
func (s dataset) id(step sluice.StepID, more string) sluice.CheckpointID {
	clean := strings.Map(func(r rune) rune {
		if r == '/' || r == ' ' {
			return '-'
		}
		return r
	}, string(step))
	return sluice.CheckpointID(string(s.sc.Deployment) + "-" + clean + more)
}

// say shows what is being done, and how far it has come.
func (s dataset) say(message string) func(sluice.Amount) {
	s.sc.Report(sluice.Progress{State: sluice.Running, Message: message})
	return func(a sluice.Amount) {
		s.sc.Report(sluice.Progress{State: sluice.Running, Message: message, Amount: &a})
	}
}

// open opens the database that the dataset's URI names in the namespace.
func (s dataset) open(ctx context.Context, at place) (sluice.Database, error) {
	uri, err := renderText(ctx, s.deps, s.sc, s.spec.URI)
	if err != nil {
		return nil, err
	}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		number, err := strconv.Atoi(port)
		if err != nil {
			return nil, err
		}
		// Only Services of this namespace are ever dialled: a copy must not reach what it was copied from.
		there, err := at.account.Address(ctx, at.namespace, serviceOf(host), number)
		if err != nil {
			return nil, err
		}
		return (&net.Dialer{}).DialContext(ctx, network, there)
	}
	return s.deps.Databases[s.spec.Engine].Open(ctx, uri, dial)
}

// services returns the Services that the dataset's URI names.
func (s dataset) services(ctx context.Context) ([]string, error) {
	uri, err := renderText(ctx, s.deps, s.sc, s.spec.URI)
	if err != nil {
		return nil, err
	}
	_, rest, _ := strings.Cut(uri, "://")
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		rest = rest[:end]
	}
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	var list []string
	for hostport := range strings.SplitSeq(rest, ",") {
		host := hostport
		if h, _, err := net.SplitHostPort(hostport); err == nil {
			host = h
		}
		if host != "" {
			list = append(list, serviceOf(host))
		}
	}
	return list, nil
}

// serviceOf returns the Service in mongo, mongo.shop and mongo.shop.svc.cluster.local.
func serviceOf(host string) string {
	service, _, _ := strings.Cut(host, ".")
	return service
}

// read opens the database at the place and reads all of it.
func (s dataset) read(ctx context.Context, at place, message string) (sluice.Fingerprint, error) {
	if s.spec.Engine == engineFiles {
		return sluice.Fingerprint{Engine: engineFiles, Version: engineFiles, TakenAt: s.deps.Now()}, nil
	}
	var f sluice.Fingerprint
	err := s.with(ctx, at, func(db sluice.Database) (err error) {
		f, err = db.Fingerprint(ctx, s.spec.Invariants, s.say(message))
		return err
	})
	return f, err
}

// with opens the database at the place for as long as use takes.
func (s dataset) with(ctx context.Context, at place, use func(sluice.Database) error) error {
	db, err := s.open(ctx, at)
	if err != nil {
		return err
	}
	err = use(db)
	if closed := db.Close(context.WithoutCancel(ctx)); err == nil && closed != nil {
		return closed
	}
	return err
}

// timeout is how long workloads may take to become ready: the target's own.
func (s dataset) timeout() time.Duration {
	spec := applySpec(s.sc)
	return orDefault(spec.Timeout, defaultTimeout)
}
