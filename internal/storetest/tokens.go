package storetest

import (
	"context"
	"crypto/sha256"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

// token is one that was made at the nth second.
func token(id string, n int) sluice.Token {
	hash := sha256.Sum256([]byte(id))
	return sluice.Token{
		ID: id, Name: "nightly of " + id, Hash: hash[:], Owner: "https://id.example.com#ana",
		Roles: []string{"deployer", "viewer"}, MadeAt: at(n), Expires: at(n + 3600),
	}
}

func testTokens(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, sluice.Store){
		"gives back what was put":             tokenRoundTrip,
		"says NotFound for an absent one":     tokenNotFound,
		"refuses a second one with the id":    tokenConflict,
		"lists all, newest first":             tokenLists,
		"deletes, also what is absent":        tokenDeletes,
		"refuses one without an id or a hash": tokenNeeds,
		"changes nothing once ctx is ended":   tokenCancelled,
		"adds one of many with the same id":   tokenConcurrent,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t, open)) })
	}
	t.Run("are the same for all processes", func(t *testing.T) { tokenShared(t, open) })
	t.Run("survive reopening", func(t *testing.T) { tokenReopen(t, open) })
}

// wantToken fails the test unless the store has exactly this one under its id.
func wantToken(t *testing.T, s sluice.Tokens, want sluice.Token) {
	t.Helper()
	got, err := s.Token(context.Background(), want.ID)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("token %s (-want +got):\n%s", want.ID, diff)
	}
}

// wantTokens fails the test unless the list has exactly these.
func wantTokens(t *testing.T, s sluice.Tokens, want ...string) {
	t.Helper()
	list, err := s.Tokens(context.Background())
	must(t, err)
	var got []string
	for _, token := range list {
		got = append(got, token.ID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
}

func tokenRoundTrip(t *testing.T, s sluice.Store) {
	lasting := token("b", 1)
	lasting.Roles, lasting.Expires = nil, sluice.Token{}.Expires
	for _, want := range []sluice.Token{token("a", 0), lasting} {
		must(t, s.PutToken(context.Background(), want))
		wantToken(t, s, want)
	}
}

func tokenNotFound(t *testing.T, s sluice.Store) {
	must(t, s.PutToken(context.Background(), token("a", 0)))
	for _, id := range []string{"absent", "", "A", "a%"} {
		_, err := s.Token(context.Background(), id)
		wantCode(t, err, sluice.NotFound)
	}
}

func tokenConflict(t *testing.T, s sluice.Store) {
	must(t, s.PutToken(context.Background(), token("a", 0)))
	wantCode(t, s.PutToken(context.Background(), token("a", 9)), sluice.Conflict)
	wantToken(t, s, token("a", 0))
}

func tokenLists(t *testing.T, s sluice.Store) {
	wantTokens(t, s)
	for id, n := range map[string]int{"b": 1, "a": 2, "c": 0, "d": 1} {
		must(t, s.PutToken(context.Background(), token(id, n)))
	}
	wantTokens(t, s, "a", "d", "b", "c")
}

func tokenDeletes(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	must(t, s.PutToken(ctx, token("a", 0)))
	must(t, s.PutToken(ctx, token("b", 1)))
	must(t, s.DeleteToken(ctx, "a"))
	must(t, s.DeleteToken(ctx, "a"))
	must(t, s.DeleteToken(ctx, "never"))
	wantTokens(t, s, "b")
	_, err := s.Token(ctx, "a")
	wantCode(t, err, sluice.NotFound)
}

func tokenNeeds(t *testing.T, s sluice.Store) {
	wantCode(t, s.PutToken(context.Background(), token("", 0)), sluice.Invalid)
	open := token("a", 0)
	open.Hash = nil
	wantCode(t, s.PutToken(context.Background(), open), sluice.Invalid)
	wantTokens(t, s)
}

func tokenCancelled(t *testing.T, s sluice.Store) {
	must(t, s.PutToken(context.Background(), token("a", 0)))
	wantCode(t, s.PutToken(endedContext(), token("b", 0)), sluice.Cancelled)
	wantCode(t, s.DeleteToken(endedContext(), "a"), sluice.Cancelled)
	wantTokens(t, s, "a")
}

func tokenConcurrent(t *testing.T, s sluice.Store) {
	var won atomic.Int32
	inParallel(func(i int) {
		switch err := s.PutToken(context.Background(), token("a", i)); sluice.ErrorCode(err) {
		case "":
			won.Add(1)
		case sluice.Conflict:
		default:
			t.Error(err)
		}
	})
	if won.Load() != 1 {
		t.Errorf("%d were added, want one", won.Load())
	}
	wantTokens(t, s, "a")
}

// tokenShared deletes a token through one store: from then on no other may find it.
func tokenShared(t *testing.T, open Open) {
	a, b := pair(t, open)
	must(t, a.PutToken(context.Background(), token("a", 0)))
	wantToken(t, b, token("a", 0))
	wantCode(t, b.PutToken(context.Background(), token("a", 1)), sluice.Conflict)
	must(t, b.DeleteToken(context.Background(), "a"))
	_, err := a.Token(context.Background(), "a")
	wantCode(t, err, sluice.NotFound)
}

func tokenReopen(t *testing.T, open Open) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.PutToken(context.Background(), token("a", 0)))
	must(t, s.PutToken(context.Background(), token("b", 1)))
	must(t, s.DeleteToken(context.Background(), "b"))
	must(t, s.Close())
	s = opened(t, open, dir)
	wantTokens(t, s, "a")
	wantToken(t, s, token("a", 0))
}
