package present

import (
	"fmt"
	"io"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
)

// Branches returns the rows of a table of branches, its header first.
func Branches(list []sluice.Branch) [][]string {
	rows := [][]string{
		{"BRANCH", "ACCOUNT", "NAMESPACE", "APPLICATION", "DATASET", "CHECKPOINT", "DATA", "OWNER", "MADE", "EXPIRES"},
	}
	for _, b := range list {
		data := "masked"
		if len(b.Masked) == 0 {
			data = "not masked"
		}
		rows = append(rows, []string{
			b.Name, b.Account, b.Namespace, b.Application, b.Dataset, string(b.Checkpoint), data, b.Owner,
			Moment(b.MadeAt), Moment(b.Expires),
		})
	}
	return rows
}

// Branch prints a branch in detail, and how a person reaches it.
func Branch(w io.Writer, b sluice.Branch, entrances []sluice.Entrance, account config.Account) error {
	data := "NOT MASKED: it is the data of " + b.Target
	if len(b.Masked) > 0 {
		data = "masked: " + strings.Join(b.Masked, ", ")
	}
	facts := [][]string{
		{b.Name, ""},
		{"account", b.Account}, {"namespace", b.Namespace},
		{"application", b.Application}, {"dataset", b.Dataset}, {"target", b.Target},
		{"checkpoint", string(b.Checkpoint)}, {"data", data}, {"owner", b.Owner},
		{"made", Moment(b.MadeAt)}, {"expires", Moment(b.Expires)},
	}
	if err := Table(w, facts); err != nil {
		return err
	}
	for _, e := range entrances {
		if err := entrance(w, b, e, account); err != nil {
			return err
		}
	}
	return nil
}

// entrance says how a person reaches the Service, and if it is the database, at which address.
func entrance(w io.Writer, b sluice.Branch, e sluice.Entrance, account config.Account) error {
	address, way := e.Address, e.Address
	if address == "" {
		address, way = fmt.Sprintf("127.0.0.1:%d", e.Port), forward(b, e, account)
	}
	if err := Printf(w, "\nService %s, port %d:\n  %s\n", e.Service, e.Port, way); err != nil {
		return err
	}
	if uri := b.URIAt(e, address); uri != "" {
		return Printf(w, "  %s\n", uri)
	}
	return nil
}

// forward is the command that forwards a port of this machine to the Service.
func forward(b sluice.Branch, e sluice.Entrance, account config.Account) string {
	command := "kubectl"
	if account.Kubeconfig != "" {
		command += " --kubeconfig " + account.Kubeconfig
	}
	if account.Context != "" {
		command += " --context " + account.Context
	}
	return fmt.Sprintf("%s --namespace %s port-forward service/%s %d:%[4]d", command, b.Namespace, e.Service, e.Port)
}
