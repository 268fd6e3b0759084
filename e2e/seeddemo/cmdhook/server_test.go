package cmdhook_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/seeddemo/cmdhook"
)

func TestCommands(t *testing.T) {
	type answer struct {
		Success   bool
		MdMessage string
	}
	answers := make(chan answer, 1)
	callback := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var a answer
		if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
			t.Error(err)
		}
		answers <- a
	}))
	defer callback.Close()
	hook := httptest.NewServer(cmdhook.New(t.Context()))
	defer hook.Close()
	for name, tt := range map[string]struct {
		cmd, arg string
		want     answer
	}{
		"success":         {"echo", "two  words", answer{true, "two words"}},
		"quotes are text": {"echo", `'a b'`, answer{true, "'a b'"}},
		"failure": {"ls", "/nowhere/at/all",
			answer{false, "ls: cannot access '/nowhere/at/all': No such file or directory"}},
	} {
		body := fmt.Sprintf("{\"cmd\": %q, \"arg\": %q, \"callbackURL\": %q}\n#a comment follows", tt.cmd, tt.arg,
			callback.URL)
		response, err := http.Post(hook.URL+"/cmd", "", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != 200 {
			t.Fatalf("%s: %s", name, response.Status)
		}
		if got := <-answers; got != tt.want {
			t.Errorf("%s: got %+v, want %+v", name, got, tt.want)
		}
	}
	response, err := http.Post(hook.URL+"/cmd", "", strings.NewReader("#no value"))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 400 {
		t.Errorf("a body without a value: %s", response.Status)
	}
}
