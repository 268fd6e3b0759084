package manifest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// foreground is the finalizer of an object that the cluster deletes after everything that belongs to it.
const foreground = "foregroundDeletion"

// HeldBack says what an object that is being deleted waits for, "" if it does not say: its finalizers, and the
// remaining content of a Namespace.
func HeldBack(o sluice.Object) string {
	var finalizers, words []string
	for _, at := range []string{"metadata", "spec"} {
		list, _ := o.Field(at, "finalizers").([]any)
		for _, name := range list {
			finalizers = append(finalizers, fmt.Sprint(name))
		}
	}
	if i := slices.Index(finalizers, foreground); i >= 0 {
		finalizers = slices.Delete(finalizers, i, i+1)
		words = append(words, "it waits for the end of what belongs to it")
	}
	switch len(finalizers) {
	case 0:
	case 1:
		words = append(words, "it waits for the finalizer "+finalizers[0])
	default:
		words = append(words, "it waits for the finalizers "+strings.Join(finalizers, ", "))
	}
	for _, c := range o.List("status", "conditions") {
		if c.Text("status") == "True" && strings.HasPrefix(c.Text("type"), "Namespace") {
			words = append(words, strings.TrimRight(strings.Join(strings.Fields(c.Text("message")), " "), "."))
		}
	}
	return strings.Join(words, "; ")
}
