package standin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/standin"
)

// A lines writer hands every line over.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- strings.TrimSpace(string(b))
	return len(b), nil
}

func TestAnswersAndEndsAtOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	spec, _ := json.Marshal(standin.Spec{Image: "shop:1", Ports: []int{port}})
	t.Setenv(standin.Variable, string(spec))
	t.Setenv("POD_IP", "127.0.0.1")
	ctx, cancel := context.WithCancel(t.Context())
	said, ended := make(lines, 10), make(chan error, 1)
	go func() { ended <- standin.Run(ctx, said) }()
	<-said
	address := strings.TrimPrefix(<-said, "listens on ")

	resp, err := http.Post("http://"+address+"/orders", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || string(body) != "a stand-in for shop:1 got POST /orders\n" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}

	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte{0, 0, 0, 42}); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("the other protocol was answered: %d bytes, %v", n, err)
	}
}

func TestJobs(t *testing.T) {
	for name, test := range map[string]struct {
		spec standin.Spec
		code sluice.Code
	}{
		"succeeds": {standin.Spec{Image: "m:1", Args: []string{"up"}, Job: true}, ""},
		"fails":    {standin.Spec{Image: "m:1", Args: []string{"up"}, Job: true, Fail: true}, sluice.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			spec, _ := json.Marshal(test.spec)
			t.Setenv(standin.Variable, string(spec))
			var out bytes.Buffer
			err := standin.Run(t.Context(), &out)
			if sluice.ErrorCode(err) != test.code || out.String() != "would have run: m:1 up\n" {
				t.Errorf("%v, %q", err, out.String())
			}
		})
	}
	t.Setenv(standin.Variable, "")
	if err := standin.Run(t.Context(), io.Discard); sluice.ErrorCode(err) != sluice.Invalid {
		t.Errorf("without a spec: %v", err)
	}
}
