package deps

import (
	"context"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// glance is how often a deletion that takes long is looked at.
const glance = 2 * time.Second

// Reporting returns what a step acts through: its accounts report what a deletion waits for if that takes seconds.
func (d Deps) Reporting(report func(sluice.Progress)) Deps {
	accounts := make(map[string]sluice.Account, len(d.Accounts))
	for name, a := range d.Accounts {
		a.ClusterWriter = deleter{a.ClusterWriter, a.ClusterReader, report}
		if a.Writers != nil {
			a.Writers = reporting{a.Writers, a.ClusterReader, report}
		}
		accounts[name] = a
	}
	d.Accounts = accounts
	return d
}

// reporting makes writers whose deletions are reported.
type reporting struct {
	sluice.Writers
	reader sluice.ClusterReader
	report func(sluice.Progress)
}

// For implements sluice.Writers.
func (r reporting) For(w sluice.Writing) (sluice.ClusterWriter, sluice.Adopter) {
	writer, adopter := r.Writers.For(w)
	return deleter{writer, r.reader, r.report}, adopter
}

// A deleter reports what holds back an object that is being deleted.
type deleter struct {
	sluice.ClusterWriter
	reader sluice.ClusterReader
	report func(sluice.Progress)
}

// Delete implements sluice.ClusterWriter.
func (d deleter) Delete(ctx context.Context, ref sluice.Ref) error {
	watching, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.watch(watching, ref)
	}()
	err := d.ClusterWriter.Delete(ctx, ref)
	stop()
	<-ended // no report comes after the deletion
	return err
}

// watch reads the object until ctx ends. Those who follow an object hear of its deletion only when it is gone.
func (d deleter) watch(ctx context.Context, ref sluice.Ref) {
	ticks := time.NewTicker(glance)
	defer ticks.Stop()
	for said := ""; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		o, err := d.reader.Get(ctx, ref)
		if err != nil || o.Text("metadata", "deletionTimestamp") == "" {
			continue // the deletion itself meets the error too
		}
		now := strings.TrimSuffix(ref.String()+" is being deleted; "+manifest.HeldBack(o), "; ")
		if now != said {
			d.report(sluice.Progress{State: sluice.Running, Message: now})
			said = now
		}
	}
}
