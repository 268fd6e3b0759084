package manifest

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

// tell hands out the values of the Secrets in a text, so that no finding shows them. What cannot be read as objects is
// taken apart by its lines.
func (l *loader) tell(text []byte, objects []sluice.Object, found sluice.Diagnostics) {
	if l.options.Secret == nil {
		return
	}
	for _, o := range objects {
		if !isSecret(o) {
			continue
		}
		for _, field := range []string{"data", "stringData"} {
			values, _ := o.Field(field).(map[string]any)
			for _, v := range values {
				l.options.Secret(fmt.Sprint(v))
			}
		}
	}
	if found.HasErrors() {
		l.tellLines(text)
	}
}

// tellSource hands out the values in a kustomization that cannot be rendered.
func (l *loader) tellSource(dir string) {
	entries, err := fs.ReadDir(l.root.FS(), dir)
	if l.options.Secret == nil || err != nil {
		return // the finding says why it cannot be read
	}
	for _, e := range entries {
		if text, err := l.read(path.Join(dir, e.Name())); err == nil && path.Ext(e.Name()) != "" {
			l.tellLines(text)
		}
	}
}

func (l *loader) tellLines(text []byte) {
	for _, line := range yamldoc.SecretLines(text) {
		l.tellEntry(line)
		if parts := strings.Split(line, ","); len(parts) > 1 {
			for _, part := range parts {
				l.tellEntry(part[strings.LastIndex(part, "{")+1:])
			}
		}
	}
}

// tellEntry hands out the value of "key: value" or "key=value".
func (l *loader) tellEntry(text string) {
	if at := strings.IndexAny(text, ":="); at >= 0 {
		text = text[at+1:]
	}
	l.options.Secret(strings.Trim(text, " \t\"'*&!|>-{}[],"))
}
