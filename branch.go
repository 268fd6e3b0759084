package sluice

import (
	"net"
	"strings"
	"time"
)

// A Branch is a copy of a checkpoint in a namespace of its own. The workload of the checkpoint runs on it until it
// expires. Its account keeps everything that is known of it, on the namespace.
type Branch struct {
	Name        string       `json:"name"`
	Account     string       `json:"account"`
	Namespace   string       `json:"namespace"`
	Application string       `json:"application"`
	Dataset     string       `json:"dataset"`
	Target      string       `json:"target"` // whose data it is
	Checkpoint  CheckpointID `json:"checkpoint"`
	Masked      []string     `json:"masked,omitempty"` // collection.field, as of the checkpoint
	URI         string       `json:"uri,omitempty"`    // of its database, inside the namespace and without a login
	Owner       string       `json:"owner"`
	MadeAt      time.Time    `json:"madeAt"`
	Expires     time.Time    `json:"expires"`
}

// An Entrance is how a person reaches a Service of a branch.
type Entrance struct {
	Service string `json:"service"`
	Port    int    `json:"port"`
	Address string `json:"address,omitempty"` // where this machine reaches it; "": only through its cluster
}

// URIAt returns the URI of the branch's database as it is where the Service is reached at the address, "" if the
// database is not behind that Service.
func (b Branch) URIAt(e Entrance, address string) string {
	scheme, rest, _ := strings.Cut(b.URI, "://")
	end := len(rest)
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		end = i
	}
	host := rest[:end]
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if service, _, _ := strings.Cut(host, "."); service != e.Service {
		return ""
	}
	return scheme + "://" + address + rest[end:]
}
