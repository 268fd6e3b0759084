package accounttest

import (
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
)

// keeping is the part of the suite for accounts with Volumes. Their claims hold files, which are read and written here
// if a Volume has a directory.
var keeping = []scenario{
	{"Cut copies the claims at one instant, the same copy each time", nil, volumes((*run).cut)},
	{"a claim that does not exist is NotFound and named", nil, volumes((*run).cutMissing)},
	{"Describe says who uses a claim and how it could be cut", nil, volumes((*run).describe)},
	{"Use makes a staged generation the current one and returns the one before", nil, volumes((*run).use)},
	{"a generation that does not exist is NotFound", nil, volumes((*run).useMissing)},
	{"Use is a Conflict while a pod uses the claim", nil, volumes((*run).useInUse)},
	{"Discard refuses the current generation and ignores absent ones", nil, volumes((*run).discard)},
	{"a deleted claim loses nothing that could come back", nil, volumes((*run).deleteClaim)},
	{"what is kept outlives the cut, and generations begin with it", nil, snapshots((*run).keep)},
	{"what is dropped is NotFound", nil, snapshots((*run).dropped)},
}

// volumes skips a check if the account has no volumes.
func volumes(check func(r *run)) func(r *run) {
	return func(r *run) {
		if r.Account.Volumes == nil {
			r.Skip("the account has no volumes whose generations it manages")
		}
		check(r)
	}
}

// claim makes a claim that holds the text, and returns it with the name of its current generation.
func (r *run) claim(name, text string) (o sluice.Object, current string) {
	r.Helper()
	o = r.read(`
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: %s, labels: {kept: "yes"}, annotations: {kept: "yes"}}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}`, name)
	if r.Class != "" {
		o.Set(r.Class, "spec", "storageClassName")
	}
	v, err := r.Account.Volumes.Stage(r.ctx, o, "first", "")
	r.must(err)
	if v.Current {
		r.Errorf("pods see a generation of %s that was only staged", name)
	}
	r.fill(v, text)
	before, err := r.Account.Volumes.Use(r.ctx, o, "first")
	r.must(err)
	if before != "" {
		r.Errorf("before its first generation %s had %s", name, before)
	}
	if v, err = r.Account.Volumes.Stage(r.ctx, o, "first", ""); err != nil || !v.Current {
		r.Errorf("the generation that pods see of %s is not the current one: %v", name, err)
	}
	return o, r.current(o)
}

// stage makes a generation that holds the text.
func (r *run) stage(o sluice.Object, generation, text string) sluice.Volume {
	r.Helper()
	v, err := r.Account.Volumes.Stage(r.ctx, o, generation, "")
	r.must(err)
	r.fill(v, text)
	return v
}

const content = "content"

func (r *run) fill(v sluice.Volume, text string) {
	r.Helper()
	if v.Dir == "" {
		r.must(r.Write(v, text))
		return
	}
	r.must(os.WriteFile(filepath.Join(v.Dir, content), []byte(text), 0o600))
}

// holds fails unless the volume holds the text.
func (r *run) holds(v sluice.Volume, text string) {
	r.Helper()
	var got string
	var err error
	if v.Dir == "" {
		got, err = r.World.Read(v)
	} else {
		var data []byte
		data, err = os.ReadFile(filepath.Join(v.Dir, content))
		got = string(data)
	}
	if got != text || err != nil {
		r.Errorf("generation %s of %s holds %q, want %q: %v", v.Generation, v.Claim, got, text, err)
	}
}

// current returns the name of the generation that the claim's object names. The object has what it was given.
func (r *run) current(o sluice.Object) string {
	r.Helper()
	now := r.get(o.Ref())
	for _, field := range []string{"labels", "annotations"} {
		if now.Text("metadata", field, "kept") != "yes" {
			r.Errorf("the %s of %s are %v", field, o.Ref(), now.Field("metadata", field))
		}
	}
	return now.Text("spec", "volumeName")
}

const lease = 10 * time.Second

func (r *run) cut() {
	one, first := r.claim("one", "1")
	r.claim("two", "2")
	cut, err := r.Account.Volumes.Cut(r.ctx, r.Namespace, []string{"one", "two"}, "copy", lease)
	r.must(err)
	if len(cut.Volumes) != 2 || cut.At.IsZero() {
		r.Fatalf("the cut is %+v", cut)
	}
	for i, want := range []sluice.Volume{{Claim: "one", Dir: "1"}, {Claim: "two", Dir: "2"}} {
		v := cut.Volumes[i]
		if v.Claim != want.Claim || v.Namespace != r.Namespace || v.Generation != "copy" {
			r.Errorf("volume %d is %+v", i, v)
		}
		r.holds(v, want.Dir)
	}
	if got := r.current(one); got != first {
		r.Errorf("after a cut the current generation is %s", got)
	}
	again, err := r.Account.Volumes.Cut(r.ctx, r.Namespace, []string{"one", "two"}, "copy", lease)
	r.must(err)
	if !again.At.Equal(cut.At) && !cut.Held {
		r.Errorf("repeated, the cut is of %s, and was of %s", again.At, cut.At)
	}
	for range 2 {
		r.must(r.Account.Volumes.Discard(r.ctx, r.Namespace, "one", "copy"))
	}
}

