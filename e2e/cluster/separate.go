package cluster

import (
	"context"
	"sync"
	"testing"
)

// An apart counts the tests for which the clusters are separate.
type apart struct {
	sync.Mutex
	tests int
}

// Separate cuts the network between the two clusters until the test ends, and
// every other test that runs at the same time and called it. The host still
// reaches both. Clusters of the person's own stay as they are.
func (p *Pair) Separate(t testing.TB) {
	t.Helper()
	if !p.Owned {
		return
	}
	p.apart.Lock()
	defer p.apart.Unlock()
	if err := p.isolate("on"); err != nil {
		t.Fatal(err)
	}
	if p.connected(t.Context()) {
		t.Error("cluster01 still reaches the API server of cluster02")
	}
	p.apart.tests++
	t.Cleanup(func() {
		p.apart.Lock()
		defer p.apart.Unlock()
		if p.apart.tests--; p.apart.tests > 0 {
			return
		}
		if err := p.isolate("off"); err != nil {
			t.Error(err)
		}
		if !p.connected(context.Background()) {
			t.Error("cluster01 does not reach the API server of cluster02 any more")
		}
	})
}

// isolate changes whether the clusters' links forward to each other. An isolated
// port of a bridge forwards only to ports that are not isolated.
func (p *Pair) isolate(value string) error {
	for _, c := range p.Clusters() {
		if err := ip("link", "set", c.spec.link(), "type", "bridge_slave", "isolated", value); err != nil {
			return err
		}
	}
	return nil
}

// connected reports whether the first cluster reaches the API server of the second.
func (p *Pair) connected(ctx context.Context) bool {
	connect := "exec 3<>/dev/tcp/" + p.Cluster02.spec.Address + "/6443"
	return inside(ctx, p.Cluster01.spec.Dir, "/usr/bin/timeout", "1", "/bin/bash", "-c", connect) == nil
}
