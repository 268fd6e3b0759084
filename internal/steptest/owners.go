package steptest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// owners says who set each field of an object: the names of writers by the path of the field. A list is one field.
type owners map[string]map[string]bool

const (
	pathSeparator = "\x00"
	scaler        = "somebody, through the scale subresource"
	replicasPath  = "spec" + pathSeparator + "replicas"
)

// leaves returns the values by their paths.
func leaves(o sluice.Object) map[string]any {
	all := map[string]any{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		m, ok := asMap(v)
		if !ok || len(m) == 0 && path != "" {
			all[path] = v
			return
		}
		for key, e := range m {
			walk(strings.TrimPrefix(path+pathSeparator+key, pathSeparator), e)
		}
	}
	walk("", o)
	return all
}

// fields returns the values of the object by their paths, without what names it and without its status.
func fields(o sluice.Object) map[string]any {
	all := leaves(normal(intent(o)))
	for _, path := range [][]string{{"apiVersion"}, {"kind"}, {"metadata", "name"}, {"metadata", "namespace"},
		{"metadata"}} {
		delete(all, strings.Join(path, pathSeparator))
	}
	return all
}

func path(p string) []string { return strings.Split(p, pathSeparator) }

// owned lets the managers have every field of the object.
func owned(o sluice.Object, managers ...string) owners {
	own := owners{}
	for p := range fields(o) {
		own[p] = map[string]bool{}
		for _, name := range managers {
			own[p][name] = true
		}
	}
	return own
}

func (w owners) clone() owners {
	c := owners{}
	for p, names := range w {
		c[p] = maps.Clone(names)
	}
	return c
}

// isHand reports whether the writer is a command that a person types.
func isHand(name string) bool { return strings.HasPrefix(name, "kubectl") }

// rival returns an owner of the field from which the writer may not take it, "" if there is none.
func (w owners) rival(p string, by writer) string {
	for _, name := range slices.Sorted(maps.Keys(w[p])) {
		isOwn := name == sluice.Manager || name == by.manager() || name == scaler
		if !isOwn && !slices.Contains(by.TakeOver, name) {
			return name
		}
	}
	return ""
}

// adopt gives the writer what earlier versions of Sluice applied for no application.
func (w owners) adopt(by writer) owners {
	own := w.clone()
	for p := range own {
		if own[p][sluice.Manager] {
			delete(own[p], sluice.Manager)
			own[p][by.manager()] = true
		}
	}
	return own
}

// settle takes the writer's fields away from people's commands and from those that it may take over.
func (w owners) settle(by writer) {
	for p, names := range w {
		if !names[by.manager()] {
			continue
		}
		for name := range names {
			if isHand(name) || slices.Contains(by.TakeOver, name) {
				delete(w[p], name)
			}
		}
	}
}

func taken(p, by string) string {
	if application := sluice.ApplicationOf(by); application != "" {
		return fmt.Sprintf("field .%s is set by application %s", strings.Join(path(p), "."), application)
	}
	return fmt.Sprintf("field .%s is set by %q", strings.Join(path(p), "."), by)
}

// withoutScaled leaves out a count that somebody scaled.
func (w owners) withoutScaled(o, now sluice.Object) sluice.Object {
	if !w[replicasPath][scaler] || o.Field("spec", "replicas") == nil {
		return o
	}
	o = o.Clone()
	o.Set(now.Field("spec", "replicas"), "spec", "replicas")
	return o
}

// conflicts names the fields that others have set to another value.
func (w owners) conflicts(o, now sluice.Object, writer writer) []string {
	var list []string
	have := fields(now)
	for p, v := range fields(o) {
		if by := w.rival(p, writer); by != "" && !same(v, have[p]) {
			list = append(list, taken(p, by))
		}
	}
	slices.Sort(list)
	return list
}

// apply merges the object into the existing one. It removes the fields that only the writer had set and no longer sets.
func (w owners) apply(o, now sluice.Object, by writer) (sluice.Object, owners) {
	next, own, want, have := now.Clone(), w.adopt(by), fields(o), fields(now)
	for p := range w {
		if _, wanted := want[p]; wanted || !own[p][by.manager()] {
			continue
		}
		if delete(own[p], by.manager()); len(own[p]) == 0 {
			delete(own, p)
			remove(next, path(p))
		}
	}
	for p, v := range want {
		empty, isMap := asMap(v)
		if _, there := asMap(next.Field(path(p)...)); !isMap || len(empty) > 0 || !there {
			next.Set(v, path(p)...)
		}
		if own[p] == nil {
			own[p] = map[string]bool{}
		}
		if p != replicasPath || !own[p][scaler] {
			if !same(v, have[p]) {
				own[p] = map[string]bool{}
			}
			own[p][by.manager()] = true
		}
	}
	own.settle(by)
	return next.Clone(), own
}

