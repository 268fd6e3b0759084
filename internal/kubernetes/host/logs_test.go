package host

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestLastLines(t *testing.T) {
	var in strings.Builder
	for i := range 10 {
		fmt.Fprintf(&in, "2026-01-01T00:00:0%d.5Z line %d\n", i, i)
	}
	fmt.Fprintf(&in, "2026-01-01T00:00:10Z %s\n2026-01-01T00:00:11.25Z no end", strings.Repeat("x", 3*maxLogLine))
	for name, r := range map[string]io.Reader{"at once": strings.NewReader(in.String()),
		"byte by byte": iotest.OneByteReader(strings.NewReader(in.String()))} {
		lines, err := lastLines(r, 4)
		if err != nil || len(lines) != 4 {
			t.Fatalf("%s: %d lines, %v", name, len(lines), err)
		}
		if lines[0].text != "line 8" || lines[3].text != "no end" || lines[3].at != "2026-01-01T00:00:11.250000000" {
			t.Errorf("%s: %+v ... %+v", name, lines[0], lines[3])
		}
		if n := len(lines[2].text); n > maxLogLine || n < maxLogLine/2 {
			t.Errorf("%s: %d bytes of a long line are kept", name, n)
		}
	}
}

func TestLastLinesAreBounded(t *testing.T) {
	long := strings.Repeat("2026-01-01T00:00:00Z "+strings.Repeat("y", maxLogLine/2)+"\n", 4*maxLogBytes/maxLogLine)
	lines, err := lastLines(strings.NewReader(long), 1<<20)
	kept := 0
	for _, l := range lines {
		kept += len(l.text)
	}
	if err != nil || kept > maxLogBytes || kept < maxLogBytes/2 {
		t.Errorf("%d bytes are kept, %v", kept, err)
	}
}

func TestOutputIsBounded(t *testing.T) {
	h, e := &head{max: 5}, &tail{max: 5}
	for _, s := range []string{"abc", "defghijkl", "", "mn"} {
		for _, w := range []io.Writer{h, e} {
			if n, err := w.Write([]byte(s)); n != len(s) || err != nil {
				t.Errorf("Write(%q) = %d, %v", s, n, err)
			}
		}
	}
	if h.String() != "abcde" || e.String() != "jklmn" {
		t.Errorf("head %q, tail %q", h.String(), e.String())
	}
}

// A kubelet that has removed a container says so in place of its log.
func TestLostLogHasNoLines(t *testing.T) {
	lines, err := lastLines(strings.NewReader(lost+"containerd://2ab1958d9b59a62e39140a9f4f555775c5f59a791da7"), 4)
	if len(lines) > 0 || err != nil {
		t.Errorf("got %+v, %v", lines, err)
	}
}
