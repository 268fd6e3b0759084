package manifest

import (
	"maps"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// GivenUp returns the fields that others owned before and do not own after, by manager. The application is not one of
// them, nor is Sluice under another name.
func GivenUp(before, after sluice.Object, application string) map[string][]string {
	left := ownedFields(after)
	given := map[string][]string{}
	for manager, fields := range ownedFields(before) {
		if manager == sluice.ManagerOf(application) || manager == sluice.Manager ||
			strings.HasPrefix(manager, sluice.Manager+"-") {
			continue
		}
		for _, field := range slices.Sorted(maps.Keys(fields)) {
			if !left[manager][field] {
				given[manager] = append(given[manager], field)
			}
		}
	}
	return given
}

// ownedFields returns the paths of the fields by manager, without those that are set through a subresource.
func ownedFields(o sluice.Object) map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for _, e := range o.List("metadata", "managedFields") {
		if e.Text("subresource") != "" {
			continue
		}
		manager := e.Text("manager")
		if all[manager] == nil {
			all[manager] = map[string]bool{}
		}
		fields, _ := e["fieldsV1"].(map[string]any)
		addFields(all[manager], "", fields)
	}
	return all
}

// addFields adds the fields below the path. Keys are spelled f: and a name, k: and the key of an item, v: and a value.
func addFields(all map[string]bool, path string, fields map[string]any) {
	if len(fields) == 0 && path != "" {
		all[path] = true
	}
	for key, below := range fields {
		next, _ := below.(map[string]any)
		switch kind, name, _ := strings.Cut(key, ":"); kind {
		case "f":
			addFields(all, path+"."+name, next)
		case "k", "v":
			addFields(all, path+"["+name+"]", next)
		}
	}
}
