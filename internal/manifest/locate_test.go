package manifest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-cd/sluice"
)

func TestLocate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.yaml")
	const text = `kind: Service
---
kind: List
items:
  - kind: Deployment
    spec:
      template:
        spec:
          containers:
            - name: web
            - name: side
              ports: [{containerPort: 808000}]
---
kind: ConfigMap
data:
  a.b: x
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(line, column int) sluice.Position { return sluice.Position{File: file, Line: line, Column: column} }
	deployment, config := at(5, 5), at(14, 1)
	for _, tt := range []struct {
		object sluice.Position
		field  string
		want   sluice.Position
	}{
		{deployment, "spec.template.spec.containers[1].ports[0].containerPort", at(12, 24)},
		{deployment, "spec.template.spec.containers[1].image", at(11, 15)},
		{deployment, "", deployment},
		{deployment, "spec.template.spec.containers[9].image", at(9, 11)},
		{deployment, "status", deployment},
		{config, "data[a.b]", at(16, 3)},
		{at(2, 2), "spec", at(2, 2)},
		{sluice.Position{}, "spec", sluice.Position{}},
		{sluice.Position{File: file + ".gone", Line: 1, Column: 1}, "spec",
			sluice.Position{File: file + ".gone", Line: 1, Column: 1}},
	} {
		if got := Locate(tt.object, tt.field); got != tt.want {
			t.Errorf("%s of the object at %s is at %s, want %s", tt.field, tt.object, got, tt.want)
		}
	}
}
