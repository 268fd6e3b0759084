package fingerprint_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

type document struct{ key, content string }

func documents(n int) []document {
	var all []document
	for i := range n {
		key := fmt.Sprintf("order-%04d", i)
		all = append(all, document{key, fmt.Sprintf("%s total %d", key, i%7)})
	}
	return all
}

func printed(segments int, all []document) sluice.CollectionFingerprint {
	set := fingerprint.NewSet(segments)
	for _, d := range all {
		set.Add([]byte(d.key), []byte(d.content))
	}
	return set.Fingerprint("orders")
}

func TestDigestsDoNotDependOnOrderOrOnWhoReadWhat(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	all := documents(500)
	want := printed(8, all)
	for range 20 {
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		cut := random.IntN(len(all))
		first, second := fingerprint.NewSet(8), fingerprint.NewSet(8)
		for i, d := range all {
			set := first
			if i >= cut {
				set = second
			}
			set.Add([]byte(d.key), []byte(d.content))
		}
		first.Merge(second)
		if diff := cmp.Diff(want, first.Fingerprint("orders")); diff != "" {
			t.Fatalf("cut at %d (-want +got):\n%s", cut, diff)
		}
	}
}

func TestDigestsSeeEveryChange(t *testing.T) {
	for name, change := range map[string]func([]document) []document{
		"deletion":       func(d []document) []document { return append(d[:3], d[4:]...) },
		"addition":       func(d []document) []document { return append(d, document{"late", "late"}) },
		"pair of equals": func(d []document) []document { return append(d, document{"x", "x"}, document{"x", "x"}) },
		"changed byte":   func(d []document) []document { d[7].content += "\x00"; return d },
		"swapped contents": func(d []document) []document {
			d[1].content, d[2].content = d[2].content[:10]+d[1].content[10:], d[1].content[:10]+d[2].content[10:]
			return d
		},
		"one for another": func(d []document) []document {
			d[5] = document{"order-9999",
				"order-9999 total 1"}
			return d
		},
		"everything":          func(d []document) []document { return nil },
		"deletion of a pair":  func(d []document) []document { return d[2:] },
		"duplicated document": func(d []document) []document { return append(d, d[0]) },
	} {
		t.Run(name, func(t *testing.T) {
			was, now := printed(4, documents(300)), printed(4, change(documents(300)))
			if was.Digest == now.Digest {
				t.Error("the digest is as it was")
			}
			if cmp.Equal(was.Segments, now.Segments) {
				t.Error("the segments are as they were")
			}
		})
	}
}

func TestSegmentsAreAPowerOfTwoThatSuitsTheCount(t *testing.T) {
	for _, documents := range []int64{0, 1, 128, 129, 1000, 20_000, 100_000, 1_000_000, 8_388_608, 1 << 40} {
		n := fingerprint.Segments(documents)
		if n < 1 || n > 65536 || n&(n-1) != 0 {
			t.Errorf("%d segments for %d documents", n, documents)
		}
		if per := documents / int64(n); n > 1 && n < 65536 && (per < 63 || per > 256) {
			t.Errorf("%d documents make %d segments of %d", documents, n, per)
		}
	}
}

func TestFoldedSegmentsAreThoseOfFewerSegments(t *testing.T) {
	all := documents(1000)
	if diff := cmp.Diff(printed(4, all).Segments, fingerprint.Fold(printed(64, all).Segments, 4)); diff != "" {
		t.Errorf("64 folded to 4 (-want +got):\n%s", diff)
	}
}

// FuzzFold: whatever stands in a stored fingerprint, comparing it ends and folding keeps the sum.
func FuzzFold(f *testing.F) {
	f.Add([]byte(`{"name":"orders","segments":[{"n":1,"x":"2","s":"3"},{"n":4,"x":"5","s":"6"}]}`), uint8(0))
	f.Add([]byte(`{"segments":[{"n":-1},{},{}]}`), uint8(3))
	f.Fuzz(func(t *testing.T, stored []byte, power uint8) {
		var c sluice.CollectionFingerprint
		if json.Unmarshal(stored, &c) != nil {
			t.Skip()
		}
		n := 1 << (power % 8)
		if got, want := fingerprint.MergeAll(fingerprint.Fold(c.Segments, n)), fingerprint.MergeAll(c.Segments); got != want {
			t.Errorf("folded to %+v, want %+v", got, want)
		}
		other := printed(n, documents(3))
		for _, batch := range fingerprint.Narrow(fingerprint.Pair{Was: c, Now: other}, 10) {
			batch.Has([]byte("key"))
		}
	})
}
