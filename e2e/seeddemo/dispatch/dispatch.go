// Package dispatch stands in for the GitHub repository of the original demo:
// it takes repository dispatches and runs their workflow, which looks
// at the tag of the database's image in the repository and calls back.
//
// It may import k8s.io/apimachinery for YAML. Start with New.
package dispatch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// BadImage is the one image with which the integration tests fail.
const BadImage = "mongo:6.0.2"

// A Repository is the receiver of dispatches.
type Repository struct {
	// Name is owner/name.
	Name string
	// Token is required in a dispatch.
	Token string
	// Database is the path of the database's manifest.
	Database string
}

type event struct {
	EventType string `json:"event_type"`
	Payload   struct {
		CallbackURI string `json:"callbackUri"`
	} `json:"client_payload"`
}

// New serves the repository's endpoint. Workflows end with the context.
func New(ctx context.Context, r Repository) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /repos/"+r.Name+"/dispatches", func(w http.ResponseWriter, request *http.Request) {
		if request.Header.Get("Authorization") != "token "+r.Token {
			http.Error(w, `{"message":"Bad credentials"}`, http.StatusUnauthorized)
			return
		}
		var e event
		if err := json.NewDecoder(request.Body).Decode(&e); err != nil || e.EventType != "integrationTests" {
			http.Error(w, `{"message":"Problems parsing JSON"}`, http.StatusUnprocessableEntity)
			return
		}
		w.WriteHeader(http.StatusNoContent)
		go r.work(ctx, e)
	})
	return mux
}

func (r Repository) work(ctx context.Context, e event) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	image, err := r.image()
	success, message := err == nil && image != BadImage, "integration tests with "+image
	if err != nil {
		message = err.Error()
	}
	body, err := json.Marshal(map[string]any{"success": success, "mdMessage": message})
	if err != nil {
		panic("text can always be encoded: " + err.Error())
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.Payload.CallbackURI, bytes.NewReader(body))
	if err != nil {
		slog.Warn("call back", "error", err)
		return
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		slog.Warn("call back", "error", err)
		return
	}
	response.Body.Close()
	slog.Info("called back", "success", success, "status", response.Status)
}

// image returns the image of the manifest's first object.
func (r Repository) image() (string, error) {
	f, err := os.Open(r.Database)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var o map[string]any
	if err := yaml.NewYAMLOrJSONDecoder(f, 4096).Decode(&o); err != nil {
		return "", err
	}
	containers, _, _ := unstructured.NestedSlice(o, "spec", "template", "spec", "containers")
	if len(containers) == 0 {
		return "", fmt.Errorf("%s has no container", r.Database)
	}
	first, _ := containers[0].(map[string]any)
	return fmt.Sprint(first["image"]), nil
}
