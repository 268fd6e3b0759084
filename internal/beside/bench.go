package beside

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"net"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

// Settings are what an account's Jobs are like.
type Settings struct {
	Image  string // of Sluice; "": the account runs no Jobs of Sluice
	User   int64  // runs as this user; 0: as root, which alone can keep the owners of files
	CPU    string // at most; "": DefaultCPU
	Memory string // at most; "": DefaultMemory
}

// The bounds of a Job that says nothing else.
const (
	DefaultCPU    = "2"
	DefaultMemory = "512Mi"
)

// Options say how Sluice makes and reaches Jobs.
type Options struct {
	Settings func(account string) Settings
	Secret   func(purpose string) (string, error) // 64 hexadecimal digits, the same each time for one purpose
	Endpoint func() (*Endpoint, error)            // where Jobs reach Sluice; nil: it reaches them through their account
	Patience time.Duration                        // until the pod must run; 0: DefaultPatience
}

// DefaultPatience is how long a pod may take to start. A new node may have to start first.
const DefaultPatience = 5 * time.Minute

// A Bench is where work beside the data is done: it makes, finds and ends Jobs. It is safe for concurrent use.
type Bench struct {
	options Options
	leaving leaving
}

// New returns a bench.
func New(o Options) *Bench {
	if o.Patience == 0 {
		o.Patience = DefaultPatience
	}
	return &Bench{options: o, leaving: leaving{last: map[string]chan struct{}{}}}
}

// Work is what a Job is made for.
type Work struct {
	Place    sluice.Place
	Name     string          // of the Job and all its objects, as [Name] makes it; the same after a restart of Sluice
	Volumes  []sluice.Volume // the pod mounts the claims Mount at VolumeDir(0), VolumeDir(1), ...
	ReadOnly bool            // the pod cannot write to the volumes
	Keeps    bool            // calls may be kept, see [Kept]; the cluster replaces a pod that was killed
}

// Name returns the name for the work that the parts describe: the same for the same parts, and a valid name of any
// object.
func Name(kind string, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return "sluice-" + kind + "-" + hex.EncodeToString(sum[:8])
}

// Open returns a session with the work's Job. It makes the Job if there is none or if the last one has ended, and waits
// until its pod answers. A call that was kept is made first. A pod that cannot start is an error that says why:
// Unavailable at the end of the patience, Denied or Invalid if the cluster refuses the Job. Open may be called again at
// any time, also by another process. A Job has one session at a time: close the one before.
func (b *Bench) Open(ctx context.Context, w Work) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, b.options.Patience)
	defer cancel()
	if b.options.Settings(w.Place.Name).Image == "" {
		return nil, sluice.Errorf(sluice.Unsupported, "the account %s runs no Jobs of Sluice", w.Place.Name)
	}
	if err := b.leaving.wait(ctx, w.Place); err != nil {
		return nil, err
	}
	keys, err := b.keys(w)
	if err != nil {
		return nil, err
	}
	dial, err := w.dialer(keys)
	if err != nil {
		return nil, err
	}
	if err := b.ensure(ctx, w, keys); err != nil {
		return nil, err
	}
	s := newSession(w, dial)
	err = b.await(ctx, w, s, keys.endpoint)
	if err == nil && w.Keeps {
		err = s.makeKept(ctx)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// title names the Job for people.
func (w Work) title() string { return "Job/" + w.Name + " in the namespace " + w.Place.Namespace }

// keys are those of one connection.
type keys struct {
	ours, theirs identity
	secret       string    // of theirs
	endpoint     *Endpoint // nil if Sluice connects
}

func (b *Bench) keys(w Work) (k keys, err error) {
	if k.secret, err = b.options.Secret("job " + w.Place.Name + "/" + w.Place.Namespace + "/" + w.Name); err != nil {
		return k, err
	}
	if k.theirs, err = newIdentity(k.secret); err != nil {
		return k, err
	}
	own, err := b.options.Secret(EndpointSecret)
	if err == nil {
		k.ours, err = newIdentity(own)
	}
	if err == nil && b.options.Endpoint != nil {
		k.endpoint, err = b.options.Endpoint()
	}
	return k, err
}

// dialer returns what makes connections to the Job.
func (w Work) dialer(k keys) (func(context.Context) (*tls.Conn, error), error) {
	if k.endpoint != nil {
		return k.endpoint.expect(k.theirs.public()), nil
	}
	settings, err := k.ours.config(only(k.theirs.public()))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*tls.Conn, error) {
		address, err := w.Place.Account.Address(ctx, w.Place.Namespace, w.Name, port)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, handshake)
		defer cancel()
		raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		conn := tls.Client(raw, settings)
		if err := conn.HandshakeContext(ctx); err != nil {
			_ = raw.Close() // nothing was sent on it
			return nil, err
		}
		return conn, nil
	}, nil
}
