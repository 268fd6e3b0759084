// Command shop-integration places an order in the shop at $SHOP_URL and reads it back. A Kubernetes Job runs it
// against staging. Any difference fails the Job.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/sluice-cd/sluice/examples/shop"
)

func main() {
	release := flag.String("release", "1.0", "the release that must answer")
	flag.Parse()
	if err := run(os.Getenv("SHOP_URL"), *release); err != nil {
		slog.Error("the shop does not work", "error", err)
		os.Exit(1)
	}
	slog.Info("the shop works", "release", *release)
}

func run(url, release string) error {
	sent := shop.Order{
		ID: fmt.Sprintf("integration-%d", time.Now().UnixNano()), Customer: "Grace Tester <grace@shop.example>",
		SKU: "test-article", Quantity: 2, Total: 12.34,
	}
	body, err := json.Marshal(sent)
	if err != nil {
		return err
	}
	for range 2 { // twice: the second time must change nothing
		if _, err := call(http.MethodPost, url+"/orders", bytes.NewReader(body), release, http.StatusCreated); err != nil {
			return err
		}
	}
	read, err := call(http.MethodGet, url+"/orders/"+sent.ID, nil, release, http.StatusOK)
	if err != nil {
		return err
	}
	if !read.SameAs(sent) {
		return fmt.Errorf("the order came back as %+v, it was sent as %+v", read, sent)
	}
	return nil
}

func call(method, url string, body io.Reader, release string, want int) (shop.Order, error) {
	var o shop.Order
	request, err := http.NewRequest(method, url, body)
	if err != nil {
		return o, err
	}
	response, err := do(request)
	if err != nil {
		return o, err
	}
	defer response.Body.Close()
	if response.StatusCode != want {
		return o, fmt.Errorf("%s %s answered %s, not %d", method, url, response.Status, want)
	}
	if got := response.Header.Get("X-Release"); got != release {
		return o, fmt.Errorf("release %q answered, not %q", got, release)
	}
	return o, json.NewDecoder(response.Body).Decode(&o)
}

// patience is how long a Service may not take connections: the nodes of a cluster learn a moment late which pods of it
// are ready and which are gone.
const patience = 10 * time.Second

var client = http.Client{
	Timeout:   30 * time.Second,
	Transport: &http.Transport{DialContext: (&net.Dialer{Timeout: time.Second}).DialContext},
}

// do sends the request, again if it found nobody to connect to.
func do(request *http.Request) (*http.Response, error) {
	for deadline := time.Now().Add(patience); ; <-time.After(100 * time.Millisecond) {
		response, err := client.Do(request)
		failed, ok := errors.AsType[*net.OpError](err)
		if !ok || failed.Op != "dial" || time.Now().After(deadline) {
			return response, err
		}
		if request.GetBody == nil {
			continue
		}
		if request.Body, err = request.GetBody(); err != nil {
			return nil, err
		}
	}
}
