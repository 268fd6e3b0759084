package server

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
)

// Administer refuses callers who may not administer the whole server, and records in the audit what for.
func (s *Server) Administer(ctx context.Context, c access.Caller, reason string) error {
	return s.need(ctx, c, sluice.AuditEntry{Verb: string(access.Administer), Reason: reason})
}

// Tokens lists the tokens, newest first.
func (s *Server) Tokens(ctx context.Context, c access.Caller) ([]sluice.Token, error) {
	if err := s.Administer(ctx, c, "list the tokens"); err != nil {
		return nil, err
	}
	return s.Store.Tokens(ctx)
}

// longestID is longer than any id of a token, and shorter than a token, which somebody may take for its id.
const longestID = 40

// DeleteToken deletes a token. NotFound: there is none. Invalid: that cannot be an id, and is neither recorded nor
// repeated.
func (s *Server) DeleteToken(ctx context.Context, c access.Caller, id string) error {
	if len(id) > longestID {
		return sluice.Errorf(sluice.Invalid, "this is too long for the id of a token").
			WithHint("take the id from the first column of: sluice token list")
	}
	if err := s.Administer(ctx, c, "delete the token "+id); err != nil {
		return err
	}
	if _, err := s.Store.Token(ctx, id); err != nil {
		return err
	}
	return s.Store.DeleteToken(ctx, id)
}
