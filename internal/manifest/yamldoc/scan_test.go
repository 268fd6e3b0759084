package yamldoc

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// A text that YAML accepts has no fault to find.
func TestScanAcceptsWhatIsRight(t *testing.T) {
	root, tried := filepath.Join("..", "..", ".."), 0
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); err != nil || ext != ".yaml" && ext != ".yml" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		tried++
		right(t, path, data)
		return nil
	})
	if err != nil || tried < 10 {
		t.Fatalf("%d files: %v", tried, err)
	}
}

func right(t *testing.T, path string, data []byte) {
	t.Helper()
	if _, f := read(path, data, Limits{Bytes: 16 << 20, Nodes: 1_000_000, Depth: 200}); f != nil {
		return
	}
	if f := scan(Lines(data)); f != nil {
		t.Errorf("%s: %v", path, f.finding)
	}
}

func TestScanAcceptsUnusualYAML(t *testing.T) {
	for _, text := range []string{
		"a: b\n  c\n  - d\ne: f\n",
		"a:\n- b\n- c: d\n  e: f\ng:\n  - - h\n    - i\n",
		"a: 'it''s'\nb: \"x\\\\ \\\" y\"\n",
		"a: \"x\n  y: z\n  [\"\nb: 'x\n\n  {y'\n",
		"a: [b,\n  c, {d: e,\n  f: g}]\nh: {}\n",
		"{\"a\":\"b\",\"c\":[1,2]}\n",
		"a: {b: c, d: {e: [f: g, h: i]}, j: 'k: l', ? m : n,\n  o: {p: q}, r: http://s, \"t\":u,}\n",
		"a: |\n  x: y: z\n   @\n\t\n\n  %\nb: >-\n  \"\nc: |2\n    x\n  y\n",
		"- |\n  x {\n- >+\n  y [\n",
		"a: &x {b: c}\nd: *x\ne:\n  <<: *x\n",
		"a: !!str 5\nb: !x [y]\n? c\n: d\n",
		"# x: {\na: b # 'c\nd: e#f\n",
		"--- \na: b\n---\nc: d\n...\n",
		"a: http://b/c\nd: 10:30\ne: \"f\": \n",
		"a:\n    b: c\n    d:\n          e: f\ng: h\n",
		"a: x } y ] z\nb: it's\nc: 5 > 4 | 3\n",
		"a:\n  # note\n  b: c\n # note\n  d: e\n",
		"key with spaces: 1\n'quoted: key': 2\n\"x\" : 3\n",
		"a: [x, 'y', \"z\"] # {\n",
	} {
		right(t, text, []byte(text))
	}
}