func (r *run) cutMissing() {
	r.claim("one", "1")
	_, err := r.Account.Volumes.Cut(r.ctx, r.Namespace, []string{"one", "missing"}, "copy", lease)
	r.wants(err, sluice.NotFound, "missing")
	// Nothing of it is left: the generation can be cut afterwards.
	_, err = r.Account.Volumes.Cut(r.ctx, r.Namespace, []string{"one"}, "copy", lease)
	r.must(err)
}

func (r *run) describe() {
	one, first := r.claim("one", "1")
	_, err := r.Account.Volumes.Describe(r.ctx, r.Namespace, []string{"one", "missing"})
	r.wants(err, sluice.NotFound, "missing")
	r.start(r.mounting("web", "one"))
	job := r.mounting("beside", "one")
	job.Set("beside", "spec", "template", "metadata", "labels", sluice.WorkLabel)
	r.start(job)
	states, err := r.Account.Volumes.Describe(r.ctx, r.Namespace, []string{"one"})
	r.must(err)
	s := states[0]
	web := []string{"Deployment/web"}
	if len(states) != 1 || s.Claim != "one" || s.Generation != first || !slices.Equal(s.Users, web) {
		r.Errorf("%s is %+v", one.Ref(), states)
	}
	if s.Way != sluice.CutFreeze && s.Way != sluice.CutSnapshot && (s.Way != sluice.CutIdle || s.Reason == "") {
		r.Errorf("it is cut by %q because of %q", s.Way, s.Reason)
	}
}

func (r *run) use() {
	one, first := r.claim("one", "1")
	r.stage(one, "second", "2")
	if got := r.current(one); got != first {
		r.Errorf("staged, the current generation is %s", got)
	}
	before, err := r.Account.Volumes.Use(r.ctx, one, "second")
	r.must(err)
	second := r.current(one)
	if before != first || second == first {
		r.Errorf("use returns %q, and %s is current", before, second)
	}
	for _, name := range []string{"second", second} {
		if before, err := r.Account.Volumes.Use(r.ctx, one, name); before != second || err != nil {
			r.Errorf("repeated, use returns %q, %v", before, err)
		}
	}
	r.reads(one, "2")
	before, err = r.Account.Volumes.Use(r.ctx, one, first)
	if r.must(err); before != second || r.current(one) != first {
		r.Errorf("used again, the first is %s after %s", r.current(one), before)
	}
	r.reads(one, "1")
	r.must(r.Account.Volumes.Discard(r.ctx, r.Namespace, "one", "second"))
	r.reads(one, "1")
}

// reads fails unless the claim holds the text.
func (r *run) reads(o sluice.Object, text string) {
	r.Helper()
	name := o.Ref().Name
	cut, err := r.Account.Volumes.Cut(r.ctx, r.Namespace, []string{name}, "look", lease)
	r.must(err)
	r.holds(cut.Volumes[0], text)
	r.must(r.Account.Volumes.Discard(r.ctx, r.Namespace, name, "look"))
}

func (r *run) useMissing() {
	one, first := r.claim("one", "1")
	_, err := r.Account.Volumes.Use(r.ctx, one, "missing")
	r.wants(err, sluice.NotFound, "missing")
	if got := r.current(one); got != first {
		r.Errorf("the current generation is %s", got)
	}
}

// mounting is a Deployment whose pod mounts the claim.
func (r *run) mounting(name, claim string) sluice.Object {
	o := r.workload("Deployment", name, 1, Serves, 1)
	o.Set([]any{map[string]any{"name": "data", "persistentVolumeClaim": map[string]any{"claimName": claim}}},
		"spec", "template", "spec", "volumes")
	return o
}

func (r *run) useInUse() {
	one, first := r.claim("one", "1")
	r.stage(one, "second", "2")
	web := r.mounting("web", "one")
	r.start(web)
	_, err := r.Account.Volumes.Use(r.ctx, one, "second")
	r.wants(err, sluice.Conflict, "Deployment/web")
	if got := r.current(one); got != first {
		r.Errorf("the current generation is %s", got)
	}
	r.must(r.Delete(r.ctx, web.Ref()))
	_, err = r.Account.Volumes.Use(r.ctx, one, "second")
	r.must(err)
}

func (r *run) discard() {
	one, first := r.claim("one", "1")
	r.stage(one, "second", "2")
	for _, name := range []string{"first", first} {
		r.wants(r.Account.Volumes.Discard(r.ctx, r.Namespace, "one", name), sluice.Conflict, name)
	}
	for range 2 {
		r.must(r.Account.Volumes.Discard(r.ctx, r.Namespace, "one", "second"))
	}
	_, err := r.Account.Volumes.Use(r.ctx, one, "second")
	r.wants(err, sluice.NotFound, "second")
	r.must(r.Account.Volumes.Discard(r.ctx, r.Namespace, "missing", "second"))
}

// deleteClaim deletes a claim that has two generations. An account that keeps them elsewhere than under the claim gives
// the current one back.
func (r *run) deleteClaim() {
	one, first := r.claim("one", "1")
	v := r.stage(one, "second", "2")
	r.must(r.Delete(r.ctx, one.Ref()))
	if v.Dir == "" {
		_, err := r.Account.Volumes.Use(r.ctx, one, first)
		r.must(err)
		r.reads(one, "1")
		return
	}
	if _, err := os.Stat(v.Dir); err == nil {
		r.Errorf("%s is left", v.Dir)
	}
	r.claim("one", "2")
	_, err := r.Account.Volumes.Use(r.ctx, one, "second")
	r.wants(err, sluice.NotFound, "second")
}
