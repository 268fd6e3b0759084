package present

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// AllMissingRights writes the rights that a deployment needs, then those that it can go on without.
func AllMissingRights(w io.Writer, needed, dispensable []sluice.MissingRight) error {
	for _, part := range []struct {
		title string
		list  []sluice.MissingRight
	}{
		{"missing rights:", needed},
		{"missing rights that deployments go on without; errors say less, and broken pods are not replaced:", dispensable},
	} {
		if len(part.list) == 0 {
			continue
		}
		Printf(w, "\n%s\n\n", part.title)
		if err := MissingRights(w, part.list); err != nil {
			return err
		}
	}
	return nil
}

// MissingRights writes the rights as a table, with one row for each resource, and what grants them.
func MissingRights(w io.Writer, list []sluice.MissingRight) error {
	rows := [][]string{{"ACCOUNT", "NAMESPACE", "RESOURCE", "VERBS", "FEATURE"}}
	for _, r := range resources(list) {
		rows = append(rows, []string{r.Account, orNone(r.Namespace), groupResource(r.Right), r.Verb, orNone(r.Feature)})
	}
	if err := Table(w, rows); err != nil {
		return err
	}
	text := "\n"
	for _, line := range grants(list) {
		text += sprintf("%s\n", line)
	}
	_, err := io.WriteString(w, text)
	return err
}

// resources joins the verbs of rights that differ in nothing else.
func resources(list []sluice.MissingRight) []sluice.MissingRight {
	var joined []sluice.MissingRight
	at := map[sluice.MissingRight]int{}
	for _, m := range list {
		key := m
		key.Verb = ""
		i, ok := at[key]
		if !ok {
			at[key] = len(joined)
			joined = append(joined, m)
			continue
		}
		joined[i].Verb += ", " + m.Verb
	}
	return joined
}

// groupResource names the resource as kubectl does.
func groupResource(r sluice.Right) string {
	if r.Group == "" {
		return r.Resource
	}
	resource, subresource, has := strings.Cut(r.Resource, "/")
	if has {
		return resource + "." + r.Group + "/" + subresource
	}
	return resource + "." + r.Group
}

// grants says what grants the rights, each line once.
func grants(list []sluice.MissingRight) []string {
	lines := map[string]bool{}
	for _, m := range resources(list) {
		what := fmt.Sprintf("kubectl apply --namespace %s -f deploy/%s.yaml", m.Namespace, m.Feature)
		rule := fmt.Sprintf("{apiGroups: [%q], resources: [%s], verbs: [%s]}", m.Group, m.Resource, m.Verb)
		switch {
		case m.Feature == "" && m.Namespace == "":
			what = "add to a ClusterRole such as that of deploy/namespaces.yaml: " + rule
		case m.Feature == "":
			what = "add to deploy/apply.yaml: " + rule
		case m.Namespace == "":
			what = fmt.Sprintf("kubectl apply -f deploy/%s.yaml", m.Feature)
		}
		lines["account "+m.Account+": "+what] = true
	}
	return slices.Sorted(maps.Keys(lines))
}

func orNone(s string) string { return cmp.Or(s, "-") }
