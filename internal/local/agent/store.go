package agent

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/kind"
	kjson "sigs.k8s.io/json"
)

// A key names an object; the kinds here exist in one version each.
type key struct{ Kind, Namespace, Name string }

func keyOf(r sluice.Ref) key { return key{r.Kind, r.Namespace, r.Name} }

// An entry is a stored object with what the account remembers about it.
type entry struct {
	Applied    sluice.Object              `json:"applied"`              // as it was given, without what the account adds
	Object     sluice.Object              `json:"object"`               // as others see it
	Percent    int                        `json:"percent,omitempty"`    // Service: the canary's share
	Release    string                     `json:"release,omitempty"`    // Service: of canary pods; "": TrackLabel tells
	Undivided  bool                       `json:"undivided,omitempty"`  // Service: every pod gets its share
	Address    string                     `json:"address,omitempty"`    // Service: also of headless ones
	Revisions  map[string]json.RawMessage `json:"revisions,omitempty"`  // StatefulSet: templates by hash
	ReplicaSet string                     `json:"replicaSet,omitempty"` // canary: begins the names of its pods
	Orphan     bool                       `json:"orphan,omitempty"`     // being deleted: its pods stay
	Implied    bool                       `json:"implied,omitempty"`    // Namespace: nobody applied it, an object needs it

	typed any // Applied as its Kubernetes type
}

func (e *entry) key() key       { return keyOf(e.Object.Ref()) }
func (e *entry) uid() string    { return e.Object.Text("metadata", "uid") }
func (e *entry) deleting() bool { return e.Object.Text("metadata", "deletionTimestamp") != "" }

// A store keeps the objects, one file each. It is used by one goroutine at a time.
type store struct {
	dir     string
	objects map[key]*entry
	version int64
	notify  func(sluice.Object)
}

func openStore(dir string, notify func(sluice.Object)) (*store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return loadStore(dir, notify)
}

// loadStore reads the objects. A directory that is not there has none.
func loadStore(dir string, notify func(sluice.Object)) (*store, error) {
	s := &store{dir: dir, objects: map[key]*entry{}, notify: notify}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".json") {
			return ignoreAbsent(err)
		}
		return s.load(path)
	})
	return s, err
}

func (s *store) load(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	e := &entry{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(b, e); err != nil {
		return err
	}
	if e.typed, err = kind.Restore(e.Applied); err != nil {
		return err
	}
	s.version = max(s.version, int64(e.Object.Number(0, "metadata", "resourceVersion")), parseVersion(e.Object))
	s.objects[e.key()] = e
	return nil
}

func (s *store) path(k key) string {
	return filepath.Join(s.dir, k.Kind, cmp.Or(k.Namespace, "_"), k.Name+".json")
}

// put stores the entry, numbers it and tells the watchers.
func (s *store) put(e *entry) error {
	s.version++
	e.Object.Set(formatVersion(s.version), "metadata", "resourceVersion")
	path := s.path(e.key())
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := writeJSON(path, e); err != nil {
		return err
	}
	s.objects[e.key()] = e
	s.notify(e.Object.Clone())
	return nil
}

// setStatus stores the status if it differs from the one before.
func (s *store) setStatus(e *entry, status any) error {
	plain, err := plainOf(status)
	if err != nil {
		return err
	}
	if reflect.DeepEqual(e.Object.Field("status"), plain) {
		return nil
	}
	e.Object.Set(plain, "status")
	return s.put(e)
}

// remove forgets the object and tells the watchers.
func (s *store) remove(k key) error {
	e := s.objects[k]
	if e == nil {
		return nil
	}
	path := s.path(k)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return err
	}
	delete(s.objects, k)
	gone := e.Object.Clone()
	if !e.deleting() {
		gone.Set(timestamp(), "metadata", "deletionTimestamp")
	}
	s.version++
	gone.Set(formatVersion(s.version), "metadata", "resourceVersion")
	gone.Set(true, goneField)
	s.notify(gone)
	return nil
}

// list returns the objects of a kind by namespace and name; "" stands for every kind or namespace.
func (s *store) list(kindName, namespace string) []*entry {
	var found []*entry
	for k, e := range s.objects {
		if (kindName == "" || k.Kind == kindName) && (namespace == "" || k.Namespace == namespace) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *entry) int {
		ka, kb := a.key(), b.key()
		return cmp.Or(cmp.Compare(ka.Kind, kb.Kind), cmp.Compare(ka.Namespace, kb.Namespace), cmp.Compare(ka.Name, kb.Name))
	})
	return found
}

// plainOf turns a typed value into the maps and lists of an Object.
func plainOf(v any) (any, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var plain any
	err = kjson.UnmarshalCaseSensitivePreserveInts(b, &plain)
	return plain, err
}
