package databasetest

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluice-cd/sluice"
)

func testInvariants(t *testing.T, databases sluice.Databases) {
	f := newFixture(t, databases)
	f.put(t, "shop", "orders",
		order("a", field("total", int32(1)),
			field("items", bson.A{bson.D{field("price", 0.1)}, bson.D{field("price", 0.2)}})),
		order("b", field("total", int64(2)), field("items", bson.D{field("price", 0.3)})),
		order("c", field("total", 0.5)), order("d", field("total", "9")), order("e"))
	got := fingerprintOf(t, f.open(t, "shop"),
		sluice.Invariant{Name: "orders", Count: "orders"},
		sluice.Invariant{Name: "totals", Sum: "orders", Field: "total"},
		sluice.Invariant{Name: "prices", Sum: "orders", Field: "items.price"},
		sluice.Invariant{Name: "absent", Count: "absent"},
	).Invariants
	want := []sluice.InvariantValue{
		{Name: "orders", Value: 5}, {Name: "totals", Value: 3.5}, {Name: "prices", Value: 0.6}, {Name: "absent"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
}

func testRefusals(t *testing.T, databases sluice.Databases) {
	f := newFixture(t, databases)
	const secret = "s3cret"
	away, err := freeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		reason, uri string
		want        sluice.Code
		mentions    string
	}{
		"away": {"nobody listens there", "mongodb://" + away + "/shop?serverSelectionTimeoutMS=200",
			sluice.Unavailable, away},
		"login": {"the server refuses the password", "mongodb://user:" + secret + "@" + f.server.Address + "/shop",
			sluice.Denied, f.server.Address},
		"no name": {"the URI names no database", f.server.URI(""), sluice.Invalid, "which database"},
		"no uri":  {"this is not a URI", "mongodb:/" + secret, sluice.Invalid, "uri"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := databases.Open(t.Context(), test.uri, nil)
			if sluice.ErrorCode(err) != test.want || !strings.Contains(err.Error(), test.mentions) {
				t.Errorf("%s: got %v, want %s that mentions %q", test.reason, err, test.want, test.mentions)
			}
			if sluice.ErrorHint(err) == "" || strings.Contains(err.Error()+sluice.ErrorHint(err), secret) {
				t.Errorf("hint %q and error %q must help and keep the secret", sluice.ErrorHint(err), err)
			}
		})
	}
	t.Run("dial", func(t *testing.T) {
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			if address != "mongo:27017" {
				t.Errorf("dialled %s, want mongo:27017", address)
			}
			return (&net.Dialer{}).DialContext(ctx, network, f.server.Address)
		}
		db, err := databases.Open(t.Context(), "mongodb://mongo:27017/shop", dial)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// cancelled stops a fingerprint at its first report.
func cancelled(t *testing.T, db sluice.Database) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reports := 0
	_, err := db.Fingerprint(ctx, nil, func(sluice.Amount) { reports++; cancel() })
	if sluice.ErrorCode(err) != sluice.Cancelled || !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled fingerprint ended with %v (%s)", err, sluice.ErrorCode(err))
	}
	if reports > 20 {
		t.Errorf("it went on for %d reports", reports)
	}
}
