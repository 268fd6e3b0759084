package remote_test

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/besidetest"
	"github.com/sluice-cd/sluice/internal/database/mongodb"
	"github.com/sluice-cd/sluice/internal/database/remote"
	"github.com/sluice-cd/sluice/internal/databasetest"
)

// A far opens databases in a Job, over a real connection. The Job dials as the last Open said.
type far struct {
	sluice.Databases
	dial *atomic.Pointer[sluice.Dial]
}

func (f far) Open(ctx context.Context, uri string, dial sluice.Dial) (sluice.Database, error) {
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	f.dial.Store(&dial)
	return f.Databases.Open(ctx, uri, nil)
}

func (f far) dialer(string) sluice.Dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return (*f.dial.Load())(ctx, network, address)
	}
}

// session returns a session with a Job that offers the engines.
func session(t *testing.T, engines map[string]sluice.Databases, dial func(string) sluice.Dial) *beside.Session {
	t.Helper()
	c := besidetest.New(t, func(besidetest.Pod) http.Handler {
		mux := http.NewServeMux()
		remote.Offer(mux, engines, dial)
		return mux
	})
	w := beside.Work{Place: c.Place("shop"), Name: beside.Name("database", t.Name()), Keeps: true}
	s, err := c.Bench(beside.Options{}).Open(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestMongoDB(t *testing.T) {
	f := far{dial: new(atomic.Pointer[sluice.Dial])}
	s := session(t, map[string]sluice.Databases{"mongodb": mongodb.New()}, f.dialer)
	f.Databases = remote.New(s, "mongodb", "shop")
	databasetest.Suite(t, f)
}
