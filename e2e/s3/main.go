// Command s3-server serves S3 from one directory: Versity's gateway, which keeps each object in a file. Tests copy
// into it.
//
//	ROOT_ACCESS_KEY=... ROOT_SECRET_KEY=... s3-server --listen 127.0.0.1:7070 --data DIR --cert cert.pem --key key.pem
//
// The directories in the directory are its buckets. The file system needs extended attributes. The server ends when its
// standard input does, so that it never outlives the test that started it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:7070", "`host:port` to serve on")
	data := flag.String("data", "data", "`directory` of the buckets")
	cert := flag.String("cert", "", "`file` with the certificate; none: no TLS")
	key := flag.String("key", "", "`file` with its key")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	if err := serve(ctx, *data, &embedgw.Config{
		RootUserAccess: os.Getenv("ROOT_ACCESS_KEY"), RootUserSecret: os.Getenv("ROOT_SECRET_KEY"),
		Ports: []string{*listen}, CertFile: *cert, KeyFile: *key, Quiet: true, KeepAlive: true,
		MaxConnections: 1000, MaxRequests: 1000, MultipartMaxParts: 10_000,
	}); err != nil {
		fmt.Fprintln(os.Stderr, "s3-server:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, dir string, c *embedgw.Config) error {
	files, err := posix.New(dir, meta.XattrMeta{}, posix.PosixOpts{})
	if err != nil {
		return err
	}
	return embedgw.RunVersityGW(ctx, files, c)
}
