package bootstrap

import (
	"context"
	"net/http"
	"os"

	"github.com/sluice-cd/sluice/internal/api"
	"github.com/sluice-cd/sluice/internal/secret"
)

// Connect returns the client of a server. It sends the token in SLUICE_TOKEN.
func Connect(address string, r *secret.Redactor) (*api.Client, error) {
	token := func(context.Context) (string, error) {
		token := os.Getenv("SLUICE_TOKEN")
		r.Learn(token)
		return token, nil
	}
	return api.Connect(address, token, &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()})
}
