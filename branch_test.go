package sluice_test

import (
	"testing"

	"github.com/sluice-cd/sluice"
)

func TestTheDatabaseOfABranchHasItsOwnAddress(t *testing.T) {
	mongo := sluice.Entrance{Service: "mongo", Port: 27017}
	for uri, want := range map[string]string{
		"mongodb://mongo:27017/shop?tls=true":         "mongodb://127.0.0.1:1/shop?tls=true",
		"mongodb://mongo.prod.svc.cluster.local/shop": "mongodb://127.0.0.1:1/shop",
		"mongodb://mongo":                             "mongodb://127.0.0.1:1",
		"mongodb://other:27017/shop":                  "",
		"mongodb://mongo-0.mongo,mongo-1.mongo/shop":  "",
		"": "",
	} {
		if got := (sluice.Branch{URI: uri}).URIAt(mongo, "127.0.0.1:1"); got != want {
			t.Errorf("%q is %q there, not %q", uri, got, want)
		}
	}
}
