// Command picture draws docs/run.svg: what sluice run shows of a deployment while its canary is examined. `make
// pictures` runs it. The deployment is testdata/run.jsonl, which is what `sluice run --output json` printed for a
// release of `make demo`; the picture is what the live view makes of it, so a change of the view changes the picture.
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/present"
)

// file is where the picture belongs, from the top of the checkout.
const file = "docs/run.svg"

// The terminal of the picture.
const (
	command = "sluice run -f release-2.0.yaml"
	columns = 116
	rows    = 40
)

//go:embed testdata/run.jsonl
var recording []byte

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "picture: error:", err)
		os.Exit(1)
	}
}

func run() error {
	drawn, err := draw()
	if err != nil {
		return err
	}
	return os.WriteFile(file, drawn, 0o644)
}

// draw returns the picture. It is the same on every machine.
func draw() ([]byte, error) {
	time.Local = time.UTC // the view shows times of day
	s, now, err := replay(recording)
	if err != nil {
		return nil, err
	}
	screen := "$ " + command + "\n" + present.Frame(s, now, columns, rows)
	return render(strings.Split(strings.TrimRight(screen, "\n"), "\n"), columns), nil
}

// replay returns the deployment as it was at the last event.
func replay(recording []byte) (*engine.State, time.Time, error) {
	s := &engine.State{}
	var last time.Time
	for d := json.NewDecoder(bytes.NewReader(recording)); ; {
		var line struct {
			Deployment sluice.DeploymentID
			sluice.Event
		}
		err := d.Decode(&line)
		if errors.Is(err, io.EOF) {
			return s, last, nil
		}
		if err != nil {
			return nil, last, fmt.Errorf("read the recording: %w", err)
		}
		s.ID, last = line.Deployment, line.At
		s.Apply(line.Event)
	}
}
