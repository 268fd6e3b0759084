package job_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// peaks looks for the most memory that the processes of Jobs have had.
type peaks struct {
	most   int64
	ending chan struct{}
	ended  sync.WaitGroup
}

// watchPeaks looks at the pods whose names begin so, until it is stopped.
func watchPeaks(prefix string) *peaks {
	p := &peaks{ending: make(chan struct{})}
	p.ended.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			p.look(prefix)
			select {
			case <-p.ending:
				return
			case <-tick.C:
			}
		}
	})
	return p
}

// stop returns the most memory in MiB.
func (p *peaks) stop() int64 {
	close(p.ending)
	p.ended.Wait()
	return p.most >> 20
}

func (p *peaks) look(prefix string) {
	all, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, name := range all {
		environ, err := os.ReadFile(name)
		if err == nil && bytes.Contains(environ, []byte("HOSTNAME="+prefix)) {
			p.most = max(p.most, peakOf(filepath.Dir(name)))
		}
	}
}

// forgetPeak lets peakOf of this process begin anew, with what it has now.
func forgetPeak() {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // otherwise the figure is too large
}

// peakOf returns the most memory of a process so far, in bytes.
func peakOf(proc string) int64 {
	status, _ := os.ReadFile(filepath.Join(proc, "status")) // a process that has ended has none
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib int64
	_, _ = fmt.Sscan(rest, &kib)
	return kib << 10
}
