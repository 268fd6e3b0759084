package job_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/mover"
	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// TestMeasure logs how fast a volume is filled, read and copied. E2E_JOB_MIB says how large it is.
func TestMeasure(t *testing.T) {
	size, err := strconv.Atoi(os.Getenv("E2E_JOB_MIB"))
	if err != nil {
		t.Skip("E2E_JOB_MIB is not set")
	}
	for name, o := range map[string]beside.Options{
		"Sluice connects": options(sluiceImage), "the Job connects": listening(t, options(sluiceImage)),
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			m, trees := open(t, o)
			from, to := p.claim("from"), p.claim("to")
			took := func(what string, do func()) {
				start := time.Now()
				do()
				d := time.Since(start)
				t.Logf("%s %d MiB: %.1f s, %.0f MiB/s", what, size, d.Seconds(), float64(size)/d.Seconds())
			}
			took("fill", func() { p.plant(trees, from, size<<20/tree.Segment) })
			took("read", func() { p.read(trees, from) })
			copying := p.work(sluice.TransferCopy, "d-1", from)
			var c sluice.Copy
			took("copy", func() { c, err = mover.Run(t.Context(), m, copying, nil); must(t, err) })
			copying.ID = "d-2"
			took("copy again", func() { _, err = mover.Run(t.Context(), m, copying, nil); must(t, err) })
			back := p.work(sluice.TransferRestore, "r-1", to)
			back.Copy = c
			took("restore", func() { _, err = mover.Run(t.Context(), m, back, nil); must(t, err) })
		})
	}
}
