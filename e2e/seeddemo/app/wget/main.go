// Command wget prints what an address answers, as busybox's does with -qO-.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

func main() {
	if len(os.Args) != 3 || os.Args[1] != "-qO-" {
		fmt.Fprintln(os.Stderr, "usage: wget -qO- ADDRESS")
		os.Exit(2)
	}
	address := os.Args[2]
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	if err := get(address); err != nil {
		fmt.Fprintln(os.Stderr, "wget:", err)
		os.Exit(1)
	}
}

func get(address string) error {
	response, err := http.Get(address)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(os.Stdout, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("server returned error: %s", response.Status)
	}
	return nil
}