// remove deletes the field, and the maps that are empty without it.
func remove(m map[string]any, at []string) {
	if len(at) == 1 {
		delete(m, at[0])
		return
	}
	child, ok := asMap(m[at[0]])
	if !ok {
		return
	}
	if remove(child, at[1:]); len(child) == 0 {
		delete(m, at[0])
	}
}

// edited gives the fields that differ to the manager alone.
func (w owners) edited(before, now sluice.Object, manager string) {
	was, is := fields(before), fields(now)
	for p := range was {
		if _, left := is[p]; !left {
			delete(w, p)
		}
	}
	for p, v := range is {
		if old, had := was[p]; had && same(old, v) {
			continue
		}
		if w[p] = map[string]bool{manager: true}; p == replicasPath {
			w[p] = map[string]bool{scaler: true}
		}
	}
}

// back returns the fields that Sluice had set when the object was read, except those that others have taken over.
func (w owners) back(was, now sluice.Object, by writer) (sluice.Object, []string) {
	ref := was.Ref()
	o := sluice.Object{"apiVersion": ref.APIVersion, "kind": ref.Kind, "metadata": map[string]any{"name": ref.Name}}
	if ref.Namespace != "" {
		o.Set(ref.Namespace, "metadata", "namespace")
	}
	had, has := fields(was), fields(now)
	var list []string
	for p := range applied(was, by) {
		if by := w.rival(p, by); by != "" && !same(had[p], has[p]) {
			list = append(list, taken(p, by))
			continue
		}
		if v, ok := had[p]; ok {
			o.Set(v, path(p)...)
		}
	}
	for p := range w.takenFrom(was, by) {
		o.Set(had[p], path(p)...)
	}
	slices.Sort(list)
	return o.Clone(), list
}

// managedFields returns the owners in the form of the API server.
func (w owners) managedFields() []any {
	byManager := map[string]sluice.Object{}
	for p, names := range w {
		for name := range names {
			if byManager[name] == nil {
				byManager[name] = sluice.Object{}
			}
			byManager[name].Set(map[string]any{}, path("f:"+strings.ReplaceAll(p, pathSeparator, pathSeparator+"f:"))...)
		}
	}
	var list []any
	for _, name := range slices.Sorted(maps.Keys(byManager)) {
		entry := map[string]any{
			"manager": name, "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": map[string]any(byManager[name]),
		}
		switch {
		case name == sluice.Manager || sluice.ApplicationOf(name) != "":
			entry["operation"] = "Apply"
		case name == scaler:
			entry["manager"], entry["subresource"] = Somebody, "scale"
		}
		list = append(list, entry)
	}
	return list
}

// applied returns the paths of the fields that the writer had applied when the object was read.
func applied(was sluice.Object, by writer) map[string]bool {
	all := map[string]bool{}
	for _, e := range was.List("metadata", "managedFields") {
		if name := e.Text("manager"); name != sluice.Manager && name != by.manager() {
			continue
		}
		maps.Copy(all, paths(e))
	}
	return all
}

// paths returns the paths of an entry of managedFields.
func paths(entry sluice.Object) map[string]bool {
	all := map[string]bool{}
	f, _ := asMap(entry["fieldsV1"])
	for p := range leaves(f) {
		all[strings.ReplaceAll(strings.TrimPrefix(p, "f:"), pathSeparator+"f:", pathSeparator)] = true
	}
	return all
}

// takenFrom returns the fields that the writer has taken from others since the object was read, with their owners.
func (w owners) takenFrom(was sluice.Object, by writer) map[string]string {
	all := map[string]string{}
	for _, e := range was.List("metadata", "managedFields") {
		name := e.Text("manager")
		if name == sluice.Manager || name == by.manager() || e.Text("subresource") != "" {
			continue
		}
		for p := range paths(e) {
			if w[p][by.manager()] && !w[p][name] {
				all[p] = name
			}
		}
	}
	return all
}

// managersOf returns the names in the object's managedFields.
func managersOf(o sluice.Object) []string {
	var names []string
	for _, e := range o.List("metadata", "managedFields") {
		names = append(names, e.Text("manager"))
	}
	return names
}
