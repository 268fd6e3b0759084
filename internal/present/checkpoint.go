package present

import (
	"cmp"
	"io"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

// Checkpoints returns the rows of a table of checkpoints, its header first.
func Checkpoints(list []sluice.Checkpoint) [][]string {
	rows := [][]string{
		{"CHECKPOINT", "APPLICATION", "RELEASE", "DATASET", "TARGET", "TAKEN", "ENGINE", "DOCUMENTS", "SIZE", "PAUSE",
			"OWNER", "EXPIRES"},
	}
	for _, c := range list {
		rows = append(rows, []string{
			string(c.ID), c.Application, string(c.Deployment), c.Dataset, c.Target, Moment(c.TakenAt), engineOf(c),
			Quantity(documents(c), "documents"), Quantity(c.Copy.Bytes, "bytes"), Took(c.Pause), cmp.Or(c.Owner, "-"), expiry(c),
		})
	}
	return rows
}

// Checkpoint prints a checkpoint in detail.
func Checkpoint(w io.Writer, c sluice.Checkpoint) error {
	masked := cmp.Or(strings.Join(c.Masked, ", "), "nothing")
	facts := [][]string{
		{string(c.ID), ""},
		{"application", c.Application}, {"dataset", c.Dataset}, {"target", c.Target},
		{"account", c.Account}, {"namespace", c.Namespace}, {"claims", strings.Join(c.Copy.Claims, ", ")},
		{"release", string(c.Deployment)}, {"step", string(c.Step)}, {"owner", cmp.Or(c.Owner, "-")},
		{"taken", Moment(c.TakenAt)}, {"source paused for", c.Pause.Round(time.Millisecond).String()},
		{"engine", engineOf(c)}, {"format of its files", cmp.Or(c.Fingerprint.Format, "-")}, {"image", cmp.Or(c.Image, "-")},
		{"documents", Quantity(documents(c), "documents")},
	}
	facts = append(facts, whereabouts(c.Copy)...)
	facts = append(facts, []string{"masked", masked}, []string{"mover", c.Copy.Mover}, []string{"expires", expiry(c)})
	if err := Table(w, facts); err != nil || len(c.Fingerprint.Collections) == 0 {
		return err
	}
	rows := [][]string{{"COLLECTION", "DOCUMENTS", "INDEXES"}}
	for _, f := range c.Fingerprint.Collections {
		rows = append(rows, []string{f.Name, Quantity(f.Count, "documents"), Quantity(int64(len(f.Indexes)), "indexes")})
	}
	if err := Printf(w, "\n"); err != nil {
		return err
	}
	return Table(w, rows)
}

// whereabouts says how large the copy is and where it is.
func whereabouts(c sluice.Copy) [][]string {
	if c.InStorage() {
		return [][]string{
			{"size", Quantity(c.Bytes, "bytes") + " at most"},
			{"kept in the storage of the claims as", strings.Join(c.Snapshots, ", ")},
		}
	}
	return [][]string{
		{"size", Quantity(c.Bytes, "bytes") + " in " + Plural(int(c.Files), "file")},
		{"added to the repository", Quantity(c.Added, "bytes")},
	}
}

func engineOf(c sluice.Checkpoint) string {
	if c.Fingerprint.Version == c.Fingerprint.Engine {
		return c.Fingerprint.Engine
	}
	return strings.TrimSpace(c.Fingerprint.Engine + " " + c.Fingerprint.Version)
}

func documents(c sluice.Checkpoint) (n int64) {
	for _, f := range c.Fingerprint.Collections {
		n += f.Count
	}
	return n
}

func expiry(c sluice.Checkpoint) string {
	if c.Expires.IsZero() {
		return "never"
	}
	return Moment(c.Expires)
}
