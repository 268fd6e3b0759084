package world

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/sluice-cd/sluice"
)

// A Monitor is Prometheus, as a process on this machine. Every second it scrapes each pod of the namespace, through the
// API server, and the pods' annotations in the form of kube-state-metrics.
type Monitor struct {
	world   *World
	address string
	dir     string
	cmd     *exec.Cmd
}

// Monitor starts Prometheus, which sluice.yaml then names as the metric provider prometheus.
func (w *World) Monitor() *Monitor {
	w.Helper()
	w.try(build(w.Context(), filepath.Join(repository(), "examples", "monitor"), program("monitor")))
	m := &Monitor{world: w, address: freeAddress(w), dir: w.TempDir()}
	ctx, stop := context.WithCancel(context.Background())
	collector := httptest.NewServer(w.collector())
	followed := make(chan error, 1)
	w.Cleanup(func() {
		m.Stop()
		stop()
		if err := <-followed; err != nil {
			w.Errorf("follow the pods: %v", err)
		}
		collector.Close()
	})
	go func() { followed <- m.follow(ctx, collector.Listener.Addr().String()) }()
	m.Start()
	w.configure(fmt.Sprintf("metrics: {prometheus: {type: prometheus, url: %q}}\n", m.URL()))
	return m
}

// URL is the address of its API.
func (m *Monitor) URL() string { return "http://" + m.address }

// Start starts it again after Stop, with the samples it had.
func (m *Monitor) Start() {
	m.world.Helper()
	m.cmd = exec.Command(program("monitor"), "--listen", m.address, "--targets", filepath.Join(m.dir, "targets.json"),
		"--data", filepath.Join(m.dir, "samples"))
	m.cmd.Stdout, m.cmd.Stderr = m.world.Output(), m.world.Output()
	m.world.try(m.cmd.Start())
	m.world.Await("Prometheus", func() bool {
		response, err := http.Get(m.URL() + "/-/ready")
		return err == nil && response.Body.Close() == nil
	})
}

// Stop ends it. Then nothing answers at its address.
func (m *Monitor) Stop() {
	_ = m.cmd.Process.Signal(os.Interrupt) // it may have already ended
	_ = m.cmd.Wait()
}

// Query returns the values of the series that the query selects.
func (m *Monitor) Query(query string) []string {
	m.world.Helper()
	response, err := http.Get(m.URL() + "/api/v1/query?query=" + url.QueryEscape(query))
	m.world.try(err)
	defer response.Body.Close()
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	m.world.try(json.NewDecoder(response.Body).Decode(&answer))
	var values []string
	for _, series := range answer.Data.Result {
		value, _ := series.Value[1].(string)
		values = append(values, value)
	}
	return values
}

func freeAddress(w *World) string {
	w.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	w.try(err)
	defer l.Close()
	return l.Addr().String()
}

type targetGroup struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// follow keeps the list of targets, in the format of file_sd, until ctx ends.
func (m *Monitor) follow(ctx context.Context, collector string) error {
	pods := m.world.of("Pod", m.world.Namespace)
	for ctx.Err() == nil {
		watch, err := pods.Watch(ctx, metav1.ListOptions{})
		if err != nil {
			return orNil(ctx, err)
		}
		for range watch.ResultChan() {
			list, err := pods.List(ctx, metav1.ListOptions{FieldSelector: "status.phase=Running"})
			if err == nil {
				err = m.write(targets(list, collector))
			}
			if err != nil {
				watch.Stop()
				return orNil(ctx, err)
			}
		}
	}
	return nil
}

// orNil is nil once ctx has ended.
func orNil(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func targets(pods *unstructured.UnstructuredList, collector string) []targetGroup {
	all := []targetGroup{{[]string{collector},
		map[string]string{"job": "kube-state-metrics", "__metrics_path__": "/annotations"}}}
	for _, p := range pods.Items {
		all = append(all, targetGroup{[]string{collector}, map[string]string{
			"job": "pods", "namespace": p.GetNamespace(), "pod": p.GetName(), "instance": p.GetName(),
			"__metrics_path__": "/pods/" + p.GetName(),
			"replica_set_name": p.GetAnnotations()["deploy.armory.io/replica-set-name"],
		}})
	}
	return all
}

func (m *Monitor) write(all []targetGroup) error {
	data, err := json.Marshal(all)
	if err != nil {
		return err
	}
	file := filepath.Join(m.dir, "targets.json")
	if err := os.WriteFile(file+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// collector answers scrapes.
func (w *World) collector() http.Handler {
	w.Helper()
	transport, err := rest.TransportFor(w.config)
	w.try(err)
	server, _, err := rest.DefaultServerUrlFor(w.config)
	w.try(err)
	pods := w.of("Pod", w.Namespace)
	mux := http.NewServeMux()
	mux.Handle("GET /pods/{pod}", &httputil.ReverseProxy{
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0), // Prometheus handles a pod that does not answer
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(server)
			r.Out.URL.Path = "/api/v1/namespaces/" + w.Namespace + "/pods/" + r.In.PathValue("pod") + ":8080/proxy/metrics"
		},
	})
	mux.HandleFunc("GET /annotations", func(rw http.ResponseWriter, r *http.Request) {
		list, err := pods.List(r.Context(), metav1.ListOptions{})
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadGateway)
			return
		}
		rw.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = rw.Write([]byte(annotations(list))) // a client that has gone does not matter
	})
	return mux
}

var noLabel = regexp.MustCompile(`[^a-zA-Z0-9_]`)

// annotations shows the pods' annotations as kube-state-metrics does.
func annotations(pods *unstructured.UnstructuredList) string {
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	var b strings.Builder
	b.WriteString("# TYPE kube_pod_annotations gauge\n")
	for _, p := range pods.Items {
		fmt.Fprintf(&b, "kube_pod_annotations{namespace=%q,pod=%q", p.GetNamespace(), p.GetName())
		for _, key := range slices.Sorted(maps.Keys(p.GetAnnotations())) {
			fmt.Fprintf(&b, `,annotation_%s="%s"`, noLabel.ReplaceAllString(key, "_"), quoted.Replace(p.GetAnnotations()[key]))
		}
		b.WriteString("} 1\n")
	}
	return b.String()
}

// Annotation returns the pod's annotation.
func Annotation(pod sluice.Object, name string) string {
	return pod.Text("metadata", "annotations", name)
}
