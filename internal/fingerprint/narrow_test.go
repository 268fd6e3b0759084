package fingerprint_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

type found struct{ Missing, Added, Changed []string }

// narrowed does what an engine's package does: reads both sides again, batch by batch.
func narrowed(t *testing.T, was, now []document, segments [2]int, budget int64) (found, int) {
	t.Helper()
	var f found
	pair := fingerprint.Pair{Name: "orders", Was: printed(segments[0], was), Now: printed(segments[1], now)}
	batches := fingerprint.Narrow(pair, budget)
	for _, batch := range batches {
		join := fingerprint.NewJoin(func(key []byte) { f.Changed = append(f.Changed, string(key)) })
		feed := func(side fingerprint.Side, all []document) {
			for _, d := range all {
				if batch.Has([]byte(d.key)) {
					join.Add(side, []byte(d.key), fingerprint.HashOf([]byte(d.content)))
				}
			}
		}
		feed(fingerprint.Now, now)
		feed(fingerprint.Was, was)
		join.Rest(func(k string) { f.Missing = append(f.Missing, k) }, func(k string) { f.Added = append(f.Added, k) })
	}
	slices.Sort(f.Missing)
	slices.Sort(f.Added)
	slices.Sort(f.Changed)
	return f, len(batches)
}

func TestNarrowFindsExactlyWhatDiffers(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for round := range 50 {
		was := documents(2000)
		var now []document
		var want found
		for _, d := range was {
			switch random.IntN(500) {
			case 0:
				want.Missing = append(want.Missing, d.key)
				continue
			case 1:
				want.Changed = append(want.Changed, d.key)
				d.content += "!"
			}
			now = append(now, d)
		}
		if round%2 == 0 {
			want.Added = append(want.Added, "zzz")
			now = append(now, document{"zzz", "zzz"})
		}
		random.Shuffle(len(now), func(i, j int) { now[i], now[j] = now[j], now[i] })
		got, _ := narrowed(t, was, now, [2]int{16, 32}, 300)
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("round %d (-want +got):\n%s", round, diff)
		}
	}
}

func TestNarrowReadsNothingAgainWhereNothingDiffers(t *testing.T) {
	if _, batches := narrowed(t, documents(500), documents(500), [2]int{4, 8}, 10); batches != 0 {
		t.Errorf("%d batches, want none", batches)
	}
}

func TestNarrowKeepsToItsBudget(t *testing.T) {
	was := printed(64, documents(5000))
	batches := fingerprint.Narrow(fingerprint.Pair{Was: was}, 1000)
	if len(batches) < 5 || len(batches) > 10 {
		t.Errorf("%d batches for 5000 documents of which 1000 may be held", len(batches))
	}
	held := make([]int, len(batches))
	for _, d := range documents(5000) {
		for i, batch := range batches {
			if batch.Has([]byte(d.key)) {
				held[i]++
			}
		}
	}
	total := 0
	for i, n := range held {
		if total += n; n > 1000 {
			t.Errorf("batch %d holds %d documents", i, n)
		}
	}
	if total != 5000 {
		t.Errorf("the batches hold %d of 5000 documents", total)
	}
}

func TestAListCountsAllAndKeepsTheFirst(t *testing.T) {
	list := fingerprint.NewList(3, cmp.Compare[int])
	for _, i := range rand.New(rand.NewPCG(5, 6)).Perm(1000) {
		list.Add(i)
	}
	if diff := gocmp.Diff([]int{0, 1, 2}, list.First()); diff != "" || list.Count != 1000 {
		t.Errorf("count %d, first (-want +got):\n%s", list.Count, diff)
	}
}

func TestPairsKnowWhatIsIgnored(t *testing.T) {
	collection := func(name string, indexes map[string]string) sluice.CollectionFingerprint {
		return sluice.CollectionFingerprint{Name: name, Indexes: indexes}
	}
	was := sluice.Fingerprint{Collections: []sluice.CollectionFingerprint{
		collection("fs.files", nil), collection("orders", map[string]string{"a": `{"a":1}`, "b": `{"b":1}`}),
	}}
	now := sluice.Fingerprint{Collections: []sluice.CollectionFingerprint{
		collection("orders", map[string]string{"a": `{"a":-1}`, "c": `{"c":1}`}),
	}}
	ignored := fingerprint.Ignored{"fs.files", "orders.b", "orders.to.zip"}
	pairs := fingerprint.Pairs(was, now, ignored)
	if len(pairs) != 1 || pairs[0].Name != "orders" {
		t.Fatalf("pairs are %+v, want orders alone", pairs)
	}
	missing, added, changed := pairs[0].Indexes(ignored)
	if diff := gocmp.Diff([][]string{nil, {"c"}, {"a"}}, [][]string{missing, added, changed}); diff != "" {
		t.Errorf("indexes (-want +got):\n%s", diff)
	}
	if diff := gocmp.Diff([]string{"b", "to.zip"}, ignored.Fields("orders")); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if !fingerprint.Differ(was, now, ignored) || fingerprint.Differ(was, was, nil) {
		t.Error("Differ is wrong")
	}
}
