package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sync"
	"time"
)

// A receiver receives the calls of webhooks and calls back.
type receiver struct {
	mu    sync.Mutex
	calls []call
}

// A call is a received call and the result of calling back.
type call struct {
	Path     string `json:"path"`
	Body     string `json:"body"`
	Key      string `json:"key"` // the header Idempotency-Key
	Callback string `json:"callback"`
}

const maxBody = 64 << 10

func newHandler() http.Handler {
	r := &receiver{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, os.Getenv("VERSION")) })
	mux.HandleFunc("GET /journal",
		func(w http.ResponseWriter, req *http.Request) { http.ServeFile(w, req, "/data/journal") })
	mux.HandleFunc("POST /hook", r.receive)
	mux.HandleFunc("GET /calls", r.tell)
	return mux
}

func (r *receiver) receive(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(io.LimitReader(req.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var asked struct{ Callback string }
	if err := json.Unmarshal(body, &asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	r.calls = append(r.calls, call{req.URL.Path, string(body), req.Header.Get("Idempotency-Key"), ""})
	at := len(r.calls) - 1
	r.mu.Unlock()
	if asked.Callback != "" {
		go r.callBack(at, asked.Callback)
	}
	w.WriteHeader(http.StatusAccepted)
}

// callBack calls back and records the answer.
func (r *receiver) callBack(at int, url string) {
	client := &http.Client{Timeout: 10 * time.Second}
	status := ""
	response, err := client.Post(url+"/callback", "application/json",
		bytes.NewReader([]byte(`{"success":true,"mdMessage":"received in the cluster"}`)))
	if err != nil {
		log.Print(err)
		status = err.Error()
	}
	if err == nil {
		response.Body.Close()
		status = response.Status
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls[at].Callback = status
}

func (r *receiver) tell(w http.ResponseWriter, _ *http.Request) {
	r.mu.Lock()
	data, err := json.Marshal(r.calls)
	r.mu.Unlock()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(data) // a client that has gone does not matter
}
