// Command mongo-server serves the MongoDB wire protocol from one directory: FerretDB v1.23.1 with SQLite inside.
// It is the database of the examples. The module beside it has the other version, for upgrades.
//
//	mongo-server --listen 127.0.0.1:27017 --data /var/lib/mongo
//
// It writes only to the directory. A write is on disk before it is acknowledged, so neither SIGTERM nor SIGKILL loses
// it. SIGTERM ends the server within a second, even if clients stay connected.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/FerretDB/FerretDB/ferretdb"
)

// drain is how long connected clients may take to finish after SIGTERM; FerretDB's own time is three seconds.
const drain = 500 * time.Millisecond

func main() {
	listen := flag.String("listen", "127.0.0.1:27017", "`host:port` to serve on")
	data := flag.String("data", "data", "`directory` of the databases, made if it is absent")
	flag.Parse()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // few objects live long: a few dozen megabytes make reading a quarter faster
	}
	if err := run(*listen, *data); err != nil {
		fmt.Fprintln(os.Stderr, "mongo-server:", err)
		os.Exit(1)
	}
}

func run(listen, data string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	dir, unlock, err := open(data)
	if err != nil {
		return err
	}
	defer unlock()
	if err := free(ctx, listen); err != nil {
		return err
	}
	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: listen},
		SLogger:   slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Handler:   "sqlite",
		SQLiteURL: (&url.URL{Scheme: "file", Path: dir + "/"}).String(),
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "mongo-server: serving %s on %s\n", dir, listen)
	return serve(ctx, server)
}

// serve returns when ctx is cancelled and the clients have gone or their time is over.
func serve(ctx context.Context, server *ferretdb.FerretDB) error {
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(drain):
		fmt.Fprintln(os.Stderr, "mongo-server: stopped with clients connected")
		return nil
	}
}

// open creates the directory and locks it, because two servers on one directory would not see each other's indexes.
// The kernel releases the lock when the process dies.
func open(data string) (dir string, unlock func(), err error) {
	if dir, err = filepath.Abs(data); err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "mongo-server.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return "", nil, errors.Join(fmt.Errorf("another server uses %s: %w", dir, err), f.Close())
	}
	return dir, func() { _ = f.Close() }, nil
}

// free returns a clear error if the address is taken.
func free(ctx context.Context, address string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("cannot serve on %s: the address is in use", address)
	}
	if err != nil {
		return fmt.Errorf("cannot serve: %w", err)
	}
	return l.Close()
}
