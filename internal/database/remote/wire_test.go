package remote

import (
	"bufio"
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

// An address is reached only inside the namespace, whatever namespace it names.
func TestInside(t *testing.T) {
	for host, want := range map[string][]string{
		"mongo": {"mongo"}, "mongo.prod": {"mongo.prod", "mongo"}, "mongo.prod.svc": {"mongo"},
		"mongo.prod.svc.cluster.local": {"mongo"}, "mongo-0.mongo.prod.svc.cluster.local": {"mongo-0.mongo"},
		"mongo-0.mongo": {"mongo-0.mongo", "mongo-0"}, "mongo-0.mongo.prod": {"mongo-0.mongo", "mongo-0"},
		"10.0.0.7": {"10.0", "10"}, "svc.prod": {"svc.prod", "svc"},
	} {
		if diff := cmp.Diff(want, inside(host)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", host, diff)
		}
	}
}

func stream(t *testing.T, f failure) []byte {
	t.Helper()
	var out bytes.Buffer
	s := &sender{to: bufio.NewWriter(&out)}
	for _, key := range []string{"", "a", strings.Repeat("long ", 1000)} {
		if err := s.send([]byte(key), fingerprint.HashOf([]byte(key))); err != nil {
			t.Fatal(err)
		}
	}
	s.end(f)
	return out.Bytes()
}

func TestKeysAndHashesSurviveTheWire(t *testing.T) {
	var keys int
	err := receive(bufio.NewReader(bytes.NewReader(stream(t, failure{}))), func(key []byte, hash fingerprint.Hash) error {
		keys++
		if hash != fingerprint.HashOf(key) {
			t.Errorf("%q has another hash", key)
		}
		return nil
	})
	if keys != 3 || err != nil {
		t.Errorf("%d keys, %v", keys, err)
	}
	want := sluice.Errorf(sluice.Denied, "no").WithHint("yes")
	all := stream(t, failureOf(want))
	err = receive(bufio.NewReader(bytes.NewReader(all)), func([]byte, fingerprint.Hash) error { return nil })
	if sluice.ErrorCode(err) != sluice.Denied || sluice.ErrorHint(err) != "yes" || err.Error() != "no" {
		t.Errorf("%v, hint %q", err, sluice.ErrorHint(err))
	}
}

// An answer that ends early is never taken for a whole one.
func TestAnAnswerThatIsCutOffIsUnavailable(t *testing.T) {
	all := stream(t, failure{})
	for n := range all[:len(all)-2] { // the last byte is a line break, which says nothing
		err := receive(bufio.NewReader(bytes.NewReader(all[:n])), func([]byte, fingerprint.Hash) error { return nil })
		if sluice.ErrorCode(err) != sluice.Unavailable {
			t.Fatalf("%d of %d bytes: %v", n, len(all), err)
		}
	}
}

func FuzzReceive(f *testing.F) {
	f.Add([]byte{0, '{', '}'})
	f.Add([]byte{2, 'a', 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, '{', '}'})
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(_ *testing.T, answer []byte) {
		_ = receive(bufio.NewReader(bytes.NewReader(answer)), func([]byte, fingerprint.Hash) error { return nil })
	})
}

func TestNoErrorHoldsTheURI(t *testing.T) {
	uri := "mongodb://shop:se%40same@mongo/orders"
	err := target{URI: uri}.redacted(errors.Join(sluice.Errorf(sluice.Denied, "login of %s", uri).
		WithHint("not se%%40same"), errors.New("nor se@same")))
	text := err.Error() + sluice.ErrorHint(err)
	if sluice.ErrorCode(err) != sluice.Denied || strings.Contains(text, "same") {
		t.Errorf("%s: %s", sluice.ErrorCode(err), text)
	}
}
