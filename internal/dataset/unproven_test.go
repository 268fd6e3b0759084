package dataset

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

// Without a copy, a verification finds that documents differ, and never says that something it cannot know is well.
func TestJudgeAlone(t *testing.T) {
	f := func(count int64, xor uint64, index string) sluice.Fingerprint {
		return sluice.Fingerprint{Collections: []sluice.CollectionFingerprint{{Name: "orders", Count: count,
			Digest: sluice.Digest{Count: count, Xor: xor}, Segments: []sluice.Digest{{}},
			Indexes: map[string]string{"by": index}}}}
	}
	was := f(3, 7, "key")
	for name, test := range map[string]struct {
		now    sluice.Fingerprint
		ignore []string
		want   string // "": it passes
	}{
		"same":     {was, nil, ""},
		"changed":  {f(3, 8, "key"), nil, "orders differs (3 documents arrived, there are 3 now)"},
		"lost":     {f(2, 9, "key"), nil, "orders differs (3 documents arrived, there are 2 now)"},
		"reindex":  {f(3, 7, "other"), nil, "orders has other indexes"},
		"gone":     {sluice.Fingerprint{}, nil, "orders differs (3 documents arrived, there are 0 now)"},
		"unwanted": {f(3, 8, "key"), []string{"orders"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := Dataset{}.JudgeAlone(*Baseline(was), test.now, test.ignore)
			if v.Passed != (test.want == "") || !strings.Contains(v.Reason, test.want) {
				t.Errorf("it judges %+v", v)
			}
		})
	}
	if was.Collections[0].Segments == nil || Baseline(was).Collections[0].Segments != nil {
		t.Error("the baseline has segments, or the original lost them")
	}
}
