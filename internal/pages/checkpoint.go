package pages

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

// A checkpointRow is a copy of data.
type checkpointRow struct {
	sluice.Checkpoint
	Taken     When
	Until     When
	Stood     string // how long the source stood still
	Size      string
	Documents string
	Place     string
	Engine    string
	Owned     string
	Reach     string // who can reach it
	Kept      []collection
}

// A collection is what a checkpoint holds of one.
type collection struct {
	Name  string
	Count string
}

type checkpointView struct {
	Rows        []checkpointRow
	Application string
	Hidden      int
}

// mostCheckpoints is how many a page lists. The document has all.
const mostCheckpoints = 200

var checkpointPage = page{
	name: "checkpoints", title: "Checkpoints", live: true, fragments: []string{"checkpoints-table"},
	load: func(v *visit) (*shown, error) {
		view := checkpointView{Application: v.request.URL.Query().Get("application")}
		var version int64
		for range v.index.each(&version) {
			break
		}
		list, err := service.Checkpoints(v.ctx, v.store, view.Application)
		if err != nil {
			return nil, err
		}
		view.Hidden = max(0, len(list)-mostCheckpoints)
		for _, c := range list[:len(list)-view.Hidden] {
			view.Rows = append(view.Rows, v.checkpointRow(c))
		}
		return &shown{Data: view, Kind: "CheckpointList", Document: present.CheckpointsOf(list), Version: version}, nil
	},
}

func (v *visit) checkpointRow(c sluice.Checkpoint) checkpointRow {
	r := checkpointRow{
		Checkpoint: c, Taken: v.when(c.TakenAt), Until: v.when(c.Expires), Stood: stood(c.Pause),
		Size: present.Quantity(c.Copy.Bytes, "bytes"), Place: placeOf(c), Owned: cmp.Or(c.Owner, "-"),
		Engine: strings.TrimSpace(c.Fingerprint.Engine + " " + c.Fingerprint.Version),
		Reach:  "those who may restore data of " + c.Target,
	}
	var documents int64
	for _, f := range c.Fingerprint.Collections {
		documents += f.Count
		if len(r.Kept) < mostChanges {
			r.Kept = append(r.Kept, collection{f.Name, present.Quantity(f.Count, "documents")})
		}
	}
	r.Documents = present.Quantity(documents, "documents")
	if v.caller.May(access.RestoreData, c.Application, c.Target) {
		r.Reach += ", you among them"
	}
	return r
}

func (p *Pages) checkpoints(w http.ResponseWriter, r *http.Request) { p.show(w, r, checkpointPage) }
