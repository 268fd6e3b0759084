package faulttest

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/sluice-cd/sluice/internal/sweeptest"
)

// binary is the sluice under test, own this test's program, which stands for every image.
var binary, own string

// TestMain builds sluice once. As a pod, the same program is what FAULT_PROGRAM says.
func TestMain(m *testing.M) {
	if program := programs[os.Getenv("FAULT_PROGRAM")]; program != nil {
		program()
		return
	}
	os.Exit(sweeptest.Wrap(built{m}).Run())
}

// built are tests that need the program.
type built struct{ *testing.M }

// Run builds sluice before it runs the tests.
func (b built) Run() int {
	dir, err := os.MkdirTemp("", "faulttest-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if own, err = os.Executable(); err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "sluice")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/sluice").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build sluice: %v\n%s", err, out)
		return 1
	}
	// These tests wait more than they work.
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	return b.M.Run()
}

var programs = map[string]func(){"web": web, "crash": crash, "deaf": deaf, "full": full, "blabs": blabs}

// web answers every request until it is told to end.
func web() {
	l, err := net.Listen("tcp", net.JoinHostPort(os.Getenv("POD_IP"), "8080"))
	if err != nil {
		fmt.Println("web:", err)
		os.Exit(1)
	}
	go func() {
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintln(w,
				os.Getenv("RELEASE"))
		}))
	}()
	untilTold()
}

func crash() {
	fmt.Println("reading the settings")
	fmt.Println("panic: the setting COLOUR is missing")
	os.Exit(3)
}

// blabs prints a secret and ends.
func blabs() {
	fmt.Println("reads the settings", os.Getenv("PASSWORD"), os.Getenv("TOKEN"))
	os.Exit(3)
}

// deaf runs and listens nowhere.
func deaf() {
	fmt.Println("thinking about it")
	untilTold()
}

// full keeps what its volume holds and listens nowhere.
func full() {
	file := filepath.Join(os.Getenv("DATA"), "content")
	if _, err := os.Stat(file); err != nil {
		if err := os.WriteFile(file, noise(4<<20), 0o600); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	untilTold()
}

// noise is content that does not compress.
func noise(n int) []byte {
	b := make([]byte, n)
	for i, x := 0, uint64(88172645463325252); i < n; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return b
}

func untilTold() {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	<-told
}
