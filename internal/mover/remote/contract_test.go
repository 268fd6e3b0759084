package remote_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/besidetest"
	"github.com/sluice-cd/sluice/internal/mover/kopia"
	"github.com/sluice-cd/sluice/internal/mover/remote"
	"github.com/sluice-cd/sluice/internal/mover/tree"
	"github.com/sluice-cd/sluice/internal/movertest"
)

// kopiaOver returns a mover whose repository is here and whose volumes are in the cluster.
func kopiaOver(t *testing.T, c *besidetest.Cluster, repository string, sent *atomic.Int64) sluice.Mover {
	t.Helper()
	trees := remote.New(c.Bench(beside.Options{}))
	counted := func(ctx context.Context, t sluice.Transfer, v sluice.Volume, content string) (tree.Writer, error) {
		w, err := trees.Writer(ctx, t, v, content)
		return counting{w, sent}, err
	}
	m, err := kopia.Open(t.Context(), kopia.Options{
		Dir: repository, CacheDir: t.TempDir(), Reader: trees.Reader, Writer: counted,
		Password: func(context.Context) (string, error) { return "sesame", nil },
	})
	must(t, err)
	t.Cleanup(func() { must(t, m.Close(context.WithoutCancel(t.Context()))) })
	return remote.Ending(m, trees)
}

// A counting writer counts the bytes that it is given.
type counting struct {
	tree.Writer
	sent *atomic.Int64
}

func (c counting) Write(ctx context.Context, pieces []tree.Piece) error {
	for _, p := range pieces {
		c.sent.Add(int64(len(p.Data)))
	}
	return c.Writer.Write(ctx, pieces)
}

// inCluster is a mover to which the directories of transfers are claims of a cluster.
type inCluster struct {
	sluice.Mover
	cluster *besidetest.Cluster
}

func (i inCluster) at(t sluice.Transfer) sluice.Transfer {
	mounted := make([]sluice.Volume, len(t.Volumes))
	for n, v := range t.Volumes {
		v.Dir, v.Mount = "", v.Dir
		mounted[n] = v
	}
	t.Volumes, t.Place = mounted, i.cluster.Place(t.Place.Namespace)
	return t
}

func (i inCluster) Begin(ctx context.Context, t sluice.Transfer) error {
	return i.Mover.Begin(ctx, i.at(t))
}

func (i inCluster) Follow(
	ctx context.Context, t sluice.Transfer, report func(sluice.Amount),
) (sluice.Copy, error) {
	return i.Mover.Follow(ctx, i.at(t), report)
}

func (i inCluster) Find(ctx context.Context, t sluice.Transfer) (sluice.Copy, bool, error) {
	return i.Mover.Find(ctx, i.at(t))
}

func (i inCluster) Cancel(ctx context.Context, t sluice.Transfer) error {
	return i.Mover.Cancel(ctx, i.at(t))
}

func (i inCluster) Delete(ctx context.Context, at sluice.Place, id string) error {
	return i.Mover.Delete(ctx, i.cluster.Place(at.Namespace), id)
}

func TestContract(t *testing.T) {
	movertest.Run(t, func(t *testing.T) movertest.Subject {
		dir, c, sent := filepath.Join(t.TempDir(), "repository"), cluster(t), &atomic.Int64{}
		return movertest.Subject{Dir: dir, Sent: sent.Load, Open: func(t *testing.T) sluice.Mover {
			return inCluster{kopiaOver(t, c, dir, sent), c}
		}}
	})
}
