// Command mongod starts the server beside it, on mongod's own port and data
// directory. It ignores all options but --bind_ip.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"syscall"
)

func main() {
	host := flag.String("bind_ip", "127.0.0.1", "`address` to listen on")
	flag.Parse()
	const server = "/mongo-server"
	err := syscall.Exec(server, []string{server, "--listen", net.JoinHostPort(*host, "27017"), "--data", "/data/db"},
		os.Environ())
	fmt.Fprintln(os.Stderr, "mongod:", err)
	os.Exit(1)
}
