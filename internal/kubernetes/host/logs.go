package host

import (
	"bufio"
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/pod"
)

// Bounds of the part of a log that is kept.
const (
	maxLogLine  = 8 << 10
	maxLogBytes = 1 << 20
)

// Logs returns the last n lines of the pod. Those of several containers are in the order of time, with the name of
// the container in front. If a container was restarted and its run has fewer lines, those of the run before, which say
// why it ended, come first.
func (h *Host) Logs(ctx context.Context, namespace, name string, n int) ([]string, error) {
	p, err := h.pod(ctx, namespace, name)
	if err != nil || n <= 0 {
		return nil, err
	}
	containers := withLogs(p)
	var all []logLine
	for _, c := range containers {
		lines, err := h.containerLog(ctx, p, c, n)
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			if len(containers) > 1 {
				l.text = c.Name + ": " + l.text
			}
			all = append(all, l)
		}
	}
	slices.SortStableFunc(all, func(a, b logLine) int { return strings.Compare(a.at, b.at) })
	texts := []string{}
	for _, l := range all[max(0, len(all)-n):] {
		texts = append(texts, l.text)
	}
	return texts, nil
}

// withLogs returns the containers that have run, without init containers that succeeded.
func withLogs(p *pod.Pod) []corev1.ContainerStatus {
	var list []corev1.ContainerStatus
	for _, c := range p.Status.InitContainerStatuses {
		if t := c.State.Terminated; hasRun(c) && (t == nil || t.ExitCode != 0) {
			list = append(list, c)
		}
	}
	for _, c := range p.Status.ContainerStatuses {
		if hasRun(c) {
			list = append(list, c)
		}
	}
	return list
}

func hasRun(c corev1.ContainerStatus) bool {
	return c.State.Running != nil || c.State.Terminated != nil || c.LastTerminationState.Terminated != nil
}

// containerLog returns the last lines of the container's run and, as far as these are fewer, of the run before.
func (h *Host) containerLog(ctx context.Context, p *pod.Pod, c corev1.ContainerStatus, n int) ([]logLine, error) {
	// The server's own bound on bytes would cut off the newest lines.
	query := url.Values{"container": {c.Name}, "tailLines": {strconv.Itoa(n)}, "timestamps": {"true"}}
	lines, err := h.runLog(ctx, p, query, n)
	if err != nil || len(lines) >= n || c.RestartCount == 0 {
		return lines, err
	}
	query.Set("previous", "true")
	query.Set("tailLines", strconv.Itoa(n-len(lines)))
	before, err := h.runLog(ctx, p, query, n-len(lines))
	return append(before, lines...), err
}

// runLog returns no lines if the server has no log of the run.
func (h *Host) runLog(ctx context.Context, p *pod.Pod, query url.Values, n int) ([]logLine, error) {
	op := "read the log of pod " + p.Metadata.Name
	path := client.Path("v1", p.Metadata.Namespace, "pods", p.Metadata.Name, "log")
	body, err := h.client.Stream(ctx, client.Request{Op: op, Path: path, Query: query, Accept: "*/*"})
	if hasNoLog(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer body.Close()
	lines, err := lastLines(body, n)
	return lines, client.Wrap(op, err)
}

// hasNoLog reports whether the server has no log of this run: the container waits to start, or the node has dropped
// what it wrote.
func hasNoLog(err error) bool { return client.HasStatus(err, http.StatusBadRequest) }

// A logLine is a line and when it was written.
type logLine struct{ at, text string }

// lastLines reads to the end and keeps the last n lines, fewer if they are very long.
func lastLines(r io.Reader, n int) ([]logLine, error) {
	var lines []logLine
	kept := 0
	in := bufio.NewReaderSize(r, maxLogLine)
	for {
		line, err := readLine(in)
		if line != "" {
			l := splitTime(line)
			lines, kept = append(lines, l), kept+len(l.text)
		}
		for len(lines) > n || kept > maxLogBytes {
			kept -= len(lines[0].text)
			lines = lines[1:]
		}
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// lost begins what the kubelet writes in place of the log of a container that it has removed.
const lost = "unable to retrieve container logs for "

// readLine returns the next line with its line end, "" if the kubelet has lost the log. It drops the rest of a line
// that is too long.
func readLine(in *bufio.Reader) (string, error) {
	part, err := in.ReadSlice('\n')
	line := string(part)
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = in.ReadSlice('\n')
	}
	if strings.HasPrefix(line, lost) {
		line = ""
	}
	return line, err
}

// splitTime takes off the time with which the server begins each line.
func splitTime(line string) logLine {
	line = strings.TrimRight(line, "\r\n")
	at, text, _ := strings.Cut(line, " ")
	return logLine{sortable(at), strings.ToValidUTF8(text, "\uFFFD")}
}

// sortable pads the fraction of an RFC 3339 time, so that the texts of one node sort as times.
func sortable(at string) string {
	whole, fraction, _ := strings.Cut(strings.TrimSuffix(at, "Z"), ".")
	return whole + "." + (fraction + "000000000")[:max(9, len(fraction))]
}

// Tail yields each line that the pod's first container writes, until the container has ended. If it has not started,
// Tail waits for it. Lines are cut off after 8 KiB.
func (h *Host) Tail(ctx context.Context, namespace, name string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		body, err := h.followLog(ctx, namespace, name)
		if err != nil {
			yield("", err)
			return
		}
		if body == nil {
			return // it went away before it started
		}
		defer body.Close()
		in := bufio.NewReaderSize(body, maxLogLine)
		for {
			line, err := readLine(in)
			if line != "" && !yield(strings.TrimRight(line, "\r\n"), nil) || errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield("", client.Wrap("follow the log of pod "+name, err))
				return
			}
		}
	}
}

// followLog returns the log as soon as there is one, nil if the pod ends before.
func (h *Host) followLog(ctx context.Context, namespace, name string) (io.ReadCloser, error) {
	ref := sluice.Ref{APIVersion: "v1", Kind: "Pod", Namespace: namespace, Name: name}
	if _, err := h.reader.Get(ctx, ref); err != nil {
		return nil, err // a watch would wait for a pod of that name
	}
	for o, err := range h.reader.Follow(ctx, ref) {
		if err != nil || o.Text("metadata", "deletionTimestamp") != "" {
			return nil, err
		}
		containers := o.List("spec", "containers")
		if len(containers) == 0 {
			continue
		}
		body, err := h.client.Stream(ctx, client.Request{
			Op: "follow the log of pod " + name, Path: client.Path("v1", namespace, "pods", name, "log"),
			Query: url.Values{"container": {containers[0].Text("name")}, "follow": {"true"}}, Accept: "*/*",
		})
		if !hasNoLog(err) {
			return body, err
		}
	}
	return nil, ctx.Err()
}
