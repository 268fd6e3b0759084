package pages

import (
	"net/http"

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
	name: "accounts", title: "Accounts", fragments: []string{"accounts-table"},
	load: func(v *visit) (*shown, error) {
		list, err := v.Server.Accounts(v.ctx, v.caller)
		if err != nil {
			return nil, err
		}
		view := accountView{At: v.when(v.at)}
		for _, c := range list {
			view.Rows = append(view.Rows, accountRow{c, checkSigns[c.State]})
			if c.State == service.CheckWrong {
				view.Wrong++
			}
		}
		return &shown{Data: view, Kind: "Diagnosis", Document: diagnosis{list}}, nil
	},
}

func (p *Pages) accounts(w http.ResponseWriter, r *http.Request) { p.show(w, r, accountPage) }
