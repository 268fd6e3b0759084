package engine_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/storetest"
)

// The operator of a server reads there that it goes on with what another one left, and nothing of what runs already.
func TestATakeoverIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, w := storetest.NewMemory(), &world{start: starts{"staging/apply": approval}}
		first := newEngine(t, log, w)
		id, err := first.Start(t.Context(), shop(), sluice.Actor{Name: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		var text bytes.Buffer
		second := engine.New(engine.Config{
			Store: log, Steps: w, Now: time.Now, Random: rand.Reader, Logger: slog.New(slog.NewJSONHandler(&text, nil)),
		})
		resume := func() {
			t.Helper()
			if err := second.Resume(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if resume(); text.Len() > 0 {
			t.Errorf("it logs of a deployment that another engine runs: %s", &text)
		}
		if err := first.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		resume()
		resume()
		if err := second.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		var line map[string]string
		if err := json.Unmarshal(text.Bytes(), &line); err != nil { // also if there is more than one
			t.Fatalf("%v: %s", err, &text)
		}
		if line["deployment"] != string(id) || line["level"] != "INFO" {
			t.Errorf("it logs %v", line)
		}
	})
}
