package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

// An api answers queries over HTTP.
type api struct {
	samples storage.Queryable
	engine  *promql.Engine
}

func newAPI(samples storage.Queryable, engine *promql.Engine) http.Handler {
	a := &api{samples: samples, engine: engine}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ready") })
	mux.HandleFunc("/api/v1/query", a.query)
	mux.HandleFunc("/api/v1/query_range", a.queryRange)
	return mux
}

func (a *api) query(w http.ResponseWriter, r *http.Request) {
	at, err := readTime(r.FormValue("time"), time.Now())
	if err != nil {
		refuse(w, http.StatusBadRequest, "bad_data", err)
		return
	}
	query, err := a.engine.NewInstantQuery(r.Context(), a.samples, nil, r.FormValue("query"), at)
	a.answer(w, r, query, err)
}

func (a *api) queryRange(w http.ResponseWriter, r *http.Request) {
	start, startErr := readTime(r.FormValue("start"), time.Time{})
	end, endErr := readTime(r.FormValue("end"), time.Time{})
	step, stepErr := readDuration(r.FormValue("step"))
	if err := errors.Join(startErr, endErr, stepErr); err != nil {
		refuse(w, http.StatusBadRequest, "bad_data", err)
		return
	}
	if end.Before(start) || end.Sub(start)/step > 11_000 {
		refuse(w, http.StatusBadRequest, "bad_data", errors.New("the range is empty or has more than 11,000 steps"))
		return
	}
	query, err := a.engine.NewRangeQuery(r.Context(), a.samples, nil, r.FormValue("query"), start, end, step)
	a.answer(w, r, query, err)
}

func (a *api) answer(w http.ResponseWriter, r *http.Request, query promql.Query, err error) {
	if err != nil {
		refuse(w, http.StatusBadRequest, "bad_data", err)
		return
	}
	defer query.Close()
	result := query.Exec(r.Context())
	if result.Err != nil {
		refuse(w, http.StatusUnprocessableEntity, "execution", result.Err)
		return
	}
	write(w, http.StatusOK, map[string]any{
		"status": "success",
		"data":   map[string]any{"resultType": result.Value.Type(), "result": listed(result.Value)},
	})
}

// listed turns a missing result into an empty list instead of null.
func listed(value parser.Value) any {
	switch v := value.(type) {
	case promql.Vector:
		if v == nil {
			return promql.Vector{}
		}
	case promql.Matrix:
		if v == nil {
			return promql.Matrix{}
		}
	}
	return value
}

func refuse(w http.ResponseWriter, status int, kind string, err error) {
	write(w, status, map[string]any{"status": "error", "errorType": kind, "error": err.Error()})
}

func write(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A client that has gone does not matter.
	_, _ = w.Write(text)
}

// readTime reads seconds since 1970 or RFC 3339.
func readTime(text string, absent time.Time) (time.Time, error) {
	if text == "" && !absent.IsZero() {
		return absent, nil
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		whole, part := math.Modf(seconds)
		return time.Unix(int64(whole), int64(math.Round(part*1000))*int64(time.Millisecond)), nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a time", text)
	}
	return at, nil
}

// readDuration reads seconds or a duration such as 15s; it is positive.
func readDuration(text string) (time.Duration, error) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds > 0 {
		return time.Duration(seconds * float64(time.Second)), nil
	}
	d, err := model.ParseDuration(text)
	if err != nil || d == 0 {
		return 0, fmt.Errorf("%q is not a positive duration", text)
	}
	return time.Duration(d), nil
}
