// Package metrics collects what the queries of the original demo join, from
// one cluster: the pods' annotations in the manner of kube-state-metrics, the
// containers' CPU seconds from kubelet, and the counters of MongoDB's exporter
// with the pod that they come from. Prometheus scrapes it, one path a job.
//
// It may import client-go. Start with New.
package metrics

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// exporters selects the pods of the MongoDB exporter.
const exporters = "app.kubernetes.io/name=prometheus-mongodb-exporter"

var jobs = map[string]func(*collector, context.Context, io.Writer) error{
	"kube-state-metrics": (*collector).annotations,
	"kubelet":            (*collector).cpu,
	"mongodb":            (*collector).asserts,
}

type collector struct{ client kubernetes.Interface }

// New serves /JOB/metrics for each job.
func New(client kubernetes.Interface) http.Handler {
	c := &collector{client}
	mux := http.NewServeMux()
	for job, collect := range jobs {
		mux.HandleFunc("GET /"+job+"/metrics", func(w http.ResponseWriter, r *http.Request) {
			var out bytes.Buffer
			if err := collect(c, r.Context(), &out); err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			// A client that has gone does not matter.
			_, _ = w.Write(out.Bytes())
		})
	}
	return mux
}

// Targets returns what Prometheus scrapes, in the format of file_sd, where New is served at host:port.
func Targets(address string) ([]byte, error) {
	type group struct {
		Targets []string          `json:"targets"`
		Labels  map[string]string `json:"labels"`
	}
	var groups []group
	for _, job := range slices.Sorted(maps.Keys(jobs)) {
		groups = append(groups,
			group{[]string{address}, map[string]string{"job": job, "__metrics_path__": "/" + job + "/metrics"}})
	}
	return json.Marshal(groups)
}

var noLabel = regexp.MustCompile(`[^a-zA-Z0-9_]`)

func (c *collector) annotations(ctx context.Context, w io.Writer) error {
	pods, err := c.client.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "# TYPE kube_pod_annotations gauge")
	for _, pod := range pods.Items {
		labels := fmt.Sprintf("namespace=%q,pod=%q,uid=%q", pod.Namespace, pod.Name, pod.UID)
		for _, key := range slices.Sorted(maps.Keys(pod.Annotations)) {
			labels += fmt.Sprintf(",annotation_%s=%s", noLabel.ReplaceAllString(key, "_"), quoted(pod.Annotations[key]))
		}
		fmt.Fprintf(w, "kube_pod_annotations{%s} 1\n", labels)
	}
	return nil
}

// quoted escapes a label's value for the text format, which differs a little from Go.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

func (c *collector) cpu(ctx context.Context, w io.Writer) error {
	nodes, err := c.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, node := range nodes.Items {
		data, err := c.client.CoreV1().RESTClient().Get().
			AbsPath("/api/v1/nodes/" + node.Name + "/proxy/metrics/cadvisor").DoRaw(ctx)
		if err != nil {
			return err
		}
		err = lines(bytes.NewReader(data), func(line string) {
			if strings.HasPrefix(line, "container_cpu_system_seconds_total{") && !strings.Contains(line, `pod=""`) {
				fmt.Fprintln(w, line)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// asserts asks every exporter that runs. It ignores one that does not answer yet, as Prometheus does.
func (c *collector) asserts(ctx context.Context, w io.Writer) error {
	pods, err := c.client.CoreV1().Pods("").List(ctx, metav1.ListOptions{LabelSelector: exporters})
	if err != nil {
		return err
	}
	for _, pod := range pods.Items {
		if pod.Status.Phase != corev1.PodRunning || pod.Status.PodIP == "" {
			continue
		}
		text, err := fetch(ctx, "http://"+pod.Status.PodIP+":9216/metrics")
		if err != nil {
			continue
		}
		err = lines(bytes.NewReader(text), func(line string) {
			if name, rest, found := strings.Cut(line, "{"); found {
				fmt.Fprintf(w, "%s{namespace=%q,pod=%q,%s\n", name, pod.Namespace, pod.Name, rest)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func fetch(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, errors.New(response.Status)
	}
	return io.ReadAll(response.Body)
}

func lines(r io.Reader, each func(string)) error {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		each(scanner.Text())
	}
	return scanner.Err()
}
