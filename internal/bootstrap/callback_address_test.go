package bootstrap

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/sluice-cd/sluice"
)

func TestListenAgain(t *testing.T) {
	record := filepath.Join(t.TempDir(), "callback-port")
	first, moved, err := listenAgain("127.0.0.1:0", record)
	if err != nil || moved {
		t.Fatal(err, moved)
	}
	address := first.Addr().String()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, moved, err := listenAgain("127.0.0.1:0", record)
	if err != nil || moved || second.Addr().String() != address {
		t.Fatalf("the second time: %v, %v, moved %v; first %s", second.Addr(), err, moved, address)
	}
	third, moved, err := listenAgain("127.0.0.1:0", record)
	if err != nil || !moved {
		t.Errorf("the port is taken: %v, moved %v", err, moved)
	}
	if _, _, err := listenAgain(address, record); sluice.ErrorCode(err) != sluice.Exhausted ||
		sluice.ErrorHint(err) == "" {
		t.Errorf("a fixed port that is taken: %v", err)
	}
	for _, l := range []net.Listener{second, third} {
		_ = l.Close()
	}
}
