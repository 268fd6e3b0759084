package remote_test

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/besidetest"
	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// forged is a Job that answers every call with the same bytes.
func forged(t *testing.T, body string) tree.Reader {
	c := besidetest.New(t, func(besidetest.Pod) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
	})
	return reader(t, c, t.TempDir())
}

func framed(header, data string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(header)))) + header + data
}

func TestForgedPiecesAreRefused(t *testing.T) {
	sum, err := tree.SumOf([]byte("abc")).MarshalText()
	must(t, err)
	good := fmt.Sprintf(`{"path":"f","length":3,"size":3,"sum":%q}`, sum)
	for name, body := range map[string]string{
		"another path":         framed(`{"path":"../f","length":3,"size":3}`, "abc"),
		"another offset":       framed(`{"path":"f","offset":1,"length":3,"size":3}`, "abc"),
		"an offset below zero": framed(`{"path":"f","offset":-4194304,"length":3,"size":3}`, "abc"),
		"a huge offset":        framed(`{"path":"f","offset":9223372036854775807,"length":3,"size":3}`, "abc"),
		"another length":       framed(`{"path":"f","length":4,"size":3}`, "abc"),
		"too little":           framed(`{"path":"f","length":3,"size":2}`, "ab"),
		"nothing":              framed(fmt.Sprintf(`{"path":"f","length":3,"sum":%q}`, sum), ""),
		"a negative size":      framed(`{"path":"f","length":3,"size":-1}`, ""),
		"a huge size":          framed(`{"path":"f","length":3,"size":4194305}`, strings.Repeat("a", 4194305)),
		"data in the header":   framed(`{"path":"f","length":3,"data":"YWJj"}`, ""),
		"a huge header":        "\xff\xff\xff\xff" + strings.Repeat("a", 1<<20),
		"no JSON":              framed("{", ""),
		"twice":                framed(good, "abc") + framed(good, "abc"),
		"an early end":         framed(`{"end":true}`, ""),
	} {
		err := forged(t, body).Read(t.Context(), []tree.Part{{Path: "f", Length: 3}}, func(tree.Piece) error { return nil })
		if sluice.ErrorCode(err) != sluice.Failed || sluice.ErrorHint(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := forged(t, framed(good, "abc")+framed(`{"end":true}`, "")).Read(t.Context(),
		[]tree.Part{{Path: "f", Length: 3}}, func(tree.Piece) error { return nil }); err != nil {
		t.Errorf("what is right: %v", err)
	}
}

func TestForgedEntriesAreRefused(t *testing.T) {
	for name, body := range map[string]string{
		"outside":         `{"path":"../f","kind":"file"}`,
		"absolute":        `{"path":"/f","kind":"file"}`,
		"a link outside":  `{"path":"f","kind":"link","target":"/etc/passwd"}`,
		"no kind":         `{"path":"f","kind":"door"}`,
		"a negative size": `{"path":"f","kind":"file","size":-1}`,
		"no entry":        `{}`,
		"no JSON":         `<html>`,
		"endless":         `{"path":"` + strings.Repeat("a", 9<<20) + `"}`,
	} {
		err := forged(t, body).Entries(t.Context(), func(tree.Entry) error { return nil })
		if sluice.ErrorCode(err) != sluice.Failed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An error of a Job has the codes of errors, and bounds.
func TestForgedErrorsAreBounded(t *testing.T) {
	for _, body := range []string{
		`{"error":{"code":"broken","message":"` + strings.Repeat("a", 60<<10) + `"}}`,
		`{"error":{"code":"broken"}}`,
	} {
		start := time.Now()
		_, err := forged(t, body).Size(t.Context())
		if sluice.ErrorCode(err) != sluice.Failed || len(err.Error()) > 10<<10 {
			t.Errorf("%s with %d bytes after %s", sluice.ErrorCode(err), len(err.Error()), time.Since(start))
		}
	}
}
