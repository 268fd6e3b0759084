package local

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"

	"github.com/sluice-cd/sluice/internal/local/agent"
)

// Tail yields each line that the pod's first container writes, until the pod has ended.
func (a *Account) Tail(ctx context.Context, namespace, pod string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		body, err := a.stream(ctx, "/tail", agent.LogsRequest{Namespace: namespace, Pod: pod})
		if err != nil {
			yield("", err)
			return
		}
		defer body.Close()
		for lines := bufio.NewReader(body); ; {
			raw, err := lines.ReadBytes('\n')
			if errors.Is(err, io.EOF) {
				return
			}
			var line string
			if err == nil {
				err = json.Unmarshal(raw, &line)
			}
			if err != nil {
				yield("", away(ctx, err))
				return
			}
			if !yield(line, nil) {
				return
			}
		}
	}
}
