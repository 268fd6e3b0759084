package kopia

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/blob/filesystem"
	"github.com/kopia/kopia/repo/blob/s3"
	"github.com/minio/minio-go/v7"

	"github.com/sluice-cd/sluice"
)

// An S3 is a place in a bucket. Both keys are asked for once, when the repository is opened.
type S3 struct {
	Endpoint  *url.URL // https, or http for one on this machine
	Bucket    string
	Prefix    string // of the names of all objects
	Region    string
	AccessKey func(context.Context) (string, error)
	SecretKey func(context.Context) (string, error)
	CAFile    string // PEM: certificates to trust instead of the system's
}

// String names the place.
func (s *S3) String() string {
	return fmt.Sprintf("%s/%s", s.Endpoint.JoinPath(s.Bucket), s.Prefix)
}

func (m *Mover) storage(ctx context.Context) (blob.Storage, error) {
	if m.options.S3 != nil {
		return m.options.S3.open(ctx)
	}
	if err := os.MkdirAll(m.options.Dir, 0o700); err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(m.options.Dir)
	if err != nil {
		return nil, err
	}
	options := &filesystem.Options{Path: abs, FileMode: 0o600, DirectoryMode: 0o700}
	return filesystem.New(context.WithoutCancel(ctx), options, true)
}

// once makes the client of S3 try each request once. kopia tries it again itself, and both together would hide an
// outage for minutes.
var once = sync.OnceFunc(func() { minio.MaxRetry = 1 })

func (s *S3) open(ctx context.Context) (blob.Storage, error) {
	once()
	options := &s3.Options{
		BucketName: s.Bucket, Prefix: s.Prefix, Region: s.Region,
		Endpoint: s.Endpoint.Host, DoNotUseTLS: s.Endpoint.Scheme == "http",
	}
	var err error
	if options.AccessKeyID, err = s.AccessKey(ctx); err != nil {
		return nil, err
	}
	if options.SecretAccessKey, err = s.SecretKey(ctx); err != nil {
		return nil, err
	}
	if s.CAFile != "" {
		if options.RootCA, err = os.ReadFile(s.CAFile); err != nil {
			return nil, sluice.Errorf(sluice.Invalid, "the certificates of the repository cannot be read: %w", err).
				WithHint("correct caFile of repository.s3 in sluice.yaml")
		}
	}
	return s3.New(context.WithoutCancel(ctx), options, true)
}

// lent is a storage that this process has opened. kopia opens a repository by a file that says where it is, but the
// keys of a bucket shall be in no file. So the file only says that the storage is this one.
var lent struct {
	register sync.Once
	mu       sync.Mutex // held while kopia opens a repository
	storage  blob.Storage
}

// lentType is the type of that storage in the file.
const lentType = "sluice"

// lend runs open while kopia finds the storage by what the file says.
func lend(st blob.Storage, open func(blob.ConnectionInfo) error) error {
	lent.register.Do(func() {
		blob.AddSupportedStorage(lentType, struct{}{}, func(context.Context, *struct{}, bool) (blob.Storage, error) {
			return lent.storage, nil
		})
	})
	lent.mu.Lock()
	defer lent.mu.Unlock()
	lent.storage = attended{st}
	return open(blob.ConnectionInfo{Type: lentType, Config: struct{}{}})
}
