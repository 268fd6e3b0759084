// Package refusal tells what an account refuses for good from what it refuses only now: because it is away, or because
// an earlier step has not yet brought what is missing.
package refusal

import (
	"errors"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/step/sibling"
)

// Is reports whether the account refuses what it was asked for. An account that is away does not refuse.
func Is(err error) bool { return sluice.ErrorCode(err).IsRefusal() }

// IsMissing reports whether the refusal is that the namespace or the kind does not exist, so that somebody may bring
// it. What the account will never support is named by the error's field.
func IsMissing(err error) bool {
	e, ok := errors.AsType[*sluice.Error](err)
	return ok && (e.Code == sluice.NotFound || e.Code == sluice.Unsupported && fieldOf(e) == "")
}

// An Object is what an account refused to take.
type Object struct {
	Ref    sluice.Ref
	Place  sluice.Position // in the user's files; may be none
	Exists bool            // in the account, in another state
}

// At adds to a refusal of the object where the wrong field is in the user's file, and what to do.
func (o Object) At(err error) error {
	outer, ok := errors.AsType[*sluice.Error](err)
	if !ok || !Is(err) {
		return err
	}
	e := *outer
	e.Pos = manifest.Locate(o.Place, fieldOf(outer))
	if sluice.ErrorHint(outer) == "" {
		e.Hint = o.hint(e.Code)
	}
	return &e
}

func (o Object) hint(code sluice.Code) string {
	switch {
	case code == sluice.NotFound && o.Ref.Namespace != "":
		return "add the Namespace to the manifests, or type: kubectl create namespace " + o.Ref.Namespace
	case code == sluice.Invalid && o.Exists:
		return "correct the manifest; if the field of an object that exists cannot change, delete the object first: " +
			"kubectl delete " + o.Ref.String() + o.inNamespace()
	}
	return "correct the manifest"
}

func (o Object) inNamespace() string {
	if o.Ref.Namespace == "" {
		return ""
	}
	return " --namespace " + o.Ref.Namespace
}

// fieldOf returns the field that the error or a cause of it names.
func fieldOf(e *sluice.Error) string {
	for e != nil && e.Field == "" {
		e, _ = errors.AsType[*sluice.Error](e.Err)
	}
	if e == nil {
		return ""
	}
	return e.Field
}

// Unknown says why the account may still take the object although it refuses it now: an earlier step brings what is
// missing, or changes the object itself. It returns "" if the refusal stands.
func Unknown(sc sluice.StepContext, ref sluice.Ref, err error) string {
	for _, step := range sibling.Earlier(sc) {
		id := string(step.ID)
		isSame := func(o sluice.Object) bool { return o.Ref().Same(ref) }
		switch {
		case step.Apply != nil && slices.ContainsFunc(step.Apply.Objects, isSame):
			return id + " changes " + ref.String() + " first"
		case !IsMissing(err):
		case step.Apply != nil && Brings(step.Apply.Objects, ref):
			return ref.String() + " needs what " + id + " brings"
		case step.RunJob != nil || step.RunWebhook != nil:
			return id + " may bring what is missing: " + err.Error()
		}
	}
	return ""
}

// Brings reports whether the objects bring the namespace or the definition that the object needs.
func Brings(objects []sluice.Object, ref sluice.Ref) bool {
	return slices.ContainsFunc(objects, func(o sluice.Object) bool {
		switch o.Text("kind") {
		case "Namespace":
			return o.Text("metadata", "name") == ref.Namespace
		case "CustomResourceDefinition":
			return o.Text("spec", "names", "kind") == ref.Kind
		}
		return false
	})
}
