// Package cmdhook is a receiver of webhooks that runs the command it is sent
// and calls back with what it printed: POST /cmd {"cmd", "arg", "callbackURL"}
// answers 200 at once, and {"success", "mdMessage"} is posted to the URL when
// the command has ended. Everybody who can reach it can run any command.
//
// It imports the standard library only. Start with New.
package cmdhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os/exec"
	"strings"
	"time"
)

// A body has at most this many bytes.
const largest = 1 << 20

// An order is what a webhook asks for.
type order struct {
	Cmd         string `json:"cmd"`
	Arg         string `json:"arg"`
	CallbackURL string `json:"callbackURL"`
}

type result struct {
	Success   bool   `json:"success"`
	MdMessage string `json:"mdMessage"`
}

// New returns the receiver. Commands end with the context.
func New(ctx context.Context) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /cmd", func(w http.ResponseWriter, r *http.Request) {
		// Only the first value counts; anything may follow it, such as a comment.
		var o order
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, largest)).Decode(&o); err != nil || o.Cmd == "" ||
			o.CallbackURL == "" {
			http.Error(w, fmt.Sprintf("cmd and callbackURL are required: %v", err), http.StatusBadRequest)
			return
		}
		go carryOut(ctx, o)
	})
	return mux
}

func carryOut(ctx context.Context, o order) {
	res := execute(ctx, o)
	slog.Info("executed", "cmd", o.Cmd, "arg", o.Arg, "success", res.Success, "message", res.MdMessage)
	if err := callBack(ctx, o.CallbackURL, res); err != nil {
		slog.Warn("call back", "error", err)
	}
}

// execute splits the arguments at blanks; quotes have no meaning.
func execute(ctx context.Context, o order) result {
	out, err := exec.CommandContext(ctx, o.Cmd, strings.Fields(o.Arg)...).Output()
	exit := new(exec.ExitError)
	switch {
	case errors.As(err, &exit):
		return result{false, strings.TrimSpace(string(out) + string(exit.Stderr))}
	case err != nil:
		return result{false, err.Error()}
	}
	return result{true, strings.TrimSpace(string(out))}
}

func callBack(ctx context.Context, url string, res result) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	body, err := json.Marshal(res)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return errors.New(response.Status)
	}
	return nil
}
