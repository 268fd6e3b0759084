package fingerprint_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/internal/fingerprint"
)

// Checkpoints store fingerprints, and later releases of Sluice compare them with what they read. So the values in
// this file must never change: with another hash or another mix, every stored checkpoint would look like different
// data. A new way to sum up data needs a name of its own beside this one.

func TestTheHashOfADocumentIsPinned(t *testing.T) {
	long := strings.Repeat("0123456789", 30) // long inputs are hashed in another way
	for document, want := range map[string]fingerprint.Hash{
		"":                   {Hi: 0x99aa06d3014798d8, Lo: 0x6001c324468d497f},
		"a":                  {Hi: 0xa96faf705af16834, Lo: 0xe6c632b61e964e1f},
		"order-0001 total 1": {Hi: 0xe5af58410bfdf6b6, Lo: 0x6a3724ec3c407005},
		long:                 {Hi: 0x7ddadb70cbb43a63, Lo: 0x5681ea1b2e3086b},
	} {
		if got := fingerprint.HashOf([]byte(document)); got != want {
			t.Errorf("hash of %q: %#x, want %#x", document, got, want)
		}
	}
}

func TestTheSegmentOfAKeyIsPinned(t *testing.T) {
	for key, want := range map[string]int{"order-0000": 824, "order-0001": 855, "order-0002": 957, "order-0003": 251} {
		if got := fingerprint.SegmentOf([]byte(key), 1024); got != want {
			t.Errorf("segment of %s: %d, want %d", key, got, want)
		}
	}
	for documents, want := range map[int64]int{1: 1, 128: 1, 129: 2, 1000: 8, 100_000: 1024, 1 << 40: 65536} {
		if got := fingerprint.Segments(documents); got != want {
			t.Errorf("%d documents: %d segments, want %d", documents, got, want)
		}
	}
}

func TestTheFingerprintOfACollectionIsPinned(t *testing.T) {
	const want = `{
 "name": "orders",
 "count": 50,
 "bytes": 900,
 "digest": {"n": 50, "x": "15224165405856483604", "s": "2327431198903406196"},
 "segments": [
  {"n": 8, "x": "17914446570925940805", "s": "12797270590612145371"},
  {"n": 14, "x": "1148880095106266583", "s": "10673853062515457830"},
  {"n": 12, "x": "15116294555686341124", "s": "6165036721325389351"},
  {"n": 16, "x": "17720967891342644866", "s": "9584758971869516876"}
 ],
 "indexes": null
}`
	stored, err := json.Marshal(printed(4, documents(50)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Join(strings.Fields(want), ""), string(stored)); diff != "" {
		t.Errorf("fingerprint as stored (-want +got):\n%s", diff)
	}
}
