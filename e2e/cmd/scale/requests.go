package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"strings"
	"time"
)

// requests are those of one process in the API server's own record. A dry run is no write: it changes nothing.
type requests struct {
	writes, dryRuns, reads int
	each                   map[string]int // by verb and resource
}

// A recorded request is the part of a line of the record that is counted.
type recorded struct {
	UserAgent string    `json:"userAgent"`
	Received  time.Time `json:"requestReceivedTimestamp"`
	Stage     string    `json:"stage"`
	Verb      string    `json:"verb"`
	URI       string    `json:"requestURI"`
	Object    struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
	} `json:"objectRef"`
}

// readRecord counts, in the record from the offset on, what the measured process has sent since it began.
func readRecord(file string, from int64, begun time.Time) (*requests, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return nil, err
	}
	return count(f, begun)
}

// count counts the requests of the measured process in the lines.
func count(lines io.Reader, begun time.Time) (*requests, error) {
	all := &requests{each: map[string]int{}}
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var r recorded
		if err := json.Unmarshal(scanner.Bytes(), &r); err != nil {
			return all, err
		}
		if strings.HasPrefix(r.UserAgent, agent) && !r.Received.Before(begun) {
			all.add(r)
		}
	}
	return all, scanner.Err()
}

// add counts a request once. A watch has a line when it begins and another one when it ends.
func (all *requests) add(r recorded) {
	if begins := r.Stage == "ResponseStarted"; begins != (r.Verb == "watch") {
		return
	}
	what := r.Verb + " " + r.Object.Resource
	if r.Object.Subresource != "" {
		what += "/" + r.Object.Subresource
	}
	switch r.Verb {
	case "get", "list", "watch":
		all.reads++
	default:
		if strings.Contains(r.URI, "dryRun=") {
			all.dryRuns++
			what += " (dry run)"
		} else {
			all.writes++
		}
	}
	all.each[what]++
}
