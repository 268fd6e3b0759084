package sluice

import (
	"context"
	"time"
)

// A Token lets a program call a server in the name of who made it. Only the caller knows its secret.
type Token struct {
	ID      string    `json:"id"` // the first part of the token, not secret
	Name    string    `json:"name"`
	Hash    []byte    `json:"-"`     // SHA-256 of the whole token
	Owner   string    `json:"owner"` // the identity that made it: see [Actor]
	Roles   []string  `json:"roles"` // in which it acts
	MadeAt  time.Time `json:"madeAt"`
	Expires time.Time `json:"expires,omitzero"` // zero: never
}

// Tokens keeps the tokens of a server.
type Tokens interface {
	// PutToken adds a token. One with the same id is a Conflict, one without an id or a hash Invalid.
	PutToken(ctx context.Context, t Token) error
	// Token returns one, also if it has expired, or NotFound.
	Token(ctx context.Context, id string) (Token, error)
	// Tokens lists all, newest first.
	Tokens(ctx context.Context) ([]Token, error)
	// DeleteToken removes one. Removing an absent one succeeds.
	DeleteToken(ctx context.Context, id string) error
}

// An AuditEntry records that somebody was allowed or forbidden to do something.
type AuditEntry struct {
	Number      int64        `json:"number"` // from 1, in the order in which entries were recorded
	At          time.Time    `json:"at"`
	By          Actor        `json:"by"`
	Verb        string       `json:"verb"`
	Application string       `json:"application,omitempty"`
	Target      string       `json:"target,omitempty"`
	Deployment  DeploymentID `json:"deployment,omitempty"`
	Step        StepID       `json:"step,omitempty"`
	Allowed     bool         `json:"allowed"`
	Reason      string       `json:"reason,omitempty"` // the person's, or why it was forbidden
}

// An Audit keeps entries for good.
type Audit interface {
	// Record adds an entry and numbers it. Once it has returned nil, the entry survives kill -9 and power loss. An entry
	// without a time or a verb is Invalid. Record looks at ctx before it begins, not later.
	Record(ctx context.Context, e AuditEntry) error
	// Entries lists at most the given number of entries whose number is lower than before, or the newest ones if before
	// is 0; the newest is first. An application leaves out the entries of others, "" none. An entry MUST NOT become
	// visible after one with a higher number, so who follows the numbers misses none.
	Entries(ctx context.Context, application string, before int64, most int) ([]AuditEntry, error)
}
