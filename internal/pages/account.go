package pages

import (
	"context"
	"net/http"
	"time"

	"github.com/sluice-cd/sluice/internal/service"
)

// An accountRow is something that deployments rely on, and whether it is well.
type accountRow struct {
	service.Check
	Sign Sign
}

var checkSigns = map[string]Sign{
	service.CheckOK:      {"●", "ok", "good"},
	service.CheckWarning: {"◌", "warning", "wait"},
	service.CheckWrong:   {"✕", "wrong", "bad"},
}

type accountView struct {
	Rows  []accountRow
	Wrong int
	At    When
}

// A diagnosis is the document of the page, as that of the doctor.
type diagnosis struct {
	Checks []service.Check `json:"checks"`
}

var accountPage = page{
	name: "accounts", title: "Accounts", live: true, fragments: []string{"accounts-table"},
	load: func(v *visit) (*shown, error) {
		return v.examined(0)
	},
}

// examined shows an examination that is younger than within.
func (v *visit) examined(within time.Duration) (*shown, error) {
	x, err := v.Server.Examined(v.ctx, v.caller, within)
	if err != nil {
		return nil, err
	}
	view := accountView{At: v.when(x.At)}
	for _, c := range x.Checks {
		view.Rows = append(view.Rows, accountRow{c, checkSigns[c.State]})
		if c.State == service.CheckWrong {
			view.Wrong++
		}
	}
	return &shown{
		Data: view, Kind: "Diagnosis", Document: diagnosis{x.Checks}, Version: x.At.UnixMilli(),
	}, nil
}

// An accountFollower draws its page again after each examination. Those who look at the same time share one.
type accountFollower struct{ v *visit }

func (f accountFollower) load() (*shown, error) { return f.v.examined(f.v.ExamineEvery) }

func (f accountFollower) wait(ctx context.Context, version int64) error {
	return pause(ctx, time.UnixMilli(version).Add(f.v.ExamineEvery).Sub(f.v.Now()))
}

func (p *Pages) accounts(w http.ResponseWriter, r *http.Request) { p.show(w, r, accountPage) }
