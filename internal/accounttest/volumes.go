package accounttest

import (
	"os"
	"path/filepath"
	"time"

	"github.com/sluice-cd/sluice"
)

// keeping is the part of the suite for accounts with Volumes. Their claims hold files, which are read and written here
// if a Volume has a directory.
var keeping = []scenario{
	{"Cut copies the claims at one instant, the same copy each time", nil, volumes((*run).cut)},
	{"a claim that does not exist is NotFound and named", nil, volumes((*run).cutMissing)},
	{"Use makes a staged generation the current one and returns the one before", nil, volumes((*run).use)},
	{"a generation that does not exist is NotFound", nil, volumes((*run).useMissing)},
	{"Use is a Conflict while a pod uses the claim", nil, volumes((*run).useInUse)},
	{"Discard refuses the current generation and ignores absent ones", nil, volumes((*run).discard)},
	{"deleting a claim deletes its generations", nil, volumes((*run).deleteClaim)},
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

// claim makes a claim whose current generation is named first and holds the text.
func (r *run) claim(name, text string) sluice.Object {
	r.Helper()
	o := r.read(`
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: %s}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}`, name)
	r.apply(o)
	v, err := r.Account.Volumes.Stage(r.ctx, o, "first")
	r.must(err)
	r.write(v, text)
	_, err = r.Account.Volumes.Use(r.ctx, o, "first")
	r.must(err)
	return o
}

const content = "content"

func (r *run) write(v sluice.Volume, text string) {
	r.Helper()
	if v.Dir != "" {
		r.must(os.WriteFile(filepath.Join(v.Dir, content), []byte(text), 0o600))
	}
}

// holds fails unless the volume can be read here and holds the text, "" for nothing.
func (r *run) holds(v sluice.Volume, text string) {
	r.Helper()
	if v.Dir == "" {
		return
	}
	got, err := os.ReadFile(filepath.Join(v.Dir, content))
	if string(got) != text || text != "" && err != nil {
		r.Errorf("generation %s of %s holds %q, want %q: %v", v.Generation, v.Claim, got, text, err)
	}
}

// current returns the name of the generation that the claim's object names.
func (r *run) current(o sluice.Object) string {
	r.Helper()
	return r.get(o.Ref()).Text("spec", "volumeName")
}

const lease = 10 * time.Second

func (r *run) cut() {
	one := r.claim("one", "1")
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
	if got := r.current(one); got != "first" {
		r.Errorf("after a cut the current generation is %s", got)
	}
	again, err := r.Account.Volumes.Cut(r.ctx, r.Namespace, []string{"one", "two"}, "copy", lease)
	r.must(err)
	if !again.At.Equal(cut.At) {
		r.Errorf("repeated, the cut is of %s, and was of %s", again.At, cut.At)
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

func (r *run) use() {
	one := r.claim("one", "1")
	v, err := r.Account.Volumes.Stage(r.ctx, one, "second")
	r.must(err)
	r.holds(v, "")
	r.write(v, "2")
	for i, want := range []string{"first", "second"} {
		before, err := r.Account.Volumes.Use(r.ctx, one, "second")
		if before != want || err != nil || r.current(one) != "second" {
			r.Errorf("use %d returns %q, %v", i, before, err)
		}
	}
	cut, err := r.Account.Volumes.Cut(r.ctx, r.Namespace, []string{"one"}, "copy", lease)
	r.must(err)
	r.holds(cut.Volumes[0], "2")
}

func (r *run) useMissing() {
	one := r.claim("one", "1")
	_, err := r.Account.Volumes.Use(r.ctx, one, "missing")
	r.wants(err, sluice.NotFound, "missing")
	if got := r.current(one); got != "first" {
		r.Errorf("the current generation is %s", got)
	}
}

func (r *run) useInUse() {
	one := r.claim("one", "1")
	_, err := r.Account.Volumes.Stage(r.ctx, one, "second")
	r.must(err)
	web := r.workload("Deployment", "web", 1, Serves, 1)
	web.Set([]any{map[string]any{"name": "data", "persistentVolumeClaim": map[string]any{"claimName": "one"}}},
		"spec", "template", "spec", "volumes")
	r.start(web)
	_, err = r.Account.Volumes.Use(r.ctx, one, "second")
	r.wants(err, sluice.Conflict, "Deployment/web")
	if got := r.current(one); got != "first" {
		r.Errorf("the current generation is %s", got)
	}
	r.must(r.Delete(r.ctx, web.Ref()))
	_, err = r.Account.Volumes.Use(r.ctx, one, "second")
	r.must(err)
}

func (r *run) discard() {
	one := r.claim("one", "1")
	_, err := r.Account.Volumes.Stage(r.ctx, one, "second")
	r.must(err)
	r.wants(r.Account.Volumes.Discard(r.ctx, r.Namespace, "one", "first"), sluice.Conflict, "first")
	for range 2 {
		r.must(r.Account.Volumes.Discard(r.ctx, r.Namespace, "one", "second"))
	}
	_, err = r.Account.Volumes.Use(r.ctx, one, "second")
	r.wants(err, sluice.NotFound, "second")
	r.must(r.Account.Volumes.Discard(r.ctx, r.Namespace, "missing", "second"))
}

func (r *run) deleteClaim() {
	one := r.claim("one", "1")
	v, err := r.Account.Volumes.Stage(r.ctx, one, "second")
	r.must(err)
	r.must(r.Delete(r.ctx, one.Ref()))
	if v.Dir != "" {
		if _, err := os.Stat(v.Dir); err == nil {
			r.Errorf("%s is left", v.Dir)
		}
	}
	r.claim("one", "2")
	_, err = r.Account.Volumes.Use(r.ctx, one, "second")
	r.wants(err, sluice.NotFound, "second")
}
