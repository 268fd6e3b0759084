package kopia_test

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover/kopia"
	"github.com/sluice-cd/sluice/internal/movertest"
)

func inBucket(b *movertest.Bucket, prefix string) *kopia.S3 {
	return &kopia.S3{
		Endpoint: b.Endpoint, Bucket: b.Name, Prefix: prefix, Region: "us-east-1", CAFile: b.CAFile,
		AccessKey: password(b.AccessKey), SecretKey: password(b.SecretKey),
	}
}

func TestContractInABucket(t *testing.T) {
	b := movertest.StartBucket(t)
	var n atomic.Int64
	movertest.Run(t, func(t *testing.T) movertest.Subject {
		t.Parallel() // a bucket is slow, and the tests mostly wait
		prefix := string(rune('a'+n.Add(1))) + "/"
		return movertest.Subject{Dir: filepath.Join(b.Dir, prefix), Open: func(t *testing.T) sluice.Mover {
			cache := t.TempDir()
			m, err := kopia.Open(t.Context(), kopia.Options{
				S3: inBucket(b, prefix), CacheDir: cache, Password: password("sesame"),
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := m.Close(context.WithoutCancel(t.Context())); err != nil {
					t.Error(err)
				}
				if hasText(t, cache, b.SecretKey) || hasText(t, cache, b.AccessKey) {
					t.Error("a key of the bucket is in a file")
				}
			})
			return m
		}}
	})
}

func hasText(t *testing.T, dir, text string) bool {
	t.Helper()
	found := false
	if err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		found = found || strings.Contains(string(raw), text)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

func TestABucketThatCannotBeUsed(t *testing.T) {
	b := movertest.StartBucket(t)
	for name, c := range map[string]struct {
		change func(*kopia.S3)
		code   sluice.Code
	}{
		"no such bucket": {func(s *kopia.S3) { s.Bucket = "absent" }, sluice.Failed},
		"wrong key":      {func(s *kopia.S3) { s.SecretKey = password("wrong-" + b.SecretKey) }, sluice.Denied},
		"other CA":       {func(s *kopia.S3) { s.CAFile = "" }, sluice.Failed},
		"no CA file":     {func(s *kopia.S3) { s.CAFile = "absent.pem" }, sluice.Invalid},
		"not there": {
			func(s *kopia.S3) { s.Endpoint = &url.URL{Scheme: "https", Host: "127.0.0.1:1"} }, sluice.Unavailable,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := inBucket(b, "x/")
			c.change(s)
			_, err := kopia.Open(t.Context(), kopia.Options{S3: s, CacheDir: t.TempDir(), Password: password("sesame")})
			if sluice.ErrorCode(err) != c.code {
				t.Errorf("%s: %v, want %s", sluice.ErrorCode(err), err, c.code)
			}
			if err != nil && strings.Contains(err.Error()+sluice.ErrorHint(err), b.SecretKey) {
				t.Errorf("the error names the key: %v", err)
			}
		})
	}
}

// Those who use a mover try again. A call that does so for minutes itself would hide the outage.
func TestABucketThatGoesAwayIsNoticedSoon(t *testing.T) {
	b := movertest.StartBucket(t)
	o := kopia.Options{S3: inBucket(b, "x/"), CacheDir: t.TempDir(), Password: password("sesame")}
	m, err := kopia.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	b.Stop()
	began := time.Now()
	_, _, err = m.Find(t.Context(), sluice.Transfer{Kind: sluice.TransferCopy, ID: "d-1"})
	if took := time.Since(began); sluice.ErrorCode(err) != sluice.Unavailable || took > time.Minute {
		t.Errorf("%v after %s", err, took)
	}
	b.Start(t)
	if err := m.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
