package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
)

// A TokenRequest asks for a token.
type TokenRequest struct {
	Name  string   `json:"name" minLength:"1" maxLength:"100" doc:"What it is for"`
	Roles []string `json:"roles" minItems:"1" maxItems:"20" doc:"The roles in which it acts"`
	Days  int      `json:"days,omitempty" minimum:"1" maximum:"3650" doc:"How long it is valid; absent: for ever"`
}

// Life is how long the token is valid, 0 for ever.
func (q TokenRequest) Life() time.Duration { return time.Duration(q.Days) * 24 * time.Hour }

// purpose is what the audit says about it.
func (q TokenRequest) purpose() string {
	life := "for ever"
	if q.Days > 0 {
		life = fmt.Sprintf("for %d days", q.Days)
	}
	return fmt.Sprintf("make the token %s with the roles %.300s, valid %s", q.Name, strings.Join(q.Roles, ", "), life)
}

// A MadeToken is a new token.
type MadeToken struct {
	sluice.Token
	Text string `json:"text" doc:"The token itself, which is not shown again"`
}

// Tokens is a list of tokens.
type Tokens struct {
	Items []sluice.Token `json:"items" nullable:"false"`
}

func (a *api) tokens() {
	register(a, huma.Operation{
		OperationID: "make-token", Method: http.MethodPost, Path: "/tokens", DefaultStatus: http.StatusCreated,
		Summary: "Make a token for a program", Tags: []string{"administration"},
	}, func(ctx context.Context, c access.Caller, in *body[TokenRequest]) (*body[MadeToken], error) {
		if err := a.Server.Administer(ctx, c, in.Body.purpose()); err != nil {
			return nil, err
		}
		t, text, err := a.MakeToken(ctx, in.Body, c.Actor)
		return &body[MadeToken]{MadeToken{t, text}}, err
	})
	register(a, huma.Operation{
		OperationID: "list-tokens", Method: http.MethodGet, Path: "/tokens",
		Summary: "List the tokens, the newest first", Tags: []string{"administration"},
	}, func(ctx context.Context, c access.Caller, _ *struct{}) (*body[Tokens], error) {
		list, err := a.Server.Tokens(ctx, c)
		return &body[Tokens]{Tokens{append([]sluice.Token{}, list...)}}, err
	})
	register(a, huma.Operation{
		OperationID: "delete-token", Method: http.MethodDelete, Path: "/tokens/{id}", DefaultStatus: http.StatusNoContent,
		Summary: "Delete a token", Tags: []string{"administration"},
	}, func(ctx context.Context, c access.Caller, in *struct {
		ID string `path:"id"`
	}) (*struct{}, error) {
		return nil, a.Server.DeleteToken(ctx, c, in.ID)
	})
}
