package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A load sends each request over a new connection, so the Service chooses a pod for each.
type load struct {
	url    string
	client *http.Client

	mu    sync.Mutex
	stats stats
}

// stats is the answer of GET /stats.
type stats struct {
	Requests   int            `json:"requests"`
	Unanswered int            `json:"unanswered"`
	Answers    map[string]int `json:"answers"`    // by status and text
	Complaints []string       `json:"complaints"` // the first unanswered requests
}

const maxComplaints = 10

func newLoad(url string, rate int) http.Handler {
	l := &load{url: url, stats: stats{Answers: map[string]int{}}, client: &http.Client{
		Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true},
	}}
	go l.send(rate)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ready\n") })
	mux.HandleFunc("GET /stats", l.tell)
	return mux
}

// reached is how many requests in a row must be answered before requests count.
const reached = 20

// send begins to count once the Service answers steadily: a node takes a moment to learn of a new one.
func (l *load) send(rate int) {
	ticks := time.Tick(time.Second / time.Duration(rate))
	for n := 0; n < reached; n++ {
		<-ticks
		if _, err := l.get(); err != nil {
			n = -1
		}
	}
	for range ticks {
		go l.one()
	}
}

func (l *load) one() {
	began := time.Now()
	answer, err := l.get()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Requests++
	if err == nil {
		l.stats.Answers[answer]++
		return
	}
	l.stats.Unanswered++
	if len(l.stats.Complaints) < maxComplaints {
		l.stats.Complaints = append(l.stats.Complaints,
			fmt.Sprintf("%s after %s: %v", began.UTC().Format("15:04:05.000"), time.Since(began).Round(time.Millisecond), err))
	}
}

func (l *load) get() (string, error) {
	response, err := l.client.Get(l.url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return fmt.Sprintf("%d %s", response.StatusCode, strings.TrimSpace(string(body))), err
}

func (l *load) tell(w http.ResponseWriter, _ *http.Request) {
	l.mu.Lock()
	data, err := json.Marshal(l.stats)
	l.mu.Unlock()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(data) // a client that has gone does not matter
}
