package sqlite

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
)

// All writes that wait behind a process that is stopped in the middle of a transaction fail together. If they failed
// one after the other, the last would wait for ten seconds here.
func TestWritesBehindAStoppedProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sluice.db")
	a, stopped := opened(t, path), opened(t, path)
	const wait, writes = 200 * time.Millisecond, 50
	patient := fmt.Sprintf("PRAGMA busy_timeout = %d", wait.Milliseconds())
	err := a.change(t.Context(), func(b *batch) error {
		_, err := b.conn.ExecContext(t.Context(), patient)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	begun, over := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	defer group.Wait()
	defer close(over)
	group.Go(func() {
		err := stopped.change(t.Context(), func(*batch) error {
			close(begun)
			<-over
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-begun
	began := time.Now()
	var writing sync.WaitGroup
	for range writes {
		writing.Go(func() {
			if err := a.PutCheckpoint(t.Context(), sluice.Checkpoint{ID: "c"}); sluice.ErrorCode(err) != sluice.Unavailable {
				t.Errorf("a write beside a transaction: %v", err)
			}
		})
	}
	writing.Wait()
	if took := time.Since(began); took > writes*wait/2 {
		t.Errorf("%d writes waited for %s", writes, took)
	}
}
