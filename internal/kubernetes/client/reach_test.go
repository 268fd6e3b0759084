package client

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSkew(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 300_000_000, time.UTC)
	tests := map[string]time.Duration{
		"Thu, 01 Jan 2026 12:00:00 GMT": 0, // a date has no fractions
		"Thu, 01 Jan 2026 12:00:01 GMT": 0,
		"Thu, 01 Jan 2026 12:01:00 GMT": 59 * time.Second,
		"Thu, 01 Jan 2026 11:59:00 GMT": -59 * time.Second,
		"":                              0,
	}
	got := map[string]time.Duration{}
	for date := range tests {
		got[date] = skew(date, at, at.Add(time.Second)).Truncate(time.Second)
	}
	if diff := cmp.Diff(tests, got); diff != "" {
		t.Error(diff)
	}
}
