package network

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestRemovingReader(t *testing.T) {
	const what = "/api/v1/proxy"
	in := `<a href="/api/v1/proxy/login">/api/v1/pro` + what + what + `/api/v1/prox</a>/api`
	want := `<a href="/login">/api/v1/pro/api/v1/prox</a>/api`
	for size := 1; size < len(in)+2; size++ {
		r := &removingReader{in: iotest.OneByteReader(strings.NewReader(in)), what: []byte(what)}
		var got strings.Builder
		if _, err := io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{r}, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if got.String() != want {
			t.Fatalf("with a buffer of %d bytes: %q", size, got.String())
		}
	}
}
