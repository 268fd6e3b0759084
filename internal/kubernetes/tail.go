package kubernetes

import (
	"bufio"
	"context"
	"io"
	"iter"
	"net/url"

	"github.com/sluice-cd/sluice"
)

// Tail yields each line that the pod's first container writes, until it has ended. A container that has not started is
// waited for. Lines are cut off after 8 KiB.
func (a *Account) Tail(ctx context.Context, namespace, pod string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		body, err := a.openLog(ctx, namespace, pod)
		if err != nil {
			yield("", err)
			return
		}
		if body == nil {
			return // it went away before it started
		}
		defer body.Close()
		lines := bufio.NewReaderSize(body, maxLogLine)
		for {
			line, cut, err := lines.ReadLine()
			for rest := cut; rest && err == nil; {
				_, rest, err = lines.ReadLine()
			}
			if err != nil {
				if err != io.EOF {
					yield("", mapError("follow the log of pod "+pod, err))
				}
				return
			}
			if !yield(string(line), nil) {
				return
			}
		}
	}
}

// openLog opens the log once there is one.
func (a *Account) openLog(ctx context.Context, namespace, pod string) (io.ReadCloser, error) {
	ref := sluice.Ref{APIVersion: "v1", Kind: "Pod", Namespace: namespace, Name: pod}
	for o, err := range a.Follow(ctx, ref) {
		if err != nil || o.Text("metadata", "deletionTimestamp") != "" {
			return nil, err
		}
		containers, _ := o.Field("spec", "containers").([]any)
		if len(containers) == 0 {
			continue
		}
		first, _ := containers[0].(map[string]any)
		name, _ := first["name"].(string)
		body, err := a.open(ctx, request{
			op: "follow the log of pod " + pod, path: namespaced("v1", namespace, "pods", pod, "log"),
			query: url.Values{"container": {name}, "follow": {"true"}}, accept: "*/*",
		})
		if !isSilent(err) {
			return body, err
		}
	}
	return nil, ctx.Err()
}
