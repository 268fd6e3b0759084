package postgres_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/postgres"
	"github.com/sluice-cd/sluice/internal/postgrestest"
)

// content is everything that a store holds.
type content struct {
	Deployments []sluice.Deployment
	Feed        []sluice.Entry
	Checkpoints []sluice.Checkpoint
	Letters     []sluice.Letter
	Answer      sluice.Answer
}

func contentOf(t *testing.T, s *postgres.Store) (c content) {
	t.Helper()
	ctx := t.Context()
	var err error
	c.Deployments, err = s.Deployments(ctx, "")
	must(t, err)
	c.Checkpoints, err = s.Checkpoints(ctx, "")
	must(t, err)
	c.Letters, err = s.Letters(ctx, "d1")
	must(t, err)
	c.Answer, err = s.Answer(ctx, 1)
	must(t, err)
	newest, err := s.Newest(ctx)
	must(t, err)
	for e, err := range s.Tail(ctx, 0) {
		must(t, err)
		if c.Feed = append(c.Feed, e); e.Cursor == newest {
			break
		}
	}
	return c
}

func TestBackup(t *testing.T) {
	t.Parallel()
	c, name, ctx := postgrestest.Shared(t), postgrestest.Database(t, t.TempDir()), context.Background()
	s := open(t, c.Address(name))
	defer s.Close()
	must(t, s.Append(ctx, "d1", 0, started("größer ☃"), progressed("'; \\ \"")))
	must(t, s.Append(ctx, "d2", 0, started("blog"), progressed("2")))
	must(t, s.PutCheckpoint(ctx, sluice.Checkpoint{ID: "c", Application: "shop", Masked: []string{"a.b"}}))
	refused, err := s.Send(ctx, "d1", sluice.Signal{Kind: sluice.SignalCancel})
	must(t, err)
	must(t, s.Refuse(ctx, refused, sluice.Failure{Code: sluice.Denied, Message: "no"}))
	kept, err := s.Send(ctx, "d1", sluice.Signal{Kind: sluice.SignalPause})
	must(t, err)
	_, err = s.Lease(ctx, "d1")
	must(t, err)

	file, restored := filepath.Join(c.Dir, name+".dump"), postgrestest.Database(t, t.TempDir())
	run(t, c, "pg_dump", "--format=custom", "--file="+file, name)
	run(t, c, "pg_restore", "--exit-on-error", "--dbname="+restored, file)

	r := open(t, c.Address(restored))
	defer r.Close()
	if diff := cmp.Diff(contentOf(t, s), contentOf(t, r)); diff != "" {
		t.Errorf("the restored store (-original +restored):\n%s", diff)
	}
	_, err = r.Lease(ctx, "d1") // leases are not in a backup
	must(t, err)
	must(t, r.Append(ctx, "d1", 2, progressed("goes on")))
	next, err := r.Send(ctx, "d1", sluice.Signal{Kind: sluice.SignalContinue})
	must(t, err)
	if next <= kept {
		t.Errorf("letter %d follows %d", next, kept)
	}
}

// run runs a program of the server's with the socket and the user of the cluster.
func run(t *testing.T, c *postgrestest.Cluster, program string, args ...string) {
	t.Helper()
	cmd := c.Program(program, append([]string{"--host=" + c.Dir, "--username=sluice"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", program, err, out)
	}
}
