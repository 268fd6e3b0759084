package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const controlSocket = "control.sock"

// A PartStatus is the state of one program of a cluster.
type PartStatus struct {
	Name     string
	Running  bool
	Restarts int
	MemoryMB int           // resident
	CPU      time.Duration // of the process so far
}

func (s *supervisor) serveControl() error {
	mux := http.NewServeMux()
	answer := func(pattern string, do func(r *http.Request, w io.Writer) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			var out bytes.Buffer
			if err := do(r, &out); err != nil {
				http.Error(w, strings.TrimSpace(out.String()+"\n"+err.Error()), http.StatusInternalServerError)
				return
			}
			w.Write(out.Bytes())
		})
	}
	answer("GET /ready", func(r *http.Request, _ io.Writer) error {
		select {
		case <-s.ready:
			return s.readyErr
		case <-r.Context().Done():
			return r.Context().Err()
		}
	})
	answer("GET /status", func(_ *http.Request, w io.Writer) error { return json.NewEncoder(w).Encode(s.status()) })
	answer("POST /stop", func(r *http.Request, _ io.Writer) error { return s.stop(r.FormValue("part")) })
	answer("POST /start", func(r *http.Request, _ io.Writer) error {
		name := r.FormValue("part")
		if err := s.start(name); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(r.Context(), startTimeout)
		defer cancel()
		return s.parts[name].awaitAnswer(ctx)
	})
	answer("POST /run", func(r *http.Request, w io.Writer) error {
		if err := r.ParseForm(); err != nil {
			return err
		}
		return s.run(r.Form["arg"], w)
	})

	path, closeDir, err := shortPath(s.spec.Dir, controlSocket)
	if err != nil {
		return err
	}
	defer closeDir()
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	return http.Serve(listener, mux)
}

func (s *supervisor) status() []PartStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []PartStatus
	for _, p := range s.spec.Parts {
		r := s.parts[p.Name]
		all = append(all, PartStatus{Name: p.Name, Running: r.pid != 0, Restarts: r.restarts,
			MemoryMB: residentMB(r.pid), CPU: processorTime(r.pid)})
	}
	return all
}

// residentMB is 0 for a process that is not there.
func residentMB(pid int) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	var kb int
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			fmt.Sscan(rest, &kb)
		}
	}
	return kb / 1024
}

// processorTime is 0 for a process that is not there.
func processorTime(pid int) time.Duration {
	fields, err := statOf(pid)
	if err != nil {
		return 0
	}
	var user, system int64
	fmt.Sscan(fields[userTime], &user)
	fmt.Sscan(fields[systemTime], &system)
	return time.Duration(user+system) * tick
}

// control asks the supervisor of the cluster in dir.
func control(ctx context.Context, dir, method, path string, form url.Values) ([]byte, error) {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			socket, closeDir, err := shortPath(dir, controlSocket)
			if err != nil {
				return nil, err
			}
			defer closeDir()
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, method, "http://supervisor"+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the supervisor of %s: %w", filepath.Base(dir), err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(string(body))
	}
	return body, err
}

// inside runs a command in the namespaces of the cluster in dir.
func inside(ctx context.Context, dir string, args ...string) error {
	_, err := control(ctx, dir, "POST", "/run", url.Values{"arg": slices.Clone(args)})
	return err
}

// shortPath names a socket by its directory's descriptor, because the path of a
// socket is limited to 107 bytes and the path of a state directory may be long.
func shortPath(dir, name string) (string, func() error, error) {
	d, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), name), d.Close, nil
}
