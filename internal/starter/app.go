package starter

import (
	"bytes"

	"github.com/sluice-cd/sluice"
)

// An App is a web application without manifests.
type App struct {
	Name     string
	Image    string
	Port     int
	Database string // the image of a MongoDB server; "": it has none
}

// Manifests returns the manifests of the application: a Deployment with a Service, and its database.
func Manifests(app App) (string, error) {
	var text bytes.Buffer
	if err := texts.ExecuteTemplate(&text, "app.yaml", app); err != nil {
		return "", sluice.Errorf(sluice.Internal, "the manifests cannot be written: %w", err)
	}
	return text.String(), nil
}
