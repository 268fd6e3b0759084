package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sluice-cd/sluice/internal/identitytest"
)

// issuer starts an OIDC issuer at $ISSUER. $MAIN and $FORK are tokens of CI runs for the branch main of the repository
// acme/shop and of a fork; $FORGED is one that another issuer signed.
func issuer(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) > 0 {
			ts.Fatalf("usage: issuer")
		}
		i, other := identitytest.New(t), identitytest.New(t)
		claims := func(repository string) map[string]any {
			return map[string]any{
				"iss": i.URL, "sub": "repo:" + repository, "aud": "https://ci.example.com", "repository": repository,
				"ref": "refs/heads/main",
			}
		}
		ts.Setenv("ISSUER", i.URL)
		ts.Setenv("MAIN", i.Token(claims("acme/shop")))
		ts.Setenv("FORK", i.Token(claims("mallory/shop")))
		ts.Setenv("FORGED", other.Token(claims("acme/shop")))
		issuers.Store(ts.MkAbs("."), i)
	}
}

// admit NAME GROUP lets everybody in who waits at the issuer, as that person.
func admit(ts *testscript.TestScript, neg bool, args []string) {
	i, ok := issuers.Load(ts.MkAbs("."))
	if neg || len(args) != 2 || !ok {
		ts.Fatalf("usage: issuer, then admit NAME GROUP")
	}
	at := i.(*identitytest.Issuer)
	at.LogIn(map[string]any{
		"sub": args[0], "email": args[0] + "@example.com", "email_verified": true, "groups": []string{args[1]},
	})
	at.Approve()
}
