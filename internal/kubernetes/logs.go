package kubernetes

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// What is kept of a log at most.
const (
	maxLogLine  = 8 << 10
	maxLogBytes = 1 << 20
)

// Logs returns the last n lines of the pod, those of several containers in the order of time, each behind the
// name of its container. A container that was just started again and wrote nothing yet speaks through its run
// before: that is where it says why it ended.
func (a *Account) Logs(ctx context.Context, namespace, pod string, n int) ([]string, error) {
	p, err := a.pod(ctx, namespace, pod)
	if err != nil || n <= 0 {
		return nil, err
	}
	speakers := p.speakers()
	var all []logLine
	for _, c := range speakers {
		lines, err := a.containerLog(ctx, p, c, n)
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			if len(speakers) > 1 {
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

// pod returns what is known of the pod, or NotFound.
func (a *Account) pod(ctx context.Context, namespace, name string) (*pod, error) {
	p := &pod{}
	return p, a.call(ctx, request{op: "get pod " + name, path: namespaced("v1", namespace, "pods", name), into: p})
}

// speakers are the containers that have something to say: those that ran. Init containers that did what they
// should have nothing to say any more.
func (p *pod) speakers() []corev1.ContainerStatus {
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

// containerLog returns the last lines of the container's run, or of the run before where this one is silent.
func (a *Account) containerLog(ctx context.Context, p *pod, c corev1.ContainerStatus, n int) ([]logLine, error) {
	lines, err := a.runLog(ctx, p, c, n, false)
	if err != nil || len(lines) > 0 || c.RestartCount == 0 {
		return lines, err
	}
	return a.runLog(ctx, p, c, n, true)
}

func (a *Account) runLog(ctx context.Context, p *pod, c corev1.ContainerStatus, n int, previous bool) ([]logLine, error) {
	op := "read the log of pod " + p.Metadata.Name
	// The server's own bound on bytes would cut off the newest lines.
	query := url.Values{"container": {c.Name}, "tailLines": {strconv.Itoa(n)}, "timestamps": {"true"}}
	if previous {
		query.Set("previous", "true")
	}
	body, err := a.open(ctx, request{op: op, path: namespaced("v1", p.Metadata.Namespace, "pods", p.Metadata.Name, "log"), query: query, accept: "*/*"})
	if isSilent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer body.Close()
	lines, err := lastLines(body, n)
	if err != nil {
		return nil, mapError(op, err)
	}
	return lines, nil
}

// isSilent reports whether the server has no log of this run: the container waits to start, or the node has
// dropped what it wrote.
func isSilent(err error) bool {
	s, ok := errors.AsType[*apierrors.StatusError](err)
	return ok && s.ErrStatus.Code == http.StatusBadRequest
}

// A logLine is a line and when it was written.
type logLine struct{ at, text string }

// lastLines reads to the end and keeps the last n lines, fewer where they are very long.
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

// readLine returns the next line and its end, and drops what is too long of it.
func readLine(in *bufio.Reader) (string, error) {
	part, err := in.ReadSlice('\n')
	line := string(part)
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = in.ReadSlice('\n')
	}
	return line, err
}

// splitTime takes the time off a line that the server put it before.
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
