package dispatch_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/seeddemo/dispatch"
)

func TestWorkflow(t *testing.T) {
	called := make(chan bool, 1)
	callback := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct{ Success bool }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		called <- body.Success
	}))
	defer callback.Close()
	manifest := filepath.Join(t.TempDir(), "mongodb.yaml")
	github := httptest.NewServer(dispatch.New(t.Context(),
		dispatch.Repository{Name: "a/b", Token: "t", Database: manifest}))
	defer github.Close()

	send := func(token string) int {
		body := fmt.Sprintf(`{"event_type": "integrationTests", "client_payload": {"callbackUri": %q}}`, callback.URL)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, github.URL+"/repos/a/b/dispatches",
			strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "token "+token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	if status := send("another"); status != 401 {
		t.Errorf("with a wrong token: %d", status)
	}
	for image, want := range map[string]bool{"mongo:6.0.1": true, dispatch.BadImage: false, "mongo:6.0.3": true} {
		text := "apiVersion: apps/v1\nspec: {template: {spec: {containers: [{image: '" + image +
			"'}]}}}\n---\nkind: Service\n"
		if err := os.WriteFile(manifest, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if status := send("t"); status != 204 {
			t.Errorf("%s: %d", image, status)
		}
		if got := <-called; got != want {
			t.Errorf("%s: success %t, want %t", image, got, want)
		}
	}
}
