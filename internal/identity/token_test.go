package identity_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/identity"
)

// nightly asks for a token of an hour.
var nightly = identity.Request{Name: "nightly", Roles: []string{"deployer"}, Life: time.Hour, Owner: "https://id#7"}

func TestTokens(t *testing.T) {
	w := newWorld(t)
	made, text, err := w.MakeToken(t.Context(), nightly)
	if err != nil || !strings.HasPrefix(text, identity.TokenPrefix+made.ID+"_") || len(text) != 7+12+1+64 {
		t.Fatalf("%+v %q, %v", made, text, err)
	}
	kept, err := w.store.Token(t.Context(), made.ID)
	if err != nil || strings.Contains(string(kept.Hash), text) || len(kept.Hash) != 32 || kept.Owner != "https://id#7" {
		t.Errorf("kept is %+v, %v", kept, err)
	}
	c, err := w.call(text)
	wantRoles(t, c, err, "deployer")
	if c.Actor.Name != "nightly" || c.Actor.Identity != "token:"+made.ID || c.Actor.Via != "api" || c.Actor.From == "" {
		t.Errorf("actor is %+v", c.Actor)
	}
	if !c.May(access.Deploy, "shop", "staging") || c.May(access.Administer, "", "") {
		t.Errorf("grants are %+v", c.Grants)
	}
	_, other, err := w.MakeToken(t.Context(), nightly)
	if err != nil || other == text {
		t.Errorf("two tokens are the same: %v", err)
	}
}

func TestTokensThatAreWrong(t *testing.T) {
	w := newWorld(t)
	made, text, err := w.MakeToken(t.Context(), nightly)
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := w.MakeToken(t.Context(), nightly)
	if err != nil {
		t.Fatal(err)
	}
	prefix := identity.TokenPrefix + made.ID + "_"
	for name, wrong := range map[string]string{
		"the id alone":          prefix,
		"the prefix alone":      identity.TokenPrefix,
		"no secret":             strings.TrimSuffix(prefix, "_"),
		"another secret":        prefix + strings.Repeat("0", 64),
		"cut off":               text[:len(text)-1],
		"longer":                text + "0",
		"another's secret":      prefix + other[len(prefix):],
		"in capitals":           identity.TokenPrefix + strings.ToUpper(text[7:]),
		"an unknown id":         identity.TokenPrefix + "abcdefghijkl_" + strings.Repeat("0", 64),
		"far too long":          text + strings.Repeat("0", 1<<20),
		"the hash of the store": prefix + string(made.Hash),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.call(wrong)
			wantRefused(t, err, sluice.Unauthenticated, wrong, text, text[len(prefix):])
		})
	}
}

func TestTokensEnd(t *testing.T) {
	w := newWorld(t)
	_, text, err := w.MakeToken(t.Context(), nightly)
	if err != nil {
		t.Fatal(err)
	}
	lasting := nightly
	lasting.Life = 0
	made, forever, err := w.MakeToken(t.Context(), lasting)
	if err != nil {
		t.Fatal(err)
	}
	w.pass(61 * time.Minute)
	_, err = w.call(text)
	wantRefused(t, err, sluice.Unauthenticated, text)
	w.pass(10 * 365 * 24 * time.Hour)
	c, err := w.call(forever)
	wantRoles(t, c, err, "deployer")

	// A role that is gone grants nothing, and a token that is gone proves nothing.
	w.roles.Store(&[]access.Role{})
	c, err = w.call(forever)
	wantRoles(t, c, err)
	if err := w.store.DeleteToken(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	_, err = w.call(forever)
	wantRefused(t, err, sluice.Unauthenticated, forever)
}

func TestTokensThatCannotBeMade(t *testing.T) {
	w := newWorld(t)
	for name, q := range map[string]identity.Request{
		"no name":         {Roles: []string{"deployer"}},
		"no role":         {Name: "a"},
		"an unknown role": {Name: "a", Roles: []string{"deployer", "root"}},
		"in the past":     {Name: "a", Roles: []string{"deployer"}, Life: -time.Hour},
	} {
		if _, text, err := w.MakeToken(t.Context(), q); sluice.ErrorCode(err) != sluice.Invalid || text != "" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if list, err := w.store.Tokens(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("made are %v, %v", list, err)
	}
}

// A store that does not answer is not a wrong token.
func TestTokensWithoutAStore(t *testing.T) {
	w := newWorld(t, func(o *identity.Options) { o.Tokens = broken{o.Tokens} })
	_, text, err := w.MakeToken(t.Context(), nightly)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.call(text); sluice.ErrorCode(err) != sluice.Unavailable {
		t.Errorf("%v, want unavailable", err)
	}
}

type broken struct{ kept }

// kept has another name than its method Tokens, so that it can be embedded.
type kept interface{ sluice.Tokens }

func (broken) Token(context.Context, string) (sluice.Token, error) {
	return sluice.Token{}, sluice.Errorf(sluice.Unavailable, "the disk is away")
}
