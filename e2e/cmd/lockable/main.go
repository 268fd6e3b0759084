// Command lockable stands in front of a FerretDB, which cannot block writes, and blocks them as MongoDB's manual says
// that a mongod does: fsync with lock waits for the writes under way and counts, writes wait until fsyncUnlock has been
// called as often, currentOp tells, and a lock outlives the connection that made it. It ends only with this process.
//
//	lockable --listen 10.0.0.7:27017 --server 127.0.0.1:27018 --journal /journal/writes
//
// It writes down each write before the server gets it, on a volume of its own. When it starts, the documents on the
// server must be those of the journal, as a mongod does not start with a journal of another moment. Clients only insert
// one document at a time into shop.writes.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:27017", "`host:port` to serve on")
	server := flag.String("server", "127.0.0.1:27018", "`host:port` of the database")
	journal := flag.String("journal", "journal", "`file` with the writes")
	flag.Parse()
	if err := run(*listen, *server, *journal); err != nil {
		log.Fatal(err)
	}
}

func run(listen, server, journal string) error {
	if err := compare(server, journal); err != nil {
		return err
	}
	f, err := os.OpenFile(journal, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	return serve(listen, server, &lock{journal: f})
}

// compare fails if the server has other documents than the journal. The server may still be starting.
func compare(server, journal string) error {
	text, err := os.ReadFile(journal)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + server).
		SetServerSelectionTimeout(time.Minute))
	if err != nil {
		return err
	}
	defer func() { _ = client.Disconnect(context.Background()) }() // only read
	found, err := client.Database("shop").Collection("writes").CountDocuments(context.Background(), bson.D{})
	if err != nil {
		return err
	}
	if written := bytes.Count(text, []byte("\n")); written != int(found) {
		return fmt.Errorf("the journal has %d writes, the database %d: they are of different moments", written, found)
	}
	return nil
}
