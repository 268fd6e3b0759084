package fingerprint_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

func leaf(name, value string) fingerprint.Outline {
	return fingerprint.Outline{Name: name, Hash: fingerprint.HashOf([]byte(value))}
}

func branch(name, kind, value string, fields ...fingerprint.Outline) *fingerprint.Outline {
	return &fingerprint.Outline{Name: name, Kind: kind, Hash: fingerprint.HashOf([]byte(value)), Fields: fields}
}

func TestDifferenceNamesFieldsByTheirOutlines(t *testing.T) {
	var many []fingerprint.Outline
	for i := range 60 {
		many = append(many, leaf(fmt.Sprintf("f%02d", i), ""))
	}
	a, b := leaf("a", "1"), leaf("b", "2")
	for name, test := range map[string]struct {
		was, now *fingerprint.Outline
		want     []string
	}{
		"equal":    {branch("", "object", "x", a), branch("", "object", "x", b), nil},
		"order":    {branch("", "object", "x", a, b), branch("", "object", "y", b, a), []string{"(order)"}},
		"came":     {branch("", "object", "x", a), branch("", "object", "y", a, b), []string{"b"}},
		"went":     {branch("", "object", "x", a, b), branch("", "object", "y", b), []string{"a"}},
		"value":    {branch("", "object", "x", a), branch("", "object", "y", leaf("a", "3")), []string{"a"}},
		"kind":     {branch("", "object", "x", *branch("a", "array", "[1]")), branch("", "object", "y", a), []string{"a"}},
		"too many": {branch("", "object", "x", many...), branch("", "object", "y"), nil},
	} {
		got := fingerprint.Difference(test.was, test.now)
		if name == "too many" {
			if len(got) != 51 || got[50] != "(more)" {
				t.Errorf("%s: %d paths, the last is %s", name, len(got), got[len(got)-1])
			}
			continue
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestABatchSurvivesJSON(t *testing.T) {
	digests := make([]sluice.Digest, 64)
	for i := range digests {
		digests[i] = sluice.Digest{Count: 1, Sum: uint64(i % 3)}
	}
	p := fingerprint.Pair{
		Was: sluice.CollectionFingerprint{Segments: digests},
		Now: sluice.CollectionFingerprint{Segments: make([]sluice.Digest, 64)},
	}
	batch := fingerprint.Narrow(p, 40)[1]
	text, err := json.Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	var again fingerprint.Batch
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	in := 0
	for i := range 1000 {
		key := fmt.Appendf(nil, "key-%d", i)
		if batch.Has(key) != again.Has(key) {
			t.Errorf("%s is in one of them only", key)
		}
		if again.Has(key) {
			in++
		}
	}
	if in == 0 || in == 1000 {
		t.Errorf("%d of 1000 keys are in the batch", in)
	}
	for _, wrong := range []string{
		`{"of":3,"in":"AA=="}`, `{"of":16,"in":"AA=="}`, `{"of":1000000000}`, `{"of":-2}`, `{}`,
	} {
		if err := json.Unmarshal([]byte(wrong), &again); err == nil {
			t.Errorf("%s is a batch", wrong)
		}
	}
}
