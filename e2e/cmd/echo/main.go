// Command echo is the program in the pods of the clusters' own tests: "serve"
// answers with the host's name on port 8080 and keeps a visitors' book in
// /data, "get" fetches an address and prints the answer.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "get" {
		if err := get(os.Args[2]); err != nil {
			log.Fatal(err)
		}
		return
	}
	log.Print("listening on port 8080")
	log.Fatal(http.ListenAndServe(":8080", http.HandlerFunc(serve)))
}

func serve(w http.ResponseWriter, r *http.Request) {
	book, err := os.OpenFile("/data/visitors", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = fmt.Fprintln(book, r.URL.Path)
		book.Close()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	name, err := os.Hostname()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, "hello from %s\n", name)
}

func get(address string) error {
	resp, err := http.Get(address)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", address, resp.Status)
	}
	_, err = io.Copy(os.Stdout, resp.Body)
	return err
}
