package job_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/mover"
	"github.com/sluice-cd/sluice/internal/mover/csi"
	"github.com/sluice-cd/sluice/internal/mover/remote"
	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// TestMeasureClone prints how long a volume is kept and cloned by its storage, which moves no bytes.
func TestMeasureClone(t *testing.T) {
	size, err := strconv.Atoi(os.Getenv("E2E_JOB_MIB"))
	if err != nil {
		t.Skip("E2E_JOB_MIB is not set")
	}
	for _, class := range []string{"csi", "csi-wait"} {
		t.Run(class, func(t *testing.T) {
			p, trees := newPlace(t), remote.New(beside.New(options(sluiceImage)))
			m := mover.Wrap(csi.New(trees))
			from := p.claimOf(class, "from")
			p.plant(trees, from, size<<20/tree.Segment)
			claim, err := p.Account.Get(t.Context(), claimRef(from))
			must(t, err)
			start := time.Now()
			cut, err := p.Account.Volumes.Cut(t.Context(), p.Namespace, []string{"from"}, "cut", time.Minute)
			must(t, err)
			copying := sluice.Transfer{Kind: sluice.TransferCopy, ID: p.Namespace, Place: p.Place, Volumes: cut.Volumes}
			c, err := mover.Run(t.Context(), m, copying, nil)
			must(t, err)
			line(fmt.Sprintf("%s: copy of %d MiB", class, size), fmt.Sprintf("%.2f s", time.Since(start).Seconds()), "-", "")
			must(t, p.Account.Volumes.Discard(t.Context(), p.Namespace, "from", "cut"))
			start = time.Now()
			v, err := p.Account.Volumes.Stage(t.Context(), claim, "clone", c.Snapshots[0])
			must(t, err)
			back := p.work(sluice.TransferRestore, "r-1", v)
			back.Copy = c
			_, err = mover.Run(t.Context(), m, back, nil)
			must(t, err)
			line(fmt.Sprintf("%s: restore of %d MiB", class, size), fmt.Sprintf("%.2f s", time.Since(start).Seconds()), "-", "")
			must(t, p.Account.Volumes.Discard(t.Context(), p.Namespace, "from", "clone"))
			must(t, m.Delete(t.Context(), p.Place, p.Namespace))
		})
	}
}

func claimRef(v sluice.Volume) sluice.Ref {
	return sluice.Ref{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: v.Namespace, Name: v.Claim}
}
