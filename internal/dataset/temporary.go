package dataset

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

// lifetime bounds how long the content of a scratch exists, also if Sluice is gone.
const lifetime = 24 * time.Hour

// expiryJob is the Job that owns what is in the namespace of a copy.
const expiryJob = "sluice-expiry"

// The values of sluice.CopyLabel.
const (
	copyScratch = "scratch"
	copyBranch  = "branch"
)

// The annotations of a namespace with a copy.
const (
	notePrefix     = "sluice-cd.github.io/"
	deploymentNote = notePrefix + "deployment"
	branchNote     = notePrefix + "branch" // a sluice.Branch as JSON
	keyNote        = notePrefix + "key"
	claimsNote     = notePrefix + "claims"
	workloadNote   = notePrefix + "workload"
)

// A term says what a namespace with a copy is for, and from when until when the copy may be there.
type term struct {
	kind        string // of the copy: a value of sluice.CopyLabel
	from, until time.Time
	notes       map[string]any // more annotations
}

// seconds returns how long the copy may be there, by a clock that may differ from Sluice's.
func (t term) seconds() int64 { return max(int64(t.until.Sub(t.from).Seconds()), 1) }

func (s Scratch) term() term {
	if s.branch != nil {
		return branchTerm(*s.branch)
	}
	now := s.inside.Now()
	return term{kind: copyScratch, from: now, until: now.Add(lifetime)}
}

func (s Scratch) purpose() string {
	if s.branch != nil {
		return "restoring the copy for the branch " + s.branch.Name
	}
	return "restoring the copy once, to prove it"
}

// namespace returns the namespace of a copy. Its annotations say how to remove the copy.
func (d Dataset) namespace(t term) sluice.Object {
	notes := map[string]any{
		notePrefix + "application":    d.Application,
		deploymentNote:                string(d.Deployment),
		notePrefix + "step":           string(d.Step),
		notePrefix + "dataset":        d.Spec.Name,
		notePrefix + "copy-of-target": d.Target,
		keyNote:                       d.Key,
		claimsNote:                    strings.Join(d.Spec.Claims, ","),
		workloadNote:                  d.Spec.Workload,
	}
	return namespaceOf(d.Place.Namespace, t, notes)
}

func namespaceOf(name string, t term, notes map[string]any) sluice.Object {
	notes[sluice.CopyExpires] = t.until.UTC().Format(time.RFC3339)
	for key, note := range t.notes {
		notes[key] = note
	}
	o := sluice.Object{"apiVersion": "v1", "kind": "Namespace"}
	o.Set(name, "metadata", "name")
	o.Set(map[string]any{managedBy: sluice.Manager, sluice.CopyLabel: t.kind}, "metadata", "labels")
	o.Set(notes, "metadata", "annotations")
	return o
}

// A Temporary is a namespace with a copy of data that must not stay: a scratch or a branch.
type Temporary struct {
	Place      sluice.Place
	Deployment sluice.DeploymentID // that made the scratch, or the checkpoint of the branch
	Expires    time.Time           // the zero time: not known
	Branch     *sluice.Branch      // nil: a scratch
	namespace  sluice.Object
}

// Temporaries lists the namespaces of an account that hold a copy and are not being deleted. at has no namespace.
func Temporaries(ctx context.Context, at sluice.Place) ([]Temporary, error) {
	all, err := at.Account.List(ctx, "v1", "Namespace", "")
	if err != nil {
		return nil, err
	}
	var list []Temporary
	for _, o := range all {
		if o.Text("metadata", "labels", sluice.CopyLabel) != "" && o.Text("metadata", "deletionTimestamp") == "" {
			list = append(list, temporary(at, o))
		}
	}
	return list, nil
}

// TemporaryAt returns the copy in the place. NotFound: the namespace does not exist, or holds none.
func TemporaryAt(ctx context.Context, at sluice.Place) (Temporary, error) {
	o, err := at.Account.Get(ctx, sluice.Ref{APIVersion: "v1", Kind: "Namespace", Name: at.Namespace})
	if err != nil {
		return Temporary{}, err
	}
	if o.Text("metadata", "labels", sluice.CopyLabel) == "" {
		return Temporary{}, sluice.Errorf(sluice.NotFound, "the namespace %s of %s holds no copy", at.Namespace, at.Name)
	}
	return temporary(at, o), nil
}

func temporary(at sluice.Place, namespace sluice.Object) Temporary {
	t := Temporary{Place: at, namespace: namespace, Deployment: sluice.DeploymentID(noteOf(namespace, deploymentNote))}
	t.Place.Namespace = namespace.Ref().Name
	t.Expires, _ = time.Parse(time.RFC3339, noteOf(namespace, sluice.CopyExpires)) // then it is not known
	var b sluice.Branch
	if json.Unmarshal([]byte(noteOf(namespace, branchNote)), &b) == nil { // a scratch has none
		b.Account, b.Namespace, b.Expires = t.Place.Name, t.Place.Namespace, t.Expires
		t.Branch = &b
	}
	return t
}

func noteOf(o sluice.Object, key string) string { return o.Text("metadata", "annotations", key) }

// IsExpired reports whether anybody may delete the copy.
func (t Temporary) IsExpired(now time.Time) bool { return !t.Expires.IsZero() && t.Expires.Before(now) }

// Remove removes the copy and its namespace. It may be repeated.
func (t Temporary) Remove(ctx context.Context, tools Tools) error {
	d := t.dataset()
	d.Tools = tools
	return Scratch{inside: d, outside: d}.Clean(ctx)
}

// dataset returns what the namespace says of the dataset that was copied.
func (t Temporary) dataset() Dataset {
	d := Dataset{Place: t.Place, Key: noteOf(t.namespace, keyNote), Report: func(sluice.Progress) {}}
	d.Spec.Workload = noteOf(t.namespace, workloadNote)
	d.Spec.Claims = slices.DeleteFunc(strings.Split(noteOf(t.namespace, claimsNote), ","), func(claim string) bool {
		return claim == ""
	})
	return d
}
