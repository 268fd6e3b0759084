package dataset

import (
	"context"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/upgrade"
)

// patience bounds how long a plan waits for a database.
const patience = 3 * time.Second

// CheckUpgrade judges whether the image can open what the dataset's server has written. If it certainly cannot, the
// error is Invalid; otherwise there may be a note for a person. A server that does not answer, or cannot say its
// version, is only noted: it may be what the release mends.
func (d Dataset) CheckUpgrade(ctx context.Context, image string) (note string, err error) {
	if d.Spec.Engine == EngineFiles || image == "" {
		return "", nil
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	server, err := d.Server(limited)
	if ctx.Err() != nil {
		return "", err
	}
	if sluice.ErrorCode(err) == sluice.Unsupported {
		return "", nil
	}
	if err != nil {
		return "it is not known whether " + image + " can open the data: " + err.Error(), nil
	}
	j := upgrade.Judge(d.Spec.Engine, server, image)
	if j.Verdict == upgrade.Refused {
		return "", sluice.Errorf(sluice.Invalid, "%s of %s: %s", d.Spec.Name, d.Target, j.Reason).
			WithHint("%s", j.Hint).At(d.Spec.Pos)
	}
	if j.Verdict == upgrade.Warning {
		note = j.Reason + "; " + j.Hint
	}
	return note, nil
}
