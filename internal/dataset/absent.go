package dataset

import (
	"context"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

// absent is the error for something that the dataset names and its namespace does not have. If the namespace itself
// does not exist, that is the error. A name that is almost right is suggested.
func (d Dataset) absent(ctx context.Context, ref sluice.Ref, field string) error {
	if namespaces, ok := d.namesOf(ctx, "Namespace", ""); ok && !namespaces[d.Place.Namespace] {
		return notFound("the account %s has no namespace %s, where the dataset %s of %s should be",
			d.Place.Name, d.Place.Namespace, d.Spec.Name, d.Target).
			WithHint("%s", near(d.Place.Namespace, namespaces, "correct namespace: of the target "+d.Target)).At(d.Spec.Pos)
	}
	what := "workload " + ref.String()
	if ref.Kind == "PersistentVolumeClaim" {
		what = "claim " + ref.Name
	}
	there, _ := d.namesOf(ctx, ref.Kind, d.Place.Namespace)
	return notFound("the dataset %s of %s has no %s in the namespace %s", d.Spec.Name, d.Target, what, d.Place.Namespace).
		WithHint("%s", near(ref.Name, there, "deploy the database first, or correct datasets."+d.Spec.Name+"."+field)).
		At(d.Spec.Pos)
}

// IsAbsent reports whether the place has neither the workload nor any claim of the dataset, so that it has no data.
func (d Dataset) IsAbsent(ctx context.Context) (bool, error) {
	workload, err := d.Workload(ctx)
	if err != nil || workload != nil {
		return false, err
	}
	for _, claim := range d.Spec.Claims {
		if o, err := d.get(ctx, claimRef(d.Place.Namespace, claim)); err != nil || o != nil {
			return false, err
		}
	}
	return true, nil
}

func notFound(format string, args ...any) *sluice.Error {
	return sluice.Errorf(sluice.NotFound, format, args...)
}

// namesOf returns the names of the objects of a kind, and false if they cannot be listed.
func (d Dataset) namesOf(ctx context.Context, kind, namespace string) (map[string]bool, bool) {
	ref, err := sluice.ParseRef(kind+"/x", namespace)
	if err != nil || ref.APIVersion == "" {
		return nil, false
	}
	list, err := d.Place.Account.List(ctx, ref.APIVersion, kind, namespace)
	if err != nil {
		return nil, false // the error that is explained does not depend on it
	}
	names := map[string]bool{}
	for _, o := range list {
		names[o.Ref().Name] = true
	}
	return names, true
}

// near suggests the name that was meant, if there is one, before the advice.
func near(name string, there map[string]bool, advice string) string {
	var choices []string
	for choice := range there {
		choices = append(choices, choice)
	}
	if meant := yamldoc.Nearest(name, choices); meant != "" {
		return strings.Join([]string{"did you mean " + meant + "?", advice}, " ")
	}
	return advice
}
