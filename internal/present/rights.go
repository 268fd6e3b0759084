package present

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// MissingRights prints the rights as a table, those on the same resource in one row, and what grants them.
func MissingRights(w io.Writer, list []sluice.MissingRight) error {
	rows := [][]string{{"ACCOUNT", "NAMESPACE", "RESOURCE", "VERBS", "FEATURE"}}
	for _, r := range resources(list) {
		rows = append(rows, []string{r.Account, orNone(r.Namespace), groupResource(r.Right), r.Verb, orNone(r.Feature)})
	}
	if err := Table(w, rows); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, line := range grants(list) {
		fmt.Fprintln(w, line)
	}
	return nil
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

// grants says what to type or to write, for each account apart.
func grants(list []sluice.MissingRight) []string {
	lines := map[string]bool{}
	for _, m := range resources(list) {
		switch {
		case m.Feature == "" && m.Namespace == "":
			lines[fmt.Sprintf("account %s: add to a ClusterRole, as that of deploy/namespaces.yaml: {apiGroups: [%q], resources: [%s], verbs: [%s]}", m.Account, m.Group, m.Resource, m.Verb)] = true
		case m.Feature == "":
			lines[fmt.Sprintf("account %s: add to deploy/apply.yaml: {apiGroups: [%q], resources: [%s], verbs: [%s]}", m.Account, m.Group, m.Resource, m.Verb)] = true
		case m.Namespace == "":
			lines[fmt.Sprintf("account %s: kubectl apply -f deploy/%s.yaml", m.Account, m.Feature)] = true
		default:
			lines[fmt.Sprintf("account %s: kubectl apply --namespace %s -f deploy/%s.yaml", m.Account, m.Namespace, m.Feature)] = true
		}
	}
	return slices.Sorted(maps.Keys(lines))
}

func orNone(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
