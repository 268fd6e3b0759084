package watch

// groups keeps items by uid, each in one group.
type groups[T any] struct {
	items map[string]map[string]T // by group, then by uid
	of    map[string]string       // the group of each item, by uid
}

func newGroups[T any]() groups[T] {
	return groups[T]{items: map[string]map[string]T{}, of: map[string]string{}}
}

func (g groups[T]) get(uid string) T { return g.items[g.of[uid]][uid] }

// put keeps the item in the group, and no longer in another one.
func (g groups[T]) put(group, uid string, item T) {
	if now, ok := g.of[uid]; ok && now != group {
		g.remove(uid)
	}
	if g.items[group] == nil {
		g.items[group] = map[string]T{}
	}
	g.items[group][uid], g.of[uid] = item, group
}

// remove returns the group in which the item was, and false if there is no such item.
func (g groups[T]) remove(uid string) (group string, ok bool) {
	group, ok = g.of[uid]
	delete(g.of, uid)
	delete(g.items[group], uid)
	if len(g.items[group]) == 0 {
		delete(g.items, group)
	}
	return group, ok
}
